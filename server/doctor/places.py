"""Many positions, sorted so that those at a fence are found without looking at all."""

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray
from server.doctor.outline import Outline

Rows = npt.NDArray[np.int64]


class Places(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Positions in the order they were given, and their order by latitude."""

    lat_deg: FloatArray
    lon_deg: FloatArray
    by_lat: Rows
    sorted_lat_deg: FloatArray

    @classmethod
    def of(cls, lat_deg: FloatArray, lon_deg: FloatArray) -> "Places":
        """Sorts positions."""
        by_lat = np.argsort(lat_deg, kind="stable")
        return cls(lat_deg=lat_deg, lon_deg=lon_deg, by_lat=by_lat, sorted_lat_deg=lat_deg[by_lat])

    def near(self, outline: Outline, within_m: float) -> tuple[Rows, FloatArray]:
        """The positions in a fence or at most `within_m` outside: their rows, ascending, and how far outside
        its boundary each lies (negative: inside).
        """
        circle = outline.circle
        reach_m = circle.radius_m + within_m
        reach_deg = reach_m / SHORTEST_MERIDIAN_DEGREE_M
        begin, end = np.searchsorted(
            self.sorted_lat_deg, [circle.lat_deg - reach_deg, circle.lat_deg + reach_deg]
        )
        rows = self.by_lat[begin:end]
        # Nearer to a pole a degree of longitude is shorter; 5 % covers that, up to 88 degrees.
        offset_m = outline.metres(self.lat_deg[rows], self.lon_deg[rows])
        rows = np.sort(rows[np.abs(offset_m[:, 0]) <= 1.05 * reach_m])
        outside_m = outline.outside_m(self.lat_deg[rows], self.lon_deg[rows])
        near = outside_m <= within_m
        return rows[near], outside_m[near]
