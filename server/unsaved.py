"""Which shoppers' states are newer in memory than in their rows, and since which journal entry."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from itertools import chain, islice

import msgspec


class Since(msgspec.Struct, frozen=True, gc=False):
    """The first journal entry that a row lacks."""

    seq: int
    at_us: int  #: when it was written
    day: date


class Unsaved:
    """In order of the first entry that each lacks: no checkpoint may pass over one."""

    def __init__(self) -> None:
        self._since: dict[str, Since] = {}
        self._writing: dict[str, Since] = {}  # those whose states are on their way, as of before

    def __len__(self) -> int:
        return len(self._since) + len(self._writing)

    def __contains__(self, shopper_id: str) -> bool:
        return shopper_id in self._since or shopper_id in self._writing

    def note(self, shopper_ids: Iterable[str], since: Since) -> None:
        """An entry has changed these states, and their rows do not have it."""
        newest = next(reversed(self._since.values()), since)
        for shopper_id in shopper_ids:
            if shopper_id not in self._since:
                self._since[shopper_id] = since
        if since.seq < newest.seq:  # read from the journal again
            self._since = _in_order(self._since)

    def drop(self, shopper_ids: Iterable[str]) -> None:
        """Their rows have everything, or they are gone."""
        for shopper_id in shopper_ids:
            self._since.pop(shopper_id, None)
            self._writing.pop(shopper_id, None)

    def oldest(self, most: int, until_us: int) -> list[str]:
        """Up to so many, the oldest first, of those that lack an entry written until then."""
        found: list[str] = []
        for shopper_id, since in self._since.items():
            if len(found) >= most or since.at_us > until_us:
                break
            found.append(shopper_id)
        return found

    def write(self, shopper_ids: Iterable[str]) -> None:
        """Their states as they are now are on their way; `written` says what has come of it."""
        self._writing |= {name: self._since.pop(name) for name in shopper_ids if name in self._since}

    def written(self, saved: Collection[str]) -> None:
        """The states that were on their way have arrived for these; the others' rows are as they were."""
        left = {name: since for name, since in self._writing.items() if name not in saved}
        self._writing = {}
        if left:
            self._since = _in_order(self._since | left)

    def before(self, shopper_ids: Iterable[str], day: date) -> list[str]:
        """Those of them that lack an entry of an earlier day."""
        first = self.first()
        if first is None or first.day >= day:
            return []
        days = {name: since.day for name, since in chain(self._since.items(), self._writing.items())}
        return [name for name in shopper_ids if name in days and days[name] < day]

    def first_of(self, shopper_ids: Iterable[str]) -> Since | None:
        """The first entry that one of these rows lacks. Not while rows are on their way."""
        lacking = (self._since[name] for name in shopper_ids if name in self._since)
        return min(lacking, key=_seq, default=None)

    def first(self, *, without: Collection[str] = ()) -> Since | None:
        """The first entry that some row lacks, leaving out rows that are on their way and have arrived."""
        left = [since for name, since in self._writing.items() if name not in without]
        left += islice(self._since.values(), 1)
        return min(left, key=_seq, default=None)


def _in_order(since: Mapping[str, Since]) -> dict[str, Since]:
    return dict(sorted(since.items(), key=lambda item: item[1].seq))


def _seq(since: Since) -> int:
    return since.seq
