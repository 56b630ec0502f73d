"""How a retailer's shoppers are divided: into parts, each with a line, a journal and an owner of its own.

    shopper --hash--> one of 1,024 slots, for ever --modulo--> one of 1, 2, 4 … 1,024 parts

A part is a partition of Kafka's topic; where the journal is in PostgreSQL there is the one part 0. To double
the parts splits each in two: the shoppers of part `p` of `n` are then in `p` or in `p + n`, and nowhere else.
"""

import hashlib
from typing import Any

import msgspec

SLOTS = 1024  #: and so the most parts there can be


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One of them, as its owner knows it."""

    number: int = 0
    of: int = 1  #: how many there are
    epoch: int | None = (
        None  #: of the ownership of Kafka's partition; None where the journal is in PostgreSQL
    )

    def holds(self, retailer_id: str, shopper_id: str) -> bool:
        """Whether the shopper is in it."""
        return self.of == 1 or part_of(retailer_id, shopper_id, self.of) == self.number


class PartStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How far Kafka's partition of a part is."""

    partition: int
    done_upto: int  #: everything before this offset is done, as its engine noted within the last second or so
    waiting: int  #: records after that


WHOLE = Part()  #: everybody


def slot_of(retailer_id: str, shopper_id: str) -> int:
    """A shopper's slot: the first two bytes of the BLAKE2b of `retailer/shopper`, big-endian, modulo `SLOTS`.

    It is part of what is stored (who is in which partition), and must never change.
    """
    digest = hashlib.blake2b(f"{retailer_id}/{shopper_id}".encode(), digest_size=2).digest()
    return int.from_bytes(digest, "big") % SLOTS


def part_of(retailer_id: str, shopper_id: str, parts: int) -> int:
    """The part of a shopper, of so many (a power of two up to `SLOTS`)."""
    return slot_of(retailer_id, shopper_id) % parts


def is_number_of_parts(parts: int) -> bool:
    """Whether shoppers can be divided into so many."""
    return 1 <= parts <= SLOTS and parts & (parts - 1) == 0


async def number_of_parts(connection: Any) -> int:
    """How many partitions Kafka has; 0 where the journal is in PostgreSQL."""
    count: int = await connection.fetchval("SELECT count(*) FROM partitions")
    return count
