"""Logging in and out: an anonymous shopper becomes a known one, and a device stops being hers."""

from aiohttp import web

from offers.ids import derived_id
from server.api.devices import DeviceTokens, told
from server.api.route import SERVICES, Services, json_answer
from server.auth import Bearer, Caller
from server.ids import new_id
from server.inputs import MoveDevice
from server.people import kept_of, user_hash
from server.problems import Problem
from server.sql import queries
from server.wire import Body, Text, decode

SQL = queries("moves")


class LogIn(Body, frozen=True, kw_only=True):
    user_id: Text


class MovedDevice(DeviceTokens, frozen=True, kw_only=True):
    shopper_id: str


async def log_in(request: web.Request, caller: Caller) -> web.Response:
    """The device is the known shopper's; what an anonymous one did on it comes along."""
    services = request.app[SERVICES]
    wanted = decode(await request.read(), LogIn)
    assert caller.shopper_id is not None
    hashed = await user_hash(services.database, caller.retailer_id, wanted.user_id)
    async with services.database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(SQL["user_of"], caller.retailer_id, hashed, caller.shopper_id)
    assert row is not None
    anonymous = row["hers"] is None
    # Nobody is known by that id yet: she who is here becomes known, unless she is known as somebody else.
    other = derived_id("shp", caller.retailer_id, "user", hashed.hex())
    target = row["known"] or (caller.shopper_id if anonymous else other)
    return await _move(services, caller, target, hashed, brings=anonymous and target != caller.shopper_id)


async def log_out(request: web.Request, caller: Caller) -> web.Response:
    """The device is a new, anonymous shopper's, of whom nothing is known and who has permitted nothing."""
    return await _move(request.app[SERVICES], caller, new_id("shp"), None, brings=False)


async def _move(
    services: Services, caller: Caller, target: str, hashed: bytes | None, *, brings: bool
) -> web.Response:
    assert caller.shopper_id is not None
    assert caller.device_id is not None
    retailer_id, device_id, now_us = caller.retailer_id, caller.device_id, services.clock.now_us()
    kept = await kept_of(services.database, retailer_id, caller.shopper_id)
    device = kept.record.device(device_id)
    if device is None:
        raise Problem(401, "token_expired", "somebody logged in or out since: use the newest tokens")
    comes_along = brings or target == caller.shopper_id
    move = MoveDevice(
        shopper_id=target,
        received_at_us=now_us,
        device_id=device_id,
        platform="",
        user_hash=hashed,
        leaves=caller.shopper_id,
        brings=kept.record.shopper if brings else None,
        device=device if comes_along else None,
        place=kept.place(device_id) if comes_along else None,
        trust=device.trust,
    )
    moved_to = (await services.engine.submit(retailer_id, move)).shopper_id
    if moved_to is None:
        raise Problem(404, "unknown_shopper", "no such shopper, or somebody logged in or out meanwhile")
    # Of the same user: another device of hers may have logged in meanwhile.
    services.intake.forget(retailer_id, device_id)
    services.auth.moved(retailer_id, device_id, moved_to)
    tokens = await services.auth.issue(Bearer(retailer_id, device_id, moved_to, caller.public_key))
    return json_answer({"shopper_id": moved_to, **told(tokens)})
