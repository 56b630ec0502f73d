"""A flat map around a point, in metres: good to 0.1 % within 5 km of it, away from the poles."""

import math

import msgspec

from geo.distance import ECCENTRICITY_2, SEMI_MAJOR_M


class Plane(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The plane that touches the ellipsoid at a point."""

    lat_deg: float
    lon_deg: float
    north_m: float  #: metres per degree of latitude
    east_m: float  #: metres per degree of longitude

    @classmethod
    def at(cls, lat_deg: float, lon_deg: float) -> "Plane":
        """The plane around a point, from the radii of curvature there."""
        lat = math.radians(lat_deg)
        w2 = 1 - ECCENTRICITY_2 * math.sin(lat) ** 2
        normal_m = SEMI_MAJOR_M / math.sqrt(w2)
        return cls(
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            north_m=math.radians(normal_m * (1 - ECCENTRICITY_2) / w2),
            east_m=math.radians(normal_m * math.cos(lat)),
        )

    def metres(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """Metres east and north of the point, the short way round the Earth."""
        turn_deg = lon_deg - self.lon_deg
        turn_deg -= 360.0 * round(turn_deg / 360.0)
        return turn_deg * self.east_m, (lat_deg - self.lat_deg) * self.north_m

    def degrees(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a place on the map."""
        lon_deg = self.lon_deg + (east_m / self.east_m if self.east_m else 0.0)
        return self.lat_deg + north_m / self.north_m, lon_deg - 360.0 * round(lon_deg / 360.0)
