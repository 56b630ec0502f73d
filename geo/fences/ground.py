"""How far the boundaries of fences are from points, and how surely they hold fixes: compiled."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geo.compiled import compiled
from geo.distance import ECCENTRICITY_2, MEAN_RADIUS_M, SEMI_MAJOR_M, FloatArray, IndexArray
from geo.distance import point_earth_centred as _earth_centred
from geo.fences.bell import DISC_TABLE, REACH_SIGMA, weight_beyond
from geo.fences.cells import DEPTH_M
from geo.fences.outlines import Singles

_COLUMNS, _ROWS, _VALUES = DISC_TABLE.COLUMNS, DISC_TABLE.ROWS, DISC_TABLE.values

#: Nearer to its outline than this share of its size, exact geometry decides whether an area holds a point.
#: Single precision is thirty times better.
_UNSURE = 1e-6

earth_centred = compiled(_earth_centred)


class Ground(NamedTuple):
    """Fences by place: the arrays of `Discs`, `Areas`, `Pictures`, `Cells` and `Outlines`."""

    lat_deg: FloatArray
    lon_deg: FloatArray
    plane: Singles
    globe: FloatArray
    area: IndexArray
    slot: IndexArray
    frames: FloatArray
    squares: npt.NDArray[np.uint8]
    middle: FloatArray
    first_strip: IndexArray
    centres: Singles
    halves: Singles
    first_vertex: IndexArray
    vertices: Singles


@compiled
def off_m(ground: Ground, lat_deg: float, lon_deg: float, place: int) -> float:
    """Metres from a point to the boundary of a circle; negative inside."""
    x, y, z = earth_centred(lat_deg, lon_deg)
    dx, dy, dz = x - ground.globe[place, 0], y - ground.globe[place, 1], z - ground.globe[place, 2]
    half_chord = math.sqrt(dx * dx + dy * dy + dz * dz) / (2 * MEAN_RADIUS_M)
    return 2 * MEAN_RADIUS_M * math.asin(min(half_chord, 1.0)) - ground.globe[place, 3]


@compiled
def gap_m(ground: Ground, lat_deg: float, lon_deg: float, place: int) -> float:
    """Metres from a point that lies outside to the boundary; an area must have been drawn."""
    area = ground.area[place]
    if area < 0:
        return max(off_m(ground, lat_deg, lon_deg, place), 0.0)
    return nearest_m(ground, lat_deg, lon_deg, ground.slot[area])


@compiled
def gaps_m(
    ground: Ground, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray, found: FloatArray
) -> None:
    """The same for many, into `found`."""
    for i in range(len(place)):
        found[i] = gap_m(ground, lat_deg[i], lon_deg[i], place[i])


@compiled
def probability(ground: Ground, lat_deg: float, lon_deg: float, place: int, sigma_m: float) -> float:
    """P(inside) of a fix inside a fence; an area must have been drawn."""
    area = ground.area[place]
    if area < 0:
        return _in_circle(ground, lat_deg, lon_deg, place, sigma_m)
    slot = ground.slot[area]
    if DEPTH_M[square_at(ground, lat_deg, lon_deg, slot)] >= REACH_SIGMA * sigma_m:
        return 1.0
    return _in_area(ground, lat_deg, lon_deg, slot, sigma_m)


@compiled
def probabilities(
    ground: Ground,
    lat_deg: FloatArray,
    lon_deg: FloatArray,
    point: IndexArray,
    place: IndexArray,
    sigma_m: FloatArray,
    found: FloatArray,
) -> None:
    """The same for many, into `found`: the fix at point[i] lies in the fence at place[i]."""
    for i in range(len(place)):
        found[i] = probability(ground, lat_deg[point[i]], lon_deg[point[i]], place[i], sigma_m[point[i]])


@compiled
def _in_circle(ground: Ground, lat_deg: float, lon_deg: float, place: int, sigma_m: float) -> float:
    """By the table of `geo.fences.bell`."""
    share, radius_m = _share(ground, lat_deg, lon_deg, place), float(ground.plane[place, 3])
    gap = (1.0 - share) * radius_m / sigma_m
    if not gap < REACH_SIGMA:
        return 1.0
    column = min(max(gap / min(radius_m / sigma_m, REACH_SIGMA), 0.0), 1.0) * _COLUMNS
    row = sigma_m / (sigma_m + radius_m) * _ROWS
    left, low = min(int(column), _COLUMNS - 1), min(int(row), _ROWS - 1)
    column -= left
    row -= low
    at = low * (_COLUMNS + 1) + left
    below = _VALUES[at] * (1.0 - column) + _VALUES[at + 1] * column
    at += _COLUMNS + 1
    above = _VALUES[at] * (1.0 - column) + _VALUES[at + 1] * column
    return below * (1.0 - row) + above * row


@compiled
def _share(ground: Ground, lat_deg: float, lon_deg: float, place: int) -> float:
    """How far a point is off a circle's centre, in radii within 0.0001."""
    a, b, bend = float(ground.plane[place, 0]), float(ground.plane[place, 1]), float(ground.plane[place, 2])
    if a == 0.0:
        return 1.0 + off_m(ground, lat_deg, lon_deg, place) / ground.globe[place, 3]
    north = lat_deg - ground.lat_deg[place]
    east = (lon_deg - ground.lon_deg[place]) * b * (1.0 - bend * north)
    north *= a
    return math.sqrt(north * north + east * east)


