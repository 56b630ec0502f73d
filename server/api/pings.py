"""What phones send all day: fixes and browse events; and what they get back."""

import msgspec
from aiohttp import web

from server.admit import Admitted
from server.api.route import SERVICES, Services
from server.auth import Caller
from server.edge.room import Outlook, Worth
from server.inputs import RecordCrossings, RecordEvents, RecordFixes
from server.problems import Problem
from server.signature import body_of
from server.wire import Batch, Rejected, decode_crossings, decode_events, decode_ping


async def ping(request: web.Request, caller: Caller) -> web.Response:
    """Takes fixes, in any order, up to 24 h old. One bad fix costs one entry in `rejected`."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_ping(await body_of(request, caller))
    device_id, shopper_id = await _whose(services, caller, batch)
    fixes = RecordFixes(
        shopper_id=shopper_id,
        received_at_us=received_at_us,
        device_id=device_id,
        fixes=batch.records,
        background=batch.background,
    )
    outlook = services.engine.outlook(caller.retailer_id, shopper_id)
    if (left := services.door.worthless(fixes, outlook)) is not None:
        raise services.door.shed(left)
    worth = services.door.worth(fixes, outlook)
    taken = await services.engine.submit(caller.retailer_id, fixes, worth) if batch.records else Admitted()
    body = answer_to(services, batch, fixes, outlook, taken)
    return web.Response(body=body, content_type="application/json")


def answer_to(
    services: Services, batch: Batch, ping: RecordFixes, outlook: Outlook | None, admitted: Admitted
) -> bytes:
    """The JSON of the answer to a ping that is durable, which is counted."""
    rejected = _counted(services, batch, ping, admitted)
    hint = admitted.next
    if not hint:
        return b'{"accepted":%d,"rejected":%b}' % (admitted.accepted, _shown(rejected))
    if outlook is not None:
        services.door.shedding.remember(ping, hint, outlook.version)
    return b'{"accepted":%d,"rejected":%b,"next":%b}' % (admitted.accepted, _shown(rejected), hint)


async def events(request: web.Request, caller: Caller) -> web.Response:
    """Takes browse events; kept only where the shopper granted `personalisation`."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_events(await body_of(request, caller))
    device_id, shopper_id = await _whose(services, caller, batch)
    looks = RecordEvents(
        shopper_id=shopper_id, received_at_us=received_at_us, device_id=device_id, events=tuple(batch.records)
    )
    answer = await _record(services, caller, batch, looks)
    services.door.shedding.forget(device_id)  # what she is interested in, and so her region, is another
    return answer


async def crossings(request: web.Request, caller: Caller) -> web.Response:
    """Takes which fences a phone crossed, from one that compares for itself and sends no position."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_crossings(await body_of(request, caller))
    device_id, shopper_id = await _whose(services, caller, batch)
    crossed = RecordCrossings(
        shopper_id=shopper_id,
        received_at_us=received_at_us,
        device_id=device_id,
        crossings=tuple(batch.records),
    )
    return await _record(services, caller, batch, crossed)


async def _record(
    services: Services, caller: Caller, batch: Batch, item: RecordEvents | RecordCrossings
) -> web.Response:
    """Has the readable records processed; tells how many were taken and, by their place, which were not."""
    admitted = Admitted()
    if batch.records:
        admitted = await services.engine.submit(caller.retailer_id, item, Worth.MUCH)
    rejected = _shown(_counted(services, batch, item, admitted))
    body = b'{"accepted":%d,"rejected":%b}' % (admitted.accepted, rejected)
    return web.Response(body=body, content_type="application/json")


def _counted(
    services: Services, batch: Batch, item: RecordFixes | RecordEvents | RecordCrossings, admitted: Admitted
) -> list[Rejected]:
    """Which records were not taken, by their place; all are counted."""
    metrics, is_ping = services.metrics, not isinstance(item, RecordEvents)
    (metrics.fixes_accepted if is_ping else metrics.events.labels("accepted")).inc(admitted.accepted)
    if not admitted.refusals and not batch.rejected:
        return []
    refused = [Rejected(index=batch.places[one.index], reason=one.reason) for one in admitted.refusals]
    rejected = sorted([*batch.rejected, *refused], key=lambda one: one.index)
    for one in rejected:
        (metrics.fixes if is_ping else metrics.events).labels(one.reason).inc()
    return rejected


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


def _shown(rejected: list[Rejected]) -> bytes:
    return msgspec.json.encode(rejected) if rejected else b"[]"
