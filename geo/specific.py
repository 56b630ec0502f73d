"""How specific a fence is: of the fences that hold a place, the smallest says most about it.

A fence nested in another is always the smaller one, and so the more specific.
"""

import math

import shapely

from geo.distance import equal_area_m
from geo.fence import Circle, Shape
from geo.index import FenceSet


def area_m2(shape: Shape) -> float:
    """The area of a circle or polygon on the ellipsoid, in square metres.

    A circle's is that of a flat disc, which for a radius of 10 km is too large by 2e-7.
    """
    if isinstance(shape, Circle):
        return math.pi * shape.radius_m * shape.radius_m
    return float(shapely.area(shapely.transform(shape.geometry, equal_area_m)))


def size_m2(geofence: str, fences: FenceSet) -> float:
    """The area of the fence of that id, to full square metres; infinite for one that is gone."""
    fence = fences.by_id.get(geofence)
    return math.inf if fence is None else float(round(area_m2(fence.shape)))
