"""What is wrong with a geofence somebody sent, in words that say what to do."""

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing wrong with one feature."""

    code: str  #: stable, for programs
    field: str  #: where, as a path such as `geometry.coordinates`; "" is the whole document or feature
    detail: str  #: for people: what is wrong, and the remedy where there is one


class GeoError(Exception):
    """Base of this package's errors."""


class FenceRejected(GeoError):  # noqa: N818  # named for what happened, as all errors here are
    """A feature or document that cannot be a geofence: correct the listed problems and send it again."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.detail}" for problem in problems))
        self.problems = list(problems)


def wrong(found: list[Problem], code: str, field: str, detail: str) -> None:
    """Notes a problem."""
    found.append(Problem(code=code, field=field, detail=detail))
