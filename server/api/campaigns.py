"""The marketer's side of an offer: its life, who approved it, how its messages will look."""

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
from server.api.route import SERVICES, Services, json_answer
from server.approvals import approvals_of
from server.auth import Caller
from server.clock import to_us
from server.lifecycle import Moved, move, silence, stop_all
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
    name = request.match_info["external_id"]
    async with services.database.transaction(caller.retailer_id) as connection:
        moved = await move(
            connection,
            caller.retailer_id,
            name,
            action,
            by=caller.name if caller.user_id is not None else f"{caller.kind}:{caller.name[:16]}",
            author=author_of(request, caller),
            now_us=services.clock.now_us(),
        )
    if moved is None:
        raise Problem(404, "unknown_id", "nothing of that id among the offers")
    if not moved.moved and not moved.approvals_needed:
        origins = ", ".join(sorted(MOVES[action][0]))
        detail = f"the offer is {moved.status}; to {action} it, it has to be {origins}"
        raise Problem(409, "wrong_status", detail, field="status")
    return json_answer(await _in_force(services, caller, name, moved))


async def stop(request: web.Request, caller: Caller) -> web.Response:
    """The kill switch: nothing is offered any more, what waits is withdrawn, what was sent taken back."""
    services = request.app[SERVICES]
    async with services.database.transaction(caller.retailer_id) as connection:
        moved = await stop_all(
            connection,
            caller.retailer_id,
            author=author_of(request, caller),
            now_us=services.clock.now_us(),
        )
    return json_answer(await _in_force(services, caller, None, moved))


async def _in_force(services: Services, caller: Caller, offer: str | None, moved: Moved) -> Moved:
    """When what was published counts; what was still offered until then is silenced too."""
    await services.engine.live(caller.retailer_id)
    if moved.status not in ("paused", "ended", "stopped"):
        return moved
    async with services.database.transaction(caller.retailer_id) as connection:
        late = await silence(connection, caller.retailer_id, offer, services.clock.now_us())
    return msgspec.structs.replace(
        moved,
        withdrawn=moved.withdrawn + late["withdrawn"],
        recalled=moved.recalled + late["recalled"],
    )


async def approvals(request: web.Request, caller: Caller) -> web.Response:
    """Who approved an offer, the oldest first, and whether it is still as it was then."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        found = await approvals_of(connection, caller.retailer_id, request.match_info["external_id"])
    if found is None:
        raise Problem(404, "unknown_id", "nothing of that id among the offers")
    return json_answer({"items": [one | {"at": rfc3339(to_us(one["at"]))} for one in found]})


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
