"""Presence tokens over HTTP: a phone asks for one, a till for the keys to verify them by."""

from typing import Annotated

import msgspec
from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.people import kept_of, secret_of, stores_of
from server.presence import keys_of, token_for, verified
from server.problems import Problem
from server.wire import decode, rfc3339

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_US = 1_000_000


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a phone asks for."""

    store: Name


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a till was shown."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    store: Name | None = None  #: where; the store that the till's key is bound to, if it is


async def issue(request: web.Request, caller: Caller) -> web.Response:
    """A token that she is at the store, if she is there as far as is known."""
    services, wanted = request.app[SERVICES], decode(await request.read(), Wanted)
    assert caller.shopper_id is not None
    now_us = services.clock.now_us()
    kept = await kept_of(services.database, caller.retailer_id, caller.shopper_id)
    if not kept.record.shopper.permits("nearby_offers", now_us):
        raise Problem(403, "no_consent", "nearby_offers is not granted")
    if wanted.store not in stores_of(kept, now_us):
        detail = "not at this store, as far as is known: send a fix first"
        raise Problem(403, "not_present", detail, field="store")
    secret = await secret_of(services.database, caller.retailer_id)
    token, until_s = token_for(secret, caller.shopper_id, wanted.store, now_us // _US)
    return json_answer({"token": token, "store": wanted.store, "expires_at": rfc3339(until_s * _US)})


async def keys(request: web.Request, caller: Caller) -> web.Response:
    """The public keys by their ids: yesterday's, today's, and of the next days."""
    services = request.app[SERVICES]
    secret = await secret_of(services.database, caller.retailer_id)
    return json_answer({"keys": keys_of(secret, services.clock.now_us() // _US), "algorithm": "Ed25519"})


async def verify_token(request: web.Request, caller: Caller) -> web.Response:
    """What a token says; a problem that says why where it is not good."""
    services, shown = request.app[SERVICES], decode(await request.read(), Shown)
    store = caller.store or shown.store
    if store is None or (caller.store is not None and shown.store not in (None, caller.store)):
        raise Problem(
            403, "other_store", "say at which store; a bound till's key is for its own", field="store"
        )
    now_s = services.clock.now_us() // _US
    found = verified(
        shown.token, keys_of(await secret_of(services.database, caller.retailer_id), now_s), store, now_s
    )
    if isinstance(found, str):
        raise Problem(403, "bad_presence", f"the token is not good: {found}", field="token")
    return json_answer({"shopper": found.shopper, "store": store, "expires_at": rfc3339(found.until_s * _US)})
