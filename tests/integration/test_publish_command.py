"""`vicino import` as a person uses it: files in, a table of problems and a summary out."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from server.db import Database
from server.publish import load_published
from tests import logbook
from tests.support import REPOSITORY, shared_data

RETAILER = "ret_a"
STORES = "external_id,name,lat,lon\ns1,Shoes,60.17,24.94\ns2,Books,95,24.95\n"


@pytest.fixture(autouse=True)
async def retailer(database_url: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, $1, 'secret')", RETAILER
        )
        yield
    finally:
        await connection.close()


async def vicino(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """Runs `vicino import` with the arguments: its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "import", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "VICINO_DATABASE_URL": database_url, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    logbook.note(errors)
    return process.returncode or 0, output.decode(), errors.decode()


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    path = tmp_path / "stores.csv"
    path.write_text(STORES)
    return path


@pytest.fixture
def good_stores(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(STORES.replace("95", "60"))
    return path


async def published_stores(database: Database) -> list[str]:
    async with database.transaction(RETAILER) as connection:
        return list((await load_published(connection, RETAILER)).get("store", {}))


async def test_good_records_are_published_and_bad_ones_told(
    database: Database, database_url: str, stores: Path
) -> None:
    status, output, errors = await vicino(database_url, "stores", str(stores), "--retailer", RETAILER)
    assert status == 1
    assert output == "stores: 1 created, 1 refused; version 1\n"
    for told in ("line 3", "s2", "lat", "out_of_range"):
        assert told in errors
    assert await published_stores(database) == ["s1"]


async def test_a_file_without_fault_ends_well(database_url: str, good_stores: Path) -> None:
    status, output, errors = await vicino(
        database_url, "stores", str(good_stores), "--retailer", RETAILER, "--radius", "50"
    )
    assert (status, output, errors) == (0, "stores: 4 created; version 1\n", "")


async def test_a_dry_run_shows_the_changes(database: Database, database_url: str, stores: Path) -> None:
    status, output, _ = await vicino(database_url, "stores", str(stores), "--retailer", RETAILER, "--dry-run")
    assert status == 1
    assert output.splitlines() == [
        "created store s1",
        "stores: 1 created, 1 refused (dry run: nothing was changed)",
    ]
    assert await published_stores(database) == []


async def test_the_report_is_one_json_object(database_url: str, stores: Path) -> None:
    status, output, errors = await vicino(
        database_url, "stores", str(stores), "--retailer", RETAILER, "--json"
    )
    report = msgspec.json.decode(output)
    assert (status, errors) == (1, "")
    assert (report["created"], report["problems"][0]["line"]) == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stores", "no such file", "--retailer", RETAILER], "no such file"),
        (["shops", "FILE", "--retailer", RETAILER], "shops"),
        (["stores", "FILE"], "--retailer"),
        (["offers", "FILE", "--retailer", RETAILER, "--radius", "50"], "--radius is for stores"),
        (["stores", "FILE", "--retailer", RETAILER, "--radius", "5"], "--radius"),
        (["stores", "FILE", "--retailer", RETAILER, "--geocoder", "ftp://x"], "geocoder"),
    ],
)
async def test_bad_use_is_one_line_and_changes_nothing(
    database: Database, database_url: str, stores: Path, arguments: list[str], told: str
) -> None:
    given = [str(stores) if argument == "FILE" else argument for argument in arguments]
    status, output, errors = await vicino(database_url, *given)
    assert (status, output, len(errors.splitlines())) == (2, "", 1)
    assert told in errors
    assert await published_stores(database) == []


async def test_an_unknown_retailer_is_a_failure(database_url: str, stores: Path) -> None:
    status, _, errors = await vicino(database_url, "stores", str(stores), "--retailer", "ret_none")
    assert (status, errors) == (1, "vicino: there is no retailer ret_none\n")


async def test_the_help_has_examples(database_url: str) -> None:
    status, output, _ = await vicino(database_url, "--help")
    assert status == 0
    assert "./vicino import geofences malls.geojson" in output


async def test_a_header_that_cannot_be_read_is_no_refused_record(database_url: str) -> None:
    path = shared_data("stores", "sf_food_businesses_2015_half.csv")
    status, output, errors = await vicino(database_url, "stores", str(path), "--retailer", RETAILER)
    assert (status, output) == (1, "stores: nothing could be read; version 0\n")
    assert "did you mean `lat`" in errors
