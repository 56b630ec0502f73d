"""The demo's clients of the public API: the app on a phone, the till, the retailer's own server."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import aiohttp
import msgspec

from server.errors import VicinoError

#: More than any answer takes; a request that waits longer counts as failed.
TIMEOUT_S = 10.0

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ApiError(VicinoError):
    """The server refused a request of the demo, or did not answer it."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of the demo's retailer."""

    retailer_id: str
    app_key: str
    server_key: str
    till_key: str
    email: str = ""  #: with whose account the console is opened; empty: there is none yet
    password: str = ""


class Api:
    """Requests to the server at `url`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def get(self, path: str, credential: str, query: Mapping[str, str] = _NOTHING) -> Any:
        """The answer's JSON. Raises ApiError."""
        return await self._send("GET", path, credential, query=query)

    async def post(self, path: str, credential: str, body: Any = None, *, idempotency_key: str = "") -> Any:
        """The answer's JSON, None where it has no body. Raises ApiError."""
        return await self._send("POST", path, credential, body, idempotency_key=idempotency_key)

    async def put(self, path: str, credential: str, body: Any) -> Any:
        """The answer's JSON, None where it has no body. Raises ApiError."""
        return await self._send("PUT", path, credential, body)

    async def _send(
        self,
        method: str,
        path: str,
        credential: str,
        body: Any = None,
        *,
        query: Mapping[str, str] = _NOTHING,
        idempotency_key: str = "",
    ) -> Any:
        headers = {"Authorization": f"Bearer {credential}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(
                method, self.url + path, params=query, data=data, headers=headers
            ) as response:
                content = await response.read()
        except TimeoutError:
            raise ApiError(0, "no_answer", f"{method} {path} took more than {TIMEOUT_S:g} s") from None
        except aiohttp.ClientError as error:
            raise ApiError(0, "no_answer", f"{method} {path}: {type(error).__name__}") from None
        if response.status >= 400:
            raise _refusal(response.status, content)
        return msgspec.json.decode(content) if content else None


def new_session() -> aiohttp.ClientSession:
    """A session for all clients of the demo; the caller closes it."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), connector=aiohttp.TCPConnector(limit=0)
    )


class App:
    """The retailer's app on one phone."""

    def __init__(self, api: Api, app_key: str, granted: Mapping[str, Any]) -> None:
        self._api = api
        self._app_key = app_key
        self.device_id: str = granted["device_id"]
        self._access: str = granted["access_token"]
        self._refresh: str = granted["refresh_token"]

    @classmethod
    async def install(cls, api: Api, keys: Keys, *, fcm_token: str, consents: Mapping[str, Any]) -> Self:
        """Registers a new device, with its push address and what its owner has agreed to."""
        body = {
            "platform": "android",
            "push": {"kind": "fcm_token", "value": fcm_token},
            "consents": consents,
        }
        return cls(api, keys.app_key, await api.post("/v1/devices", keys.app_key, body))

    async def ping(self, fixes: list[dict[str, Any]]) -> int:
        """Sends fixes; how many were taken."""
        answer = await self._as_device("POST", "/v1/pings", {"fixes": fixes})
        return int(answer["accepted"])

    async def browse(self, events: list[dict[str, Any]]) -> None:
        """Says what its owner has looked at."""
        await self._as_device("POST", "/v1/events", {"events": events})

    async def inbox(self) -> list[dict[str, Any]]:
        """The offers in the app's inbox, the newest first."""
        answer = await self._as_device("GET", "/v1/inbox")
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def prefer(self, preferences: Mapping[str, Any]) -> None:
        """Sets its owner's own limits."""
        await self._as_device("PUT", "/v1/me/preferences", preferences)

    async def tell(self, item_id: str, outcome: str) -> None:
        """Says what became of a notification: delivered, opened or dismissed."""
        await self._as_device("POST", f"/v1/notifications/{item_id}/{outcome}")

    async def _as_device(self, method: str, path: str, body: Any = None) -> Any:
        try:
            return await self._call(method, path, body)
        except ApiError as error:
            if error.code != "token_expired":
                raise
        fresh = await self._api.post("/v1/devices/token", self._app_key, {"refresh_token": self._refresh})
        self._access, self._refresh = fresh["access_token"], fresh["refresh_token"]
        return await self._call(method, path, body)

    async def _call(self, method: str, path: str, body: Any) -> Any:
        if method == "GET":
            return await self._api.get(path, self._access)
        send = self._api.put if method == "PUT" else self._api.post
        return await send(path, self._access, body)


async def decisions_of(api: Api, keys: Keys, device_id: str) -> list[dict[str, Any]]:
    """The newest receipts of a device, as the retailer's own server gets them."""
    answer = await api.get("/v1/decisions", keys.server_key, {"device": device_id, "limit": "200"})
    items: list[dict[str, Any]] = answer["items"]
    return items


async def decision(api: Api, keys: Keys, decision_id: str) -> dict[str, Any]:
    """One receipt."""
    receipt: dict[str, Any] = await api.get(f"/v1/decisions/{decision_id}", keys.server_key)
    return receipt


async def redeem(api: Api, keys: Keys, code: str) -> dict[str, Any]:
    """The till's answer to a code. Raises ApiError where it is not good (any more)."""
    answer: dict[str, Any] = await api.post(
        "/v1/redemptions", keys.till_key, {"code": code}, idempotency_key=code
    )
    return answer


def _refusal(status: int, content: bytes) -> ApiError:
    try:
        problem = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    return ApiError(status, str(problem.get("code", "unknown")), str(problem.get("detail", "no detail")))
