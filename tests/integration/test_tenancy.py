"""No query can cross retailers, even one that forgot its WHERE.

Asked of every table that the catalog lists: a new table without a policy fails here.
"""

from typing import Any

import asyncpg
import pytest

from server.db import APP_ROLE, Database

pytestmark = pytest.mark.usefixtures("database")

#: Tables of the whole installation, which the server may read although they have no retailer.
GLOBAL_TABLES = {"signing_keys", "partitions"}

#: Tables of which the server itself may delete nothing: they are a record of who did what.
FOR_GOOD = {"overrides", "audit"}

# Something to put into a column, by its type; what is text or bytes is the retailer's own name.
LITERALS = {
    **dict.fromkeys(("bool",), "false"),
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric"), "1"),
    **dict.fromkeys(("json", "jsonb", "_text"), "{}"),
    **dict.fromkeys(("date", "timestamptz"), "2026-01-01"),
}

TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS secured, c.relispartition AS is_partition,
  EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'retailer_id') AS has_retailer,
  has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
    OR has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE') AS reachable,
  pg_get_userbyid(c.relowner) = $1 AS is_owned,
  (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
   WHERE i.indrelid = c.oid AND i.indisprimary) AS first_of_key
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""

COLUMNS = """
SELECT a.attname AS name, t.typname AS type
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attidentity = '' AND a.attgenerated = ''
"""

CONSTRAINTS = """
SELECT conrelid::regclass::text AS table, conname AS name FROM pg_constraint
WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace AND conparentid = 0 AND coninhcount = 0
"""

PARTITIONED = (
    "SELECT array_agg(relid::regclass::text) FROM (SELECT partrelid FROM pg_partitioned_table) AS t(relid)"
)


async def tables_of_tenants(owner: asyncpg.Connection) -> list[str]:
    rows = await owner.fetch(TABLES, APP_ROLE)
    return [row["name"] for row in rows if row["has_retailer"] and not row["is_partition"]]


async def row_of(owner: asyncpg.Connection, table: str, retailer_id: str) -> dict[str, str]:
    """SQL literals that make a row of `table`."""
    row: dict[str, str] = {}
    for name, kind in await owner.fetch(COLUMNS, table):
        value = retailer_id if kind in ("text", "bytea") else LITERALS.get(kind)
        assert value is not None, f"{table}.{name}: say in LITERALS what a {kind} may be"
        row[name] = f"'{value}'"
    return row


async def insert(connection: Any, table: str, row: dict[str, str]) -> None:
    await connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")


@pytest.fixture
async def filled(owner: asyncpg.Connection) -> list[str]:
    """The tables of tenants, each with one row of retailer a and one of retailer b."""
    for constraint in await owner.fetch(CONSTRAINTS):  # they are not what is asked about here
        await owner.execute(f'ALTER TABLE {constraint["table"]} DROP CONSTRAINT "{constraint["name"]}"')
    names = await tables_of_tenants(owner)
    for name in await owner.fetchval(PARTITIONED):
        await owner.execute(f"CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT")
    for name in names:
        for retailer_id in ("a", "b"):
            await insert(owner, name, await row_of(owner, name, retailer_id))
    return names


async def refused(database: Database, statement: str) -> bool:
    """Whether row-level security refuses `statement` to retailer a."""
    try:
        async with database.transaction("a") as connection:
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        return "row-level security" in str(error)
    return False


async def test_every_table_that_the_server_reaches_has_a_retailer_and_a_policy(
    owner: asyncpg.Connection,
) -> None:
    reached = [row for row in await owner.fetch(TABLES, APP_ROLE) if row["reachable"]]
    assert {row["name"] for row in reached if not row["has_retailer"]} == GLOBAL_TABLES
    bare = [
        row["name"] for row in reached if row["has_retailer"] and not (row["secured"] and row["has_policy"])
    ]
    assert bare == []