@compiled
def square_at(ground: Ground, lat_deg: float, lon_deg: float, slot: int) -> int:
    """The value of the square of a drawn area in which a point lies; the rim's for points beyond."""
    frame = ground.frames[slot]
    y, x, last = (lat_deg - frame[0]) * frame[2], lon_deg - frame[1], frame[4]
    x = (x + 360.0 if x < 0 else x) * frame[3]
    row, column = int(min(max(y, 0.0), last)), int(min(max(x, 0.0), last))
    return ground.squares[int(frame[5]) + row * (int(last) + 1) + column]


@compiled
def _metres(lat_deg: float) -> tuple[float, float]:
    """Metres per degree of latitude and per degree of longitude."""
    lat = math.radians(lat_deg)
    w2 = 1 - ECCENTRICITY_2 * math.sin(lat) ** 2
    normal_m = SEMI_MAJOR_M / math.sqrt(w2)
    return math.radians(normal_m * (1 - ECCENTRICITY_2) / w2), math.radians(normal_m * math.cos(lat))


@compiled
def _here(ground: Ground, lat_deg: float, lon_deg: float, slot: int) -> tuple[float, float]:
    """Degrees north and east of a drawn area's middle."""
    east_deg = lon_deg - ground.middle[slot, 1]
    return lat_deg - ground.middle[slot, 0], east_deg - 360.0 * np.rint(east_deg / 360.0)


@compiled
def _box2(ground: Ground, strip: int, y: float, x: float, north: float, east: float) -> float:
    """The squared distance of a point to the box around a strip, with so many units to a degree."""
    dy = max(abs(ground.centres[strip, 0] - y) - ground.halves[strip, 0], 0.0) * north
    dx = max(abs(ground.centres[strip, 1] - x) - ground.halves[strip, 1], 0.0) * east
    return dx * dx + dy * dy


