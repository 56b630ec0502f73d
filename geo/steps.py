"""Steps between sightings, and the straight ways they may have led along.

A *step* is what lies between two consecutive believed sightings of a device. Nobody goes straight, and no fix
is exact: across the straight way the true one is taken for normally distributed around it. At the share u of
the way its variance is

    (1 - u)² σ₀² + u² σ₁² + 4 u (1 - u) w²,    w² = WANDER² · seconds + (BEND · seconds · metres)²

σ₀ and σ₁ are those of the two fixes. w is how far the middle of the true way lies off the straight one: it
wanders like a random walk that is held at both ends, and it bends the more, the longer a step takes. Both
were fitted to phones that were carried together (`docs/motion.md`).
"""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from geo.accuracy import SIGMA_PER_ACCURACY
from geo.distance import ECCENTRICITY_2, LONGEST_DEGREE_M, FloatArray, earth_centred
from geo.fence import MIN_RADIUS_M
from geo.fix import SECOND_US
from geo.transition import Rules, Sighting

LongArray = npt.NDArray[np.int64]

#: Between sightings further apart in time than this, nobody knows the way.
LONGEST_STEP_US = 120 * SECOND_US
#: A shorter step leads through nothing: who reports so closely is judged by the fixes alone. The smallest
#: circle is so wide.
SHORTEST_STEP_M = 2 * MIN_RADIUS_M
#: The middle of a way wanders off by so many metres in a step of one second, and with the root of its time …
WANDER = 2.0
#: … and bends off by this share of its length for each second of it.
BEND = 0.001

#: A circle that is passed with this confidence or more is not missed by the samples of a way.
SAMPLED_FOR = 0.7
#: Such a way lies at least so many σ inside the rim of the circle (Φ(x) = 0.7), and where that is small, the
#: circle's radius is so many (Φ(x) = 0.85).
_DEPTH_SIGMA, _RADIUS_SIGMA = 0.5244, 1.0364
#: Ways are sampled more closely than that needs, by this factor.
_CLOSER = 0.75


def turn(lon_deg: FloatArray) -> FloatArray:
    """Differences of longitude, the short way round."""
    return lon_deg - 360.0 * np.round(lon_deg / 360.0)


