"""A set of fences, indexed: which of them hold these points, how surely, and which are near.

A `FenceSet` never changes; publishing makes the next one, so that no batch is ever judged by two. Most
questions are asked for many points at once and answered by arrays; for a single point there are twins in
plain Python that give the same answers.

Fences are named by their *place* in a set, which tells where their data lie, and by their *number*
(`geo.fences.roll`), which stays the same in all sets that descend from one another. Disabled fences have no
place. A place may be that of a fence that is gone since: nothing ever matches it.

An edit shares the index of the set it starts from (`main`), leaves out what was changed or removed, and
indexes what is new in a small one of its own (`overlay`). Once edits have piled up, `folded` joins the two.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from geo.compiled import behaved
from geo.distance import FloatArray, IndexArray
from geo.fence import Fence
from geo.fences.columns import Columns, TimeArray
from geo.fences.nearest import Near, Source, Wanted, nearest
from geo.fences.part import Pairs, Part
from geo.fences.places import Places
from geo.fences.roll import Roll

#: Sets of up to so many fences are indexed anew by every edit.
SMALL = 1_000
#: An edit after which more than this share of the main index is dead or overlaid makes a new one.
LARGEST_OVERLAY = 1 / 4
#: With more fences than this in its overlay a set is worth folding.
WORTH_FOLDING = 1_000
#: Gaps are rounded to about a millimetre, so that numpy and Python agree on every digit.
PER_METRE = 1024.0


class FenceSet(Places, frozen=True, kw_only=True, eq=False):
    """Fences of one retailer at one version, ready to be matched."""

    version: int
    dwell_us: TimeArray  #: by place
    temporary: bool  #: whether any fence has a begin or an end

    @classmethod
    def build(cls, fences: Iterable[Fence], *, version: int = 0, roll: Roll | None = None) -> "FenceSet":
        """Indexes fences; their external ids must differ. `roll` may know some of them already."""
        roll = Roll() if roll is None else roll
        return cls._of(Columns.of(fences, roll), roll, version)

    @classmethod
    def _of(cls, columns: Columns, roll: Roll, version: int) -> "FenceSet":
        main = Part.build(columns)
        number, dwell_us = main.columns.number, behaved(main.columns.dwell_us)
        place_by_number = np.full(len(roll), -1, np.int32)
        place_by_number[number] = main.places
        return cls(
            version=version,
            roll=roll,
            main=main,
            overlay=_NO_PART,
            alive=None,
            count=len(main),
            number=number,
            dwell_us=dwell_us,
            place_by_number=place_by_number,
            temporary=columns.temporary,
        )

    def edited(self, changed: Iterable[Fence], removed: Iterable[str] = (), *, version: int) -> "FenceSet":
        """The next set: some fences added or replaced, some removed. Shares what it can with this one.

        Ids to remove that are not there are ignored; a changed fence that is disabled is removed.
        """
        latest = {fence.external_id: fence for fence in changed}
        places = {self.place_of_id(external_id) for external_id in (*removed, *latest)} - {-1}
        gone = np.array(sorted(places), np.int64)
        size = len(self.main)
        alive = np.ones(size, bool) if self.alive is None else self.alive.copy()
        alive[gone[gone < size]] = False
        kept = np.ones(len(self.overlay), bool)
        kept[gone[gone >= size] - size] = False
        added = Columns.of(latest.values(), self.roll)
        overlaid = self.overlay.columns.take(kept.nonzero()[0]).joined(added)
        dead = size - int(np.count_nonzero(alive))
        if size <= SMALL or len(overlaid) + dead > LARGEST_OVERLAY * size:
            rest = self.main.columns.take(alive.nonzero()[0])
            return self._of(rest.joined(overlaid), self.roll, version)
        return self._overlaid(Part.build(overlaid), alive if dead else None, size - dead, version)

    def _overlaid(
        self, overlay: Part, alive: npt.NDArray[np.bool_] | None, alive_count: int, version: int
    ) -> "FenceSet":
        main, over, size = self.main.columns, overlay.columns, len(self.main)
        place_by_number = np.full(len(self.roll), -1, np.int32)
        place_by_number[: len(self.place_by_number)] = self.place_by_number
        place_by_number[self.number[size:]] = -1
        if alive is not None:
            place_by_number[main.number[~alive]] = -1
        place_by_number[over.number] = overlay.places + np.int32(size)
        return FenceSet(
            version=version,
            roll=self.roll,
            main=self.main,
            overlay=overlay,
            alive=alive,
            count=alive_count + len(overlay),
            number=np.concatenate([main.number, over.number]),
            dwell_us=np.concatenate([main.dwell_us, over.dwell_us]),
            place_by_number=place_by_number,
            temporary=main.temporary or over.temporary,
        )

    @property
    def worth_folding(self) -> bool:
        """Whether edits have piled up so that `folded` would speed up matching and further edits."""
        return len(self.overlay) > WORTH_FOLDING

    def folded(self) -> "FenceSet":
        """The same set indexed anew; it answers alike, but places differ. May run in a thread."""
        if self.alive is None and not len(self.overlay):
            return self
        rest = self.main.columns
        rest = rest if self.alive is None else rest.take(self.alive.nonzero()[0])
        return self._of(rest.joined(self.overlay.columns), self.roll, self.version)

    def __repr__(self) -> str:
        return f"<FenceSet of {len(self)} fences, version {self.version}>"

    def match(
        self, lat_deg: FloatArray, lon_deg: FloatArray, at_us: TimeArray | None = None
    ) -> tuple[IndexArray, IndexArray]:
        """All pairs (point, place) where the point lies inside the fence or on its boundary, ascending.

        Temporary fences match only points whose time `at_us` is theirs; without times, all.
        """
        lat_deg, lon_deg = (behaved(np.asarray(column, np.float64)) for column in (lat_deg, lon_deg))
        pairs = self.main.match(lat_deg, lon_deg)
        if self.alive is not None:
            pairs = [_where(self.alive[place], point, place) for point, place in pairs]
        if len(self.overlay):
            size = np.int32(len(self.main))
            pairs += [(point, place + size) for point, place in self.overlay.match(lat_deg, lon_deg)]
        if self.temporary and at_us is not None:
            pairs = [_where(self._is_valid(place, at_us[point]), point, place) for point, place in pairs]
        return _merged(pairs)

    def match_one(self, lat_deg: float, lon_deg: float, at_us: int | None = None) -> list[int]:
        """The places of the fences that hold a point, ascending; `match` for one point."""
        times = None if at_us is None else np.array([at_us])
        _, place = self.match(np.array([lat_deg]), np.array([lon_deg]), times)
        found: list[int] = place.tolist()
        return found

    def match_each(self, lat_deg: FloatArray, lon_deg: FloatArray) -> list[list[int]]:
        """For each of some points the places of the fences that hold it, ascending."""
        found: list[list[int]] = [[] for _ in lat_deg]
        for point, place in zip(*(column.tolist() for column in self.match(lat_deg, lon_deg)), strict=True):
            found[point].append(place)
        return found

    def draw(self, place: IndexArray) -> None:
        """Makes sure that the areas among some fences (-1: gone) are drawn."""
        for part, _, local in self._by_part(place[place >= 0]):
            part.draw(local)

    def probability_inside(
        self,
        lat_deg: FloatArray,
        lon_deg: FloatArray,
        pairs: Pairs,
        sigma_m: FloatArray,
    ) -> FloatArray:
        """P(inside) for pairs of a point and a place that `match` found; sigma is by point."""
        point, place = pairs
        if not len(self.overlay):
            return self.main.probability((lat_deg, lon_deg), point, place, sigma_m)
        found = np.empty(len(place))
        for part, at, local in self._by_part(place):
            found[at] = part.probability((lat_deg, lon_deg), point[at], local, sigma_m)
        return found

    def probability_one(self, lat_deg: float, lon_deg: float, place: int, sigma_m: float) -> float:
        """The same for one pair, to the last bit."""
        pair = np.zeros(1, np.int32), np.array([place], np.int32)
        self.draw(pair[1])
        found = self.probability_inside(np.array([lat_deg]), np.array([lon_deg]), pair, np.array([sigma_m]))
        return float(found[0])

    def boundary_gap_m(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> FloatArray:
        """Metres from point i, which lies outside, to the boundary of the fence at place[i].

        Circles are measured along the ellipsoid, areas in the plane that touches it at the point.
        """
        if not len(self.overlay):
            found = self.main.gap_m(lat_deg, lon_deg, place)
        else:
            found = np.empty(len(place))
            for part, at, local in self._by_part(place):
                found[at] = part.gap_m(lat_deg[at], lon_deg[at], local)
        return np.rint(found * PER_METRE) / PER_METRE

    def boundary_gap_one(self, lat_deg: float, lon_deg: float, place: int) -> float:
        """The same for one pair."""
        columns = np.array([lat_deg]), np.array([lon_deg]), np.array([place], np.int32)
        return float(self.boundary_gap_m(*columns)[0])

    def nearest(
        self,
        lat_deg: float,
        lon_deg: float,
        count: int,
        *,
        within_m: float = 5_000.0,
        at_us: int | None = None,
        until_us: int | None = None,
    ) -> tuple[IndexArray, FloatArray]:
        """The fences whose boundaries are nearest to a point, inside or outside of it, nearest first.

        Returns their places and the unsigned distances to their boundaries, `within_m` at most. Where a time
        is given, only fences that are valid then count, or at any time from then `until_us`.
        """
        times = None if at_us is None else [(at_us, at_us if until_us is None else until_us)]
        found = self.nearest_each([lat_deg], [lon_deg], count, within_m=within_m, times_us=times)
        return found.place, found.gap_m

    def nearest_each(
        self,
        lat_deg: list[float],
        lon_deg: list[float],
        count: int,
        *,
        within_m: float = 5_000.0,
        times_us: list[tuple[int, int]] | None = None,
    ) -> Near:
        """The same for each of some points; `times_us` are from when until when, by point."""
        from_us, until_us = (None, None) if times_us is None else np.array(times_us, np.int64).T
        wanted = Wanted(
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            count=count,
            within_m=within_m,
            from_us=from_us,
            until_us=until_us,
        )
        sources = [Source(part=self.main, first=0, alive=self.alive, temporary=self.temporary)]
        if len(self.overlay):
            first = len(self.main)
            sources.append(Source(part=self.overlay, first=first, alive=None, temporary=self.temporary))
        near = nearest(sources, wanted)
        point, gap_m = near.point, near.gap_m
        if ((gap_m[1:] == gap_m[:-1]) & (point[1:] == point[:-1])).any():
            near = near.only(np.array(self._in_order(near)))
        before = near.point.searchsorted(near.point)
        return near.only(np.arange(len(near.point)) - before < count)

    def _in_order(self, near: Near) -> list[int]:
        """By distance and, where that is the same, by external id: so all equal sets answer alike."""
        ids = [self.roll.external_id(number) for number in self.number[near.place].tolist()]
        rows = list(zip(near.point.tolist(), near.gap_m.tolist(), ids, strict=True))
        return sorted(range(len(rows)), key=rows.__getitem__)

    def _is_valid(self, place: IndexArray, at_us: TimeArray) -> npt.NDArray[np.bool_]:
        valid = np.empty(len(place), bool)
        for part, pair, local in self._by_part(place):
            at = at_us[pair]
            valid[pair] = (part.columns.from_us[local] <= at) & (at < part.columns.until_us[local])
        return valid


def _where(keep: npt.NDArray[np.bool_], point: IndexArray, place: IndexArray) -> Pairs:
    return point[keep], place[keep]


def _merged(pairs: list[Pairs]) -> Pairs:
    """Pairs of several lists in one order. No pair comes twice."""
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    key = np.concatenate([point.astype(np.int64) << 32 | place for point, place in pairs])
    key.sort()
    return (key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32)


_NO_PART = Part.build(Columns.of((), Roll()))
