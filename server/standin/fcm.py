"""The stand-in FCM: a real HTTP server on loopback, with FCM's validation, error bodies and failures."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from server.clock import SystemClock
from server.standin.answers import Answer, accepted, failed, no_such_project
from server.standin.faults import Fault, FaultKind, FaultPlan
from server.standin.oauth import SUFFICIENT_SCOPES, TokenEndpoint
from server.standin.phone import Delivery, Phone
from server.standin.validation import ValidMessage, validate

_MICROSECONDS = 1_000_000


class StandinFcm:
    """FCM, its token endpoint and the phones. `async with StandinFcm() as standin:` serves on a free port."""

    def __init__(
        self,
        *,
        project_id: str = "vicino-standin",
        plan: FaultPlan | None = None,
        token_ttl_s: int = 3600,
        now_us: Callable[[], int] | None = None,
        key: rsa.RSAPrivateKey | None = None,
    ) -> None:
        self.project_id = project_id
        #: Base URL, for VICINO_FCM_ENDPOINT; set while it serves.
        self.url = ""
        #: Requests to messages:send so far, refused ones included.
        self.requests = 0
        self._plan = plan or FaultPlan()
        self._now_us = now_us or SystemClock().now_us
        self.oauth = TokenEndpoint(project_id, token_ttl_s=token_ttl_s, now_us=self._now_us, key=key)
        self._phones: dict[str, Phone] = {}
        self._refused: dict[str, Fault] = {}
        self._token_faults: list[int] = []
        self._arrival = asyncio.Condition()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        extend: Callable[[web.Application, Self], None] | None = None,
    ) -> None:
        """Serves; port 0 takes a free one. `extend` may add routes that FCM has not."""
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post(r"/v1/projects/{project}/messages:send", self._send)
        app.router.add_get("/phones/{address}", self._phone)
        if extend is not None:
            extend(app, self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0]
        self.url = f"http://{bound[0]}:{bound[1]}"

    async def close(self) -> None:
        """Stops serving; requests that hang are let go."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def service_account_file(self, path: Path) -> Path:
        """Writes credentials for this stand-in, for VICINO_FCM_CREDENTIALS."""
        return self.oauth.write_service_account(path, f"{self.url}/token")

    def phone(self, address: str) -> Phone:
        """The phone at `address`; every well-formed address has one."""
        return self._phones.setdefault(address, Phone(address))

    @property
    def phones(self) -> list[Phone]:
        """Every phone that was sent anything or asked for."""
        return list(self._phones.values())

    def fail_next(self, kind: FaultKind, *, times: int = 1, retry_after_s: int | None = None) -> None:
        """Lets the next requests fail."""
        self._plan.order(Fault(kind=kind, retry_after_s=retry_after_s), times=times)

    def fail_next_token(self, status: int, *, times: int = 1) -> None:
        """Lets the next requests to the token endpoint fail."""
        self._token_faults.extend([status] * times)

    def refuse_address(self, address: str, kind: FaultKind) -> None:
        """Refuses an address from now on: "unregistered" is an app that was removed."""
        self._refused[address] = Fault(kind=kind)

    async def wait_for_push(self, address: str, timeout_s: float, *, count: int = 1) -> Delivery:
        """The `count`-th notification that appeared on the phone at `address`. Raises TimeoutError."""
        phone = self.phone(address)
        async with asyncio.timeout(timeout_s), self._arrival:
            await self._arrival.wait_for(lambda: len(phone.appeared) >= count)
        return phone.appeared[count - 1]

    async def _token(self, request: web.Request) -> web.Response:
        if self._token_faults:
            return web.json_response({"error": "internal_failure"}, status=self._token_faults.pop(0))
        form = {key: str(value) for key, value in (await request.post()).items()}
        status, body = self.oauth.grant(form, f"{self.url}/token")
        return web.json_response(body, status=status)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        number = self.requests
        message = self._admit(request, await request.read())
        if isinstance(message, Answer):
            return _response(message)
        fault = self._refused.get(message.address) or self._plan.next(number)
        name = f"projects/{self.project_id}/messages/0:{number}%standin"
        if fault is None or fault.delivers:
            await self._deliver(message, name)
        if fault is None:
            return _response(accepted(name))
        if fault.kind in {"hang", "delivered_hang"}:
            await self._closing.wait()
        if fault.kind in {"hang", "delivered_hang", "delivered_reset"}:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        return _response(failed(fault, project_id=self.project_id))

    def _admit(self, request: web.Request, body: bytes) -> ValidMessage | Answer:
        scopes = self.oauth.scopes_of(request.headers.get("Authorization"))
        if scopes is None:
            return failed(Fault(kind="unauthenticated"))
        if not scopes & SUFFICIENT_SCOPES:
            return failed(Fault(kind="permission_denied"))
        if request.match_info["project"] != self.project_id:
            return no_such_project(request.match_info["project"])
        try:
            document: Any = msgspec.json.decode(body)
        except msgspec.DecodeError:
            document = None
        return validate(document)

    async def _deliver(self, message: ValidMessage, name: str) -> None:
        now_us = self._now_us()
        delivery = Delivery(
            message_name=name,
            accepted_at_us=now_us,
            expires_at_us=now_us + message.ttl_s * _MICROSECONDS,
            title=message.title,
            body=message.body,
            data=message.data,
            tag=message.tag,
            collapse_key=message.collapse_key,
        )
        self.phone(message.address).accept(delivery)
        async with self._arrival:
            self._arrival.notify_all()

    async def _phone(self, request: web.Request) -> web.Response:
        """What a phone shows now, for people who try the stand-in."""
        phone = self.phone(request.match_info["address"])
        return web.json_response([msgspec.to_builtins(delivery) for delivery in phone.shown])


def _response(answer: Answer) -> web.Response:
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, content_type="text/html")
    body = msgspec.json.encode(answer.body)
    return web.Response(
        status=answer.status, body=body, content_type="application/json", headers=answer.headers
    )
