"""Ways that lead through fences without a fix inside: what a phone tells that reports rarely.

Where two consecutive believed sightings both lie outside a fence and the straight way between them leads
through it, the device has probably passed through it. How probably depends on how exact the two fixes are and
on how far from straight the way may be (`geo.steps`): the confidence is the weight that the bell across the
way has within the fence, in the section across at the middle of the piece that lies inside. For a circle that
is the point of closest approach.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import shapely
import shapely.affinity
from shapely.geometry.base import BaseGeometry

from geo.accuracy import REACH_SIGMA
from geo.distance import LONGEST_DEGREE_M, FloatArray, earth_centred
from geo.fence import Area, Circle
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.plane import Plane
from geo.steps import LONGEST_STEP_US, SAMPLED_FOR, SHORTEST_STEP_M, LongArray, Steps, Ways
from geo.transition import Rules, Sighting

#: A passing is told from this confidence on.
PASS_AT = SAMPLED_FOR


class Crossings(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Ways through fences in columns, ascending by step, time and place."""

    step: LongArray  #: its place among the steps
    place: LongArray  #: of the fence, in its set
    at_us: LongArray  #: middle of the piece inside; strictly between the step's two sightings
    lat_deg: FloatArray  #: where that is
    lon_deg: FloatArray
    confidence: FloatArray  #: probability that the device was in the fence
    speed_mps: FloatArray  #: of the step, along the straight way

    def __len__(self) -> int:
        return len(self.step)

    def of_steps(self, which: npt.NDArray[np.bool_]) -> "Crossings":
        """Some of them."""
        return Crossings(**{name: getattr(self, name)[which] for name in Crossings.__struct_fields__})


_NO_TIMES, _NO_VALUES = np.empty(0, np.int64), np.empty(0)
_NOTHING = Crossings(
    step=_NO_TIMES,
    place=_NO_TIMES,
    at_us=_NO_TIMES,
    lat_deg=_NO_VALUES,
    lon_deg=_NO_VALUES,
    confidence=_NO_VALUES,
    speed_mps=_NO_VALUES,
)


