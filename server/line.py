"""What only the database can answer for a batch, and the retailer's place in line."""

from collections.abc import Sequence

import msgspec

from offers.moment import Moment
from server.db import Connection
from server.inputs import Input, LeaveShopper, MoveDevice, RegisterDevice, Suppressed
from server.privacy.erase import without_erased
from server.publish import UnknownRetailer
from server.redeem import Answer, Redeem, redeem
from server.sql import queries
from server.world import World

SQL = queries("engine")


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a retailer's journal stands, and what it has published."""

    journal_seq: int
    version: int
    secret: bytes


async def lock_head(connection: Connection, retailer_id: str) -> Head:
    """Takes the retailer's place in line until the commit. Raises UnknownRetailer."""
    row = await connection.fetchrow(SQL["lock_head"], retailer_id)
    if row is None:
        raise UnknownRetailer(f"no retailer {retailer_id}")
    return Head(journal_seq=row["journal_seq"], version=row["version"], secret=row["secret"])


async def undecided(
    connection: Connection, retailer_id: str, moments: Sequence[Moment], seq: int
) -> list[Moment]:
    """The moments that no batch before `seq` has decided: a repeated cause makes the same moment again."""
    if not moments:
        return []
    ids = [moment.moment_id for moment in moments]
    rows = await connection.fetch(SQL["decided_before"], retailer_id, ids, seq)
    decided = {row["moment_id"] for row in rows}
    return [moment for moment in moments if moment.moment_id not in decided]


async def asked(
    connection: Connection, world: World, asks: Sequence[Redeem], inputs: Sequence[Input]
) -> tuple[list[Answer], list[Input]]:
    """The tills' answers; and the inputs with the shoppers they turn out to be of, nobody who was erased
    among them, and with the redemptions that were granted.
    """
    retailer_id = world.retailer_id
    answers = [await redeem(connection, retailer_id, ask, world.catalogue) for ask in asks]
    granted = [answer.granted for answer in answers if answer.granted is not None]
    inputs = await find_users(connection, retailer_id, inputs)
    inputs = await without_erased(connection, retailer_id, world.secret, inputs)
    return answers, [*await both_sides(connection, retailer_id, inputs), *granted]


async def find_users(connection: Connection, retailer_id: str, inputs: Sequence[Input]) -> list[Input]:
    """The inputs, with registrations of a user who is known already made registrations of that shopper."""
    hashes = {i.user_hash for i in inputs if isinstance(i, RegisterDevice) and i.user_hash is not None}
    if not hashes:
        return list(inputs)
    rows = await connection.fetch(SQL["find_users"], retailer_id, list(hashes))
    known: dict[bytes, str] = {row["user_hash"]: row["shopper_id"] for row in rows}
    return [
        msgspec.structs.replace(i, shopper_id=known.setdefault(i.user_hash, i.shopper_id))
        if isinstance(i, RegisterDevice) and i.user_hash is not None
        else i
        for i in inputs
    ]


async def both_sides(connection: Connection, retailer_id: str, inputs: Sequence[Input]) -> list[Input]:
    """Each move of a device as two inputs, of her who gets it and of her who gives it away; a device that is
    another shopper's by now stays where it is.
    """
    moving = [i.device_id for i in inputs if isinstance(i, MoveDevice)]
    if not moving:
        return list(inputs)
    rows = await connection.fetch(SQL["whose_devices"], retailer_id, moving)
    whose = {row["device_id"]: row["shopper_id"] for row in rows}
    both: list[Input] = []
    for item in inputs:
        if not isinstance(item, MoveDevice):
            both.append(item)
        elif whose.get(item.device_id) != item.leaves:
            both.append(Suppressed(shopper_id="", received_at_us=item.received_at_us))
        else:
            whose[item.device_id] = item.shopper_id
            both.append(msgspec.structs.replace(item, leaves=None))
            if item.leaves != item.shopper_id:
                both.append(_leaving(item))
    return both


def _leaving(move: MoveDevice) -> LeaveShopper:
    assert move.leaves is not None
    return LeaveShopper(
        shopper_id=move.leaves,
        received_at_us=move.received_at_us,
        device_id=move.device_id,
        merged=move.brings is not None,
    )
