"""What operators look at: is it alive, is it ready, how is it doing, what can be called."""

from aiohttp import web

from server.api.route import OPERATIONS, json_answer
from server.auth import Caller
from server.db import DatabaseError
from server.problems import Problem


async def healthz(_: web.Request, __: Caller) -> web.Response:
    """Alive: the event loop answers."""
    return json_answer({"status": "ok"})


async def readyz(request: web.Request, _: Caller) -> web.Response:
    """Ready: the database answers too, and every part of this process is at work."""
    operations = request.app[OPERATIONS]
    try:
        async with operations.database.system() as connection:
            await connection.execute("SELECT 1")
    except DatabaseError as error:
        raise Problem(503, "database", str(error)) from None
    if waiting := [name for name, ready in operations.ready.items() if not ready()]:
        raise Problem(503, "not_ready", f"not at work: {', '.join(waiting)}; see the log")
    return json_answer({"status": "ready"})


async def metrics(request: web.Request, _: Caller) -> web.Response:
    """Prometheus' text format."""
    body = request.app[OPERATIONS].metrics.text()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
