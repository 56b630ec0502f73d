"""What a transaction writes, put together: one statement, and so one round trip, where there were ten.

Each answer of PostgreSQL is waited for, and while there is much to do the loop comes back to it late. So
statements of which nothing is asked become the parts of one `WITH`. All of them see the database as it was
before any of them, and they run in no order: no two may touch the same row.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from server.db import Connection

_PARAMETER = re.compile(r"\$(\d+)")


class Writes:
    """Of one transaction: `add` statements that change rows, then `run` them."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, tuple[Any, ...]]] = []

    def add(self, query: str, *arguments: Any) -> None:
        """One statement (INSERT, UPDATE or DELETE, without a WITH of its own) and its parameters."""
        self._parts.append((query, arguments))

    async def run(self, connection: Connection) -> None:
        """Runs what was added since it last did. Raises what the database raises of any of them."""
        parts, self._parts = self._parts, []
        if parts:
            text = together(tuple((query, len(arguments)) for query, arguments in parts))
            await connection.execute(text, *(one for _, arguments in parts for one in arguments))


@lru_cache(256)
def together(parts: tuple[tuple[str, int], ...]) -> str:
    """The statements as one; of each, how many parameters it has."""
    if len(parts) == 1:
        return parts[0][0]
    texts, before = [], 0
    for number, (query, parameters) in enumerate(parts):
        texts.append(f"w{number} AS ({_moved(query, before)})")
        before += parameters
    return f"WITH {', '.join(texts)} SELECT"


def _moved(query: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", query)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as the arrays that `unnest` makes rows of again."""
    return [list(column) for column in zip(*rows, strict=True)]


def array_literal(values: Iterable[str]) -> str:
    """A `text[]` written as text: an array of arrays has to be a rectangle, one of these need not."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
