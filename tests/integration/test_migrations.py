"""`server.migrate`: the schema is brought up to date, whoever asks and however often."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from server import codes
from server.migrate import MIGRATIONS, MigrationFailed, dbmate_url, migrate, roll_back
from server.postgres import EmbeddedPostgres
from tests.conftest import FAST
from tests.support import REPOSITORY

ALL = sorted(path.name for path in MIGRATIONS.glob("*.sql"))


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The URL of an empty database."""
    admin = await asyncpg.connect(postgres.url.replace("/vicino?", "/postgres?"))
    try:
        await admin.execute("CREATE DATABASE empty STRATEGY wal_log")
        yield postgres.url.replace("/vicino?", "/empty?")
        await admin.execute("DROP DATABASE empty WITH (FORCE)")
    finally:
        await admin.close()


async def schema(url: str) -> list[str]:
    """Every table's columns, every function and every policy of the database."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """
            SELECT format('%s.%s %s %s', table_name, column_name, data_type, column_default) AS item
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'schema_migrations'
            UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT format('%s %s %s', tablename, policyname, qual) FROM pg_policies
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
              AND tablename <> 'schema_migrations'
            """
        )
    finally:
        await connection.close()
    return sorted(row["item"] for row in rows)


async def test_an_empty_database_gets_every_migration_and_then_none(empty_url: str) -> None:
    assert await migrate(empty_url) == ALL
    assert await migrate(empty_url) == []


async def test_rolling_everything_back_leaves_an_empty_schema_that_migrates_again(empty_url: str) -> None:
    await migrate(empty_url)
    migrated = await schema(empty_url)
    for _ in ALL:
        await roll_back(empty_url)
    assert await schema(empty_url) == []
    await migrate(empty_url)
    assert await schema(empty_url) == migrated


async def test_what_was_sealed_before_there_were_sealing_keys_opens_by_the_first(empty_url: str) -> None:
    await migrate(empty_url)
    connection = await asyncpg.connect(empty_url)
    while await connection.fetchval("SELECT to_regclass('sealing_keys')"):
        await roll_back(empty_url)
    await connection.execute("INSERT INTO retailers (retailer_id, name, secret) VALUES ('r', 'r', 'secret')")
    await connection.execute(
        "INSERT INTO pool_codes (retailer_id, pool, code_hash, sealed, added_at) "
        "VALUES ('r', 'spring', 'hash', $1, now())",
        codes.sealed(b"secret", "SPRING-1"),
    )

    await migrate(empty_url)

    sealed, key = await connection.fetchrow(
        "SELECT sealed, k.secret FROM pool_codes JOIN sealing_keys k ON (sealed_by = k.number)"
    )
    await connection.close()
    assert codes.opened(key, sealed) == "SPRING-1"


async def test_of_several_that_migrate_at_once_one_does_the_work(empty_url: str) -> None:
    answers = await asyncio.gather(*(migrate(empty_url) for _ in range(3)))
    assert sorted(answers) == [[], [], ALL]


async def test_a_migration_that_fails_says_why_in_one_line_and_leaves_nothing(
    empty_url: str, tmp_path: Path
) -> None:
    bad = "-- migrate:up\nCREATE TABLE made (x int);\nSELECT nonsense;\n-- migrate:down\n"
    (tmp_path / "20260101000000_bad.sql").write_text(bad)
    with pytest.raises(MigrationFailed, match='column "nonsense" does not exist') as failed:
        await migrate(empty_url, migrations=tmp_path)
    assert "\n" not in str(failed.value)
    assert await schema(empty_url) == []


async def test_a_database_that_does_not_exist_is_reported_not_made(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(MigrationFailed, match='database "nowhere" does not exist'):
        await migrate(postgres.url.replace("/vicino?", "/nowhere?"))


async def test_a_server_is_reached_over_tcp_too(postgres_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = FAST | {"listen_addresses": "127.0.0.1", "port": str(port)}
    async with EmbeddedPostgres(postgres_folder, settings=settings, say=lambda _: None):
        assert await migrate(f"postgresql://postgres@127.0.0.1:{port}/vicino") == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me@/db?host=/run/pg", "postgres://me@/db?socket=%2Frun%2Fpg&sslmode=disable"),
        ("postgresql://me@/db?host=/s&port=6", "postgres://me@:6/db?socket=%2Fs&sslmode=disable"),
        ("postgres://me:p%40ss@host:5433/db", "postgres://me:p%40ss@host:5433/db?sslmode=prefer"),
        ("postgres://me@/db?host=host&port=6", "postgres://me@host:6/db?sslmode=prefer"),
        ("postgres://host/db?sslmode=verify-full", "postgres://host/db?sslmode=verify-full"),
    ],
)
def test_a_url_is_put_into_dbmates_words(url: str, expected: str) -> None:
    assert dbmate_url(url) == expected


def test_the_command_says_what_it_applied(postgres_folder: Path) -> None:
    environment = os.environ | {"VICINO_DATA_DIR": str(postgres_folder)}
    command = [REPOSITORY / "vicino", "migrate"]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "nothing to do\n"), done.stderr


async def test_the_command_uses_the_server_of_a_running_vicino(postgres_folder: Path) -> None:
    async with EmbeddedPostgres(postgres_folder, settings=FAST, say=lambda _: None):
        process = await asyncio.create_subprocess_exec(
            REPOSITORY / "vicino",
            "migrate",
            env=os.environ | {"VICINO_DATA_DIR": str(postgres_folder)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert await process.communicate() == (b"nothing to do\n", None)