class Steps(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Steps in columns, which are equally long. Unknown accuracies are NaN."""

    from_lat_deg: FloatArray
    from_lon_deg: FloatArray
    from_accuracy_m: FloatArray
    from_us: LongArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray
    at_us: LongArray

    @classmethod
    def between(cls, pairs: Iterable[tuple[Sighting, Sighting]]) -> "Steps":
        """Steps from earlier to later sightings."""
        kept = list(pairs)
        earlier, later = ([pair[end] for pair in kept] for end in (0, 1))
        return cls(
            from_lat_deg=np.array([one.lat_deg for one in earlier], np.float64),
            from_lon_deg=np.array([one.lon_deg for one in earlier], np.float64),
            from_accuracy_m=np.array([one.accuracy_m for one in earlier], np.float64),
            from_us=np.array([one.at_us for one in earlier], np.int64),
            lat_deg=np.array([one.lat_deg for one in later], np.float64),
            lon_deg=np.array([one.lon_deg for one in later], np.float64),
            accuracy_m=np.array([one.accuracy_m for one in later], np.float64),
            at_us=np.array([one.at_us for one in later], np.int64),
        )


class Ways(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The straight ways of the steps that may lead through something."""

    step: LongArray
    start: FloatArray  #: Earth-centred, a row each
    along: FloatArray  #: from start to end
    length_m: FloatArray
    from_us: LongArray
    takes_us: LongArray
    sigma_m: FloatArray  #: of both ends: two rows
    strays_m: FloatArray  #: w of the module

    @classmethod
    def of(cls, steps: Steps, rules: Rules) -> "Ways":
        """Leaves out what is too short, too slow or too coarse."""
        takes_us = steps.at_us - steps.from_us
        accuracy_m = np.stack([steps.from_accuracy_m, steps.accuracy_m])
        nearest_deg = np.minimum(np.abs(steps.from_lat_deg), np.abs(steps.lat_deg))
        east_deg = turn(steps.lon_deg - steps.from_lon_deg) * np.cos(np.radians(nearest_deg))
        most_m = LONGEST_DEGREE_M * np.hypot(steps.lat_deg - steps.from_lat_deg, east_deg)
        kept = (takes_us > 1) & (takes_us <= LONGEST_STEP_US) & (most_m >= SHORTEST_STEP_M)
        step = np.flatnonzero(kept & ~(accuracy_m > rules.coarse_m).any(axis=0))
        start = np.stack(earth_centred(steps.from_lat_deg[step], steps.from_lon_deg[step]), axis=1)
        along = np.stack(earth_centred(steps.lat_deg[step], steps.lon_deg[step]), axis=1) - start
        length_m = np.sqrt((along * along).sum(axis=1))
        long = np.flatnonzero(length_m >= SHORTEST_STEP_M)
        step, length_m = step[long], length_m[long]
        known_m = np.where(np.isnan(accuracy_m), rules.default_accuracy_m, accuracy_m)
        takes_s = takes_us[step] / SECOND_US
        return cls(
            step=step,
            start=start[long],
            along=along[long],
            length_m=length_m,
            from_us=steps.from_us[step],
            takes_us=takes_us[step],
            sigma_m=known_m[:, step] * SIGMA_PER_ACCURACY,
            strays_m=np.sqrt(WANDER**2 * takes_s + (BEND * takes_s * length_m) ** 2),
        )

    def positions(self, way: LongArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Latitude and longitude at shares of ways."""
        x, y, z = (self.start[way] + share[:, None] * self.along[way]).T
        lat = np.arctan2(z / (1 - ECCENTRICITY_2), np.hypot(x, y))
        return np.degrees(lat), np.degrees(np.arctan2(y, x))

    def times_us(self, way: LongArray, share: FloatArray) -> LongArray:
        """When the device is at shares of ways, never at their ends."""
        takes_us = self.takes_us[way]
        passed_us = np.rint(share * takes_us).astype(np.int64)
        return np.asarray(self.from_us[way] + np.clip(passed_us, 1, takes_us - 1))

    def sigmas_m(self, way: LongArray, share: FloatArray) -> FloatArray:
        """How far the true way is off the straight one, across it: one σ."""
        start, end = (1 - share) * self.sigma_m[0, way], share * self.sigma_m[1, way]
        return np.asarray(np.sqrt(start**2 + end**2 + 4 * share * (1 - share) * self.strays_m[way] ** 2))

    def samples(self) -> tuple[LongArray, FloatArray]:
        """Shares of ways so close together that no circle is passed with `SAMPLED_FOR` between two of them.

        A way that passes a circle of radius r so surely stays inside it for 2 · `_RADIUS_SIGMA` · σ at least,
        and where r is larger for 2 √(d (2r - d)), with d = `_DEPTH_SIGMA` · σ. Towards the middle σ grows
        like √(u (1 - u)) at most: equal angles on a semicircle over the way are close enough everywhere
        where they are in the middle.
        """
        both = self.sigma_m[0] ** 2 + self.sigma_m[1] ** 2
        sigma_m = np.sqrt((self.sigma_m[0] * self.sigma_m[1]) ** 2 / both + self.strays_m**2)
        depth_m = np.minimum(_DEPTH_SIGMA * sigma_m, MIN_RADIUS_M)
        inside_m = 2 * np.maximum(_RADIUS_SIGMA * sigma_m, np.sqrt(depth_m * (2 * MIN_RADIUS_M - depth_m)))
        count = np.ceil(np.pi * self.length_m / (2 * _CLOSER * inside_m)).astype(np.int64)
        way = np.repeat(np.arange(len(count)), count)
        nth = np.arange(len(way)) - np.repeat(np.cumsum(count) - count, count)
        return way, np.sin((nth + 0.5) / count[way] * (np.pi / 2)) ** 2
