"""Which fences lie over which others, and by how much."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import shapely

from geo.distance import distance_m
from geo.fence import Fence
from server.doctor.outline import Outline

How: TypeAlias = Literal["nested", "holds", "same", "crosses"]

#: A fence lies in another when no more than this share of it sticks out.
_STICKS_OUT = 0.02


class Overlap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Another fence that lies over this one."""

    fence: str
    store: str
    share: float  #: of this fence's area
    how: How  #: this one is nested in the other, holds it, is the same, or they cross


class Overlaps:
    """The fences of a file by place, to look up who overlaps whom."""

    def __init__(self, fences: Sequence[Fence], outlines: Sequence[Outline]) -> None:
        self._fences, self._outlines = fences, outlines
        circles = [outline.circle for outline in outlines]
        self._lat_deg = np.array([circle.lat_deg for circle in circles], np.float64)
        self._lon_deg = np.array([circle.lon_deg for circle in circles], np.float64)
        self._radius_m = np.array([circle.radius_m for circle in circles], np.float64)

    def of(self, fence: Fence, outline: Outline) -> tuple[Overlap, ...]:
        """The other fences that overlap one, the largest share first. It may be a proposal for its own."""
        found = [
            self._overlap(outline, place)
            for place in self._around(outline)
            if self._fences[place].external_id != fence.external_id
        ]
        return tuple(sorted((one for one in found if one.share > 0), key=lambda one: (-one.share, one.fence)))

    def share(self, outline: Outline, overlaps: Sequence[Overlap]) -> float:
        """The share of a fence's area that lies in any of some others."""
        wanted = {overlap.fence for overlap in overlaps}
        shapes = [
            self._outlines[place].seen_from(outline)
            for place in self._around(outline)
            if self._fences[place].external_id in wanted
        ]
        common = shapely.intersection(shapely.union_all(shapes), outline.shape)
        return float(min(1.0, common.area / outline.shape.area))

    def _around(self, outline: Outline) -> list[int]:
        circle = outline.circle
        apart_m = distance_m(circle.lat_deg, circle.lon_deg, self._lat_deg, self._lon_deg)
        return [int(place) for place in np.flatnonzero(apart_m < self._radius_m + circle.radius_m)]

    def _overlap(self, outline: Outline, place: int) -> Overlap:
        other, fence = self._outlines[place].seen_from(outline), self._fences[place]
        common_m2 = shapely.intersection(outline.shape, other).area
        share = min(1.0, common_m2 / outline.shape.area)
        others_share = min(1.0, common_m2 / other.area)
        how = _how(share, others_share)
        return Overlap(fence=fence.external_id, store=fence.store, share=round(share, 3), how=how)


def _how(share: float, others_share: float) -> How:
    inside, around = share >= 1 - _STICKS_OUT, others_share >= 1 - _STICKS_OUT
    if inside and around:
        return "same"
    if inside:
        return "nested"
    return "holds" if around else "crosses"
