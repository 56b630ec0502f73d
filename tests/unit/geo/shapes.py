"""Fences and points for generated tests: anywhere on Earth, poles and antimeridian included."""

import math
from collections.abc import Sequence

import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence, Shape

EDGE_M = 0.001  #: nearer to a circle's edge than this, either answer is right

latitudes = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -89.99, 0.0, 59.999, 60.0, 89.95, 90.0]))
longitudes = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, -179.999, 0.0, 179.99, 180.0]))


def truth(shape: Shape, lat: float, lon: float) -> bool | None:
    """Whether a fence holds a point, by means that share nothing with the index; None at a circle's edge."""
    if isinstance(shape, Area):
        sides = {lon, -lon} if abs(lon) == 180.0 else {lon}
        return any(shape.geometry.intersects(shapely.Point(side, lat)) for side in sides)
    gap_m = Geodesic.WGS84.Inverse(shape.lat_deg, shape.lon_deg, lat, lon)["s12"] - shape.radius_m
    return None if abs(gap_m) < EDGE_M else gap_m < 0


def turned(lon: float) -> float:
    """The same meridian between -180 and 180."""
    return (lon + 180.0) % 360.0 - 180.0


def cut(geometry: shapely.Polygon | shapely.MultiPolygon) -> shapely.Polygon | shapely.MultiPolygon | None:
    """A shape that goes on beyond the antimeridian, cut there, as RFC 7946 asks; None if nothing is left."""
    world = shapely.box(-180, -90, 180, 90)
    parts = [
        part
        for turn in (-360.0, 0.0, 360.0)
        for part in shapely.get_parts(shapely.intersection(shapely.affinity.translate(geometry, turn), world))
        if isinstance(part, shapely.Polygon) and part.is_valid and part.area > 1e-12
    ]
    whole = shapely.MultiPolygon(parts)
    if not parts or not whole.is_valid:
        return None
    return parts[0] if len(parts) == 1 else whole


@st.composite
def areas(draw: st.DrawFn, lat: float, lon: float) -> Area | None:
    """A star around a place, with a hole or a second part perhaps; None where there is no such shape."""
    count = draw(st.one_of(st.integers(3, 40), st.sampled_from([130, 700])))
    reach_deg = 10 ** draw(st.floats(-3.5, -1))
    seed = draw(st.integers(0, 99))
    widen = 1 / max(math.cos(math.radians(lat)), 0.01)
    corners = []
    for corner in range(count):
        turn = 2 * math.pi * corner / count
        reach = reach_deg * (0.6 + 0.4 * math.sin(seed + 7.0 * corner))
        corners.append((lon + widen * reach * math.cos(turn), lat + reach * math.sin(turn)))
    star = shapely.Polygon(corners)
    if not star.is_valid:
        return None
    if draw(st.booleans()):
        star = star.difference(shapely.affinity.scale(star, 0.5, 0.5))
    if draw(st.booleans()):
        star = star.union(shapely.affinity.translate(star, 2.5 * widen * reach_deg, 0.0))
    geometry = cut(star)
    return None if geometry is None else Area(geometry=geometry)


@st.composite
def shapes_near(draw: st.DrawFn, lat: float, lon: float) -> Shape:
    """A circle or an area within some kilometres of a place."""
    there = min(90.0, max(-90.0, lat + draw(st.floats(-0.1, 0.1)))), turned(lon + draw(st.floats(-0.1, 0.1)))
    area = draw(areas(*there)) if draw(st.booleans()) else None
    if area is not None:
        return area
    return Circle(lat_deg=there[0], lon_deg=there[1], radius_m=10 ** draw(st.floats(1, 4)))


@st.composite
def points_near(draw: st.DrawFn, shapes: Sequence[Shape], count: int) -> list[tuple[float, float]]:
    """Points in, on and around shapes."""
    found: list[tuple[float, float]] = []
    for _ in range(count):
        shape = draw(st.sampled_from(shapes))
        if isinstance(shape, Circle):
            way = shape.radius_m * draw(st.floats(0, 1.5))
            edge = draw(st.sampled_from([None, -2 * EDGE_M, 2 * EDGE_M]))
            way = way if edge is None else shape.radius_m + edge
            end = Geodesic.WGS84.Direct(shape.lat_deg, shape.lon_deg, draw(st.floats(0, 360)), way)
            found.append((end["lat2"], turned(end["lon2"])))
            continue
        corners = shapely.get_coordinates(shape.geometry)
        first = draw(st.integers(0, len(corners) - 2))
        share = draw(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(-0.5, 1.5))
        (lon0, lat0), (lon1, lat1) = corners[first].tolist(), corners[first + 1].tolist()
        point = lat0 + share * (lat1 - lat0), lon0 + share * (lon1 - lon0)
        if draw(st.booleans()):  # off the edge, as far as the shape is large
            west, south, east, north = shape.geometry.bounds
            point = draw(st.floats(south, north)), draw(st.floats(west, east))
        if abs(point[0]) <= 90 and abs(point[1]) <= 180:
            found.append(point)
    return found


@st.composite
def fences_near(draw: st.DrawFn, lat: float, lon: float, external_id: str) -> Fence:
    """A fence near a place, temporary or disabled perhaps; times are small numbers."""
    begin, end = (draw(st.none() | st.integers(0, 20)) for _ in range(2))
    if begin is not None and end is not None and begin >= end:
        begin, end = None, begin
    return Fence(
        external_id=external_id,
        store=draw(st.sampled_from(["here", "there"])),
        shape=draw(shapes_near(lat, lon)),
        name=draw(st.sampled_from(["", "Door"])),
        dwell_s=draw(st.sampled_from([0.0, 60.0, 0.5])),
        enabled=draw(st.sampled_from([True, True, True, False])),
        valid_from_us=begin,
        valid_until_us=end,
    )
