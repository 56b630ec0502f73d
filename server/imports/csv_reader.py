"""Reads records from CSV with a header, the delimiter `,` or `;` or a tab.

Cells are kept as they came, as text; an empty cell means that the field is absent. A line that cannot be
read is a problem of its own, with its number.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct

from server.imports.problem import Place, Problem, Record, problem_at

_DELIMITERS = ",;\t"
#: A header may be a whole file of nonsense.
_HEADER_PROBLEMS_TOLD = 100


class Table(Struct, frozen=True, kw_only=True):
    """The columns a kind of CSV file may have."""

    columns: tuple[str, ...]
    required: frozenset[str]
    #: What other programs call these columns; it only serves to name the right one.
    known_as: Mapping[str, str] = {}


def read_csv(data: bytes, table: Table) -> Iterator[Record | Problem]:
    """The records of `data`; only the header's problems where it has any."""
    decoded = data.decode(errors="surrogateescape")
    lines = io.StringIO(decoded, newline="")
    delimiter = _delimiter(next(line for line in lines if line.strip()), table)
    lines.seek(0)
    rows = _rows(lines, delimiter)
    place, header = next(rows)
    if isinstance(header, str):
        yield problem_at(place, "bad_csv", "", header)
        return
    names = [name.strip().lower() for name in header]
    wrong = list(islice(_header_problems(names, table, place), _HEADER_PROBLEMS_TOLD))
    if wrong:
        yield from wrong
        return
    for index, (at, cells) in enumerate(rows):
        yield _record(Place(index, at.line), names, cells)


def _nearest(name: str, known: Iterable[str], known_as: Mapping[str, str]) -> str | None:
    """The known name that `name` most likely stands for."""
    if name in known_as:
        return known_as[name]
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def _delimiter(header: str, table: Table) -> str:
    """The delimiter under which most of the header's names are known; a comma on a tie."""

    def known(delimiter: str) -> int:
        names = {name.strip().strip('"').lower() for name in header.split(delimiter)}
        return len(names & set(table.columns))

    by_names = max(_DELIMITERS, key=known)
    return by_names if known(by_names) else max(_DELIMITERS, key=header.count)


def _rows(lines: io.StringIO, delimiter: str) -> Iterator[tuple[Place, list[str] | str]]:
    """Each row that is not blank, at the line it starts on; text instead of cells says why it has none."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        place = Place(-1, reader.line_num + 1)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield place, str(error)
            continue
        if cells:
            yield place, cells


def _header_problems(names: list[str], table: Table, place: Place) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield problem_at(place, "duplicate_column", name, f"the column `{name}` is there twice")
        elif name not in table.columns:
            meant = _nearest(name, table.columns, table.known_as)
            hint = f"did you mean `{meant}`?" if meant else f"known are {', '.join(table.columns)}"
            yield problem_at(place, "unknown_column", name, f"there is no column `{name[:60]}`; {hint}")
        seen.add(name)
    for name in sorted(table.required - seen):
        yield problem_at(place, "missing_column", name, f"the column `{name}` is missing")


def _record(place: Place, names: list[str], cells: list[str] | str) -> Record | Problem:
    if isinstance(cells, str):
        return problem_at(place, "bad_csv", "", cells)
    if len(cells) != len(names):
        detail = f"the line has {len(cells)} cells, the header {len(names)}"
        return problem_at(place, "cell_count", "", detail)
    return Record(place, {name: cell for name, cell in zip(names, cells, strict=True) if cell}, texts=True)
