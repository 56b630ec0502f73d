"""What is put together is done as if it were not."""

from server.db import Database
from server.writes import Writes, array_literal, columns

TABLE = "CREATE TEMP TABLE things (id int PRIMARY KEY, names text[], told jsonb) ON COMMIT DROP"
ADD = """INSERT INTO things SELECT t.id, t.names::text[], t.told
FROM unnest($1::int[], $2::text[], $3::jsonb[]) AS t (id, names, told)"""
RENAME = "UPDATE things SET told = $2 WHERE id = $1"


async def test_values_come_back_as_they_were_given(database: Database) -> None:
    names = [["plain", 'say "so"', "back\\slash", "a,b", "{}", "", "NULL", "å\n"], []]
    told = [{"a": ['"', "\\", {"b": 1.5}]}, "text"]
    async with database.transaction("rtl") as connection:
        await connection.execute(TABLE)
        writes = Writes()
        rows = ((number, array_literal(names[number]), told[number]) for number in range(2))
        writes.add(ADD, *columns(rows))
        await writes.run(connection)

        found = await connection.fetch("SELECT names, told FROM things ORDER BY id")

    assert [(row["names"], row["told"]) for row in found] == list(zip(names, told, strict=True))


async def test_all_of_what_was_added_is_run_once(database: Database) -> None:
    async with database.transaction("rtl") as connection:
        await connection.execute(TABLE)
        writes = Writes()
        writes.add(ADD, [1], ["{}"], ["old"])
        await writes.run(connection)
        writes.add(RENAME, 1, "new")
        writes.add(ADD, [2], ["{}"], ["other"])
        await writes.run(connection)
        await writes.run(connection)

        found = await connection.fetch("SELECT id, told FROM things ORDER BY id")

    assert [tuple(row) for row in found] == [(1, "new"), (2, "other")]
