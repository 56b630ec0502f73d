"""Who is calling: keys of a retailer (app, server, till) and access tokens of devices.

Keys are 256 random bits of which the database holds the SHA-256. An access token is a signed JWT that says
retailer, device and shopper, so a ping needs no look-up; a refresh token is random, used once, and using it
twice ends its family.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
import msgspec
import structlog

from server.clock import Clock, from_us
from server.db import Connection, Database
from server.ids import new_id
from server.problems import Problem
from server.sql import queries

SQL = queries("auth")
log = structlog.get_logger("vicino.auth")
SET_ADDRESSES = queries("engine")["set_addresses"]

ACCESS_TTL_US = 15 * 60 * 1_000_000
REFRESH_TTL_US = 90 * 86_400 * 1_000_000
KEY_CACHE_US = 5 * 1_000_000  #: how long a key's owner is remembered, and so how long a revoked key may live
#: How long signing keys are remembered, and so how long one that was dropped may live …
SIGNING_KEYS_US = 60 * 1_000_000
AGAIN_US = 1_000_000  #: … but not where a token names another; so often it is looked, whoever names whatever
CACHE_MOST = 100_000  #: credentials that are remembered
LOOK_THROUGH_LEAST = 1_000  #: so many may hold no more

_PREFIXES = {"app": "pk", "server": "sk", "till": "tk"}


class Caller(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An authenticated caller."""

    retailer_id: str
    kind: str  #: app | server | till | device, or a person's role (`server.accounts.roles`)
    name: str  #: what to tell callers of one kind apart by: a key's hash, a device's id, a person's address
    device_id: str | None = None
    shopper_id: str | None = None
    store: str | None = None  #: the store a till key is bound to
    expires_at_us: int | None = None
    public_key: bytes | None = None  #: Ed25519: the device signs what it sends
    user_id: str | None = None  #: the account of a person; her role is the kind
    stores: frozenset[str] | None = None  #: what a store manager may see and touch; None: every store

    def reaches(self, store: str | None) -> bool:
        """Whether the caller may see and touch what is of this store."""
        return self.stores is None or store in self.stores


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a device is given to come back with."""

    access_token: str
    refresh_token: str
    expires_at_us: int


class Bearer(NamedTuple):
    """What an access token says."""

    retailer_id: str
    device_id: str
    shopper_id: str
    public_key: bytes | None = None


def new_key(kind: str) -> str:
    """A new key of a retailer: `pk_…` app, `sk_…` server, `tk_…` till."""
    return f"{_PREFIXES[kind]}_{secrets.token_urlsafe(32)}"


def secret_hash(value: str) -> bytes:
    """What the database holds of a key or refresh token."""
    return hashlib.sha256(value.encode()).digest()


class Authenticator:
    """Tells who holds a credential, and gives devices theirs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._secrets: dict[str, bytes] = {}
        self._secrets_at_us = 0  #: when they were read
        self._callers: dict[str, tuple[int, Caller]] = {}
        self._look_through_at = LOOK_THROUGH_LEAST  #: credentials
        self._looking: dict[str, asyncio.Task[None]] = {}  #: keys that are looked up again
        self._moved: dict[tuple[str, str], tuple[str, int]] = {}  #: whose a device is since, and until when

    def known(self, credential: str) -> Caller | None:
        """The holder of a key or token that was shown before and still holds.

        A key in use is looked up again before it is forgotten, once: all phones of a retailer may have it in
        their address, and would ask for it together.
        """
        known = self._callers.get(credential)
        if known is None:
            return None
        until_us, caller = known
        left_us = until_us - self._clock.now_us()
        if 2 * left_us < KEY_CACHE_US and left_us > 0 and caller.kind != "device":
            self._look_again(credential)
        return caller if left_us > 0 else None

    def _look_again(self, key: str) -> None:
        if key not in self._looking:
            task = asyncio.get_running_loop().create_task(self._looked(key))
            self._looking[key] = task
            task.add_done_callback(lambda _: self._looking.pop(key, None))

    async def _looked(self, key: str) -> None:
        now_us = self._clock.now_us()
        try:
            self._callers[key] = (now_us + KEY_CACHE_US, await self._key(key))
        except Problem:
            self._callers.pop(key, None)  # it was revoked
        except Exception as error:  # noqa: BLE001 - who shows it next finds out, when it is forgotten
            log.warning("key_not_looked_up", error=type(error).__name__)

    async def caller(self, credential: str) -> Caller:
        """The holder of a key or access token. Raises Problem 401."""
        if (known := self.known(credential)) is not None:
            return known
        now_us = self._clock.now_us()
        if credential.startswith(tuple(f"{prefix}_" for prefix in _PREFIXES.values())):
            found = await self._key(credential)
            until_us = now_us + KEY_CACHE_US
        else:
            found = await self._token(credential, now_us)
            until_us = found.expires_at_us or now_us
            owner, _ = self._moved.get((found.retailer_id, str(found.device_id)), (found.shopper_id, 0))
            if owner != found.shopper_id:
                raise _unknown("token_expired", "somebody logged in or out since: use the newest tokens")
        if len(self._callers) >= self._look_through_at:
            self._look_through(now_us)
        self._callers[credential] = (until_us, found)
        return found

    def _look_through(self, now_us: int) -> None:
        """Forgets what does not hold any more; all, where too much does. Not again before twice as much is
        there: a phone has a new token every quarter of an hour, and nobody shows the old one.
        """
        self._callers = {name: held for name, held in self._callers.items() if held[0] > now_us}
        if len(self._callers) >= CACHE_MOST:
            self._callers.clear()
        self._look_through_at = min(max(LOOK_THROUGH_LEAST, 2 * len(self._callers)), CACHE_MOST)

    def moved(self, retailer_id: str, device_id: str, shopper_id: str) -> None:
        """The device is this shopper's: its access tokens of before end now.

        Remembered by this process alone, for as long as such a token could live.
        """
        now_us = self._clock.now_us()
        self._moved = {name: (owner, us) for name, (owner, us) in self._moved.items() if us > now_us}
        self._moved[retailer_id, device_id] = shopper_id, now_us + ACCESS_TTL_US
        self._forget(
            lambda caller: (
                (caller.retailer_id, caller.device_id) == (retailer_id, device_id)
                and caller.shopper_id != shopper_id
            )
        )

    def forget_shopper(self, retailer_id: str, shopper_id: str) -> None:
        """Forgets whose the access tokens of a shopper's devices are: she was erased."""
        self._forget(lambda caller: (caller.retailer_id, caller.shopper_id) == (retailer_id, shopper_id))

    def _forget(self, wanted: Callable[[Caller], bool]) -> None:
        for token in [token for token, (_, caller) in self._callers.items() if wanted(caller)]:
            del self._callers[token]

    async def _key(self, key: str) -> Caller:
        hashed = secret_hash(key)
        async with self._database.system() as connection:
            row = await connection.fetchrow(SQL["key_owner"], hashed)
        if row is None:
            raise _unknown("unknown_key", "no such key, or it was revoked")
        return Caller(
            retailer_id=row["retailer_id"], kind=row["kind"], store=row["store"], name=hashed.hex()[:16]
        )

    async def _token(self, token: str, now_us: int) -> Caller:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            secret = (await self._signing_keys(of=kid)).get(kid)
            if secret is None:
                raise _unknown("unknown_token", "this access token was signed by nobody known here")
            claims: dict[str, Any] = jwt.decode(
                token, secret, algorithms=["HS256"], options={"verify_exp": False, "require": ["exp"]}
            )
        except jwt.PyJWTError:
            raise _unknown("bad_token", "this is no access token of ours") from None
        expires_at_us = int(claims["exp"]) * 1_000_000
        if now_us >= expires_at_us:
            raise _unknown("token_expired", "the access token has expired: refresh it at /v1/devices/token")
        return Caller(
            retailer_id=claims["rid"],
            kind="device",
            name=claims["did"],
            device_id=claims["did"],
            shopper_id=claims["sub"],
            expires_at_us=expires_at_us,
            public_key=base64.b64decode(claims["pk"]) if "pk" in claims else None,
        )

    async def _signing_keys(self, *, of: str | None = None) -> dict[str, bytes]:
        """The keys that sign access tokens, newest first; as they are now where the one `of` is not known."""
        age_us = self._clock.now_us() - self._secrets_at_us
        if (
            not self._secrets
            or age_us > SIGNING_KEYS_US
            or (of not in {None, *self._secrets} and age_us > AGAIN_US)
        ):
            async with self._database.system() as connection:
                rows = await connection.fetch(SQL["signing_keys"])
            gone = self._secrets.keys() - {row["kid"] for row in rows}
            self._secrets = {row["kid"]: bytes(row["secret"]) for row in rows}
            self._secrets_at_us = self._clock.now_us()
            if gone:  # what they have signed is no token of ours any more
                self._forget(lambda caller: caller.kind == "device")
        return self._secrets

    async def issue(self, bearer: Bearer) -> Tokens:
        """The first tokens of a device: a new family."""
        async with self._database.transaction(bearer.retailer_id) as connection:
            return await self._issue(connection, bearer, new_id("fam"))

    async def refresh(self, refresh_token: str, *, address: tuple[str, str] | None = None) -> Tokens:
        """New tokens for a refresh token, which is used up, and maybe a new push address: all or nothing.

        Raises Problem 401. A token used twice ends its family: somebody has a copy.
        """
        retailer_id, _, _ = refresh_token.partition(".")
        hashed, now = secret_hash(refresh_token), from_us(self._clock.now_us())
        async with self._database.transaction(retailer_id) as connection:
            row = await connection.fetchrow(SQL["use_refresh_token"], retailer_id, hashed, now)
            if row is not None:
                if address is not None:
                    columns = [[value] for value in (row["device_id"], *address)]
                    await connection.execute(SET_ADDRESSES, retailer_id, *columns, now)
                bearer = Bearer(retailer_id, row["device_id"], row["shopper_id"], row["public_key"])
                return await self._issue(connection, bearer, row["family"])
            await connection.execute(SQL["revoke_family"], retailer_id, hashed, now)
        raise _unknown("bad_refresh_token", "unknown, expired or used before: register the device again")

    async def _issue(self, connection: Connection, bearer: Bearer, family: str) -> Tokens:
        retailer_id, device_id, shopper_id, public_key = bearer
        now_us = self._clock.now_us()
        expires_at_us = (now_us + ACCESS_TTL_US) // 1_000_000 * 1_000_000
        kid, secret = next(iter((await self._signing_keys()).items()))
        claims = {"rid": retailer_id, "did": device_id, "sub": shopper_id, "exp": expires_at_us // 1_000_000}
        if public_key is not None:
            claims["pk"] = base64.b64encode(public_key).decode()
        refresh = f"{retailer_id}.{secrets.token_urlsafe(32)}"
        until = from_us(now_us + REFRESH_TTL_US)
        await connection.execute(
            SQL["add_refresh_token"], retailer_id, secret_hash(refresh), family, device_id, until
        )
        return Tokens(
            access_token=jwt.encode(claims, secret, algorithm="HS256", headers={"kid": kid}),
            refresh_token=refresh,
            expires_at_us=expires_at_us,
        )

    async def shopper_of(self, retailer_id: str, device_id: str) -> str:
        """The shopper of a device. Raises Problem 404; unknown and foreign devices look the same."""
        async with self._database.transaction(retailer_id) as connection:
            shopper_id: str | None = await connection.fetchval(SQL["find_device"], retailer_id, device_id)
        if shopper_id is None:
            raise Problem(404, "unknown_device", "no such device", field="device_id")
        return shopper_id


def _unknown(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": "Bearer"})