class Crossing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A way through a fence."""

    place: int  #: of the fence, in its set
    at_us: int  #: middle of the piece inside; strictly between the two sightings
    lat_deg: float  #: where that is
    lon_deg: float
    confidence: float  #: probability that the device was in the fence
    speed_mps: float  #: along the straight way


def crossings(steps: Steps, fences: FenceSet, rules: Rules, *, pass_at: float = PASS_AT) -> Crossings:
    """The ways of many steps through fences that hold neither end of the step.

    A step counts when it takes at most `LONGEST_STEP_US`, is at least `SHORTEST_STEP_M` long, and neither of
    its fixes is coarser than the rules' `coarse_m`. `pass_at` may be greater than `PASS_AT`, not less. Areas
    narrower than some metres may be missed.
    """
    ways = Ways.of(steps, rules)
    if not len(ways.step):
        return _NOTHING
    way, place = _candidates(ways, steps, fences)
    if not len(way):
        return _NOTHING
    share, confidence = _judged(ways, steps, way, place, fences)
    found = np.flatnonzero(confidence >= pass_at)
    way, place, share, confidence = way[found], place[found], share[found], confidence[found]
    at_us = ways.times_us(way, share)
    order = np.lexsort((place, at_us, way))
    way, share = way[order], share[order]
    lat, lon = ways.positions(way, share)
    return Crossings(
        step=ways.step[way],
        place=place[order],
        at_us=at_us[order],
        lat_deg=lat,
        lon_deg=lon,
        confidence=confidence[order],
        speed_mps=ways.length_m[way] * SECOND_US / ways.takes_us[way],
    )


def crossed(
    earlier: Sighting, later: Sighting, fences: FenceSet, rules: Rules, *, pass_at: float = PASS_AT
) -> list[Crossing]:
    """`crossings` of one step, by time. Costs next to nothing where the step is short."""
    if not _may_cross(earlier, later):
        return []
    found = crossings(Steps.between([(earlier, later)]), fences, rules, pass_at=pass_at)
    columns = found.place, found.at_us, found.lat_deg, found.lon_deg, found.confidence, found.speed_mps
    return [
        Crossing(place=place, at_us=at_us, lat_deg=lat, lon_deg=lon, confidence=p, speed_mps=speed)
        for place, at_us, lat, lon, p, speed in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _may_cross(earlier: Sighting, later: Sighting) -> bool:
    """False only where `crossings` finds nothing."""
    if later.at_us - earlier.at_us > LONGEST_STEP_US:
        return False
    turn_deg = later.lon_deg - earlier.lon_deg
    turn_deg -= 360.0 * round(turn_deg / 360.0)
    east_deg = turn_deg * math.cos(math.radians(min(abs(earlier.lat_deg), abs(later.lat_deg))))
    most_m = LONGEST_DEGREE_M * math.hypot(later.lat_deg - earlier.lat_deg, east_deg)
    return most_m >= SHORTEST_STEP_M


def _candidates(ways: Ways, steps: Steps, fences: FenceSet) -> tuple[LongArray, LongArray]:
    """Pairs of a way and the place of a fence that holds some sample of it, and neither end."""
    way, share = ways.samples()
    lat, lon = ways.positions(way, share)
    step = ways.step
    point, place = fences.match(
        np.concatenate([lat, steps.from_lat_deg[step], steps.lat_deg[step]]),
        np.concatenate([lon, steps.from_lon_deg[step], steps.lon_deg[step]]),
        np.concatenate([ways.times_us(way, share), steps.from_us[step], steps.at_us[step]]),
    )
    nth = np.arange(len(step))
    pair = np.concatenate([way, nth, nth])[point] << 32 | place
    of_sample = point < len(way)
    found = np.setdiff1d(pair[of_sample], pair[~of_sample])
    return found >> 32, found & 0xFFFFFFFF


def _judged(
    ways: Ways, steps: Steps, way: LongArray, place: LongArray, fences: FenceSet
) -> tuple[FloatArray, FloatArray]:
    """For each pair the share of the way at the middle of what lies inside, and the confidence."""
    share, confidence = np.zeros(len(way)), np.zeros(len(way))
    shapes = [fences.fence(one).shape for one in place.tolist()]
    circle = np.array([isinstance(shape, Circle) for shape in shapes], bool)
    circles = [shape for shape in shapes if isinstance(shape, Circle)]
    share[circle], confidence[circle] = _through_circles(ways, way[circle], circles)
    for pair in np.flatnonzero(~circle).tolist():
        shape = shapes[pair]
        assert isinstance(shape, Area)
        share[pair], confidence[pair] = _through_area(ways, steps, way[pair : pair + 1], shape)
    return share, confidence


def _through_circles(ways: Ways, way: LongArray, circles: list[Circle]) -> tuple[FloatArray, FloatArray]:
    lat = np.array([circle.lat_deg for circle in circles], np.float64)
    lon = np.array([circle.lon_deg for circle in circles], np.float64)
    radius_m = np.array([circle.radius_m for circle in circles], np.float64)
    to_centre = np.stack(earth_centred(lat, lon), axis=1) - ways.start[way]
    along_m = (to_centre * ways.along[way]).sum(axis=1) / ways.length_m[way]
    share = np.clip(along_m / ways.length_m[way], 0.0, 1.0)
    off_m = np.sqrt(np.maximum((to_centre * to_centre).sum(axis=1) - along_m * along_m, 0.0))
    sigma_m = ways.sigmas_m(way, share)
    return share, _below((radius_m - off_m) / sigma_m) - _below(-(radius_m + off_m) / sigma_m)


def _through_area(ways: Ways, steps: Steps, way: LongArray, area: Area) -> tuple[float, float]:
    """The same for one way (an array of one) and an area."""
    step = ways.step[way[0]]
    lat0, lon0 = float(steps.from_lat_deg[step]), float(steps.from_lon_deg[step])
    plane = Plane.at(lat0, lon0)
    east_m, north_m = plane.metres(float(steps.lat_deg[step]), float(steps.lon_deg[step]))

    def line(*ends: tuple[float, float]) -> shapely.LineString:
        """From metres east and north of the start to degrees, which do not end at the antimeridian."""
        return shapely.LineString([(lon0 + x / plane.east_m, lat0 + y / plane.north_m) for x, y in ends])

    inside = list(_pieces(area, line((0.0, 0.0), (east_m, north_m))))
    if not inside:
        return 0.0, 0.0
    begin, end = max(inside, key=lambda piece: piece[1] - piece[0])
    share = (begin + end) / 2
    sigma_m = float(ways.sigmas_m(way, np.array([share]))[0])
    reach = REACH_SIGMA * sigma_m / math.hypot(east_m, north_m)
    x, y, across_x, across_y = share * east_m, share * north_m, -reach * north_m, reach * east_m
    section = line((x - across_x, y - across_y), (x + across_x, y + across_y))
    ends = (np.array(list(_pieces(area, section))).reshape(-1, 2) * 2 - 1) * REACH_SIGMA
    return share, float((_below(ends[:, 1]) - _below(ends[:, 0])).sum())


def _pieces(area: Area, line: shapely.LineString) -> Iterator[tuple[float, float]]:
    """Where a line lies inside an area: shares of its length. The line may leave the map over its edge."""
    west, _, east, _ = line.bounds
    geometry: BaseGeometry = area.geometry
    if west < -180 or east > 180:
        turn_deg = 360.0 if east > 180 else -360.0
        geometry = shapely.union_all([geometry, shapely.affinity.translate(geometry, turn_deg)])
    for piece in shapely.get_parts(shapely.intersection(geometry, line)):
        if isinstance(piece, shapely.LineString):
            ends = shapely.line_locate_point(line, shapely.points(piece.coords), normalized=True)
            yield float(ends.min()), float(ends.max())


def _below(deviation: FloatArray) -> FloatArray:
    """The weight of the normal distribution below so many σ."""
    return np.array([math.erfc(-one / math.sqrt(2)) / 2 for one in deviation.tolist()], np.float64)
