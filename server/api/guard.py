"""What stands before every handler: limits, the credential, the body's size, and how failures are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog
from aiohttp import web
from structlog.contextvars import bound_contextvars

from offers.problem import BodyRejected
from server import crash
from server.accounts.roles import ROLES
from server.accounts.sessions import User
from server.api.cookie import signed_in
from server.api.headers import REQUEST_ID, request_id_of
from server.api.route import ANYBODY, SERVICES, Route
from server.auth import Caller
from server.db import out_of_order
from server.edge.connection import BODY_S, Connection, TooSlow
from server.edge.door import Door
from server.edge.framing import HangUp, refuse_ambiguous
from server.edge.inflate import inflated
from server.edge.room import Busy
from server.errors import BadUse
from server.lane import Poison
from server.problems import Problem

log = structlog.get_logger("vicino.http")

RETRY_AFTER_S = "1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(route: Route) -> Handler:
    """The route's handler behind its guard."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.match_info or request.query_string:
            _require_readable(*request.match_info.values(), *request.query.keys(), *request.query.values())
        services = request.app[SERVICES]
        caller = await _caller(request, route, services.door)
        services.door.admit_caller(
            caller,
            counted=not route.for_clients,
            full=route.sheds and services.engine.full(caller.retailer_id),
        )
        promised = request.content_length
        if promised is None:
            # The clone refuses a body that grows past this while it is read.
            request = request.clone(client_max_size=route.body_most)
        elif promised > route.body_most:
            raise Problem(413, "too_large", f"the body may have {route.body_most} bytes; send it in parts")
        if route.body_most > 1 << 20:
            _grant_time(request, route)
        if request.can_read_body:
            crash.passing("mid_body")
        if "Content-Encoding" in request.headers:
            request = await inflated(request, route.body_most)
        return await route.handler(request, caller)

    return _without_429(handle) if route.for_clients else handle


