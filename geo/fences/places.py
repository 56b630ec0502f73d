"""Where the fences of a set lie, and by which names they are found."""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import IndexArray
from geo.fence import Circle, Fence
from geo.fences.columns import Shown
from geo.fences.part import Part
from geo.fences.roll import Roll


class Places(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences by place, by number and by external id."""

    roll: Roll
    main: Part  #: places 0 to n - 1
    overlay: Part  #: fences that were added or changed since: the places from n on
    alive: npt.NDArray[np.bool_] | None  #: which of `main` were neither changed nor removed; None: all
    count: int  #: of all fences
    number: IndexArray  #: by place
    place_by_number: IndexArray  #: -1: gone or disabled

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Fence]:
        return map(self.fence, self.places().tolist())

    @property
    def by_id(self) -> "ById":
        """The fences by external id."""
        return ById(self)

    def fence(self, place: int) -> Fence:
        """The fence at a place."""
        part, local = self._at(place)
        return part.columns.fence(local, self.roll)

    def circle(self, place: int) -> Circle:
        """The fence at a place, if it is a circle, or a circle around it."""
        part, local = self._at(place)
        return part.columns.circle(local)

    def shown(self, place: IndexArray) -> list[Shown]:
        """The circles of some fences, or those around them, in order."""
        if not len(self.overlay):
            return self.main.columns.shown(place)
        found: list[Shown] = [(0.0, 0.0, 0.0, False)] * len(place)
        for part, at, local in self._by_part(place):
            for one, shown in zip(at.tolist(), part.columns.shown(local), strict=True):
                found[one] = shown
        return found

    def validity_us(self, place: int) -> tuple[int, int]:
        """From when on and before when the fence at a place is valid; see `geo.fences.columns`."""
        part, local = self._at(place)
        return int(part.columns.from_us[local]), int(part.columns.until_us[local])

    def places(self) -> IndexArray:
        """The places of all fences."""
        main = self.main.places if self.alive is None else self.main.places[self.alive]
        return np.concatenate([main, self.overlay.places + np.int32(len(self.main))])

    def place_of_number(self, number: IndexArray) -> IndexArray:
        """The places of fences given by their numbers; -1 for those that are gone or disabled."""
        known = len(self.place_by_number)
        if known == len(self.roll):
            return self.place_by_number[number]
        # Numbers were given out since, for later sets.
        place = np.full(len(number), -1, np.int32)
        old = (number < known).nonzero()[0]
        place[old] = self.place_by_number[number[old]]
        return place

    def place_of_one(self, number: int) -> int:
        """The same for one number."""
        return int(self.place_by_number[number]) if number < len(self.place_by_number) else -1

    def place_of_id(self, external_id: str) -> int:
        """The place of a fence given by its external id; -1 if it is gone or disabled."""
        numbers = self.roll.numbers_of(external_id)
        return max((self.place_of_one(number) for number in numbers), default=-1)

    def _at(self, place: int) -> tuple[Part, int]:
        size = len(self.main)
        return (self.main, place) if place < size else (self.overlay, place - size)

    def _by_part(self, place: IndexArray) -> Iterator[tuple[Part, npt.NDArray[np.intp], IndexArray]]:
        """Which of some places are in which part, and their places there."""
        size = np.int32(len(self.main))
        for part, first, inside in ((self.main, 0, place < size), (self.overlay, size, place >= size)):
            at = inside.nonzero()[0]
            if len(at):
                yield part, at, place[at] - np.int32(first)


class ById(Mapping[str, Fence]):
    """The fences of a set by external id; each is made when it is asked for."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def __getitem__(self, external_id: str) -> Fence:
        place = self._places.place_of_id(external_id)
        if place < 0:
            raise KeyError(external_id)
        return self._places.fence(place)

    def __contains__(self, external_id: object) -> bool:
        return isinstance(external_id, str) and self._places.place_of_id(external_id) >= 0

    def __iter__(self) -> Iterator[str]:
        numbers = self._places.number[self._places.places()].tolist()
        return map(self._places.roll.external_id, numbers)

    def __len__(self) -> int:
        return len(self._places)
