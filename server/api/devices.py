"""Devices: registration, token refresh, consents and preferences."""

from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from offers.consent import consents_body, consents_from_body
from offers.ids import derived_id
from offers.preferences import preferences_body, preferences_from_body
from server.api.idempotency import first_time, request_hash
from server.api.route import SERVICES, json_answer
from server.auth import Caller, Tokens
from server.ids import new_id
from server.inputs import RegisterDevice, SetConsents, SetPreferences
from server.people import record_of, user_hash
from server.wire import Text, decode, rfc3339


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request's JSON; unknown fields are refused with their name."""


class PushTarget(_Body, frozen=True, kw_only=True):
    kind: Literal["fcm_token", "fcm_fid"]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class NewDevice(_Body, frozen=True, kw_only=True):
    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00]+$")]
    push: PushTarget | None = None
    user_id: Text | None = None
    consents: dict[str, Any] | None = None


class DeviceTokens(_Body, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str
    expires_at: str


class RegisteredDevice(DeviceTokens, frozen=True, kw_only=True):
    device_id: str
    shopper_id: str


class RefreshBody(_Body, frozen=True, kw_only=True):
    refresh_token: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
    push: PushTarget | None = None  #: FCM gave the app a new address


async def register(request: web.Request, caller: Caller) -> web.Response:
    """A device appears: ids for it and its shopper, and tokens to come back with."""
    services, body = request.app[SERVICES], await request.read()
    wanted = decode(body, NewDevice)
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        # The ids follow from the request, so a repeat finds the device it made; tokens are new each time.
        await first_time(services.database, caller, key, body)
        made_of = (caller.retailer_id, caller.name, key, request_hash(body).hex())
        device_id, shopper_id = derived_id("dev", *made_of), derived_id("shp", *made_of)
    else:
        device_id, shopper_id = new_id("dev"), new_id("shp")
    now_us = services.clock.now_us()
    hashed = (
        None
        if wanted.user_id is None
        else await user_hash(services.database, caller.retailer_id, wanted.user_id)
    )
    admitted = await services.engine.submit(
        caller.retailer_id,
        RegisterDevice(
            shopper_id=shopper_id,
            received_at_us=now_us,
            device_id=device_id,
            platform=wanted.platform,
            user_hash=hashed,
            consents=consents_from_body(wanted.consents or {}, at_us=now_us),
            address=None if wanted.push is None else (wanted.push.kind, wanted.push.value),
        ),
    )
    shopper_id = admitted.shopper_id or shopper_id
    tokens = await services.auth.issue(caller.retailer_id, device_id, shopper_id)
    answer = {"device_id": device_id, "shopper_id": shopper_id, **_tokens(tokens)}
    return json_answer(answer, status=201)


def _tokens(tokens: Tokens) -> dict[str, str]:
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": rfc3339(tokens.expires_at_us),
    }


async def refresh(request: web.Request, _: Caller) -> web.Response:
    """New tokens for a refresh token, which is used up by it. JSON or a form, as SDKs send it."""
    services, body = request.app[SERVICES], await request.read()
    if request.content_type == "application/x-www-form-urlencoded":
        fields = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        body = msgspec.json.encode({"refresh_token": fields.get("refresh_token", "")})
    wanted = decode(body, RefreshBody)
    address = None if wanted.push is None else (wanted.push.kind, wanted.push.value)
    return json_answer(_tokens(await services.auth.refresh(wanted.refresh_token, address=address)))


async def _shopper(request: web.Request, caller: Caller) -> str:
    """Whose consents: the caller's own, or with a server key those of the device in the path."""
    if caller.shopper_id is not None:
        return caller.shopper_id
    return await request.app[SERVICES].auth.shopper_of(caller.retailer_id, request.match_info["device_id"])


async def get_consents(request: web.Request, caller: Caller) -> web.Response:
    """The five purposes, each with whether it is granted, and when and by which text."""
    services = request.app[SERVICES]
    record = await record_of(services.database, caller.retailer_id, await _shopper(request, caller))
    return json_answer(consents_body(record.shopper.consents, services.clock.now_us()))


async def put_consents(request: web.Request, caller: Caller) -> web.Response:
    """Grants or withdraws the purposes named; the others stay as they are."""
    services = request.app[SERVICES]
    now_us = services.clock.now_us()
    consents = consents_from_body(decode(await request.read(), dict[str, Any]), at_us=now_us)
    shopper_id = await _shopper(request, caller)
    await services.engine.submit(
        caller.retailer_id, SetConsents(shopper_id=shopper_id, received_at_us=now_us, consents=consents)
    )
    return await get_consents(request, caller)


async def get_preferences(request: web.Request, caller: Caller) -> web.Response:
    """The shopper's own limits."""
    services = request.app[SERVICES]
    record = await record_of(services.database, caller.retailer_id, await _shopper(request, caller))
    return json_answer(preferences_body(record.shopper.preferences))


async def put_preferences(request: web.Request, caller: Caller) -> web.Response:
    """Replaces the shopper's own limits. They tighten what the retailer allows and never widen it."""
    services = request.app[SERVICES]
    wanted = preferences_from_body(decode(await request.read(), dict[str, Any]))
    await services.engine.submit(
        caller.retailer_id,
        SetPreferences(
            shopper_id=await _shopper(request, caller),
            received_at_us=services.clock.now_us(),
            preferences=wanted,
        ),
    )
    return json_answer(preferences_body(wanted))
