"""Vicino on the oldest PostgreSQL it takes: the system's own programs, as an external server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from server.config import Config
from server.db import Database
from server.migrate import MIGRATIONS, migrate, roll_back
from server.postgres import EmbeddedPostgres, database_url
from tests.conftest import FAST, data_folder
from tests.support import skip_or_fail

SYSTEM = Path("/usr/lib/postgresql")


def oldest_programs() -> Path:
    """The system's programs of the oldest version from 15 on; skips the test where there are none."""
    found = sorted(
        (int(path.parent.parent.name), path.parent)
        for path in SYSTEM.glob("*/bin/postgres")
        if re.fullmatch(r"\d+", path.parent.parent.name) and int(path.parent.parent.name) >= 15
    )
    if not found:
        skip_or_fail(f"no PostgreSQL of 15 or newer below {SYSTEM}")
    return found[0][1]


@pytest.fixture(scope="module")
async def external_url() -> AsyncIterator[str]:
    """The URL of an empty database of the system's PostgreSQL, on its Unix socket."""
    programs = oldest_programs()
    with data_folder() as folder:
        async with EmbeddedPostgres(folder, pg_bin=programs, settings=FAST, say=lambda _: None) as server:
            yield server.url


async def test_migrations_and_tenancy_hold_there(external_url: str) -> None:
    config = Config.from_env({"VICINO_DATABASE_URL": external_url})
    async with database_url(config) as url:
        assert await migrate(url) == sorted(path.name for path in MIGRATIONS.glob("*.sql"))
        async with await Database.open(url) as database:
            for retailer_id in ("a", "b"):
                async with database.transaction(retailer_id) as connection:
                    await connection.execute(
                        "INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, $1, '')", retailer_id
                    )
            async with database.transaction("a") as connection:
                assert await connection.fetchval("SELECT array_agg(retailer_id) FROM retailers") == ["a"]
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("UPDATE retailers SET retailer_id = 'b'")
        await roll_back(url)


async def test_text_is_ordered_as_in_the_embedded_one(external_url: str, database: Database) -> None:
    order = "SELECT array_agg(x ORDER BY x) FROM unnest('{b,a,B,A,ä,Ä,z,é,1}'::text[]) AS x"
    connection = await asyncpg.connect(external_url)
    there = await connection.fetchval(order)
    await connection.close()
    async with database.system() as own:
        assert await own.fetchval(order) == there
