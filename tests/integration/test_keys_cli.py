"""`vicino retailer key`: keys are added, bound, listed and revoked from the command line."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from server.auth import Authenticator
from server.cli.retailer import create_retailer
from server.clock import SystemClock
from server.db import Database
from server.problems import Problem
from tests import logbook
from tests.support import REPOSITORY


async def vicino(database_url: str, *arguments: str) -> tuple[int, list[Any], str]:
    """Runs `vicino retailer key … --json`: exit status, the objects it printed, and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "retailer", "key", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "VICINO_DATABASE_URL": database_url, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    logbook.note(errors)
    lines = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
    return process.returncode or 0, lines, errors.decode()


async def test_a_key_is_added_listed_and_revoked(database: Database, database_url: str) -> None:
    retailer_id = (await create_retailer(database, "Shoes", {}))["retailer_id"]

    status, [made], _ = await vicino(database_url, "add", "server", "--retailer", retailer_id, "--json")
    assert status == 0
    caller = await Authenticator(database, SystemClock()).caller(made["key"])
    assert (caller.retailer_id, caller.kind) == (retailer_id, "server")

    _, listed, _ = await vicino(database_url, "list", "--retailer", retailer_id, "--json")
    assert sorted(one["kind"] for one in listed) == ["app", "server", "server", "till"]
    assert made["id"] in {one["id"] for one in listed}
    assert all(made["key"] not in str(one) for one in listed)

    assert (await vicino(database_url, "revoke", made["id"], "--retailer", retailer_id))[0] == 0
    with pytest.raises(Problem) as told:
        await Authenticator(database, SystemClock()).caller(made["key"])
    assert told.value.status == 401
    status, _, errors = await vicino(database_url, "revoke", made["id"], "--retailer", retailer_id)
    assert status == 2
    assert "key list" in errors


async def test_a_tills_key_is_bound_to_a_store_that_is_published(
    database: Database, database_url: str
) -> None:
    retailer_id = (await create_retailer(database, "Shoes", {}))["retailer_id"]
    arguments = ("add", "till", "--retailer", retailer_id, "--store", "s-1", "--json")

    status, _, errors = await vicino(database_url, *arguments)
    assert status == 2
    assert "no store 's-1'" in errors
    async with database.transaction(retailer_id) as connection:
        await connection.execute(
            "INSERT INTO published (retailer_id, kind, external_id, version_from, body) "
            "VALUES ($1, 'store', 's-1', 1, '{}')",
            retailer_id,
        )
    status, [made], _ = await vicino(database_url, *arguments)

    assert status == 0
    assert (await Authenticator(database, SystemClock()).caller(made["key"])).store == "s-1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "app", "--retailer", "rtl_x", "--store", "s"), "binds a till's key"),
        (("list", "--retailer", "rtl_x"), "no retailer 'rtl_x'"),
    ],
)
async def test_bad_use_is_told(database_url: str, arguments: tuple[str, ...], said: str) -> None:
    status, _, errors = await vicino(database_url, *arguments)

    assert status == 2
    assert said in errors
