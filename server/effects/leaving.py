"""What follows for pushes when somebody leaves a store: what waits is withdrawn, what was sent taken back."""

from server.clock import from_us
from server.db import Connection
from server.outbox import recall
from server.records import Record, slot_of
from server.sql import queries
from server.turn import Turn
from server.writes import columns

SQL = queries("outbox")


async def take_back(connection: Connection, retailer_id: str, turn: Turn, now_us: int) -> bool:
    """For everybody who left a store in this batch, with all her devices. True if a recall is due."""
    gone = left_behind(turn)
    if not gone:
        return False
    shoppers, stores = columns(sorted(gone))
    await connection.execute(SQL["withdraw_left"], retailer_id, shoppers, stores)
    shown = await connection.fetch(SQL["shown_pushes"], retailer_id, shoppers, stores, from_us(now_us))
    if not shown:
        return False
    return bool(await recall(connection, retailer_id, [row["push_id"] for row in shown], now_us=now_us))


def left_behind(turn: Turn) -> set[tuple[str, str]]:
    """Shopper and store of the exits after which none of her devices is at the store any more. Pure."""
    exits = {(one.shopper_id, one.transition.store) for one in turn.seen if one.transition.kind == "exit"}
    return {
        (shopper_id, store)
        for shopper_id, store in exits
        if shopper_id in turn.records and store not in _stores(turn, turn.records[shopper_id])
    }


def _stores(turn: Turn, record: Record) -> set[str]:
    """The stores she is at, with any of her devices."""
    slots = [slot_of(turn.phones, record, device.device_id) for device in record.devices]
    told = {one.store for device in record.devices for one in device.inside}
    return told | {visit.store for slot in slots for visit in turn.phones.present(slot)}
