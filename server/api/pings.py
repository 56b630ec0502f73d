"""What phones send all day: fixes and browse events; and what they get back."""

import msgspec
from aiohttp import web

from server.admit import Admitted
from server.api.route import SERVICES, Services
from server.auth import Caller
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
        shopper_id=shopper_id, received_at_us=received_at_us, device_id=device_id, fixes=batch.records
    )
    admitted, rejected = await _record(services, caller, batch, fixes)
    hint = b',"next":%b' % admitted.next if admitted.next else b""
    body = b'{"accepted":%d,"rejected":%b%b}' % (admitted.accepted, _shown(rejected), hint)
    return web.Response(body=body, content_type="application/json")


async def events(request: web.Request, caller: Caller) -> web.Response:
    """Takes browse events; kept only where the shopper granted `personalisation`."""
    services = request.app[SERVICES]
    received_at_us = services.clock.now_us()
    batch = decode_events(await request.read())
    device_id, shopper_id = await _whose(services, caller, batch)
    looks = RecordEvents(
        shopper_id=shopper_id, received_at_us=received_at_us, device_id=device_id, events=tuple(batch.records)
    )
    admitted, rejected = await _record(services, caller, batch, looks)
    body = b'{"accepted":%d,"rejected":%b}' % (admitted.accepted, _shown(rejected))
    return web.Response(body=body, content_type="application/json")


async def _record(
    services: Services, caller: Caller, batch: Batch, item: RecordFixes | RecordEvents
) -> tuple[Admitted, list[Rejected]]:
    """Has the readable records processed; tells by their place which were not taken."""
    admitted = await services.engine.submit(caller.retailer_id, item) if batch.records else Admitted()
    metrics, is_ping = services.metrics, isinstance(item, RecordFixes)
    (metrics.fixes_accepted if is_ping else metrics.events.labels("accepted")).inc(admitted.accepted)
    if not admitted.refusals and not batch.rejected:
        return admitted, []
    refused = [Rejected(index=batch.places[one.index], reason=one.reason) for one in admitted.refusals]
    rejected = sorted([*batch.rejected, *refused], key=lambda one: one.index)
    for one in rejected:
        (metrics.fixes if is_ping else metrics.events).labels(one.reason).inc()
    return admitted, rejected


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
