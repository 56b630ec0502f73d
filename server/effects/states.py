"""Writes the shoppers' new states, and what registrations, outcomes and withdrawn consents change."""

from collections.abc import Iterable, Mapping
from datetime import date

from geo.engine import Fleet, wake_at_us
from server.clock import from_us
from server.db import Connection
from server.effects.moves import save_moves
from server.effects.permissions import save_permissions
from server.inputs import Input, RecordOutcome, RegisterDevice
from server.records import Record, pack_record, slot_of
from server.sql import queries
from server.world import World

SQL = queries("engine")


def record_wake_at_us(record: Record, fleet: Fleet, world: World) -> int | None:
    """When the earliest timer of the shopper's devices is due."""
    slots = [slot_of(fleet, record, device.device_id) for device in record.devices]
    due = [wake_at_us(fleet, slot, world.fences, world.rules) for slot in slots]
    return min((at_us for at_us in due if at_us is not None), default=None)


async def save_records(
    connection: Connection,
    retailer_id: str,
    changed: Mapping[str, Record],
    fleet: Fleet,
    wakes: Mapping[str, int | None],
    *,
    day: date,
    first_today: Iterable[str],
    users: Mapping[str, bytes | None],
) -> None:
    """The new states; before a state's first change of the day, the state it had at the day's start."""
    if not changed:
        return
    if kept := sorted(first_today):
        await connection.execute(SQL["keep_day_start"], retailer_id, day, kept)
    await connection.execute(
        SQL["save_records"],
        retailer_id,
        day,
        list(changed),
        [users.get(shopper_id) for shopper_id in changed],
        [pack_record(record, fleet) for record in changed.values()],
        [None if (at_us := wakes[shopper_id]) is None else from_us(at_us) for shopper_id in changed],
    )


async def save_wakes(connection: Connection, retailer_id: str, wakes: Mapping[str, int | None]) -> None:
    """The next timers of shoppers whose state has not changed: they were woken for nothing."""
    if wakes:
        times = [None if at_us is None else from_us(at_us) for at_us in wakes.values()]
        await connection.execute(SQL["save_wakes"], retailer_id, list(wakes), times)


async def save_devices(
    connection: Connection, retailer_id: str, inputs: Iterable[Input], now_us: int
) -> None:
    """Registrations, push addresses, outcomes, consents, and what a withdrawal undoes."""
    inputs = list(inputs)
    registered = [i for i in inputs if isinstance(i, RegisterDevice)]
    if registered:
        await connection.execute(
            SQL["add_devices"],
            retailer_id,
            [i.device_id for i in registered],
            [i.shopper_id for i in registered],
            [i.platform for i in registered],
            [i.by_app_key for i in registered],
            [i.public_key for i in registered],
        )
    addresses = {
        i.device_id: i.address for i in inputs if isinstance(i, RegisterDevice) and i.address is not None
    }
    if addresses:
        kinds, values = zip(*addresses.values(), strict=True)
        await connection.execute(
            SQL["set_addresses"], retailer_id, list(addresses), list(kinds), list(values), from_us(now_us)
        )
    await save_moves(connection, retailer_id, inputs, now_us)
    for outcome in (i for i in inputs if isinstance(i, RecordOutcome)):
        at = from_us(outcome.received_at_us)
        await connection.execute(
            SQL["note_outcome"], retailer_id, outcome.shopper_id, outcome.item_id, outcome.outcome, at
        )
    await save_permissions(connection, retailer_id, inputs)
