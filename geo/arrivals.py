"""A micro-batch of fixes in order of device and time, with the fences each lies in."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from geo.accuracy import sigma_one_m, sigmas_m
from geo.batch import FixBatch
from geo.compiled import compiled
from geo.distance import FloatArray, IndexArray
from geo.index import FenceSet
from geo.layout import sighting_of
from geo.transition import Rules, Sighting
from geo.window import measured_at_us

Integers = npt.NDArray[np.int64]


class Arrivals(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fixes by device and time, those of one time in order of arrival; all columns are equally long."""

    slot: IndexArray
    at_us: Integers
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray  #: NaN: unknown
    speed_mps: FloatArray  #: NaN: unknown
    sigma_m: FloatArray  #: spread; empty in `exact` mode
    single: bool  #: whether there is but one fix of each device
    first: Integers  #: where the fixes of each device begin; the last entry is the number of fixes
    pair_first: Integers  #: where the fences of each fix begin; the last entry is the number of pairs
    pair_place: IndexArray  #: of a fence that a fix lies in: its place in the set
    pair_number: IndexArray  #: … its number
    pair_probability: FloatArray  #: … how probably the device is inside

    def device_of(self, fix: Integers) -> Integers:
        """Which of the devices some fixes are of."""
        return np.asarray(np.searchsorted(self.first, fix, side="right") - 1)

    @classmethod
    def of(cls, batch: FixBatch, fences: FenceSet, rules: Rules) -> "Arrivals":
        """Sorts and matches a batch."""
        batch = batch.behaved()
        slot = batch.device
        single = _ascends(slot)
        if not single:
            batch = batch.take(np.lexsort((batch.fixed_at_us, slot)))
            slot = batch.device
        at_us, lat, lon, accuracy_m = batch.fixed_at_us, batch.lat_deg, batch.lon_deg, batch.accuracy_m
        fix, place = fences.match(lat, lon, at_us)
        if rules.mode == "exact":
            sigma, probability = np.empty(0), np.ones(len(place))
        else:
            sigma = np.empty(len(accuracy_m))
            sigmas_m(accuracy_m, rules.default_accuracy_m, sigma)
            probability = fences.probability_inside(lat, lon, (fix, place), sigma)
            probability = probability.astype(np.float32).astype(np.float64)
        count = len(slot)
        first = np.arange(count + 1)
        if not single:
            first = np.concatenate([[0], (slot[1:] != slot[:-1]).nonzero()[0] + 1, [count]])
        pair_first, pair_number = np.empty(count + 1, np.int64), np.empty(len(place), np.int32)
        _runs(fix, place, fences.number, pair_first, pair_number)
        return cls(
            slot=slot,
            at_us=at_us,
            lat_deg=lat,
            lon_deg=lon,
            accuracy_m=accuracy_m,
            speed_mps=batch.speed_mps,
            sigma_m=sigma,
            single=single,
            first=first,
            pair_first=pair_first,
            pair_place=place,
            pair_number=pair_number,
            pair_probability=probability,
        )

    def sightings(self, device: int, fences: FenceSet) -> list[Sighting]:
        """The fixes of one device as values."""
        begin, end = int(self.first[device]), int(self.first[device + 1])
        pairs = slice(int(self.pair_first[begin]), int(self.pair_first[end]))
        names = [fences.roll.name(number) for number in self.pair_number[pairs].tolist()]
        found = list(zip(names, self.pair_probability[pairs].tolist(), strict=True))
        cuts = (self.pair_first[begin : end + 1] - pairs.start).tolist()
        inside = [
            tuple(sorted((*name, probability) for name, probability in found[one:other]))
            for one, other in pairwise(cuts)
        ]
        columns = (self.at_us, self.lat_deg, self.lon_deg, self.accuracy_m, self.speed_mps)
        rows = zip(*(column[begin:end].tolist() for column in columns), inside, strict=True)
        return [sighting_of(*row) for row in rows]


@compiled
def _ascends(slot: IndexArray) -> bool:
    """Whether each is larger than the one before."""
    for i in range(1, len(slot)):  # noqa: SIM110 - that would be a generator
        if slot[i] <= slot[i - 1]:
            return False
    return True


@compiled
def _runs(
    fix: IndexArray, place: IndexArray, number: IndexArray, pair_first: Integers, pair_number: IndexArray
) -> None:
    """Where the pairs of each fix begin among ascending ones, and the numbers of their fences."""
    done = 0
    for pair in range(len(fix)):
        pair_number[pair] = number[place[pair]]
        while done <= fix[pair]:
            pair_first[done] = pair
            done += 1
    pair_first[done:] = len(fix)


def sightings_of(batch: FixBatch, fences: FenceSet, rules: Rules) -> Iterator[tuple[int, list[Sighting]]]:
    """The same for a few fixes, one by one: each device with its sightings by time."""
    columns = (
        batch.device,
        batch.fixed_at_us,
        batch.lat_deg,
        batch.lon_deg,
        batch.accuracy_m,
        batch.speed_mps,
    )
    found: dict[int, list[Sighting]] = {}
    for slot, *row in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault(slot, []).append(_matched(sighting_of(*row), fences, rules))
    for slot in sorted(found):
        yield slot, sorted(found[slot], key=measured_at_us)


def seen_again(sighting: Sighting, fences: FenceSet, rules: Rules) -> Sighting:
    """The same sighting one microsecond later, with the fences that it lies in now."""
    return _matched(msgspec.structs.replace(sighting, at_us=sighting.at_us + 1), fences, rules)


def _matched(sighting: Sighting, fences: FenceSet, rules: Rules) -> Sighting:
    here = sighting.lat_deg, sighting.lon_deg
    sigma = sigma_one_m(sighting.accuracy_m, rules.default_accuracy_m)
    inside = sorted(
        (
            *fences.roll.name(int(fences.number[place])),
            1.0 if rules.mode == "exact" else _float32(fences.probability_one(*here, place, sigma)),
        )
        for place in fences.match_one(*here, sighting.at_us)
    )
    return msgspec.structs.replace(sighting, inside=tuple(inside))


def _float32(number: float) -> float:
    return float(np.float32(number))
