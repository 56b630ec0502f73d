"""Coordinates of GeoJSON polygons: every rule of RFC 7946 that shapely would forgive, and our limits.

shapely closes open rings, takes strings and booleans for numbers and knows no Earth, so all that is checked
here first, on the bare lists, the cheap limits before the dear ones. Elevations (and anything else after
longitude and latitude) are dropped. The direction of rings does not matter.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from geo.distance import equal_area_m
from geo.problem import Problem, wrong

Ring = list[tuple[float, float]]

MAX_VERTICES = 2_000
MIN_AREA_M2, MAX_AREA_M2 = 2_000.0, 5_000_000.0
MAX_POSITION_LENGTH = 4
MIN_RING_LENGTH = 4
MAX_PROBLEMS = 20  #: so many are told of one geometry; a wrong nesting makes one of every number
MAX_NUMBER = 1e9  #: no coordinate is larger, elevations included

_CUT = "cut it in two along the antimeridian, as a MultiPolygon (RFC 7946, section 3.1.9)"


def read_position(value: Any, field: str, found: list[Problem]) -> tuple[float, float] | None:
    """Longitude and latitude of a position; None, with the problem in `found`, when it is not one."""
    problem = _position_problem(value)
    if problem is not None:
        found.append(Problem(code=problem[0], field=field, detail=problem[1]))
        return None
    return float(value[0]), float(value[1])


def _position_problem(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_POSITION_LENGTH:
        return "bad_position", "a position is an array [longitude, latitude]"
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return "not_a_number", f"{number!r:.40} is not a number"
        if not -MAX_NUMBER <= number <= MAX_NUMBER:
            return "not_finite", "numbers must be finite and no larger than any elevation"
    lon, lat = value[0], value[1]
    if not -180 <= lon <= 180:
        return "bad_longitude", f"longitude {lon!r} is not within -180..180 degrees"
    if not -90 <= lat <= 90:
        return "bad_latitude", f"latitude {lat!r} is not within -90..90 (a position is [longitude, latitude])"
    return None


def read_polygons(
    polygons: Any, field: str, found: list[Problem]
) -> shapely.Polygon | shapely.MultiPolygon | None:
    """The geometry of a MultiPolygon's coordinates; None, with the problems in `found`, when they have any.

    A MultiPolygon of one polygon comes out as a Polygon. Area and validity are `area_problems`' business.
    """
    before = len(found)
    if not isinstance(polygons, list) or not polygons:
        wrong(found, "no_polygon", field, "coordinates must be a non-empty array of polygons")
        return None
    if _count(polygons) > MAX_VERTICES:
        wrong(found, "too_many_vertices", field, f"more than {MAX_VERTICES} vertices; simplify it")
        return None
    read = []
    for place, rings in enumerate(polygons):
        read.append(_read_rings(rings, f"{field}[{place}]", found))
        if len(found) >= MAX_PROBLEMS:
            break
    if len(found) > before:
        return None
    parts = [shapely.Polygon(rings[0], rings[1:]) for rings in read]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _count(polygons: list[Any]) -> int:
    """How many positions there may be, without looking at one."""
    rings = (ring for polygon in polygons if isinstance(polygon, list) for ring in polygon)
    return max(len(polygons), sum(len(ring) for ring in rings if isinstance(ring, list)))


def _read_rings(rings: Any, field: str, found: list[Problem]) -> list[Ring]:
    if not isinstance(rings, list) or not rings:
        wrong(found, "no_ring", field, "a polygon is a non-empty array of rings")
        return []
    read = []
    for place, ring in enumerate(rings):
        read.append(_read_ring(ring, f"{field}[{place}]", found))
        if len(found) >= MAX_PROBLEMS:
            break
    return read


def _read_ring(ring: Any, field: str, found: list[Problem]) -> Ring:
    """The positions of a ring. Only the first bad one is told: the others tend to be bad in the same way."""
    if not isinstance(ring, list) or len(ring) < MIN_RING_LENGTH:
        wrong(
            found,
            "short_ring",
            field,
            "a ring is an array of at least four positions, the first one last again",
        )
        return []
    read: Ring = []
    for place, value in enumerate(ring):
        position = read_position(value, f"{field}[{place}]", found)
        if position is None:
            return []
        read.append(position)
    if read[0] != read[-1]:
        wrong(found, "unclosed_ring", field, "the last position must repeat the first")
    if any(abs(one[0] - other[0]) > 180 for one, other in pairwise(read)):
        wrong(found, "antimeridian", field, f"an edge spans more than 180 degrees; {_CUT}")
    return read


def area_problems(
    geometry: shapely.Polygon | shapely.MultiPolygon,
    field: str,
    *,
    least_m2: float = MIN_AREA_M2,
    most_m2: float = MAX_AREA_M2,
) -> list[Problem]:
    """Whether a geometry encloses an area, of a size that can be a fence.

    Validity is the OGC's, as shapely judges it: rings neither cross nor overlap, holes lie inside. Nothing is
    ever repaired: `make_valid` takes minutes on hostile input, and guesses.
    """
    found: list[Problem] = []
    reason = invalidity(geometry)
    if reason is not None:
        wrong(found, "invalid_polygon", field, reason)
        return found
    area_m2 = shapely.area(shapely.transform(geometry, equal_area_m))
    if not least_m2 <= area_m2 <= most_m2:
        detail = f"its area is {area_m2:.0f} m²; {least_m2:.0f} to {most_m2:.0f} m² are possible"
        wrong(found, "area_too_small" if area_m2 < least_m2 else "area_too_large", field, detail)
    return found


def invalidity(geometry: shapely.Polygon | shapely.MultiPolygon) -> str | None:
    """Why a geometry is not a valid area (OGC simple features), or None."""
    return None if shapely.is_valid(geometry) else str(shapely.is_valid_reason(geometry))


def crosses_uncut(bbox: Any, geometry: shapely.Polygon | shapely.MultiPolygon) -> Problem | None:
    """A bounding box with west > east promises a shape on both sides of the antimeridian: is it there?"""
    if not isinstance(bbox, list) or len(bbox) not in (4, 6) or bbox[0] <= bbox[len(bbox) // 2]:
        return None
    sides = np.sign(shapely.bounds(shapely.get_parts(geometry))[:, 0])
    if len(set(sides.tolist())) > 1:
        return None
    return Problem(
        code="antimeridian", field="bbox", detail=f"west exceeds east but the shape is whole; {_CUT}"
    )
