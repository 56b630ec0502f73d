"""`server.db`: what a connection is, and which error each trouble with the server becomes."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from server import db
from server.db import Database, DatabaseBusy, DatabaseError, DatabaseGone, DatabaseUnfit
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF


async def insert_retailer(database: Database, retailer_id: str) -> None:
    async with database.transaction(retailer_id) as connection:
        await connection.execute(
            "INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, $1, '')", retailer_id
        )


async def count_retailers(database: Database, retailer_id: str) -> int:
    async with database.transaction(retailer_id) as connection:
        return await connection.fetchval("SELECT count(*) FROM retailers")


async def test_what_a_transaction_wrote_is_there_when_its_block_has_ended(database: Database) -> None:
    await insert_retailer(database, "a")
    assert await count_retailers(database, "a") == 1


async def test_nothing_remains_of_a_transaction_whose_block_failed(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction("a") as connection:
            await connection.execute(
                "INSERT INTO retailers (retailer_id, name, secret) VALUES ('a', 'a', '')"
            )
            raise ZeroDivisionError
    assert await count_retailers(database, "a") == 0


async def test_the_retailer_of_a_transaction_is_forgotten_by_the_next_on_the_same_connection(
    database_url: str,
) -> None:
    async with await Database.open(database_url, connections=1) as database:
        await insert_retailer(database, "a")
        async with database.system() as connection:
            assert not await connection.fetchval("SELECT current_retailer()")
            assert await connection.fetchval("SELECT count(*) FROM retailers") == 0


async def test_no_reset_of_a_connection_gives_it_back_the_owners_rights(database_url: str) -> None:
    async with await Database.open(database_url, connections=1) as database:
        for statement in ("RESET ALL", "RESET ROLE", "SELECT 1"):
            async with database.system() as connection:
                await connection.execute(statement)
            async with database.system() as connection:
                assert await connection.fetchval("SELECT current_user") == db.APP_ROLE


async def test_jsonb_goes_in_and_comes_out_as_values(database: Database) -> None:
    value = {"title": "15 % off — „Schuhe“", "list": [1, 2.5, None, True], "nested": {"empty": {}}}
    async with database.system() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == value


async def test_a_busy_pool_is_reported_after_a_bounded_wait(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_ACQUIRE_TIMEOUT_S", 0.1)
    async with await Database.open(database_url, connections=1) as database, database.system():
        with pytest.raises(DatabaseBusy):
            await count_retailers(database, "a")


async def test_a_paused_server_is_reported_after_a_bounded_wait_and_used_again_when_it_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_ACQUIRE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(db, "_COMMAND_TIMEOUT_S", 0.3)
    async with await Database.open(database_url, connections=1) as database:
        async with database.system() as connection:
            backend = connection.get_server_pid()
        os.kill(backend, signal.SIGSTOP)
        try:
            async with asyncio.timeout(10):
                with pytest.raises(DatabaseBusy):
                    await count_retailers(database, "a")
        finally:
            os.kill(backend, signal.SIGCONT)
        assert await count_retailers(database, "a") == 0


async def test_a_connection_that_the_server_ends_is_reported_gone_and_replaced(
    database: Database, database_url: str
) -> None:
    with pytest.raises(DatabaseGone):
        async with database.system() as connection:
            admin = await asyncpg.connect(database_url)
            await admin.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await admin.close()
            while True:
                await connection.execute("SELECT 1")
    assert await count_retailers(database, "a") == 0


async def ask(database: Database, times: int) -> None:
    """Asks until it was answered so often; only the named errors are met on the way."""
    while times:
        with suppress(DatabaseError):
            assert await count_retailers(database, "a") == 1
            times -= 1


async def test_a_crash_of_the_server_shows_as_named_errors_alone_and_passes(postgres_folder: Path) -> None:
    async with (
        EmbeddedPostgres(postgres_folder, settings=KILL_PROOF, say=lambda _: None) as server,
        await Database.open(server.url, connections=4) as database,
    ):
        await insert_retailer(database, "a")
        for _ in range(3):
            askers = asyncio.gather(*(ask(database, times=50) for _ in range(8)))
            await asyncio.sleep(0)
            os.kill(server.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                await askers


async def test_an_address_where_no_server_listens_is_reported_gone() -> None:
    with pytest.raises(DatabaseGone, match="not reachable"):
        await Database.open("postgresql://postgres@127.0.0.1:1/vicino")


async def test_a_database_without_the_schema_asks_for_the_migration(postgres: EmbeddedPostgres) -> None:
    missing = postgres.url.replace("/vicino?", "/postgres?")
    admin = await asyncpg.connect(missing)
    await admin.execute("ALTER ROLE vicino_app RENAME TO vicino_app_away")
    try:
        with pytest.raises(DatabaseUnfit, match=r"run \./vicino migrate"):
            await Database.open(missing)
    finally:
        await admin.execute("ALTER ROLE vicino_app_away RENAME TO vicino_app")
        await admin.close()


async def test_a_database_that_does_not_exist_is_reported_by_its_name(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(DatabaseUnfit, match='database "nowhere" does not exist'):
        await Database.open(postgres.url.replace("/vicino?", "/nowhere?"))


async def test_a_server_too_old_is_refused_by_its_version(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "OLDEST_MAJOR", 99)
    with pytest.raises(DatabaseUnfit, match=r"PostgreSQL \d+ is too old: Vicino needs 99 or newer"):
        await Database.open(database_url)
