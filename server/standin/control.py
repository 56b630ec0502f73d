"""What a test may ask of the stand-in over HTTP, beside what FCM answers: fail so, and tell what arrived."""

from typing import Any

import msgspec
from aiohttp import web

from server.standin.faults import FaultKind
from server.standin.fcm import StandinFcm


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /faults`: how the next requests fail."""

    kind: FaultKind
    times: int = 1
    retry_after_s: int | None = None


def add_controls(app: web.Application, standin: StandinFcm) -> None:
    """Lets others than this process order faults (`POST /faults`), end all tokens and see every phone."""

    async def faults(request: web.Request) -> web.Response:
        try:
            order = msgspec.json.decode(await request.read(), type=Order)
        except msgspec.DecodeError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        standin.fail_next(order.kind, times=order.times, retry_after_s=order.retry_after_s)
        return web.Response(status=204)

    async def revoke(_: web.Request) -> web.Response:
        standin.oauth.revoke_all()
        return web.Response(status=204)

    async def phones(_: web.Request) -> web.Response:
        told: dict[str, Any] = {
            phone.address: {"accepted": phone.accepted, "appeared": phone.appeared}
            for phone in standin.phones
        }
        return web.Response(body=msgspec.json.encode(told), content_type="application/json")

    app.router.add_post("/faults", faults)
    app.router.add_post("/tokens/revoke", revoke)
    app.router.add_get("/phones", phones)
