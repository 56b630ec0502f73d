"""Writes the shoppers' new states, and what registrations, outcomes and withdrawn consents change."""

from collections.abc import Iterable, Mapping

from geo.engine import Fleet, wake_at_us
from server.clock import from_us
from server.db import Connection
from server.effects.moves import save_moves
from server.effects.permissions import save_permissions
from server.inputs import Input, RecordOutcome, RegisterDevice
from server.journal import Entry
from server.phones import Phones
from server.records import Record, pack_record, slot_of
from server.sql import queries
from server.world import World
from server.writes import Writes

SQL = queries("engine")


def record_wake_at_us(record: Record, fleet: Fleet, world: World) -> int | None:
    """When the earliest timer of the shopper's devices is due, or an open trial of hers ends."""
    slots = [slot_of(fleet, record, device.device_id) for device in record.devices]
    due = [wake_at_us(fleet, slot, world.fences, world.rules) for slot in slots]
    due.append(record.shopper.hers.ends_us)
    return min((at_us for at_us in due if at_us is not None), default=None)


async def keep_day_start(
    connection: Connection, retailer_id: str, entry: Entry, first_today: Iterable[str]
) -> None:
    """Before a state's first change of the day, the one at its start."""
    if kept := sorted(first_today):
        await connection.execute(SQL["keep_day_start"], retailer_id, entry.day, kept)


def save_records(  # noqa: PLR0917 - all but the first two are what it writes
    writes: Writes,
    retailer_id: str,
    entry: Entry,
    records: Mapping[str, Record],
    phones: Phones,
    world: World,
) -> None:
    """The states as of a journal entry."""
    if not records:
        return
    users = {i.shopper_id: i.user_hash for i in entry.inputs if isinstance(i, RegisterDevice)}
    wakes = [record_wake_at_us(record, phones, world) for record in records.values()]
    writes.add(
        SQL["save_records"],
        retailer_id,
        entry.day,
        list(records),
        [users.get(shopper_id) for shopper_id in records],
        [pack_record(record, phones) for record in records.values()],
        [None if at_us is None else from_us(at_us) for at_us in wakes],
        entry.seq,
    )


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
