"""Sends pushes through Firebase Cloud Messaging, HTTP v1.

Our own sender: firebase-admin's has a fixed base URL, ignores Retry-After, retries inside at once, and blocks
the event loop for a token. Its public API supplies the credentials.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from notifications.fcm_message import fcm_message
from notifications.providers.fcm_errors import outcome_of, read_reply
from notifications.providers.google_token import AccessTokens, load_service_account
from notifications.push import Ambiguous, Misconfigured, Outcome, Push, PushInvalid, RetryLater

ENDPOINT = "https://fcm.googleapis.com"
#: Requests under way at once; FCM allows far more, a relay on one core does not need it.
CONCURRENCY = 100
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
        self._url = URL(f"{endpoint.rstrip('/')}/v1/projects/{project_id}/messages:send", encoded=True)
        self._slots = asyncio.Semaphore(concurrency)
        self._paused_until_us: dict[str, int] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency),
            timeout=aiohttp.ClientTimeout(total=attempt_timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            # A stand-in on this machine is not behind the environment's proxy.
            trust_env=self._url.scheme == "https",
        )

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
        await self._session.close()
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
        if self._session.closed:
            return RetryLater(reason="closed")
        # Built after the waits, also for a token, because it holds the time that is left.
        message = fcm_message(push, now_us=self._now_us())
        if isinstance(message, PushInvalid):
            return message
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
        body = msgspec.json.encode(message)
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            # No connection, so nothing was sent.
            return RetryLater(reason="unreachable")
        except TimeoutError:
            return Ambiguous(reason="timeout")
        except (aiohttp.ClientError, OSError):
            return Ambiguous(reason="connection_lost")
        retry_after = response.headers.get("Retry-After")
        return outcome_of(read_reply(response.status, retry_after, content, now_us=self._now_us()))
