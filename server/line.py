"""What only the database can answer for a batch, and its part's place in line."""

from collections.abc import Sequence

import msgspec

from offers.moment import Moment
from server.counter import redeem
from server.db import Connection, DatabaseError
from server.errors import VicinoError
from server.inputs import Input, LeaveShopper, MoveDevice, RegisterDevice, Suppressed
from server.memory import Memory
from server.parts import WHOLE, Part
from server.privacy.erase import without_erased
from server.publish import UnknownRetailer
from server.redeem import Answer, Redeem
from server.sql import queries

SQL = queries("engine")


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a part's journal stands, and what the retailer has published."""

    journal_seq: int
    version: int
    secret: bytes


class Fenced(DatabaseError):  # noqa: N818 - it names what happened: stop at once
    """The partition has another owner by now."""


class Elsewhere(VicinoError):  # noqa: N818 - it names what was found
    """A user is known by a shopper of another part."""

    def __init__(self, shopper_id: str) -> None:
        super().__init__("a user is known by a shopper of another part")
        self.shopper_id = shopper_id


async def lock_head(connection: Connection, retailer_id: str, part: Part = WHOLE) -> Head:
    """Takes the part's place in line until the commit. Raises UnknownRetailer, and Fenced."""
    if part.epoch is not None and not await connection.fetch(SQL["own_partition"], part.number, part.epoch):
        raise Fenced(f"partition {part.number} has another owner")
    row = await connection.fetchrow(SQL["lock_head"], retailer_id, part.number)
    if row is None:
        await connection.execute(SQL["open_head"], retailer_id, part.number)
        row = await connection.fetchrow(SQL["lock_head"], retailer_id, part.number)
    if row is None:
        raise UnknownRetailer(f"no retailer {retailer_id}")
    return Head(journal_seq=row["journal_seq"], version=row["version"], secret=row["secret"])


async def undecided(
    connection: Connection, retailer_id: str, moments: Sequence[Moment], part: int, seq: int
) -> list[Moment]:
    """The moments that no batch before an entry of that part has decided: a repeated cause makes the same
    moment again.
    """
    if not moments:
        return []
    ids = [moment.moment_id for moment in moments]
    rows = await connection.fetch(SQL["decided_before"], retailer_id, ids, part, seq)
    decided = {row["moment_id"] for row in rows}
    return [moment for moment in moments if moment.moment_id not in decided]


async def asked(
    connection: Connection, memory: Memory, asks: Sequence[Redeem], inputs: Sequence[Input]
) -> tuple[list[Answer], list[Input]]:
    """The tills' answers; and the inputs with the shoppers they turn out to be of, nobody who was erased
    among them, and with the redemptions that were granted. Raises Elsewhere.
    """
    retailer_id, world = memory.retailer_id, memory.world
    answers = await redeem(connection, retailer_id, asks, world.catalogue)
    granted = [answer.granted for answer in answers if answer.granted is not None]
    inputs = await find_users(connection, retailer_id, inputs)
    for item in inputs:
        if not memory.part.holds(retailer_id, item.shopper_id):
            raise Elsewhere(item.shopper_id)
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
