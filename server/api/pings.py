"""What phones send all day: fixes and browse events; and what they get back."""

from typing import Any

from aiohttp import web

from server.admit import Admitted
from server.api.route import SERVICES, Services, json_answer
from server.auth import Caller
from server.edge.room import Worth
from server.edge.shedding import region_body
from server.inputs import RecordEvents, RecordFixes
from server.problems import Problem
from server.wire import Batch, Rejected, decode_events, decode_ping


async def ping(request: web.Request, caller: Caller) -> web.Response:
    """Takes fixes, in any order, up to 24 h old. One bad fix costs one entry in `rejected`."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_ping(await request.read())
    device_id, shopper_id = await _whose(services, caller, batch)
    fixes = RecordFixes(
        shopper_id=shopper_id, received_at_us=received_at_us, device_id=device_id, fixes=tuple(batch.records)
    )
    outlook = await services.engine.outlook(caller.retailer_id, shopper_id)
    worth = services.door.worth(fixes, outlook)
    answer = await _record(services, caller, batch, fixes, worth)
    region = await services.engine.safe_region(caller.retailer_id, shopper_id, device_id)
    if answer["accepted"] and region is not None:
        answer["next"] = region_body(region)
        outlook = await services.engine.outlook(caller.retailer_id, shopper_id)
        services.door.shedding.remember(fixes, region, outlook)
    return json_answer(answer)


async def events(request: web.Request, caller: Caller) -> web.Response:
    """Takes browse events; kept only where the shopper granted `personalisation`."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_events(await request.read())
    device_id, shopper_id = await _whose(services, caller, batch)
    looks = RecordEvents(
        shopper_id=shopper_id, received_at_us=received_at_us, device_id=device_id, events=tuple(batch.records)
    )
    answer = await _record(services, caller, batch, looks, Worth.MUCH)
    services.door.shedding.forget(device_id)  # what she is interested in, and so her region, is another
    return json_answer(answer)


async def _record(
    services: Services, caller: Caller, batch: Batch, item: RecordFixes | RecordEvents, worth: Worth
) -> dict[str, Any]:
    """Has the readable records processed; tells how many were taken and, by their place, which were not."""
    admitted = Admitted(input=None)
    if batch.records:
        admitted = await services.engine.submit(caller.retailer_id, item, worth)
    refused = [Rejected(index=batch.places[one.index], reason=one.reason) for one in admitted.refusals]
    rejected = sorted([*batch.rejected, *refused], key=lambda one: one.index)
    counter = services.metrics.fixes if isinstance(item, RecordFixes) else services.metrics.events
    counter.labels("accepted").inc(admitted.accepted)
    for one in rejected:
        counter.labels(one.reason).inc()
    return {"accepted": admitted.accepted, "rejected": [_shown(one) for one in rejected]}


async def _whose(services: Services, caller: Caller, batch: Batch) -> tuple[str, str]:
    """The device and shopper a request is about: the caller's own, or with a server key the one it names."""
    if caller.device_id is not None and caller.shopper_id is not None:
        if batch.device_id not in (None, caller.device_id):
            raise Problem(403, "other_device", "a device speaks for itself only", field="device_id")
        return caller.device_id, caller.shopper_id
    if batch.device_id is None:
        raise Problem(422, "bad_field", "with a server key, name the device", field="device_id")
    shopper_id = await services.auth.shopper_of(caller.retailer_id, batch.device_id)
    return batch.device_id, shopper_id


def _shown(rejected: Rejected) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": rejected.index, "reason": rejected.reason}
    return shown if rejected.detail is None else shown | {"detail": rejected.detail}
