"""The OAuth access token of a Google service account, kept fresh without ever blocking the event loop."""

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from notifications.errors import CredentialsUnusable
from notifications.push import Misconfigured, RetryLater

#: The least a sender needs; firebase-admin by itself would ask for six broad ones.
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
#: A token is renewed this long before its end, and in the last quarter of its life at the earliest.
AHEAD_US = 300 * 1_000_000
#: A renewal ahead of time that failed is tried again after this.
AGAIN_US = 10 * 1_000_000
#: Refused tokens are replaced at most this often: where the account itself is refused, no token helps.
FORCED_EVERY_US = 10 * 1_000_000
#: The longest that a sender waits for a token.
WAIT_S = 8.0
#: The longest that one request to the token endpoint may take.
REQUEST_TIMEOUT_S = 6.0

NoToken = RetryLater | Misconfigured


class GoogleCredentials(Protocol):
    """What we use of google.auth's credentials."""

    token: str | None
    #: Naive, in UTC, as google.auth has it.
    expiry: datetime | None

    def refresh(self, request: Callable[..., Any]) -> None:
        """Fetches a new token, blocking."""
        ...


class _Token(Struct, frozen=True, kw_only=True, gc=False):
    value: str
    renew_at_us: int
    expires_at_us: int


def load_service_account(path: Path) -> tuple[GoogleCredentials, str]:
    """The credentials in a service-account file, for our scope alone, and their project's id. Blocking.

    Raises CredentialsUnusable.
    """
    # Late, because it takes most of a second and an installation without push needs none of it.
    from firebase_admin.credentials import Certificate  # noqa: PLC0415

    try:
        certificate = Certificate(msgspec.json.decode(path.read_bytes(), type=dict[str, Any]))
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise CredentialsUnusable(f"{path}: no usable service-account file: {error}") from error
    if not certificate.project_id:
        raise CredentialsUnusable(f"{path}: the service account names no project_id")
    return certificate.get_credential().with_scopes([SCOPE]), certificate.project_id


class AccessTokens:
    """The one access token that all senders share. However many ask, one request at a time is under way."""

    def __init__(self, credentials: GoogleCredentials, *, now_us: Callable[[], int]) -> None:
        self._credentials = credentials
        self._now_us = now_us
        self._token: _Token | None = None
        self._refreshing: asyncio.Task[_Token | NoToken] | None = None
        self._forced_at_us: int | None = None

    async def current(self) -> str | NoToken:
        """A token to send with. Near its end it is renewed in the background, and still given out."""
        now_us = self._now_us()
        token = self._token
        if token is None or now_us >= token.expires_at_us:
            return await self._renew()
        if now_us >= token.renew_at_us:
            self._refresh()
        return token.value

    async def renewed(self, refused: str) -> str | NoToken:
        """A token other than `refused`; or `refused` itself, where another was forced only just before."""
        if self._token is not None and self._token.value != refused:
            return self._token.value
        now_us = self._now_us()
        if self._refreshing is None:
            if self._forced_at_us is not None and now_us - self._forced_at_us < FORCED_EVERY_US:
                return refused
            self._forced_at_us = now_us
        return await self._renew()

    async def aclose(self) -> None:
        """Waits for a refresh under way: its thread cannot be stopped, and ends by its own timeout."""
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])

    async def _renew(self) -> str | NoToken:
        try:
            # Shielded: one sender's time-out must not take the token from the others.
            async with asyncio.timeout(WAIT_S):
                result = await asyncio.shield(self._refresh())
        except TimeoutError:
            return RetryLater(reason="token_endpoint_slow")
        return result.value if isinstance(result, _Token) else result

    def _refresh(self) -> "asyncio.Task[_Token | NoToken]":
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._fetch(), name="fcm-token")
        return self._refreshing

    async def _fetch(self) -> _Token | NoToken:
        asked_at_us = self._now_us()
        try:
            failure = await asyncio.to_thread(_refresh, self._credentials)
        finally:
            self._refreshing = None
        if failure is not None:
            if self._token is not None:
                self._token = replace(self._token, renew_at_us=self._now_us() + AGAIN_US)
            return failure
        value, expiry = self._credentials.token, self._credentials.expiry
        if not value or expiry is None:
            return Misconfigured(reason="token_without_expiry")
        # google.auth counts by the machine's clock; ours may be another, so only what is left of it counts.
        life_us = round((expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() * 1e6)
        expires_at_us = asked_at_us + life_us
        ahead_us = min(AHEAD_US, max(0, life_us) // 4)
        self._token = _Token(value=value, renew_at_us=expires_at_us - ahead_us, expires_at_us=expires_at_us)
        return self._token


def _refresh(credentials: GoogleCredentials) -> NoToken | None:
    """Fetches a token into `credentials`, in a thread of its own; what went wrong, or None."""
    from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415 - see load_service_account
    from google.auth.transport.requests import Request  # noqa: PLC0415

    request = Request()
    try:
        credentials.refresh(functools.partial(_post, request))
    except GoogleAuthError as error:
        # No connection, or a 5xx, may pass; a refused grant will not.
        if isinstance(error, TransportError) or error.retryable:
            return RetryLater(reason="token_endpoint_unavailable")
        return Misconfigured(reason="token_refused")
    finally:
        request.session.close()
    return None


def _post(request: Any, *, url: str, **options: Any) -> Any:
    # A token endpoint without TLS is on this machine: no proxy of the environment leads there.
    request.session.trust_env = not url.startswith("http://")
    return request(url=url, **{**options, "timeout": REQUEST_TIMEOUT_S})
