"""Sends pushes through Firebase Cloud Messaging, HTTP v1.

Our own sender: firebase-admin's has a fixed base URL, ignores Retry-After, retries inside at once, and blocks
the event loop for a token. Its public API supplies the credentials.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import msgspec

from notifications.fcm_message import fcm_message
from notifications.providers.connections import ConnectionLost, Connections, Unreachable
from notifications.providers.fcm_errors import outcome_of, read_reply
from notifications.providers.google_token import AccessTokens, load_service_account
from notifications.push import Ambiguous, Misconfigured, Outcome, Push, PushInvalid, RetryLater

ENDPOINT = "https://fcm.googleapis.com"
#: Requests under way at once, each on a connection of its own. Where FCM takes a tenth of a second for each,
#: that is 4,000 a second.
CONCURRENCY = 400
#: At least 15 s: with 10 s, slow successes were measured to come back as duplicates.
ATTEMPT_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0
#: How long a platform whose key FCM refuses is left alone.
PLATFORM_PAUSE_US = 60 * 1_000_000

_THIRD_PARTY = Misconfigured(reason="third_party_auth_error")
#: Reached by FCM itself: a wrong key for APNs or web push concerns the others alone.
_OWN_PLATFORMS = frozenset({"android"})
_TOKEN_REFUSED = Misconfigured(reason="http_401")


class FcmProvider:
    """A `Provider`. Made by `open` in the event loop that sends; closed by `aclose` or `async with`."""

    def __init__(
        self,
        tokens: AccessTokens,
        project_id: str,
        *,
        now_us: Callable[[], int],
        endpoint: str = ENDPOINT,
        concurrency: int = CONCURRENCY,
        attempt_timeout_s: float = ATTEMPT_TIMEOUT_S,
    ) -> None:
        self._tokens = tokens
        self._now_us = now_us
        self._path = f"{urlsplit(endpoint).path.rstrip('/')}/v1/projects/{quote(project_id)}/messages:send"
        self._slots = asyncio.Semaphore(concurrency)
        self._attempt_timeout_s = attempt_timeout_s
        self._paused_until_us: dict[str, int] = {}
        self._connections = Connections(endpoint, connect_timeout_s=CONNECT_TIMEOUT_S)

    @classmethod
    async def open(
        cls,
        credentials: Path,
        *,
        now_us: Callable[[], int],
        endpoint: str = ENDPOINT,
        concurrency: int = CONCURRENCY,
        attempt_timeout_s: float = ATTEMPT_TIMEOUT_S,
    ) -> Self:
        """A provider with the service account in the file `credentials`. Raises CredentialsUnusable."""
        account, project_id = await asyncio.to_thread(load_service_account, credentials)
        return cls(
            AccessTokens(account, now_us=now_us),
            project_id,
            now_us=now_us,
            endpoint=endpoint,
            concurrency=concurrency,
            attempt_timeout_s=attempt_timeout_s,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self._connections.close()
        await self._tokens.aclose()

    async def send(self, push: Push) -> Outcome:
        platform = push.address.platform
        async with self._slots:
            if self._now_us() < self._paused_until_us.get(platform, 0):
                return _THIRD_PARTY
            outcome = await self._attempt(push)
        if outcome == _THIRD_PARTY and platform.lower() not in _OWN_PLATFORMS:
            self._paused_until_us[platform] = self._now_us() + PLATFORM_PAUSE_US
        return outcome

    async def _attempt(self, push: Push) -> Outcome:
        token = await self._tokens.current()
        if not isinstance(token, str):
            return token
        outcome = await self._post(push, token)
        if outcome != _TOKEN_REFUSED:
            return outcome
        # Refused before its time: once, and for all senders together, get another.
        other = await self._tokens.renewed(token)
        if not isinstance(other, str):
            return other
        return outcome if other == token else await self._post(push, other)

    async def _post(self, push: Push, token: str) -> Outcome:
        if self._connections.closed:
            return RetryLater(reason="closed")
        # Built after the waits, also for a token, because it holds the time that is left.
        message = fcm_message(push, now_us=self._now_us())
        if isinstance(message, PushInvalid):
            return message
        body = msgspec.json.encode(message)
        try:
            async with asyncio.timeout(self._attempt_timeout_s):
                reply = await self._connections.request(self._head(token, len(body)) + body)
        except Unreachable:
            return RetryLater(reason="unreachable")
        except TimeoutError:
            return Ambiguous(reason="timeout")
        except ConnectionLost:
            return Ambiguous(reason="connection_lost")
        return outcome_of(read_reply(reply.status, reply.retry_after, reply.body, now_us=self._now_us()))

    def _head(self, token: str, length: int) -> bytes:
        return (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._connections.host}\r\nUser-Agent: vicino\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()
