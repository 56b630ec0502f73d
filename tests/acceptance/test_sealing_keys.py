"""The drill of sealing keys: what is sealed is sealed anew while it is used, whatever happens meanwhile."""

import asyncio
import os
import signal
import sys
from base64 import b32decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server import sealing_keys
from server.accounts.totp import STEP_S, code_at
from server.api.codes import SQL
from server.codes import sealed
from tests import logbook
from tests.acceptance.mall import Mall, until
from tests.acceptance.test_sessions import Door, a_door
from tests.acceptance.test_till import code_of, tells
from tests.support import REPOSITORY

NOW = datetime(2026, 11, 18, tzinfo=UTC)


@pytest.fixture
async def door(database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_door(database_url, tmp_path) as opened:
        yield opened


async def rotate(at: Mall) -> sealing_keys.Rotated:
    """What the command does, within ten seconds."""
    async with asyncio.timeout(10):
        return await sealing_keys.rotate(
            at.vicino.database, at.keys["retailer_id"], NOW, actor="command", tell=lambda *_: None
        )


async def fills(at: Mall, number: int) -> set[str]:
    """So many codes in the pool of the offer."""
    codes = {f"SPRING-{one}" for one in range(number)}
    await at.server.post("/v1/offers", at.offer(code={"pool": "spring"}))
    await at.server.post("/v1/codes/spring", "\n".join(codes).encode())
    return codes


async def second_factor(door: Door) -> bytes:
    """Turns it on; its secret."""
    secret = b32decode((await door.call("POST", "/v1/session/totp"))[1]["secret"])
    assert (await door.call("PUT", "/v1/session/totp", {"code": code(door, secret)}))[0] == 204
    return secret


def code(door: Door, secret: bytes) -> str:
    """The next code, which was not used yet."""
    door.mall.clock.advance(2 * STEP_S)
    return code_at(secret, door.mall.clock.now_us() // 1_000_000 // STEP_S).decode()


async def numbers(owner: Any) -> list[int]:
    """Of the keys that there are."""
    return [row[0] for row in await owner.fetch("SELECT number FROM sealing_keys ORDER BY number")]


async def test_what_was_sealed_opens_by_the_new_key_and_the_old_one_is_gone(door: Door, owner: Any) -> None:
    codes = await fills(door.mall, 5)
    await door.sign_in()
    secret = await second_factor(door)
    before = await owner.fetch("SELECT sealed FROM pool_codes UNION ALL SELECT totp_secret FROM users")

    assert await rotate(door.mall) == (2, 6)

    after = await owner.fetch("SELECT sealed FROM pool_codes UNION ALL SELECT totp_secret FROM users")
    assert len({row[0] for row in (*before, *after)} - {None}) == 12, "not a byte is as it was"
    assert await numbers(owner) == [2]
    assert (await door.sign_in(code=code(door, secret)))[0] == 200
    given = await code_of(door.mall)
    assert given in codes
    assert (await tells(door.mall, given))[0] == 200
    assert await owner.fetchval("SELECT count(*) FROM audit WHERE action = 'sealing_key_rotated'") == 1
    assert await rotate(door.mall) == (3, 5)  # a code was given out: nothing of it is left to seal


async def test_both_keys_open_until_what_somebody_else_holds_is_sealed_anew(door: Door, owner: Any) -> None:
    codes = await fills(door.mall, 3)
    async with owner.transaction():
        await owner.execute("SELECT FROM pool_codes ORDER BY code_hash LIMIT 1 FOR UPDATE")
        rotation = asyncio.create_task(rotate(door.mall))
        await until(lambda: sealed_by(door.mall, {1: 1, 2: 2}))
        assert await code_of(door.mall) in codes
    assert (await rotation).number == 2
    assert {await code_of(door.mall) for _ in range(2)} < codes
    assert await numbers(owner) == [2]


async def sealed_by(at: Mall, expected: dict[int, int]) -> bool:
    """Whether the keys have sealed so many codes."""
    async with at.vicino.database.transaction(at.keys["retailer_id"]) as connection:
        rows = await connection.fetch(
            "SELECT sealed_by, count(*) FROM pool_codes WHERE sealed IS NOT NULL GROUP BY sealed_by"
        )
    return {row[0]: row[1] for row in rows} == expected


async def test_who_seals_by_the_old_key_just_now_is_waited_for(door: Door, owner: Any) -> None:
    retailer_id = door.mall.keys["retailer_id"]
    await fills(door.mall, 1)
    async with door.mall.vicino.database.transaction(retailer_id) as connection:
        key = await sealing_keys.newest(connection, retailer_id)
        rotation = asyncio.create_task(rotate(door.mall))
        await until(lambda: owner.fetchval("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1"))
        assert await numbers(owner) == [1, 2]
        await connection.execute(
            SQL["add_codes"], retailer_id, "spring", [b"late"], [sealed(key.secret, "LATE")], NOW, key.number
        )
    assert await rotation == (2, 2)
    assert await sealed_by(door.mall, {2: 2})
    assert {await code_of(door.mall) for _ in range(2)} == {"SPRING-0", "LATE"}


async def test_a_rotation_that_is_killed_loses_nothing_and_the_next_goes_on(
    door: Door, owner: Any, database_url: str
) -> None:
    codes = await fills(door.mall, 1_000)
    await door.sign_in()
    secret = await second_factor(door)
    async with owner.transaction():  # so that it cannot come to its end
        await owner.execute("SELECT FROM pool_codes ORDER BY code_hash LIMIT 1 FOR UPDATE")
        killed = await command(database_url)
        await until(lambda: sealed_by(door.mall, {1: 1, 2: 999}))
        killed.send_signal(signal.SIGKILL)
        await killed.communicate()
    assert await numbers(owner) == [1, 2]
    assert {await code_of(door.mall) for _ in range(2)} < codes
    assert (await door.sign_in(code=code(door, secret)))[0] == 200

    done = await command(database_url)
    output, errors = await done.communicate()
    logbook.note(errors)

    assert (done.returncode, output.decode().split("\t")[1:]) == (0, ["key 2 seals", "0 sealed anew\n"])
    assert await numbers(owner) == [2]
    assert await code_of(door.mall) in codes


async def command(database_url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "sealing-key", "rotate"),
        cwd=REPOSITORY,
        env={**os.environ, "VICINO_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_what_does_not_open_stops_the_rotation_and_is_named(door: Door, owner: Any) -> None:
    await fills(door.mall, 2)
    await owner.execute("UPDATE pool_codes SET sealed = set_byte(sealed, 13, 1 - get_byte(sealed, 13) % 2)")

    with pytest.raises(sealing_keys.OpensNot, match="pool_codes: what key 1 has sealed for"):
        await rotate(door.mall)

    assert await numbers(owner) == [1, 2]


async def test_two_rotations_at_once_are_one(door: Door, owner: Any) -> None:
    await fills(door.mall, 500)

    told = await asyncio.gather(rotate(door.mall), rotate(door.mall))

    assert sum(one.sealed for one in told) in (500, 1000)  # beside each other, or one after the other
    assert len(await numbers(owner)) == 1
    assert await code_of(door.mall)


async def test_all_that_is_sealed_is_in_the_list_of_what_is_sealed_anew(owner: Any) -> None:
    rows = await owner.fetch(
        "SELECT table_name FROM information_schema.columns WHERE column_name LIKE '%sealed%' "
        "AND column_name NOT LIKE '%sealed_by'"
        " OR column_name = 'totp_secret'"
    )

    assert {row[0] for row in rows} == set(sealing_keys.SEALED)
