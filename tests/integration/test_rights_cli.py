"""`vicino erase` and `vicino export` as an operator uses them, with and without a running server."""

import asyncio
import json
import os
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import logbook
from tests.acceptance.mall import Mall, Shopper, mall
from tests.acceptance.traces import dump, found, names_of
from tests.support import REPOSITORY


async def vicino(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """Runs the command: its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "VICINO_DATABASE_URL": database_url},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    logbook.note(errors)
    return process.returncode or 0, output.decode(), errors.decode()


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def shopper(at_noon: Mall) -> Shopper:
    made = await at_noon.shopper()
    await made.ping(north_m=40)
    return made


async def test_a_running_server_is_asked_to_erase(at_noon: Mall, shopper: Shopper, database_url: str) -> None:
    status, output, errors = await vicino(database_url, "erase", shopper.shopper_id)

    assert status == 0, errors
    assert json.loads(output)["erased"]["shoppers"] == 1
    assert (await shopper.ping(north_m=40))["rejected"] == [{"index": 0, "reason": "unknown_device"}]


async def test_without_a_server_the_command_erases_by_itself(
    at_noon: Mall, shopper: Shopper, database_url: str
) -> None:
    await at_noon.stop()

    status, output, errors = await vicino(database_url, "erase", shopper.shopper_id)

    assert status == 0, errors
    assert json.loads(output)["erased_at"] is not None
    assert found(await dump(database_url), names_of(shopper)) == []


async def test_the_list_of_the_erased_erases_again_whom_a_backup_brought_back(
    at_noon: Mall, shopper: Shopper, database_url: str, tmp_path: Path
) -> None:
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        backup = await connection.fetchrow("SELECT * FROM shoppers")
    assert (await shopper.call("DELETE", "/v1/me"))[0] == 200
    status, output, errors = await vicino(database_url, "erase", "--list")
    assert (status, len(output.splitlines())) == (0, 1), errors
    assert shopper.shopper_id not in output
    listed = tmp_path / "erased.ndjson"
    listed.write_text(output)
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        await connection.execute("DELETE FROM erasures")
        await connection.execute(
            "INSERT INTO shoppers (retailer_id, shopper_id, state, state_day) VALUES ($1, $2, $3, $4)",
            *(backup[name] for name in ("retailer_id", "shopper_id", "state", "state_day")),
        )
    await at_noon.stop()

    status, output, errors = await vicino(database_url, "erase", "--again", str(listed))

    assert (status, output) == (0, "1 erasures taken over\n"), errors
    assert found(await dump(database_url), names_of(shopper)) == []


async def test_a_copy_is_written_for_its_owner_alone(
    shopper: Shopper, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "copy.zip"

    status, output, errors = await vicino(database_url, "export", shopper.shopper_id, "--out", str(path))

    assert (status, output.strip()) == (0, str(path)), errors
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert shopper.device_id.encode() in archive.read("devices.ndjson")


async def test_an_unknown_shopper_is_told_in_one_line(database_url: str) -> None:
    for command in ("erase", "export"):
        status, _, errors = await vicino(database_url, command, "shp_nobody")

        assert (status, len(errors.splitlines())) == (1, 1)
        assert "no shopper shp_nobody" in errors
