"""Signing in and out, and who is signed in."""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final

import msgspec

from server.accounts import audit, passwords, totp
from server.auth import Caller, secret_hash
from server.clock import Clock, from_us
from server.db import Database
from server.problems import Problem
from server.sql import queries

SQL = queries("accounts")

IDLE: Final = timedelta(minutes=30)  #: without a request that a person made
MOST: Final = timedelta(hours=12)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an account."""

    retailer_id: str
    user_id: str
    email: str
    name: str
    role: str
    stores: tuple[str, ...]
    totp: bool  #: whether a second factor is asked for

    @property
    def caller(self) -> Caller:
        """As which the guard knows her: the role is the kind of caller."""
        return Caller(
            retailer_id=self.retailer_id,
            kind=self.role,
            name=self.email,
            user_id=self.user_id,
            stores=frozenset(self.stores) if self.role == "manager" else None,
        )


def csrf_token(token: str) -> str:
    """What requests that change something have to carry beside the cookie: no other site can know it."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


class Sessions:
    """Who is signed in at this installation."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def user(self, token: str, *, awake: bool = True) -> User | None:
        """Who is signed in with the token; None where the session is over or never was.

        `awake`: a person asks, and not a page by itself, which keeps the session alive.
        """
        now = from_us(self._clock.now_us())
        async with self._database.system() as connection:
            row = await connection.fetchrow(SQL["session_user"], secret_hash(token), now, IDLE, MOST, awake)
        return User(**{**row, "stores": tuple(row["stores"])}) if row else None

    async def sign_in(self, email: str, password: str, code: str | None) -> str:
        """The token of a new session. Raises Problem 401: unknown addresses and wrong passwords look the
        same, and take as long.
        """
        now_us = self._clock.now_us()
        async with self._database.system() as connection:
            account = await connection.fetchrow(SQL["user_account"], email)
        if account is None:
            await passwords.is_right(None, password)
            raise _refused()
        retailer_id, user_id = account
        async with self._database.transaction(retailer_id) as connection:
            known = await connection.fetchrow(SQL["user_secrets"], retailer_id, user_id)
        if known is None or not await passwords.is_right(known["password_hash"], password):
            await self._note(retailer_id, email, "sign_in_refused", reason="password")
            raise _refused()
        if known["totp_confirmed"]:
            secret = totp.opened(known["totp_secret"], known["sealing_key"], user_id)
            await self._check_code(retailer_id, user_id, email, secret, code)
        token, now = secrets.token_urlsafe(32), from_us(now_us)
        async with self._database.transaction(retailer_id) as connection:
            await connection.execute(SQL["end_old_sessions"], retailer_id, user_id, now, IDLE, MOST)
            await connection.execute(SQL["add_session"], retailer_id, secret_hash(token), user_id, now)
            await audit.note(connection, retailer_id, now, actor=known["email"], action="signed_in")
        return token

    async def _check_code(
        self, retailer_id: str, user_id: str, email: str, secret: bytes, code: str | None
    ) -> None:
        if not code:
            raise Problem(401, "code_required", "enter the code of your authenticator app", field="code")
        step = totp.step_of(secret, code.replace(" ", ""), self._clock.now_us())
        used = None
        if step is not None:
            async with self._database.transaction(retailer_id) as connection:
                used = await connection.fetchval(SQL["use_totp_step"], retailer_id, user_id, step)
        if not used:
            await self._note(retailer_id, email, "sign_in_refused", reason="code")
            raise Problem(
                401, "wrong_code", "this code is wrong, or was used: wait for the next", field="code"
            )

    async def sign_out(self, token: str, user: User) -> None:
        """Ends the session."""
        async with self._database.transaction(user.retailer_id) as connection:
            await connection.execute(SQL["end_session"], user.retailer_id, secret_hash(token))
            now = from_us(self._clock.now_us())
            await audit.note(connection, user.retailer_id, now, actor=user.email, action="signed_out")

    async def denied(self, user: User, what: str) -> None:
        """Somebody asked for what her role does not have."""
        await self._note(user.retailer_id, user.email, "denied", route=what)

    async def _note(self, retailer_id: str, email: str, action: str, **detail: str) -> None:
        async with self._database.transaction(retailer_id) as connection:
            now = from_us(self._clock.now_us())
            await audit.note(connection, retailer_id, now, actor=email, action=action, **detail)


def _refused() -> Problem:
    return Problem(401, "wrong_sign_in", "this address and password do not go together", field="password")
