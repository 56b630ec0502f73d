"""What a phone says to a server, over the public contract: the replay's client."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from server.errors import VicinoError

CONSENTS = ("nearby_offers", "background_location", "push", "personalisation", "insight")
#: How often one request is repeated while the server asks to wait.
MOST_WAITS = 20
#: Statuses by which a server asks to come back later.
_LATER = frozenset({429, 503})
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)

T = TypeVar("T")


class SendingFailed(VicinoError):  # noqa: N818 - it names what happened
    """The server is not there, or refuses what no repetition would change; the message holds its reason."""


class CredentialRefused(SendingFailed):
    """401: the access token has expired (refresh it), or the key is not one of this server's."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a device comes back with."""

    access_token: str
    refresh_token: str


class Registration(Tokens, frozen=True, kw_only=True):
    """A device as the server knows it."""

    device_id: str


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that the server did not take."""

    index: int
    reason: str


class PingReply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the fixes of one ping."""

    accepted: int
    rejected: list[Rejected]


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some items of an inbox, and where the next ones begin."""

    items: list[dict[str, Any]]
    next_cursor: str | None = None


class Client:
    """One conversation with a server; an async context manager."""

    def __init__(
        self,
        url: str,
        app_key: str,
        *,
        say: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._app_key = app_key
        self._say = say
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def register(self) -> "Phone":
        """A new device of a new shopper, who consents to everything."""
        body = {"platform": "replay", "consents": {name: {"granted": True} for name in CONSENTS}}
        # With a key of its own a repetition registers the same device again, not a second one.
        path, key = "/v1/devices", str(uuid.uuid4())
        return Phone(self, await self.call("POST", path, self._app_key, Registration, body, key=key))

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a device; the old ones are used up."""
        body = {"refresh_token": refresh_token}
        return await self.call("POST", "/v1/devices/token", self._app_key, Tokens, body)

    async def call(
        self,
        method: str,
        path: str,
        credential: str,
        shape: type[T],
        body: Any = None,
        *,
        key: str | None = None,
    ) -> T:
        """The answer, as `shape`. While the server says 429 or 503 it waits as long as it is asked to.

        Raises CredentialRefused for 401, and SendingFailed for everything else that is no success.
        """
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else msgspec.json.encode(body)
        for _ in range(MOST_WAITS):
            status, wait_s, content = await self._exchange(method, path, headers, data)
            if status not in _LATER:
                return self._read(path, status, content, shape)
            self._say(f"{self._url} asks to wait {wait_s:g} s")
            await self._sleep(wait_s)
        raise SendingFailed(f"{self._url}{path} asked to wait {MOST_WAITS} times; try again later")

    async def _exchange(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None
    ) -> tuple[int, float, bytes]:
        """Status, seconds to wait before the next attempt, and body."""
        try:
            async with self._session.request(method, self._url + path, headers=headers, data=data) as answer:
                return answer.status, _retry_after_s(answer.headers.get("Retry-After")), await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SendingFailed(f"no answer from {self._url}: {str(error) or 'timed out'}") from error

    def _read(self, path: str, status: int, content: bytes, shape: type[T]) -> T:
        if status == 401:
            raise CredentialRefused(f"{self._url}{path}: {_reason(status, content)}")
        if not 200 <= status < 300:
            raise SendingFailed(f"{self._url}{path}: {_reason(status, content)}")
        try:
            return msgspec.json.decode(content, type=shape)
        except (msgspec.DecodeError, RecursionError) as error:
            raise SendingFailed(
                f"{self._url}{path} answers something else ({error}); is it Vicino?"
            ) from error


class Phone:
    """One registered device."""

    def __init__(self, client: Client, registration: Registration) -> None:
        self.device_id = registration.device_id
        self._client = client
        self._tokens: Tokens = registration

    async def ping(self, fixes: list[dict[str, Any]]) -> PingReply:
        """Posts fixes in the shape of the public contract."""
        return await self._call("POST", "/v1/pings", PingReply, {"fixes": fixes})

    async def inbox(self) -> list[dict[str, Any]]:
        """All items, page by page."""
        page = await self._call("GET", "/v1/inbox", InboxPage)
        items = page.items
        while page.next_cursor:
            page = await self._call("GET", f"/v1/inbox?cursor={quote(page.next_cursor)}", InboxPage)
            items += page.items
        return items

    async def _call(self, method: str, path: str, shape: type[T], body: Any = None) -> T:
        try:
            return await self._client.call(method, path, self._tokens.access_token, shape, body)
        except CredentialRefused:
            self._tokens = await self._client.refresh(self._tokens.refresh_token)
            return await self._client.call(method, path, self._tokens.access_token, shape, body)


def _retry_after_s(value: str | None) -> float:
    """Seconds of a Retry-After header (RFC 9110, section 10.2.3: seconds or a date); 1 without one."""
    if value is None:
        return 1.0
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 1.0


class _Problem(msgspec.Struct):
    """RFC 9457, as far as a person wants to read it."""

    title: str = ""
    detail: str = ""


def _reason(status: int, content: bytes) -> str:
    try:
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, RecursionError):
        return f"status {status}"
    return f"status {status}: {problem.detail or problem.title}"
