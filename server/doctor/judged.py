"""What is wrong with single visits.

Nobody tells the doctor where the phones truly were. What is counted as wrong is therefore what is unlikely to
be meant, by rules that can be explained:

- **false enter**: a visit below driving speed that ended without dwelling, and of whose fixes none lay deeper
  inside than it was accurate.
- **re-enter**: a visit that begins within `AGAIN_S` of the same device's exit from the same fence.
- **drive-by**: a visit that led through at `DRIVE_MPS` or more, straight from its enter to its exit, or of
  which the engine told a `pass_by`.
- **dwell in passing**: a dwelled visit without a stop that led straight through at `WALK_MPS` or more (a
  `dwell_s` of 0 asks for that, and is not counted).
- **cut short**: a visit with a stop inside the fence that ended before it dwelled.
- **missed visit**: a stop at the fence (`StopsAt`) without a visit.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from geo.fix import SECOND_US
from geo.speed import DRIVE_MPS
from server.doctor.ground import Ground, Sight, StopsAt
from server.doctor.places import Rows
from server.doctor.visits import Spans, Visit

#: An enter so soon after an exit is the same visit.
AGAIN_S = 300.0
#: As fast as this, from end to end, is walking through.
WALK_MPS = 0.8


class Judged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is wrong with one visit, if anything."""

    false_enter: bool
    re_enter: bool
    drive_by: bool
    in_passing: bool
    cut_short: bool

    @property
    def wrong(self) -> bool:
        """Whether anything is."""
        return self.false_enter or self.re_enter or self.drive_by or self.in_passing or self.cut_short


def judged_visits(ground: Ground, sight: Sight, at: StopsAt, visits: Sequence[Visit]) -> list[Judged]:
    """What is wrong with each of the visits of one fence, which come by device and time."""
    standing = _spans(ground, at.place)
    inside = _spans(ground, at.place[at.outside_m <= 0])
    judged = []
    before: Visit | None = None
    for visit in visits:
        span = (visit.device, visit.entered_at_us, visit.left_at_us)
        fast_mps = visit.straight_mps or 0.0
        drive_by = visit.passed or fast_mps >= DRIVE_MPS
        undwelled = not (visit.open or visit.dwelled or drive_by)
        judged.append(
            Judged(
                false_enter=undwelled and not _was_surely_inside(ground, sight, visit),
                re_enter=before is not None and _is_again(before, visit),
                drive_by=drive_by,
                in_passing=visit.waited and fast_mps >= WALK_MPS and not standing.touch(*span),
                cut_short=undwelled and inside.touch(*span),
            )
        )
        before = visit
    return judged


def missed_stops(ground: Ground, at: StopsAt, visits: Sequence[Visit]) -> npt.NDArray[np.bool_]:
    """Which of the stops at a fence have no visit."""
    spans = Spans.of(visits)
    return np.array([not spans.touch(*span) for span in _rows(ground, at.place)], bool)


def _was_surely_inside(ground: Ground, sight: Sight, visit: Visit) -> bool:
    rows = ground.rows_between(visit.device, visit.entered_at_us, visit.left_at_us)
    of_visit = slice(*np.searchsorted(sight.rows, rows))
    return bool((-sight.outside_m[of_visit] > sight.accuracy_m[of_visit]).any())


def _is_again(before: Visit, visit: Visit) -> bool:
    soon = visit.entered_at_us - before.left_at_us <= AGAIN_S * SECOND_US
    return before.device == visit.device and soon


def _spans(ground: Ground, place: Rows) -> Spans:
    return Spans(_rows(ground, place))


def _rows(ground: Ground, place: Rows) -> list[tuple[int, int, int]]:
    """Stops as (device, begin, end)."""
    stops = ground.stops
    columns = (stops.device[place], stops.begin_us[place], stops.end_us[place])
    return list(zip(*(column.tolist() for column in columns), strict=True))
