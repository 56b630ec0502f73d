"""Places that no fix may be kept from: hospitals, places of worship, shelters and the like.

Around health care a distance of 610 m (2,000 ft, Washington RCW 19.373.080) from the perimeter counts too.
Two administrators together may let a geofence be heard in some of them for a time (`Override`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, distance_m
from geo.fence import Circle, Fence, Shape
from geo.geojson import (
    MAX_ID_LENGTH,
    FenceRejected,
    Problem,
    fence_from_feature,
    read_properties,
    read_shape,
)
from geo.index import FenceSet
from geo.members import read_number, read_text
from geo.plane import Plane

HEALTH_DISTANCE_M = 610.0
#: What counts as health care, however the kind is written: the words of OpenStreetMap among them.
HEALTH = frozenset(("health", "healthcare", "hospital", "clinic", "doctors", "dentist", "pharmacy"))
MAX_DISTANCE_M = 10_000.0
MAX_AREA_M2 = 100_000_000.0
#: Distances to areas are measured in a plane: so much is added, so that what counts is never left out.
_CAUTION = 1.005
#: As many points on each side judge how much of a fence is sensitive.
GRID = 50


class SensitivePlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place, and how far around it counts."""

    external_id: str
    kind: str  #: health, worship, school, shelter, prison, union, …
    shape: Shape
    distance_m: float  #: from the perimeter

    @classmethod
    def from_feature(cls, feature: dict[str, Any]) -> "SensitivePlace":
        """Reads a feature by the rules of fences, with `kind` and `distance_m` in place of a store.

        `distance_m` is 610 for health care, else 0, unless given. Raises FenceRejected.
        """
        found: list[Problem] = []
        properties = read_properties(feature, found)
        external_id = read_text(properties, "external_id", MAX_ID_LENGTH, found, required=True)
        kind = read_text(properties, "kind", MAX_ID_LENGTH, found, required=True)
        distance_m = read_number(properties, "distance_m", 0.0, MAX_DISTANCE_M, found)
        shape = read_shape(feature, properties, found, area_m2=(0.0, MAX_AREA_M2))
        if found or shape is None or external_id is None or kind is None:
            raise FenceRejected(found)
        if distance_m is None:
            distance_m = HEALTH_DISTANCE_M if kind.casefold() in HEALTH else 0.0
        return cls(external_id=external_id, kind=kind, shape=shape, distance_m=distance_m)


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """For what arrives before `until_us`, these places do not count inside of this geofence, as it was drawn
    when it was approved.
    """

    external_id: str
    geofence: Fence
    places: frozenset[str]
    until_us: int

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Override":
        """Reads a body as it is published."""
        return cls(
            external_id=body["external_id"],
            geofence=fence_from_feature(body["geofence"]),
            places=frozenset(body["places"]),
            until_us=body["until_us"],
        )


