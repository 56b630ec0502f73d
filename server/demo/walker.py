"""How a phone moves and what its GPS says about it. Pure: the randomness is handed in."""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

import msgspec

from server.demo.plane import Spot, course_deg, distance_m
from server.demo.streets import between

#: How fast the error of a position wanders: consecutive fixes are wrong in nearly the same direction.
NOISE_MEMORY_S = 20.0
#: 68 % of a two-dimensional normal error lie within 1.51 standard deviations of one axis.
SIGMAS_IN_ACCURACY = math.sqrt(-2.0 * math.log(1.0 - 0.68))


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """A line to walk along, with how far each of its points lies from its start."""

    spots: tuple[Spot, ...]
    at_m: tuple[float, ...]

    @classmethod
    def along(cls, spots: Sequence[Spot]) -> "Path":
        """The path through one spot or more."""
        steps_m = (distance_m(start, end) for start, end in pairwise(spots))
        return cls(spots=tuple(spots), at_m=tuple(accumulate(steps_m, initial=0.0)))

    @property
    def length_m(self) -> float:
        return self.at_m[-1]

    def spot(self, along_m: float) -> Spot:
        """The spot so far along; its ends before the start and beyond the end."""
        step = self._step(along_m)
        if along_m <= 0.0 or step + 1 >= len(self.spots):
            return self.spots[step]
        share = (along_m - self.at_m[step]) / (self.at_m[step + 1] - self.at_m[step])
        return between(self.spots[step], self.spots[step + 1], share)

    def course_deg(self, along_m: float) -> float | None:
        """The direction of the path there; None for a path of one spot."""
        if len(self.spots) < 2:
            return None
        step = min(self._step(along_m), len(self.spots) - 2)
        return course_deg(self.spots[step], self.spots[step + 1])

    def rest(self, from_m: float) -> "Path":
        """The path from so far along to its end."""
        spots = [spot for spot, at_m in zip(self.spots, self.at_m, strict=True) if at_m > from_m]
        return Path.along([self.spot(from_m), *spots])

    def _step(self, along_m: float) -> int:
        return max(0, bisect_right(self.at_m, along_m) - 1)

    def last_outside_m(self, centre: Spot, radius_m: float) -> float:
        """How far along the path enters the circle for the last time; 0 if it lies wholly inside."""
        for step in range(len(self.spots) - 1, 0, -1):
            if distance_m(self.spots[step - 1], centre) <= radius_m:
                continue
            along_m = self.at_m[step]
            while along_m > self.at_m[step - 1] and distance_m(self.spot(along_m), centre) <= radius_m:
                along_m -= 1.0
            return max(along_m, self.at_m[step - 1])
        return 0.0


class Walker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody under way on a path."""

    path: Path
    speed_mps: float
    along_m: float = 0.0

    def after(self, elapsed_s: float) -> "Walker":
        """The walker later on: never further than speed times time, and not beyond the path's end."""
        along_m = min(self.path.length_m, self.along_m + self.speed_mps * elapsed_s)
        return msgspec.structs.replace(self, along_m=along_m)

    @property
    def spot(self) -> Spot:
        return self.path.spot(self.along_m)

    @property
    def arrived(self) -> bool:
        return self.along_m >= self.path.length_m


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """By how much a receiver is wrong just now: a first-order autoregressive error on each axis."""

    accuracy_m: float  #: the radius that holds 68 % of its errors, as phones report it
    east_m: float = 0.0
    north_m: float = 0.0

    def after(self, elapsed_s: float, rng: random.Random) -> "Drift":
        """The error later on."""
        keep = math.exp(-elapsed_s / NOISE_MEMORY_S)
        fresh = self.accuracy_m / SIGMAS_IN_ACCURACY * math.sqrt(1.0 - keep * keep)
        return msgspec.structs.replace(
            self,
            east_m=self.east_m * keep + rng.gauss(0.0, fresh),
            north_m=self.north_m * keep + rng.gauss(0.0, fresh),
        )

    def seen(self, spot: Spot) -> Spot:
        """Where the receiver believes it is when it is at `spot`."""
        return Spot(spot.east_m + self.east_m, spot.north_m + self.north_m)
