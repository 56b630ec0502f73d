"""Loads the named queries of `server/sql/*.sql`.

A file is a list of queries, each under its name and, in comments, what it is for:

    -- claim_due_pushes --
    -- Lock the next batch, skipping rows that another relay holds.
    SELECT ...
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from server.errors import VicinoError

_FOLDER = Path(__file__).with_name("sql")
_HEADER = re.compile(r"^-- (\w+) --[ \t]*$", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^\s*--.*\n?", re.MULTILINE)


class BadQueryFile(VicinoError):  # noqa: N818 - it names what is wrong
    """A file of queries does not follow the form above."""


@cache
def queries(name: str) -> Mapping[str, str]:
    """The queries of `server/sql/<name>.sql` by their names, without comment lines."""
    return parse(name, (_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))


def parse(source: str, text: str) -> Mapping[str, str]:
    """The named queries of `text`. Raises BadQueryFile, naming `source`."""
    preamble, *pairs = _HEADER.split(text)
    if _bare(preamble):
        raise BadQueryFile(f"{source}: SQL before the first `-- name --`")
    found: dict[str, str] = {}
    for name, body in zip(pairs[::2], pairs[1::2], strict=True):
        if name in found:
            raise BadQueryFile(f"{source}: two queries are named {name}")
        found[name] = _bare(body)
        if not found[name]:
            raise BadQueryFile(f"{source}: the query {name} is empty")
    return MappingProxyType(found)


def _bare(text: str) -> str:
    return _COMMENT_LINE.sub("", text).strip().removesuffix(";")
