"""The marketer's side of an offer: its life, its versions, how its messages will look."""

from typing import Any

import msgspec
from aiohttp import web

from notifications.fcm_message import PAYLOAD_BYTES
from notifications.render import BODY_CHARS, TITLE_CHARS, fill, shorten
from offers.discount import discount_text
from offers.hours import local_time
from offers.lifecycle import MOVES
from offers.linter import IOS_BODY, IOS_TITLE, lint
from offers.offer_body import offer_from_body
from offers.settings import settings_from_body
from server.api.management import author_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import to_us
from server.imports import get_one
from server.imports.author import noted, publishing_as
from server.lifecycle import history, move, stop_all
from server.problems import Problem
from server.publish import current_settings, published_bodies
from server.wire import decode, rfc3339


class Preview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be previewed, and with which values."""

    offer: dict[str, Any] | None = None  #: a body that need not be published
    external_id: str | None = None  #: of one that is
    sku: str | None = None
    store: str | None = None
    distance_m: int = 40


async def act(request: web.Request, caller: Caller) -> web.Response:
    """One step in an offer's life. 409 where it cannot be taken from here."""
    services, action = request.app[SERVICES], request.match_info["action"]
    name, author = request.match_info["external_id"], author_of(request, caller)
    async with services.database.transaction(caller.retailer_id) as connection:
        await publishing_as(connection, author)
        moved = await move(
            connection,
            caller.retailer_id,
            name,
            action,
            by=caller.name if author else f"{caller.kind}:{caller.name}",
            now_us=services.clock.now_us(),
        )
        if moved is not None and (moved.moved or moved.approvals):
            await noted(connection, caller.retailer_id, author, action, f"offer {name}", status=moved.status)
    if moved is None:
        raise Problem(404, "unknown_id", "nothing of that id among the offers")
    if not moved.moved and not moved.approvals_needed:
        origins = ", ".join(sorted(MOVES[action][0]))
        detail = f"the offer is {moved.status}; to {action} it, it has to be {origins}"
        raise Problem(409, "wrong_status", detail, field="status")
    await services.engine.live(caller.retailer_id)
    return json_answer(moved)


async def stop(request: web.Request, caller: Caller) -> web.Response:
    """The kill switch: nothing is offered any more, what waits is withdrawn, what was sent taken back."""
    services, author = request.app[SERVICES], author_of(request, caller)
    async with services.database.transaction(caller.retailer_id) as connection:
        await publishing_as(connection, author)
        moved = await stop_all(connection, caller.retailer_id, services.clock.now_us())
        await noted(connection, caller.retailer_id, author, "stop", "all offers", version=moved.version)
    await services.engine.live(caller.retailer_id)
    return json_answer(moved)


async def versions(request: web.Request, caller: Caller) -> web.Response:
    """Every version of an offer, the newest first: what it said, from when, approved by whom."""
    database, name = request.app[SERVICES].database, request.match_info["external_id"]
    if caller.stores is not None and not await get_one(
        database, caller.retailer_id, "offers", name, stores=caller.stores
    ):
        raise Problem(404, "unknown_id", "nothing of that id among the offers")
    async with database.transaction(caller.retailer_id) as connection:
        found = await history(connection, caller.retailer_id, name)
    if not found:
        raise Problem(404, "unknown_id", "nothing of that id among the offers")
    return json_answer({"items": [_told(one) for one in found]})


def _told(one: dict[str, Any]) -> dict[str, Any]:
    approvals = [approval | {"at": rfc3339(to_us(approval["at"]))} for approval in one["approvals"]]
    return one | {"published_at": rfc3339(to_us(one["published_at"])), "approvals": approvals}


async def preview(request: web.Request, caller: Caller) -> web.Response:
    """How an offer's messages look on both platforms, in every language, and what is doubtful in them."""
    services = request.app[SERVICES]
    asked = decode(await request.read(), Preview)
    if (asked.offer is None) == (asked.external_id is None):
        raise Problem(422, "bad_use", "name either `offer` or `external_id`", field="offer")
    async with services.database.transaction(caller.retailer_id) as connection:
        settings = settings_from_body(await current_settings(connection, caller.retailer_id))
        body = asked.offer
        if asked.external_id is not None:
            body = await _one(connection, caller, "offer", asked.external_id)
        product = await _one(connection, caller, "product", asked.sku) if asked.sku else {}
        store = await _one(connection, caller, "store", asked.store) if asked.store else {}
    offer = offer_from_body(body)
    ends_us = services.clock.now_us() + settings.coupon_ttl_s * 1_000_000
    category = offer.categories[0][-1] if offer.categories else offer.name
    values = {
        "product": str(product.get("name", category)),
        "discount": discount_text(offer.discount, product.get("currency")),
        "distance_m": str(asked.distance_m),
        "store": str(store.get("name", "")),
        "until": f"{local_time(ends_us, str(store.get('timezone') or settings.timezone)):%H:%M}",
    }
    texts = {locale: (message.title, message.body) for locale, message in offer.messages.items()}
    messages = {locale: _looks(title, body, values) for locale, (title, body) in texts.items()}
    return json_answer({"messages": messages, "values": values, "warnings": lint(texts)})


def _looks(title: str, body: str, values: dict[str, str]) -> dict[str, Any]:
    """A message filled in, and how much of it each platform shows."""
    filled = fill(title, values), fill(body, values)
    shown_bytes = 2 * sum(len(text.encode()) for text in filled)
    return {
        "title": shorten(filled[0], TITLE_CHARS),
        "body": shorten(filled[1], BODY_CHARS),
        "android": {"title_cut": len(filled[0]) > TITLE_CHARS, "body_cut": len(filled[1]) > BODY_CHARS},
        "ios": {"title_cut": len(filled[0]) > IOS_TITLE, "body_cut": len(filled[1]) > IOS_BODY},
        "payload_bytes": shown_bytes,
        "fits": shown_bytes <= PAYLOAD_BYTES,
    }


async def _one(connection: Any, caller: Caller, kind: Any, name: str) -> dict[str, Any]:
    found = await published_bodies(connection, caller.retailer_id, kind, [name])
    if name not in found:
        raise Problem(404, "unknown_id", f"no {kind} {name!r} is published")
    return dict(found[name])
