"""Looks up the position of an address at the operator's own choice of Nominatim.

geopy, which does it, is loaded only where a geocoder is configured: it takes the better part of a second.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from msgspec import Struct

from server.errors import BadUse


class Found(Struct, frozen=True, kw_only=True, gc=False):
    """Where an address is."""

    lat_deg: float
    lon_deg: float


class NotFound(Struct, frozen=True, kw_only=True, gc=False):
    """Why an address has no position: a problem's code, and what happened."""

    code: str  #: `no_place_found` or `geocoder_failed`
    detail: str


#: Asks the service for the position of one address.
Ask = Callable[[str], Awaitable[Found | NotFound]]


class Geocoder:
    """One Nominatim, asked at a bounded rate by all who share this object."""

    def __init__(self, ask: Ask, *, at_most: int | None) -> None:
        #: The position of an address; never raises for what the service answers or fails to.
        self.locate = ask
        #: How many addresses one import may have looked up; None: as many as it likes.
        self.at_most = at_most

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, at_most: int | None = None, min_delay_s: float = 1.0, timeout_s: float = 10.0
    ) -> AsyncIterator[Self]:
        """A geocoder at the base URL of a Nominatim, such as `https://nominatim.example.com`.

        Raises BadUse where `url` is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise BadUse(f"the geocoder {url!r} is no http(s) base URL")
        from server.imports.nominatim import asking  # noqa: PLC0415 - see the module's docstring

        async with asking(parts, min_delay_s=min_delay_s, timeout_s=timeout_s) as ask:
            yield cls(ask, at_most=at_most)