async def test_every_table_of_tenants_is_secured_or_a_partition_out_of_reach(
    owner: asyncpg.Connection,
) -> None:
    await owner.execute("SELECT open_journal_day('2026-01-01')")
    rows = [row for row in await owner.fetch(TABLES, APP_ROLE) if row["has_retailer"]]
    assert len(rows) >= 19
    assert [row["name"] for row in rows if not row["secured"] and not row["is_partition"]] == []
    assert [row["name"] for row in rows if row["is_partition"] and row["reachable"]] == []


async def test_the_retailer_comes_first_in_every_key_of_a_table_of_tenants(owner: asyncpg.Connection) -> None:
    rows = [row for row in await owner.fetch(TABLES, APP_ROLE) if row["has_retailer"]]
    assert [row["name"] for row in rows if row["first_of_key"] != "retailer_id"] == []


async def test_the_servers_role_owns_nothing_and_is_bound_by_the_policies(owner: asyncpg.Connection) -> None:
    role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", APP_ROLE)
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
    assert role is not None
    assert not any(role[power] for power in powers)
    assert [row["name"] for row in await owner.fetch(TABLES, APP_ROLE) if row["is_owned"]] == []


async def test_the_servers_connections_run_as_that_role(database: Database) -> None:
    async with database.transaction("a") as connection:
        assert await connection.fetchval("SELECT current_user") == APP_ROLE
    async with database.system() as connection:
        assert await connection.fetchval("SELECT current_user") == APP_ROLE


async def test_functions_that_run_as_the_owner_name_their_schema(owner: asyncpg.Connection) -> None:
    loose = await owner.fetch(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND NOT coalesce(proconfig::text LIKE '%search_path=public, pg_temp%', false)"
    )
    assert loose == []


async def test_a_query_without_where_sees_the_rows_of_its_retailer_alone(
    database: Database, filled: list[str]
) -> None:
    async with database.transaction("a") as connection:
        for name in filled:
            seen = await connection.fetch(f"SELECT retailer_id FROM {name}")
            assert [row["retailer_id"] for row in seen] == ["a"], name


async def test_without_a_retailer_no_row_is_seen(database: Database, filled: list[str]) -> None:
    async with database.system() as connection:
        for name in filled:
            assert await connection.fetch(f"SELECT retailer_id FROM {name}") == [], name


async def test_a_row_cannot_be_inserted_for_another_retailer(
    database: Database, owner: asyncpg.Connection, filled: list[str]
) -> None:
    for name in filled:
        row = await row_of(owner, name, "c")
        statement = f"INSERT INTO {name} ({', '.join(row)}) VALUES ({', '.join(row.values())})"
        assert await refused(database, statement), name


async def test_a_row_cannot_be_given_to_another_retailer(database: Database, filled: list[str]) -> None:
    for name in filled:
        assert await refused(database, f"UPDATE {name} SET retailer_id = 'c'"), name


async def test_rows_of_another_retailer_can_be_neither_changed_nor_deleted(
    database: Database, owner: asyncpg.Connection, filled: list[str]
) -> None:
    async with database.transaction("a") as connection:
        for name in filled:
            changed = await connection.execute(f"UPDATE {name} SET retailer_id = 'a' WHERE retailer_id = 'b'")
            assert changed == "UPDATE 0", name
            if name not in FOR_GOOD:
                await connection.execute(f"DELETE FROM {name}")
    for name in FOR_GOOD:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction("a") as connection:
                await connection.execute(f"DELETE FROM {name}")
    for name in filled:
        left = await owner.fetch(f"SELECT retailer_id FROM {name}")
        assert sorted(row["retailer_id"] for row in left) == (["a", "b"] if name in FOR_GOOD else ["b"]), name


async def test_the_servers_role_can_neither_empty_nor_change_a_table(
    database: Database, filled: list[str]
) -> None:
    for name in filled:
        for statement in (f"TRUNCATE {name}", f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with database.transaction("a") as connection:
                    await connection.execute(statement)
