"""Sorts an import's records into what may be published and what was refused, and why."""

from collections.abc import Iterable, Sequence

from server.imports.judging import Accepted, Verdict
from server.imports.problem import NO_FAULT, Place, Problem, problem_at

#: As many problems, and as many warnings, are told in full; a file may have one a line.
MAX_TOLD = 10_000


class Sieve:
    """The records of one import so far: accepted ones by id, problems and warnings in the order met."""

    def __init__(self) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.seen = 0  #: records met, good or bad
        self.refused = 0  #: records that are not accepted, through a fault of theirs

    def take(self, verdicts: Iterable[Verdict]) -> None:
        """Takes the verdicts on further records; the second of equal ids is refused."""
        for verdict in verdicts:
            self.seen += 1
            if not isinstance(verdict, Accepted):
                self._refuse(verdict)
            elif verdict.external_id in self.accepted:
                first = self.accepted[verdict.external_id].place
                detail = f"{verdict.external_id!r} is there already, {_spoken(first)}"
                self._refuse([problem_at(verdict.place, "duplicate_id", "", detail, verdict.external_id)])
            else:
                self.accepted[verdict.external_id] = verdict
                self._warn(verdict.warnings)

    def refuse(self, record: Accepted, code: str, field: str, detail: str) -> None:
        """Takes an accepted record out again."""
        del self.accepted[record.external_id]
        self._refuse([problem_at(record.place, code, field, detail, record.external_id)])

    def warn(self, record: Accepted, code: str, field: str, detail: str) -> None:
        """Notes what about an accepted record deserves a look."""
        self._warn([problem_at(record.place, code, field, detail, record.external_id)])

    def _refuse(self, problems: Sequence[Problem]) -> None:
        if all(problem.code in NO_FAULT for problem in problems):
            self._warn(problems)
            return
        self.refused += problems[0].index >= 0
        self.problems += problems[: MAX_TOLD - len(self.problems)]

    def _warn(self, warnings: Sequence[Problem]) -> None:
        self.warnings += warnings[: MAX_TOLD - len(self.warnings)]


def _spoken(place: Place) -> str:
    return f"on line {place.line}" if place.line is not None else f"as record {place.index}"
