"""The data map is the schema: no table and no column escapes erasure, export or retention unseen."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from server.privacy.datamap import DATA_MAP
from server.sql import queries

COLUMNS = """
SELECT c.table_name AS table, c.column_name AS column FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND NOT EXISTS (
  SELECT FROM pg_inherits i WHERE i.inhrelid = format('%I', c.table_name)::regclass)
"""


@pytest.fixture
async def schema(database_url: str) -> AsyncIterator[dict[str, set[str]]]:
    """The columns of every table, partitions aside."""
    connection = await asyncpg.connect(database_url)
    try:
        columns: dict[str, set[str]] = {}
        for row in await connection.fetch(COLUMNS):
            columns.setdefault(row["table"], set()).add(row["column"])
        yield columns
    finally:
        await connection.close()


async def test_every_table_is_registered_with_every_column(schema: dict[str, set[str]]) -> None:
    mapped = {table.name: {*table.personal, *table.other} for table in DATA_MAP}

    assert mapped.keys() == schema.keys(), "register it in server/privacy/datamap.py"
    differing = {name: sorted(mapped[name] ^ columns) for name, columns in schema.items()}
    assert {name: columns for name, columns in differing.items() if columns} == {}


async def test_no_column_that_names_a_shopper_or_device_is_called_impersonal() -> None:
    named = {"shopper_id", "device_id", "user_hash", "decision_id", "state", "inputs", "input"}

    assert [(t.name, c) for t in DATA_MAP for c in t.other if c in named] == []


async def test_every_table_with_something_personal_says_why_how_long_and_how_it_goes() -> None:
    personal = [table for table in DATA_MAP if table.personal]

    assert len(personal) > 12
    assert [table.name for table in personal if not (table.purpose and table.kept and table.erased)] == []


async def test_every_such_table_has_a_statement_that_erases_a_shopper_or_goes_with_another() -> None:
    statements = queries("privacy")
    ways = dict.fromkeys(("push_addresses", "refresh_tokens", "watched_regions"), "ON DELETE CASCADE")
    ways |= {"journal": "rewrite_journal", "erasures": "finish_erasure"}

    without = [t.name for t in DATA_MAP if t.personal and f"erase_{t.name}" not in statements]

    assert sorted(without) == sorted(ways)


async def test_what_is_exported_has_a_statement_that_reads_it() -> None:
    statements = queries("privacy")

    assert [t.name for t in DATA_MAP if t.exported and f"export_{t.name}" not in statements] == []
    assert [t.name for t in DATA_MAP if t.exported and not set(t.withheld) <= {*t.personal, *t.other}] == []
