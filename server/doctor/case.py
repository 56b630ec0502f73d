"""One fence with all that the traces say about it."""

from collections.abc import Mapping, Sequence

import msgspec

from geo.fence import Fence
from server.doctor.ground import Ground, Sight, StopsAt
from server.doctor.judged import Judged, judged_visits
from server.doctor.measures import Measures, measure
from server.doctor.outline import Outline
from server.doctor.visits import Passages, Visit

#: The passages at each fence, by mode and external id.
Told = Mapping[str, Mapping[str, Passages]]

_NOBODY = Passages()


class Case(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fence, as it is or as it might be, and what happened at it."""

    fence: Fence
    outline: Outline
    sight: Sight
    at: StopsAt
    visits: Sequence[Visit]
    judged: Sequence[Judged]  #: what is wrong with each visit
    measures: Measures

    @classmethod
    def of(cls, ground: Ground, fence: Fence, told: Told, mode: str, *, at: StopsAt | None = None) -> "Case":
        """Measures a fence in a mode. `at` are the stops to judge it by; None: those at it."""
        outline = Outline.of(fence.shape)
        sight = ground.sight(fence, outline)
        at = ground.stops_at(fence, outline) if at is None else at
        both = {name: passages.get(fence.external_id, _NOBODY) for name, passages in told.items()}
        visits = both[mode].visits
        judged = judged_visits(ground, sight, at, visits)
        return cls(
            fence=fence,
            outline=outline,
            sight=sight,
            at=at,
            visits=visits,
            judged=judged,
            measures=measure(ground, sight, at, both=both, mode=mode, judged=judged),
        )
