"""How plausible it is that a device is where it says: a score with the signs that speak against it.

A position can be made up: by a mock-location app, by a script that sends what it likes, by a track that is
played again. None of the signs is a proof, each has an innocent cause somewhere, so each lowers the score by
a factor and is told:

- `mock`: the phone itself says so.
- `impossible_speed`: steps that nothing on the ground makes (`geo.motion`: `impossible_jump`).
- `frozen`: the very same position while the phone measures a speed.
- `one_accuracy`: the accuracy of real fixes varies from place to place; in a script it is a constant. Told is
  the entropy of the accuracies, in bits.
- `even_steps`: the same speed from fix to fix, as no walker keeps it.
- `shared_track`: it repeats another shopper's track, place by place (`geo.copies`).
- `little_trust`: an attestation of the app vouched for it only so far.

The factors are judgement, not measurement.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

import msgspec

from geo.distance import point_distance_m, point_earth_centred
from geo.fix import SECOND_US
from geo.motion import UNKNOWN_M, doubt
from geo.transition import Sighting

#: What is left after one, two, and three or more such steps.
JUMPS = (0.6, 0.4, 0.2)
FROZEN = (0.7, 0.5, 0.3)
COPIED = (0.6, 0.4, 0.2)
ONE_ACCURACY, EVEN_STEPS = 0.8, 0.7
#: From so few fixes nothing is concluded about their variety.
LEAST_VARIETY = 10
LEAST_ENTROPY_BITS = 0.5
LEAST_SPREAD = 0.02  #: of the speeds from fix to fix, as a share of their mean
MOVING_M = 1.0  #: a shorter step is none


class Against(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One sign that speaks against a position."""

    code: str
    factor: float  #: by which the score is multiplied
    detail: str  #: holds no position


class Plausibility(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`Plausibility()` is a device against which nothing speaks."""

    score: float = 1.0  #: 0 to 1
    signs: tuple[Against, ...] = ()


def plausibility(
    seen: Sequence[Sighting],
    *,
    mock: bool = False,
    copied: int = 0,
    trust: float | None = None,
    unknown_m: float = UNKNOWN_M,
) -> Plausibility:
    """How plausible a device's newest sightings are, given by time; `copied` of them repeat a track."""
    signs = tuple(_signs(seen, mock, copied, trust, unknown_m))
    return Plausibility(score=round(math.prod(sign.factor for sign in signs), 3), signs=signs)


def _signs(
    seen: Sequence[Sighting], mock: bool, copied: int, trust: float | None, unknown_m: float
) -> Iterator[Against]:
    if mock:
        yield Against(code="mock", factor=0.0, detail="the phone says that the position is made up")
    doubts = Counter(doubt(one, 0, other, unknown_m=unknown_m) for one, other in pairwise(seen))
    if jumps := doubts["impossible_jump"]:
        detail = f"{jumps} of {len(seen) - 1} steps faster than anything on the ground"
        yield Against(code="impossible_speed", factor=JUMPS[min(jumps, 3) - 1], detail=detail)
    if frozen := doubts["frozen"]:
        detail = f"{frozen} times in the same place while it measured a speed"
        yield Against(code="frozen", factor=FROZEN[min(frozen, 3) - 1], detail=detail)
    bits = _entropy_bits(seen)
    if bits is not None and bits < LEAST_ENTROPY_BITS:
        detail = f"{bits:.2f} bits of variety in the accuracy of {len(seen)} fixes"
        yield Against(code="one_accuracy", factor=ONE_ACCURACY, detail=detail)
    spread = _spread(seen)
    if spread is not None and spread < LEAST_SPREAD:
        detail = f"its speed varies by {100 * spread:.1f} % from fix to fix"
        yield Against(code="even_steps", factor=EVEN_STEPS, detail=detail)
    if copied:
        times = "once" if copied == 1 else f"{min(copied, len(COPIED))} times or more"
        detail = f"{times} it was where another shopper was, four places in a row to the last digit"
        yield Against(code="shared_track", factor=COPIED[min(copied, len(COPIED)) - 1], detail=detail)
    if trust is not None and trust < 1:
        detail = f"the attestation of the app is trusted to {100 * trust:.0f} %"
        yield Against(code="little_trust", factor=(1 + max(trust, 0.0)) / 2, detail=detail)


def _entropy_bits(seen: Sequence[Sighting]) -> float | None:
    """Of the accuracies (to 0.1 m) at different places; None where these are too few."""
    if len(seen) < LEAST_VARIETY:
        return None
    by_place = {(one.lat_deg, one.lon_deg): one.accuracy_m for one in seen if one.accuracy_m is not None}
    if len(by_place) < LEAST_VARIETY:
        return None
    counts = Counter(round(accuracy_m, 1) for accuracy_m in by_place.values())
    shares = [count / len(by_place) for count in counts.values()]
    return -sum(share * math.log2(share) for share in shares) + 0.0


def _spread(seen: Sequence[Sighting]) -> float | None:
    """The standard deviation of the speeds between sightings over their mean, where that is small; None where
    it is not, or the speeds are too few.
    """
    if len(seen) <= LEAST_VARIETY:
        return None
    speeds_mps = []
    places = [point_earth_centred(one.lat_deg, one.lon_deg) for one in seen]
    for (one, here), (other, there) in pairwise(zip(seen, places, strict=True)):
        way_m = point_distance_m(here, there)
        if way_m > MOVING_M and other.at_us > one.at_us:
            speeds_mps.append(way_m * SECOND_US / (other.at_us - one.at_us))
    if len(speeds_mps) < LEAST_VARIETY:
        return None
    mean_mps = fmean(speeds_mps)
    # `pstdev` is exact, and takes longer than all the rest: it is asked where that could make a difference.
    most_mps = 2 * LEAST_SPREAD * mean_mps * math.sqrt(len(speeds_mps))
    if math.dist(speeds_mps, [mean_mps] * len(speeds_mps)) > most_mps:
        return None
    return pstdev(speeds_mps) / mean_mps
