"""Circles, and how far off points are.

Near a point the Earth is flat: with the metres of a degree there, the squared distance over the squared
radius is (Δlat² + (Δlon·stretch)²)·a². It is wrong by what the meridians converge on the way, and by less
than `tolerance_of`; only where it is nearer to 1 than that, an exact distance is worked out.

Most points are turned down at once, so what turns them down is small: a circle's *card* is sixteen bytes, its
centre in whole numbers, a² in single precision, and its place. There are 2³² numbers from pole to pole and as
many around the Earth, so that the difference of two is the short way round by itself.
"""

import math
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from geo.compiled import compiled
from geo.distance import (
    ECCENTRICITY_2,
    MEAN_RADIUS_M,
    FloatArray,
    degree_lengths_m,
    earth_centred,
)
from geo.fences.outlines import Singles

Records: TypeAlias = npt.NDArray[np.void]

#: A circle's card.
CARD = np.dtype([("north", "i4"), ("east", "i4"), ("scale", "f4"), ("place", "i4")])
#: As what cards are kept: numpy copies and takes sixteen bytes in half the time of a record of four fields.
CARD_BYTES = np.dtype("V16")
#: Whole numbers to a degree.
NORTH_PER_DEGREE, EAST_PER_DEGREE = 2**32 / 180, 2**32 / 360
#: How long a whole number is to the east, on the equator; rounded up. Those to the north are half as long.
UNIT_M = 0.00937
#: Circles for which the plane is worse than this (near a pole, or tiny) are always judged exactly.
WORST_TOLERANCE = 0.02
#: 1 / (n (n - 1)) for the terms of a cosine, the last first.
_COSINE = tuple(1 / (n * (n - 1)) for n in range(16, 0, -2))
_FLATTER = ECCENTRICITY_2 / (1 - ECCENTRICITY_2)


class Discs(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Circles by place, also those around areas. Where the plane is not good for one, its a and b are 0.

    The a of one around an area is negative, and so is the scale on its card: far points are turned down by
    it, near ones must be asked of the area.
    """

    lat_deg: FloatArray
    lon_deg: FloatArray
    plane: Singles  #: rows of radii to a degree of latitude (a) and of longitude (b), the bend, the radius
    globe: FloatArray  #: rows of the centre's Earth-centred x, y, z, and the radius

    @classmethod
    def of(
        cls, lat_deg: FloatArray, lon_deg: FloatArray, radius_m: FloatArray, is_area: npt.NDArray[np.bool_]
    ) -> "Discs":
        """Prepares circles, some of them around areas."""
        north_m, east_m = degree_lengths_m(lat_deg)
        tangent = np.tan(np.radians(lat_deg))
        seam = np.abs(lon_deg) * east_m + radius_m * 1.01 >= 180.0 * east_m
        odd = (tolerance_of(tangent, radius_m) > WORST_TOLERANCE) | seam
        plane = np.empty((len(lat_deg), 4), np.float32)
        plane[:, 0] = np.where(is_area, -north_m, north_m) / radius_m
        plane[:, 1] = east_m / radius_m
        plane[:, 2] = tangent * math.radians(0.5)
        plane[odd] = 0.0
        plane[:, 3] = radius_m
        globe = np.empty((len(lat_deg), 4))
        for column, values in enumerate((*earth_centred(lat_deg, lon_deg), radius_m)):
            globe[:, column] = values
        return cls(lat_deg=lat_deg, lon_deg=lon_deg, plane=plane, globe=globe)

    @property
    def radius_m(self) -> FloatArray:
        """By place."""
        return self.globe[:, 3]

    def cards(self, places: slice) -> Records:
        """Cards of some circles; the scale is a² for whole numbers, with the sign of a."""
        cards = np.empty(places.stop - places.start, CARD)
        cards["north"] = whole(self.lat_deg[places], NORTH_PER_DEGREE)
        cards["east"] = whole(self.lon_deg[places], EAST_PER_DEGREE)
        scale = self.plane[places, 0] / np.float32(NORTH_PER_DEGREE)
        cards["scale"] = scale * np.abs(scale)
        cards["place"] = np.arange(places.start, places.stop)
        return cards.view(CARD_BYTES)

    def tolerance(self, places: slice) -> float:
        """`tolerance_of` for the worst of some circles for which the plane is good."""
        plane = self.plane[places]
        plane = plane[plane[:, 0] != 0].astype(np.float64)
        return float(tolerance_of(plane[:, 2] / math.radians(0.5), plane[:, 3]).max(initial=0.0))


def whole(degrees: FloatArray, per_degree: float) -> npt.NDArray[np.int64]:
    """Latitudes or longitudes in whole numbers, rounded down."""
    scaled = degrees * per_degree
    return np.floor(scaled, out=scaled).astype(np.int64)


@compiled
def stretch(lat_deg: float) -> float:
    """How long a whole number to the east is in whole numbers to the north, at a latitude.

    That is 2·cos·(1 - e²·sin²)/(1 - e²), since these are half as long as those.
    """
    lat2 = math.radians(lat_deg) ** 2
    cosine = 1.0  # by Taylor's series, to 5e-13: twice as fast as the library's
    for factor in _COSINE:
        cosine = 1.0 - cosine * lat2 * factor
    return cosine * (2 + 2 * _FLATTER * cosine * cosine)


def tolerance_of(tangent: FloatArray, radius_m: FloatArray) -> FloatArray:
    """At most this far from the truth, as a share, is a squared distance in the plane near a circle's edge.

    `tangent` is that of the centre's latitude. Going north by δ radians, parallels shorten by
    δ·tan(latitude), half of that counts on the way; half as much again and the terms of second order are
    added. The difference of two whole numbers, both
    rounded down, is off by less than one to the north and one to the east, on a parallel up to 1.5 % longer
    than the centre's. Single precision adds a few millionths.
    """
    reach = radius_m / MEAN_RADIUS_M
    steep = np.abs(tangent)
    steep = (steep + reach) / np.maximum(1 - steep * reach, 1e-6)  # of the circle's edge, nearer to the pole
    bent = 1.5 * reach * steep + 3 * reach**2 * (1 + steep**2) + 0.05 * reach
    rough = UNIT_M * np.sqrt(0.25 + 1.03 / (1 + tangent**2)) / radius_m
    return bent + 2 * rough + rough**2 + 3e-6
