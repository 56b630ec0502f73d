"""Devices: registration, token refresh, consents and preferences."""

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from offers.conditions import Traits
from offers.consent import consents_body, consents_from_body
from offers.ids import derived_id
from offers.preferences import preferences_body, preferences_from_body
from server.api.idempotency import first_time, request_hash
from server.api.route import SERVICES, json_answer
from server.attestation import Statement
from server.auth import Bearer, Caller, Tokens
from server.ids import new_id
from server.inputs import RegisterDevice, SetConsents, SetPreferences, SetTraits
from server.people import record_of, user_hash
from server.privacy.consents import history
from server.problems import Problem
from server.signature import public_key_from
from server.wire import Body, Text, decode, rfc3339

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class PushTarget(Body, frozen=True, kw_only=True):
    kind: Literal["fcm_token", "fcm_fid", "fcm_web"]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class NewDevice(Body, frozen=True, kw_only=True):
    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00]+$")]
    push: PushTarget | None = None
    user_id: Text | None = None
    consents: dict[str, Any] | None = None
    public_key: Text | None = None  #: Ed25519, base64: the device signs what it sends
    attestation: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)] | None = None


class DeviceTokens(Body, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str
    expires_at: str


class RegisteredDevice(DeviceTokens, frozen=True, kw_only=True):
    device_id: str
    shopper_id: str


class RefreshBody(Body, frozen=True, kw_only=True):
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
    public_key = None if wanted.public_key is None else public_key_from(wanted.public_key)
    statement = Statement(
        retailer_id=caller.retailer_id, platform=wanted.platform, text=wanted.attestation, challenge=key
    )
    trust = await services.intake.trust_in(statement)
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
            public_key=public_key,
            trust=trust,
        ),
    )
    if admitted.shopper_id is None:
        raise Problem(
            410, "erased", "this device's shopper was erased: register it with a new Idempotency-Key"
        )
    shopper_id = admitted.shopper_id
    tokens = await services.auth.issue(Bearer(caller.retailer_id, device_id, shopper_id, public_key))
    answer = {"device_id": device_id, "shopper_id": shopper_id, **told(tokens)}
    return json_answer(answer, status=201)


def told(tokens: Tokens) -> dict[str, str]:
    """Tokens as they are sent."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": rfc3339(tokens.expires_at_us),
    }


async def refresh(request: web.Request, _: Caller) -> web.Response:
    """New tokens for a refresh token, which is used up by it. JSON or a form, as SDKs send it."""
    services = request.app[SERVICES]
    if request.content_type in FORMS:
        fields = await request.post()
        token = fields.get("refresh_token", fields.get("refreshToken", ""))
        body = msgspec.json.encode({"refresh_token": token if isinstance(token, str) else ""})
    else:
        body = await request.read()
    wanted = decode(body, RefreshBody)
    address = None if wanted.push is None else (wanted.push.kind, wanted.push.value)
    return json_answer(told(await services.auth.refresh(wanted.refresh_token, address=address)))


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


async def get_consent_history(request: web.Request, caller: Caller) -> web.Response:
    """Every answer there was, oldest first: for which purpose, when, by which text, and until when."""
    services = request.app[SERVICES]
    shopper_id = await _shopper(request, caller)
    return json_answer({"items": await history(services.database, caller.retailer_id, shopper_id)})


async def put_consents(request: web.Request, caller: Caller) -> web.Response:
    """Grants or withdraws the purposes named; the others stay as they are."""
    services = request.app[SERVICES]
    now_us = services.clock.now_us()
    consents = consents_from_body(decode(await request.read(), dict[str, Any]), at_us=now_us)
    shopper_id = await _shopper(request, caller)
    await services.engine.submit(
        caller.retailer_id,
        SetConsents(
            shopper_id=shopper_id,
            received_at_us=now_us,
            consents=consents,
            told_by="app" if caller.kind == "device" else "retailer",
        ),
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


class TraitsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the retailer's servers know of a shopper; what is left out is not known any more."""

    tier: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    lifecycle: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


async def get_traits(request: web.Request, caller: Caller) -> web.Response:
    """What was told of a device's shopper."""
    shopper_id = await _shopper(request, caller)
    record = await record_of(request.app[SERVICES].database, caller.retailer_id, shopper_id)
    return json_answer(record.shopper.traits)


async def put_traits(request: web.Request, caller: Caller) -> web.Response:
    """Replaces what was told of a device's shopper."""
    services = request.app[SERVICES]
    wanted = decode(await request.read(), TraitsBody)
    traits = Traits(tier=wanted.tier, lifecycle=wanted.lifecycle)
    await services.engine.submit(
        caller.retailer_id,
        SetTraits(
            shopper_id=await _shopper(request, caller),
            received_at_us=services.clock.now_us(),
            traits=traits,
        ),
    )
    return json_answer(traits)
