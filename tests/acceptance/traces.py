"""Searching for what is left of a shopper: in a dump of the database, in a log, in any bytes."""

import asyncio
import struct
from collections.abc import Iterable

from server.postgres.account import server_account
from server.postgres.binaries import find_binaries
from tests.acceptance.mall import Shopper


async def dump(database_url: str) -> bytes:
    """The whole database as `pg_dump` writes it; values of type bytea in hexadecimal digits."""
    program = find_binaries(server_account()).program("pg_dump")
    process = await asyncio.create_subprocess_exec(
        program, "--dbname", database_url, stdout=asyncio.subprocess.PIPE
    )
    whole, _ = await process.communicate()
    assert process.returncode == 0
    return whole


def found(whole: bytes, needles: Iterable[str | float]) -> list[str | float]:
    """Which of these ids and coordinates occur, as text or in the bytes that a packed value has."""
    return [needle for needle in needles if any(form in whole for form in _forms(needle))]


def _forms(needle: str | float) -> list[bytes]:
    if isinstance(needle, str):
        packed = [needle.encode()]
    else:
        packed = [struct.pack(order, needle) for order in (">d", "<d")]
    texts = [repr(needle).encode()] if isinstance(needle, float) else packed
    return [*texts, *packed, *(one.hex().encode() for one in packed)]


def names_of(shopper: Shopper) -> list[str]:
    """What names a shopper."""
    return [shopper.shopper_id, shopper.device_id, shopper.address]
