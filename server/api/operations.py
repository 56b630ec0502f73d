"""What operators look at: is it alive, is it ready, how is it doing, what can be called."""

from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.db import DatabaseError
from server.problems import Problem


async def healthz(_: web.Request, __: Caller) -> web.Response:
    """Alive: the event loop answers."""
    return json_answer({"status": "ok"})


async def readyz(request: web.Request, _: Caller) -> web.Response:
    """Ready: the database answers too."""
    try:
        async with request.app[SERVICES].database.system() as connection:
            await connection.execute("SELECT 1")
    except DatabaseError as error:
        raise Problem(503, "database", str(error)) from None
    if not request.app[SERVICES].engine.ready:
        raise Problem(503, "engine", "the engine does not hold its lock, or a lane has ended: see the log")
    return json_answer({"status": "ready"})


async def metrics(request: web.Request, _: Caller) -> web.Response:
    """Prometheus' text format."""
    body = request.app[SERVICES].metrics.text()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
