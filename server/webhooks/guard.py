"""Which addresses a webhook may be sent to: public ones, and private ones that the operator allows by name.

A host is resolved once, by the connection that uses the answer: a name that changes its mind between check
and connection gains nothing. Redirects are not followed.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Address: TypeAlias = IPv4Address | IPv6Address

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_URL_MOST = 2_000


class BlockedAddress(OSError):  # noqa: N818 - it names what was found
    """A host has only addresses that nothing may be sent to."""


def is_public(address: Address) -> bool:
    """Whether an address is anybody's on the internet, and no way round to a private one."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in _NAT64):
            return False
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if embedded:
            return is_public(embedded)
    return address.is_global and not address.is_multicast


def refuse_url(url: str, private_hosts: Collection[str]) -> str | None:
    """Why a webhook must not be sent to this URL, as far as it can be told without resolving it; or None."""
    if len(url) > _URL_MOST or not url.isascii() or not url.isprintable() or " " in url:
        return f"a URL has at most {_URL_MOST} printable ASCII characters"
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return "a URL looks like https://shop.example/hooks"
    if parts.username is not None or parts.fragment:
        return "no user, password or #fragment goes into the URL"
    if parts.hostname in private_hosts:
        return None
    if parts.scheme != "https":
        return "only https: messages are about persons"
    literal = _literal(parts.hostname)
    if literal is not None and not is_public(literal):
        return "this address is not on the public internet; the operator may allow it: VICINO_WEBHOOK_HOSTS"
    return None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class GuardedResolver(AbstractResolver):
    """Resolves names to addresses that may be connected to, and no others."""

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._private_hosts = private_hosts
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As aiohttp asks. Raises BlockedAddress where no address is left."""
        found = await self._names.resolve(host, port, family)
        if host in self._private_hosts:
            return found
        allowed = [one for one in found if is_public(ip_address(one["host"].partition("%")[0]))]
        if not allowed:
            raise BlockedAddress(f"{host} has no public address")
        return allowed

    async def close(self) -> None:
        await self._names.close()
