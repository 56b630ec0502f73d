"""Circles as rows of numbers, made so that a point is told to be inside or outside in a few multiplications.

Near a circle's centre the Earth is flat: with the metres of a degree there, the squared distance over the
squared radius is (Δlat·a)² + (Δlon·b)². It is wrong by what the meridians converge within the circle, and by
less than `tolerance`; only where it is nearer to 1 than that, an exact distance is worked out.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import (
    MEAN_RADIUS_M,
    FloatArray,
    IndexArray,
    degree_lengths_m,
    distance_m,
    distances_m,
    earth_centred,
)

#: Circles for which the plane is worse than this (near a pole) are always judged exactly.
WORST_TOLERANCE = 0.02


class Discs(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Rows of circles. Those of areas, and of circles that the plane is not good for, have a = b = 0."""

    plane: FloatArray  #: rows of latitude, longitude, a, b
    globe: FloatArray  #: rows of the centre's Earth-centred x, y, z, and the radius
    bend: FloatArray  #: by how much a degree of longitude is shorter one degree north, halved, as a share

    @classmethod
    def of(
        cls, lat_deg: FloatArray, lon_deg: FloatArray, radius_m: FloatArray, is_area: npt.NDArray[np.bool_]
    ) -> "Discs":
        """Rows of circles, some of them around areas."""
        north_m, east_m = degree_lengths_m(lat_deg)
        seam = np.abs(lon_deg) * east_m + radius_m * 1.01 >= 180.0 * east_m
        odd = (tolerance_of(lat_deg, radius_m) > WORST_TOLERANCE) | seam | is_area
        a, b = np.where(odd, 0.0, north_m / radius_m), np.where(odd, 0.0, east_m / radius_m)
        return cls(
            plane=np.column_stack([lat_deg, lon_deg, a, b]),
            globe=np.column_stack([*earth_centred(lat_deg, lon_deg), radius_m]),
            bend=np.where(odd, 0.0, np.tan(np.radians(lat_deg)) * math.radians(0.5)),
        )

    def share(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> FloatArray:
        """How far point i is off the centre at place[i], in radii, within 0.0001 near the circle."""
        row = self.plane.take(place, axis=0)
        north = lat_deg - row[:, 0]
        east = lon_deg - row[:, 1]
        east *= row[:, 3]
        east *= 1.0 - self.bend[place] * north
        north *= row[:, 2]
        share = np.sqrt(north * north + east * east)
        for i in (row[:, 2] == 0).nonzero()[0].tolist():
            share[i] = self._share_exactly(float(lat_deg[i]), float(lon_deg[i]), int(place[i]))
        return share

    def share_one(self, lat_deg: float, lon_deg: float, place: int) -> float:
        """The same for one point, to the last bit."""
        lat, lon, a, b = self.plane[place].tolist()
        if a == 0.0:
            return self._share_exactly(lat_deg, lon_deg, place)
        north = lat_deg - lat
        east = (lon_deg - lon) * b * (1.0 - float(self.bend[place]) * north)
        north *= a
        return math.sqrt(north * north + east * east)

    def _share_exactly(self, lat_deg: float, lon_deg: float, place: int) -> float:
        lat, lon = self.plane[place, :2].tolist()
        return float(distance_m(lat_deg, lon_deg, lat, lon) / self.globe[place, 3])

    def holds(self, lat_deg: float, lon_deg: float, place: int) -> bool:
        """Whether a point lies in the circle at a place or on its boundary, to a fraction of a millimetre."""
        lat, lon = self.plane[place, :2].tolist()
        return bool(distance_m(lat_deg, lon_deg, lat, lon) <= self.globe[place, 3])

    def off_m(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> FloatArray:
        """Metres from point i to the boundary of the circle at place[i]; negative inside."""
        globe = self.globe.take(place, axis=0)
        centre = globe[:, 0], globe[:, 1], globe[:, 2]
        return distances_m(earth_centred(lat_deg, lon_deg), centre) - globe[:, 3]

    def off_one(self, lat_deg: float, lon_deg: float, place: int) -> float:
        """The same for one point."""
        lat, lon = self.plane[place, :2].tolist()
        return float(distance_m(lat_deg, lon_deg, lat, lon) - self.globe[place, 3])


def tolerance_of(lat_deg: FloatArray, radius_m: FloatArray) -> FloatArray:
    """At most this far from the truth, as a share, is the squared distance in the plane of a circle's centre.

    Going north by δ radians, parallels shorten by δ·tan(latitude), half of that counts on the way; half as
    much again and the terms of second order are added.
    """
    reach = radius_m / MEAN_RADIUS_M
    tangent = np.tan(np.minimum(np.radians(np.abs(lat_deg)) + reach, math.radians(89.99)))
    return np.asarray(1.5 * reach * tangent + 3 * reach**2 * (1 + tangent**2) + 0.05 * reach + 1e-9)