@compiled
def holds(ground: Ground, lat_deg: float, lon_deg: float, slot: int) -> int:
    """Whether a drawn area holds a point: 1, or 0; -1 where the outline, in single precision, cannot tell.

    A ray to the east crosses an outline around the point an odd number of times. A strip that lies wholly to
    the east it crosses so if the strip's ends are on different sides of it.
    """
    y, x = _here(ground, lat_deg, lon_deg, slot)
    north_m, east_m = _metres(lat_deg)
    unsure = _UNSURE * ground.frames[slot, 4] / min(ground.frames[slot, 2], ground.frames[slot, 3])
    inside, stretch = 0, east_m / north_m
    for strip in range(ground.first_strip[slot], ground.first_strip[slot + 1]):
        north, half = ground.centres[strip, 0] - y, ground.halves[strip, 0] + unsure
        if abs(north) > half:
            continue
        begin, end = ground.first_vertex[strip], ground.first_vertex[strip + 1]
        off, wide = ground.centres[strip, 1] - x, ground.halves[strip, 1] + unsure / stretch
        if off < -wide:
            continue
        y0 = ground.vertices[begin, 0] - y
        if off > wide:
            inside ^= (y0 > 0) != (ground.vertices[end - 1, 0] - y > 0)
            continue
        x0 = ground.vertices[begin, 1] - x
        for vertex in range(begin + 1, end):
            x1, y1 = ground.vertices[vertex, 1] - x, ground.vertices[vertex, 0] - y
            if _distance2(x0 * stretch, y0, x1 * stretch, y1) <= unsure * unsure:
                return -1
            inside ^= ((y0 > 0) != (y1 > 0)) and ((x0 * y1 - x1 * y0 > 0) == (y1 > y0))
            x0, y0 = x1, y1
    return inside


@compiled
def _distance2(x0: float, y0: float, x1: float, y1: float) -> float:
    """The squared distance from the origin to an edge."""
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy
    along = min(max(-(x0 * dx + y0 * dy) / length2, 0.0), 1.0) if length2 > 0 else 0.0
    off_x, off_y = x0 + along * dx, y0 + along * dy
    return off_x * off_x + off_y * off_y


@compiled
def nearest_m(ground: Ground, lat_deg: float, lon_deg: float, slot: int) -> float:
    """Metres from a point to the nearest edge of a drawn area, in the plane that touches the Earth there."""
    y, x = _here(ground, lat_deg, lon_deg, slot)
    north_m, east_m = _metres(lat_deg)
    best = np.inf
    for strip in range(ground.first_strip[slot], ground.first_strip[slot + 1]):
        if _box2(ground, strip, y, x, north_m, east_m) >= best:
            continue
        begin, end = ground.first_vertex[strip], ground.first_vertex[strip + 1]
        x0, y0 = (ground.vertices[begin, 1] - x) * east_m, (ground.vertices[begin, 0] - y) * north_m
        for vertex in range(begin + 1, end):
            x1, y1 = (ground.vertices[vertex, 1] - x) * east_m, (ground.vertices[vertex, 0] - y) * north_m
            best = min(best, _distance2(x0, y0, x1, y1))
            x0, y0 = x1, y1
    return math.sqrt(best)


@compiled
def _in_area(ground: Ground, lat_deg: float, lon_deg: float, slot: int, sigma_m: float) -> float:
    """From all edges within 4 sigma, in sigma; within 0.001."""
    y, x = _here(ground, lat_deg, lon_deg, slot)
    north_m, east_m = _metres(lat_deg)
    north, east = north_m / sigma_m, east_m / sigma_m
    outside = 0.0
    for strip in range(ground.first_strip[slot], ground.first_strip[slot + 1]):
        if _box2(ground, strip, y, x, north, east) > REACH_SIGMA * REACH_SIGMA:
            continue
        begin, end = ground.first_vertex[strip], ground.first_vertex[strip + 1]
        x0, y0 = (ground.vertices[begin, 1] - x) * east, (ground.vertices[begin, 0] - y) * north
        for vertex in range(begin + 1, end):
            x1, y1 = (ground.vertices[vertex, 1] - x) * east, (ground.vertices[vertex, 0] - y) * north
            outside += weight_beyond(x0, y0, x1, y1)
            x0, y0 = x1, y1
    return min(max(1.0 - outside, 0.0), 1.0)
