"""Distances on the WGS84 ellipsoid, from chords between Earth-centred positions.

The straight chord c through the Earth is shorter than the geodesic d by d³/24R², R being the radius of
curvature along the way. With the mean radius for R, 2R·asin(c/2R) is within 0.02 mm of the geodesic under
10 km, anywhere and in any direction (the correction itself is 1 mm there, and R is known to 0.6 %). Beyond,
the error grows with the cube of the distance: some 10 m at 1,000 km.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.int32]
Point: TypeAlias = tuple[float, float, float]  #: an Earth-centred position in metres

SEMI_MAJOR_M = 6_378_137.0  #: WGS84's equatorial radius
FLATTENING = 1 / 298.257223563  #: WGS84's flattening
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)  #: the first eccentricity, squared
MEAN_RADIUS_M = 6_371_008.8  #: (2a + b) / 3

_ECCENTRICITY = math.sqrt(ECCENTRICITY_2)
#: No meridian degree anywhere is shorter than this (the equator's is the shortest).
SHORTEST_MERIDIAN_DEGREE_M = math.radians(SEMI_MAJOR_M * (1 - ECCENTRICITY_2))
#: No degree of latitude or longitude is longer (the ellipsoid is flattest at the poles).
LONGEST_DEGREE_M = math.radians(SEMI_MAJOR_M / math.sqrt(1 - ECCENTRICITY_2))


def earth_centred(lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions on the ellipsoid's surface as Earth-centred, Earth-fixed x, y, z in metres."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    normal_m = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * sin_lat * sin_lat)
    across_m = normal_m * cos_lat
    return across_m * np.cos(lon), across_m * np.sin(lon), normal_m * (1 - ECCENTRICITY_2) * sin_lat


def chord_m(distance_m: FloatArray) -> FloatArray:
    """The chord under a geodesic of this length (under 10 km to 0.02 mm)."""
    return 2 * MEAN_RADIUS_M * np.sin(distance_m / (2 * MEAN_RADIUS_M))


@overload
def distance_m(lat1_deg: float, lon1_deg: float, lat2_deg: float, lon2_deg: float) -> float: ...
@overload
def distance_m(
    lat1_deg: float, lon1_deg: float, lat2_deg: FloatArray, lon2_deg: FloatArray
) -> FloatArray: ...
@overload
def distance_m(
    lat1_deg: FloatArray, lon1_deg: FloatArray, lat2_deg: FloatArray | float, lon2_deg: FloatArray | float
) -> FloatArray: ...
def distance_m(
    lat1_deg: FloatArray | float,
    lon1_deg: FloatArray | float,
    lat2_deg: FloatArray | float,
    lon2_deg: FloatArray | float,
) -> FloatArray | float:
    """Geodesic distance in metres, element by element (arrays broadcast; four floats give a float).

    Under 10 km within 0.02 mm of GeographicLib; see the module for more.
    """
    if isinstance(lat1_deg, float) and isinstance(lat2_deg, float):
        return point_distance_m(
            point_earth_centred(lat1_deg, float(lon1_deg)), point_earth_centred(lat2_deg, float(lon2_deg))
        )
    return distances_m(
        earth_centred(np.asarray(lat1_deg, np.float64), np.asarray(lon1_deg, np.float64)),
        earth_centred(np.asarray(lat2_deg, np.float64), np.asarray(lon2_deg, np.float64)),
    )


def distances_m(one: Sequence[FloatArray | float], other: Sequence[FloatArray]) -> FloatArray:
    """Geodesic distances between Earth-centred positions (x, y, z), which broadcast."""
    dx, dy, dz = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    half_chord = np.sqrt(dx * dx + dy * dy + dz * dz) / (2 * MEAN_RADIUS_M)
    return np.asarray(2 * MEAN_RADIUS_M * np.arcsin(np.minimum(half_chord, 1.0)))


def point_distance_m(one: Point, other: Point) -> float:
    """The geodesic distance between two Earth-centred positions."""
    return 2 * MEAN_RADIUS_M * math.asin(min(math.dist(one, other) / (2 * MEAN_RADIUS_M), 1.0))


def point_earth_centred(lat_deg: float, lon_deg: float) -> Point:
    """`earth_centred` of a single position, some ten times faster than numpy's."""
    lat, lon = math.radians(lat_deg), math.radians(lon_deg)
    sin_lat = math.sin(lat)
    normal_m = SEMI_MAJOR_M / math.sqrt(1 - ECCENTRICITY_2 * sin_lat * sin_lat)
    across_m = normal_m * math.cos(lat)
    return across_m * math.cos(lon), across_m * math.sin(lon), normal_m * (1 - ECCENTRICITY_2) * sin_lat


def degree_lengths_m(lat_deg: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Metres per degree of latitude and per degree of longitude at a latitude."""
    lat = np.radians(lat_deg)
    w2 = 1 - ECCENTRICITY_2 * np.sin(lat) ** 2
    normal_m = SEMI_MAJOR_M / np.sqrt(w2)
    return np.radians(normal_m * (1 - ECCENTRICITY_2) / w2), np.radians(normal_m * np.cos(lat))


def equal_area_m(lon_lat_deg: FloatArray) -> FloatArray:
    """Lambert's cylindrical equal-area projection of the ellipsoid: lon/lat rows to metres.

    Areas in this plane are areas on the ellipsoid (Snyder 1987, equations 10-14 and 3-12).
    """
    sin_lat = np.sin(np.radians(lon_lat_deg[:, 1]))
    e_sin = _ECCENTRICITY * sin_lat
    q = (1 - ECCENTRICITY_2) * (sin_lat / (1 - e_sin * e_sin) + np.arctanh(e_sin) / _ECCENTRICITY)
    return np.column_stack([SEMI_MAJOR_M * np.radians(lon_lat_deg[:, 0]), SEMI_MAJOR_M * q / 2])
