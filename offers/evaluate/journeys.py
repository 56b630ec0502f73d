"""The moments-of-truth map: which way shoppers go from looking to telling others, and where they are lost.

    zmot -> near -> fmot -> redeem -> smot -> umot          and any way back

The zero moment of truth is to look at something beforehand (Lecinski 2011); the first to stand in the store
(Procter & Gamble); the second to use what was bought; the ultimate one to tell others. A journey is what one
shopper did with no pause longer than `PAUSE_US`; an arrow leads from each thing to the next one.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median

import msgspec

STEPS = ("zmot", "near", "fmot", "redeem", "smot", "umot")
#: After a longer pause another journey begins: two weeks.
PAUSE_US = 14 * 86_400_000_000

#: A shopper's name, what she did, when (microseconds).
Step = tuple[str, str, int]


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of moment. Numbers are None where fewer than k shoppers had it."""

    step: str
    times: int | None
    shoppers: int | None
    began: int | None  #: journeys that began with it
    ended: int | None  #: journeys that ended with it: here they were lost, or had all they wanted


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From one moment to the next of the same shopper."""

    step: str
    next: str
    times: int
    shoppers: int
    median_s: float
    share: float  #: of all that follows `step`, its end included


class JourneyMap(msgspec.Struct, frozen=True, kw_only=True):
    """All journeys of a time."""

    journeys: int | None
    shoppers: int | None
    stops: tuple[Stop, ...]
    arrows: tuple[Arrow, ...]  #: the most frequent first
    withheld: int  #: arrows of fewer than k shoppers


def journey_map(steps: Iterable[Step], *, k: int) -> JourneyMap:
    """The map of steps, sorted by shopper and time; nothing is told of fewer than `k` shoppers."""
    journeys = [*_journeys(steps)]
    stops: dict[str, list[str]] = {step: [] for step in STEPS}  # whose
    counts = {(step, end): 0 for step in STEPS for end in ("began", "ended")}
    arrows: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for who, taken in journeys:
        counts[taken[0][0], "began"] += 1
        counts[taken[-1][0], "ended"] += 1
        for step, _ in taken:
            stops[step].append(who)
        for (step, at_us), (then, then_us) in pairwise(taken):
            arrows.setdefault((step, then), []).append((who, then_us - at_us))
    everybody = {who for who, _ in journeys}
    told = [
        _arrow(pair, taken, len(stops[pair[0]]))
        for pair, taken in arrows.items()
        if len({who for who, _ in taken}) >= k
    ]
    enough = len(everybody) >= k
    return JourneyMap(
        journeys=len(journeys) if enough else None,
        shoppers=len(everybody) if enough else None,
        stops=tuple(_stop(step, stops[step], counts, k) for step in STEPS),
        arrows=tuple(sorted(told, key=lambda arrow: (-arrow.times, arrow.step, arrow.next))),
        withheld=len(arrows) - len(told),
    )


def _journeys(steps: Iterable[Step]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Each with whose it is."""
    taken: list[tuple[str, int]] = []
    whose = ""
    for who, step, at_us in steps:
        if taken and (who != whose or at_us - taken[-1][1] > PAUSE_US):
            yield whose, taken
            taken = []
        whose = who
        taken.append((step, at_us))
    if taken:
        yield whose, taken


def _stop(step: str, whose: list[str], counts: dict[tuple[str, str], int], k: int) -> Stop:
    shoppers = len(set(whose))
    enough = shoppers >= k
    return Stop(
        step=step,
        times=len(whose) if enough else None,
        shoppers=shoppers if enough else None,
        began=counts[step, "began"] if enough else None,
        ended=counts[step, "ended"] if enough else None,
    )


def _arrow(pair: tuple[str, str], taken: list[tuple[str, int]], out_of: int) -> Arrow:
    return Arrow(
        step=pair[0],
        next=pair[1],
        times=len(taken),
        shoppers=len({who for who, _ in taken}),
        median_s=median(pause_us for _, pause_us in taken) / 1e6,
        share=len(taken) / out_of,
    )
