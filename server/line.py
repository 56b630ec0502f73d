"""What only the database can answer for a batch, and its part's place in line."""

from collections.abc import Sequence

import msgspec

from offers.moment import Moment
from server.db import Connection, DatabaseError
from server.errors import VicinoError
from server.inputs import Input, RegisterDevice
from server.memory import Memory
from server.parts import WHOLE, Part
from server.privacy.erase import without_erased
from server.publish import UnknownRetailer
from server.redeem import Answer, Redeem, redeem
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
    connection: Connection, memory: Memory, head: Head, asks: Sequence[Redeem], inputs: Sequence[Input]
) -> tuple[list[Answer], list[Input]]:
    """The tills' answers; and the inputs with the shoppers they turn out to be of, nobody who was erased
    among them, and with the redemptions that were granted. Raises Elsewhere.
    """
    retailer_id = memory.retailer_id
    answers = [await redeem(connection, retailer_id, ask) for ask in asks]
    granted = [answer.granted for answer in answers if answer.granted is not None]
    inputs = await find_users(connection, retailer_id, inputs)
    for item in inputs:
        if not memory.part.holds(retailer_id, item.shopper_id):
            raise Elsewhere(item.shopper_id)
    return answers, [*await without_erased(connection, retailer_id, head.secret, inputs), *granted]


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