def _without_429(handle: Handler) -> Handler:
    """The handler, whose "not now" is a 503: existing clients keep what that refuses, and send it again."""

    async def patient(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except Busy:
            raise request.app[SERVICES].door.no_room().at(503) from None
        except TooSlow as error:
            raise _too_slow(error).at(503) from None
        except Problem as problem:
            raise problem.at(503) if problem.status == 429 else problem from None

    return patient


def _too_slow(error: TooSlow) -> HangUp:
    detail = f"{error}: send it within {BODY_S:.0f} s, or in parts"
    return HangUp(408, "too_slow", detail, headers={"Retry-After": RETRY_AFTER_S})


def _require_readable(*texts: str) -> None:
    """Refuses what no id, cursor or credential can hold, and the database could not take."""
    if any("\0" in text or not (text.isascii() or _is_text(text)) for text in texts):
        raise Problem(400, "bad_character", "an address or header holds a NUL or bytes that are no text")


def _grant_time(request: web.Request, route: Route) -> None:
    """A large body of a known sender may take as long as one at 1 MiB/s does."""
    connection = request.protocol
    if route.who and isinstance(connection, Connection):
        connection.grant(max(0.0, (route.body_most >> 20) - BODY_S))


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


async def _caller(request: web.Request, route: Route, door: Door) -> Caller:
    """Who calls. Raises Problem 401, 403, and 429 for an address that has tried too often."""
    address = door.admit_address(request.remote, request.headers.get("X-Forwarded-For"))
    if not route.who:
        return ANYBODY
    try:
        return await _known(request, route)
    except Problem as problem:
        if problem.status == 401 and problem.body["code"] != "token_expired":
            door.wrong_credential(address)
        raise


async def _known(request: web.Request, route: Route) -> Caller:
    credential = _credential(request)
    if credential is None:
        found = await signed_in(request) if ROLES.keys() & set(route.who) else None
        if found is not None:
            return await _person(request, found[1], route)
        detail = f"send Authorization: Bearer with {_named(route.who)}"
        raise Problem(401, "no_credential", detail, headers={"WWW-Authenticate": "Bearer"})
    auth = request.app[SERVICES].auth
    caller = auth.known(credential)
    if caller is None:
        _require_readable(credential)
        caller = await auth.caller(credential)
    return _allowed(caller, route)


async def _person(request: web.Request, user: User, route: Route) -> Caller:
    """The person, if the route lists her role; what she was denied is in the audit log."""
    if user.role not in route.who:
        await request.app[SERVICES].sessions.denied(user, f"{route.method} {route.path}")
    return _allowed(user.caller, route)


def _allowed(caller: Caller, route: Route) -> Caller:
    """The caller, if the route lists callers of that kind. Raises Problem 403."""
    if caller.kind not in route.who:
        raise Problem(
            403, "wrong_credential", f"this needs {_named(route.who)}, not {_named((caller.kind,))}"
        )
    return caller


def _credential(request: web.Request) -> str | None:
    """A key or token: in the path, after `Bearer`, bare as some SDKs send it, or as X-Api-Key."""
    if "key" in request.match_info:  # clients that can be told an address and no more
        return request.match_info["key"]
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header[7:].strip() or None
    scheme, _, value = header.partition(" ")
    if value and scheme.lower() == "bearer":
        return value.strip()
    return header.strip() or request.headers.get("X-Api-Key")


_NAMES = {
    "app": "the app key (pk_…)",
    "device": "a device's access token",
    "server": "a server key (sk_…)",
    "till": "a till key (tk_…)",
    **{role: f"a session as {role}" for role in ROLES},
}


def _named(kinds: tuple[str, ...]) -> str:
    return " or ".join(_NAMES[kind] for kind in kinds)


@web.middleware
async def tell_failures(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turns every failure into problem details; what nobody foresaw is logged and says nothing of itself.

    Whatever is logged meanwhile has the request's id.
    """
    request[REQUEST_ID] = request_id_of(request)
    with bound_contextvars(request_id=request[REQUEST_ID]):
        try:
            refuse_ambiguous(request)
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return _of_http(error).response()
        except Exception as error:  # noqa: BLE001 - it is told, and logged where nobody foresaw it
            door = request.app[SERVICES].door
            return told_of(error, door, request.method, _route_name(request)).response()
        return response


@web.middleware
async def tell_operators(request: web.Request, handler: Any) -> web.StreamResponse:
    """Likewise, in a process that is no edge."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        return _of_http(error).response()
    except Problem as problem:
        return problem.response()
    return response


def unguarded(route: Route) -> Handler:
    """The handler of a route that anybody may call."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await route.handler(request, ANYBODY)

    return handle


def told_of(error: Exception, door: Door, method: str, route: str) -> Problem:
    """What a caller is told of an error; what nobody foresaw is logged."""
    problem = _foreseen(error, door)
    if problem is None:
        # An error of the database quotes the values it was given: they are nobody's to read in a log.
        trace = None if isinstance(error, asyncpg.PostgresError) else error
        name = type(error).__name__
        log.error("unforeseen", method=method, route=route, error=name, exc_info=trace)
        problem = Problem(500, "internal", "this should not have happened; it was logged")
    return problem


def _of_http(error: web.HTTPException) -> Problem:
    """What aiohttp itself refuses."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(error.allowed_methods))
        return Problem(405, "method_not_allowed", f"here are: {allow}", headers={"Allow": allow})
    if isinstance(error, web.HTTPNotFound):
        return Problem(404, "not_found", "no such address: see /openapi.json")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Problem(413, "too_large", "the body is too large; send it in parts")
    return Problem(error.status, "refused", error.reason)


def _foreseen(error: Exception, door: Door) -> Problem | None:
    """What may happen, told in the caller's terms."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BodyRejected):
        problems = [{"field": p.field, "code": p.code, "detail": p.detail} for p in error.problems]
        first = error.problems[0]
        return Problem(422, first.code, str(error), field=first.field, problems=problems)
    if isinstance(error, BadUse):
        return Problem(422, "bad_use", str(error))
    if isinstance(error, TooSlow):
        return _too_slow(error)
    if isinstance(error, Busy):
        return door.no_room()
    if (trouble := out_of_order(error)) is not None:
        return Problem(503, "try_again", str(trouble), headers={"Retry-After": RETRY_AFTER_S})
    if isinstance(error, Poison):
        return Problem(422, "poison", str(error))
    return None


def _route_name(request: web.Request) -> str:
    """The pattern, not the path: a path may hold an id."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