class SensitiveSet(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The sensitive places of a retailer, ready to be asked."""

    places: tuple[SensitivePlace, ...]
    circles: FenceSet  #: around each place, its distance included
    areas: tuple[Fence | None, ...]  #: the places that are areas; None for circles
    overrides: tuple[Override, ...] = ()
    overridden: FenceSet  #: the geofences of the overrides, in their order

    @classmethod
    def build(cls, places: Iterable[SensitivePlace], overrides: Iterable[Override] = ()) -> "SensitiveSet":
        """Indexes places; their external ids must differ."""
        kept, excused = tuple(places), tuple(overrides)
        return cls(
            places=kept,
            overrides=excused,
            overridden=FenceSet.build(
                Fence(external_id=one.external_id, store="", shape=one.geofence.shape) for one in excused
            ),
            circles=FenceSet.build(
                Fence(external_id=place.external_id, store="", shape=_circle_around(place)) for place in kept
            ),
            areas=tuple(
                None
                if isinstance(place.shape, Circle)
                else Fence(external_id=place.external_id, store="", shape=place.shape)
                for place in kept
            ),
        )

    def __len__(self) -> int:
        return len(self.places)

    def covers(
        self, lat_deg: FloatArray, lon_deg: FloatArray, at_us: npt.NDArray[np.int64] | int
    ) -> npt.NDArray[np.bool_]:
        """For each point, which arrived at a time, whether it lies in a place or within the place's distance
        of it, and no override excuses that.
        """
        covered = np.zeros(len(lat_deg), bool)
        points, places = self.circles.match(lat_deg, lon_deg)
        if not len(points):
            return covered
        excused = self._excused(lat_deg, lon_deg, np.broadcast_to(at_us, len(lat_deg)))
        numbers = self.circles.number[places]  # given out in the order of the places
        for point, place in zip(points.tolist(), numbers.tolist(), strict=True):
            if (point, self.places[place].external_id) in excused:
                continue
            area = self.areas[place]
            covered[point] |= area is None or (
                area.distance_m(float(lat_deg[point]), float(lon_deg[point]))
                <= self.places[place].distance_m * _CAUTION
            )
        return covered

    def _excused(
        self, lat_deg: FloatArray, lon_deg: FloatArray, at_us: npt.NDArray[np.int64]
    ) -> set[tuple[int, str]]:
        """Points, and the places that do not count for them."""
        if not self.overrides:
            return set()
        points, fences = self.overridden.match(lat_deg, lon_deg)
        numbers = self.overridden.number[fences]
        return {
            (point, place)
            for point, number in zip(points.tolist(), numbers.tolist(), strict=True)
            if at_us[point] < self.overrides[number].until_us
            for place in self.overrides[number].places
        }


def shares_covered(
    fences: Sequence[Fence], places: SensitiveSet, at_us: int
) -> list[tuple[float, list[str]]]:
    """For each fence the share of it that lies in sensitive places at a time, 0 to 1, and which those are.

    By a grid of points over the fence, judged as fixes are. A place that is smaller than the grid's step (a
    50th of the fence's width) may be missed.
    """
    if not len(places):
        return [(0.0, []) for _ in fences]
    around = [_circle_around(place) for place in places.places]
    lat, lon, radius_m = (
        np.array([getattr(circle, field) for circle in around])
        for field in ("lat_deg", "lon_deg", "radius_m")
    )
    shares: list[tuple[float, list[str]]] = []
    for fence in fences:
        circle = fence.shape if isinstance(fence.shape, Circle) else fence.shape.bounding_circle
        apart_m = distance_m(circle.lat_deg, circle.lon_deg, lat, lon)
        near = np.flatnonzero(apart_m <= radius_m + circle.radius_m).tolist()
        sets = [SensitiveSet.build([places.places[at]], places.overrides) for at in near]
        shares.append(_covered(fence, circle, sets, at_us))
    return shares


def _covered(
    fence: Fence, circle: Circle, near: Sequence[SensitiveSet], at_us: int
) -> tuple[float, list[str]]:
    """The share of the grid's points in the fence that the places cover, and which cover any."""
    if not near:
        return 0.0, []
    plane = Plane.at(circle.lat_deg, circle.lon_deg)
    steps = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    east_m, north_m = (axis.ravel() * circle.radius_m for axis in np.meshgrid(steps, steps))
    lat, lon = circle.lat_deg + north_m / plane.north_m, circle.lon_deg + east_m / plane.east_m
    whole = Fence(external_id=fence.external_id, store="", shape=fence.shape)
    inside, _ = FenceSet.build([whole]).match(lat, (lon + 180.0) % 360.0 - 180.0)
    covered = [one.covers(lat[inside], lon[inside], at_us) for one in near]
    names = [one.places[0].external_id for one, by in zip(near, covered, strict=True) if by.any()]
    return (float(np.logical_or.reduce(covered).mean()), names) if names else (0.0, [])


def _circle_around(place: SensitivePlace) -> Circle:
    """Everything that may be near enough to the place; for a circle exactly that."""
    if isinstance(place.shape, Circle):
        reach_m = place.distance_m
        circle = place.shape
    else:
        reach_m = place.distance_m * _CAUTION
        circle = place.shape.bounding_circle
    return msgspec.structs.replace(circle, radius_m=circle.radius_m + reach_m)
