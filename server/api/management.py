"""What a retailer publishes, over HTTP: stores, geofences, catalog, offers, sensitive places, settings."""

from typing import Any

from aiohttp import web

from offers.settings import settings_body, settings_from_body
from server.api.idempotency import first_time, keep_answer
from server.api.pages import limit_of
from server.api.route import SERVICES, Handler, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.imports import (
    Author,
    BadCursor,
    ImportKind,
    delete_one,
    get_one,
    get_versions,
    import_body,
    list_page,
)
from server.problems import Problem
from server.publish import current_settings, lock_publishing, publish_settings
from server.wire import decode, rfc3339

YES = frozenset({"1", "true", "yes"})


def put_many(kind: ImportKind) -> Handler:
    """Takes records of that kind: creates, updates, leaves what is the same. Bad ones are told one by one."""

    async def handle(request: web.Request, caller: Caller) -> web.Response:
        services, body = request.app[SERVICES], await request.read()
        key = request.headers.get("Idempotency-Key")
        if key is not None:
            first = await first_time(services.database, caller, key, str(request.rel_url).encode() + body)
            if first is not None:
                return web.Response(body=first.body, status=first.status, content_type="application/json")
        report = await import_body(
            services.database,
            caller.retailer_id,
            kind,
            body,
            now_us=services.clock.now_us(),
            content_type=request.content_type,
            dry_run=request.query.get("dry_run", "").lower() in YES,
            radius_m=_radius_m(request),
            geocoder=services.geocoder,
            stores=caller.stores,
            author=author_of(request, caller),
        )
        if report.status != 200:
            first_problem = report.problems[0]
            raise Problem(
                report.status,
                first_problem.code,
                f"nothing could be taken: {first_problem.detail} {first_problem.remedy}".strip(),
                field=first_problem.field,
                problems=report.problems,
            )
        await services.engine.live(caller.retailer_id)
        answer = json_answer(report)
        if key is not None:
            assert isinstance(answer.body, bytes)
            await keep_answer(services.database, caller, key, answer.status, answer.body)
        return answer

    return handle


def author_of(request: web.Request, caller: Caller) -> Author | None:
    """The person who calls, for history and audit log; None: a server."""
    if caller.user_id is None:
        return None
    return Author(email=caller.name, at=from_us(request.app[SERVICES].clock.now_us()))


def _radius_m(request: web.Request) -> float | None:
    text = request.query.get("radius_m")
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise Problem(400, "bad_query", "radius_m is a number of metres", field="radius_m") from None


def get_many(kind: ImportKind) -> Handler:
    """A page of what is published; geofences as a GeoJSON FeatureCollection."""

    async def handle(request: web.Request, caller: Caller) -> web.Response:
        try:
            page = await list_page(
                request.app[SERVICES].database,
                caller.retailer_id,
                kind,
                cursor=request.query.get("cursor"),
                limit=limit_of(request),
                stores=caller.stores,
            )
        except BadCursor as error:
            raise Problem(400, "bad_cursor", str(error), field="cursor") from None
        if kind in ("geofences", "sensitive"):
            collection = {
                "type": "FeatureCollection",
                "features": page.items,
                "next_cursor": page.next_cursor,
            }
            return json_answer(collection)
        return json_answer({"items": page.items, "next_cursor": page.next_cursor})

    return handle


def get_single(kind: ImportKind) -> Handler:
    async def handle(request: web.Request, caller: Caller) -> web.Response:
        database = request.app[SERVICES].database
        external_id = request.match_info["external_id"]
        body = await get_one(database, caller.retailer_id, kind, external_id, stores=caller.stores)
        if body is None:
            raise Problem(404, "unknown_id", f"nothing of that id among the {kind}")
        return json_answer(body)

    return handle


def get_history(kind: ImportKind) -> Handler:
    """Every version of one thing, newest first: what it was, from when on, and who published it."""

    async def handle(request: web.Request, caller: Caller) -> web.Response:
        database, external_id = request.app[SERVICES].database, request.match_info["external_id"]
        rows = await get_versions(database, caller.retailer_id, kind, external_id, stores=caller.stores)
        if not rows:
            raise Problem(404, "unknown_id", f"nothing of that id was ever among the {kind}")
        items = [row | {"published_at": rfc3339(to_us(row["published_at"]))} for row in rows]
        return json_answer({"items": items, "next_cursor": None})

    return handle


def delete_single(kind: ImportKind) -> Handler:
    async def handle(request: web.Request, caller: Caller) -> web.Response:
        services, external_id = request.app[SERVICES], request.match_info["external_id"]
        published = await delete_one(
            services.database,
            caller.retailer_id,
            kind,
            external_id,
            stores=caller.stores,
            author=author_of(request, caller),
        )
        if not published.removed:
            raise Problem(404, "unknown_id", f"nothing of that id among the {kind}")
        await services.engine.live(caller.retailer_id)
        return json_answer(published)

    return handle


async def get_settings(request: web.Request, caller: Caller) -> web.Response:
    """The retailer's settings, every field present."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        current = await current_settings(connection, caller.retailer_id)
    return json_answer(settings_body(settings_from_body(current)))


async def put_settings(request: web.Request, caller: Caller) -> web.Response:
    """Changes the settings that the body names; the others stay."""
    wanted = decode(await request.read(), dict[str, Any])
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        await lock_publishing(connection, caller.retailer_id)
        current = await current_settings(connection, caller.retailer_id)
        settings = settings_from_body(current | wanted)
        if settings.policy != "rules":
            raise Problem(422, "unknown_policy", "the only policy so far is `rules`", field="policy")
        await publish_settings(connection, caller.retailer_id, wanted)
    await request.app[SERVICES].engine.live(caller.retailer_id)
    return json_answer(settings_body(settings))
