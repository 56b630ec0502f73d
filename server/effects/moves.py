"""Writes what a log-in or a log-out changes of rows that exist: whose they are."""

from collections.abc import Sequence

from server.clock import from_us
from server.db import Connection
from server.inputs import Input, MoveDevice
from server.sql import queries

SQL = queries("moves")

#: Tables whose rows are the known shopper's from now on.
ADOPTED = (
    *("inbox", "coupons", "outbox", "decisions", "transitions", "visits"),
    *("consent_changes", "webhook_messages", "lessons"),
)


async def save_moves(connection: Connection, retailer_id: str, inputs: Sequence[Input], now_us: int) -> None:
    """The device is the other shopper's; of one who was the same person, all that there is of her, too."""
    for item in (i for i in inputs if isinstance(i, MoveDevice)):
        await connection.execute(SQL["move_device"], retailer_id, item.device_id, item.shopper_id)
        await connection.execute(SQL["revoke_tokens"], retailer_id, item.device_id, from_us(now_us))
        if item.brings is not None:
            former = item.brings.shopper_id
            await connection.execute(SQL["note_merge"], retailer_id, former, item.shopper_id, from_us(now_us))
            for table in ADOPTED:
                await connection.execute(SQL[f"adopt_{table}"], retailer_id, former, item.shopper_id)
