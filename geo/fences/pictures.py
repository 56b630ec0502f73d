"""Cells and outlines of areas, each drawn when it is asked for first, and kept.

To draw an area takes much longer than to read it in, and most are far from everybody for a long time. All
that is drawn lies in the same few arrays, so that many areas can be looked at together. What a picture tells
does not depend on when it was drawn.
"""

from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray
from geo.fences.cells import Cells
from geo.fences.outlines import Lines, Outlines

_Arrays = TypeVar("_Arrays", Cells, Outlines)


class Pictures:
    """Pictures of areas 0..n-1, as far as they are drawn. Threads may share them."""

    __slots__ = ("_blank", "_drawing", "_room", "cells", "outlines", "slot")

    def __init__(self, slot: IndexArray, cells: Cells, outlines: Outlines) -> None:
        self.slot = slot  #: by area: its place in the other two; -1: not drawn
        self.cells = cells
        self.outlines = outlines
        self._blank = int(np.count_nonzero(slot < 0))
        self._room: dict[tuple[type, str], npt.NDArray[Any]] = {}
        self._drawing = Lock()

    @classmethod
    def blank(cls, count: int) -> "Pictures":
        """None is drawn."""
        bounds = np.empty((0, 4))
        lines = Lines.of(np.empty(0, object), bounds)
        return cls(np.full(count, -1, np.int32), Cells.of(lines, bounds), Outlines.of(lines, bounds))

    def take(self, area: npt.NDArray[np.integer]) -> "Pictures":
        """Those of some areas, in their order."""
        slot, cells, outlines = self.drawn()
        slot = slot[area]
        drawn = slot >= 0
        slots = slot[drawn]
        slot[drawn] = np.arange(len(slots))
        return Pictures(slot, cells.take(slots), outlines.take(slots))

    def joined(self, other: "Pictures") -> "Pictures":
        """These and then the others."""
        slot, cells, outlines = self.drawn()
        more, more_cells, more_outlines = other.drawn()
        more[more >= 0] += len(cells.frames)
        return Pictures(
            np.concatenate([slot, more]), _joined(cells, more_cells), _joined(outlines, more_outlines)
        )

    def drawn(self) -> tuple[IndexArray, Cells, Outlines]:
        """What is drawn by now: `slot`, `cells` and `outlines`, at one moment."""
        with self._drawing:
            return self.slot.copy(), self.cells, self.outlines

    def shown(self) -> tuple[IndexArray, Cells, Outlines]:
        """The same, and `slot` itself: for those who look at once, and at what they know to be drawn."""
        with self._drawing:
            return self.slot, self.cells, self.outlines

    def draw(self, area: IndexArray, geometry: npt.NDArray[Any], bounds: FloatArray) -> bool:
        """Draws those of some areas that are missing, of all areas' geometry; whether there were any."""
        if not self._blank or (self.slot.take(area) >= 0).all():
            return False
        with self._drawing:
            missing = np.unique(area[self.slot[area] < 0])
            if not len(missing):
                return True  # by another thread meanwhile
            begin = len(self.cells.frames)
            shapely.prepare(geometry[missing])
            lines = Lines.of(geometry[missing], bounds[missing])
            self.cells = self._extended(self.cells, Cells.of(lines, bounds[missing]))
            self.outlines = self._extended(self.outlines, Outlines.of(lines, bounds[missing]))
            # Only now may others find them.
            self.slot[missing] = np.arange(begin, begin + len(missing))
            self._blank -= len(missing)
            return True

    def _extended(self, kept: _Arrays, more: _Arrays) -> _Arrays:
        """`_joined`, but nearly always without copying what there is."""
        more = more.after(kept)
        longer: dict[str, Any] = {}
        for name in kept.__struct_fields__:
            head: npt.NDArray[Any] = getattr(kept, name)
            tail: npt.NDArray[Any] = getattr(more, name)
            room, end = self._room.get((type(kept), name)), len(head) + len(tail)
            if room is None or end > len(room):
                room = np.empty((end + end // 2, *head.shape[1:]), head.dtype)
                room[: len(head)] = head
                self._room[type(kept), name] = room
            room[len(head) : end] = tail
            longer[name] = room[:end]
        return type(kept)(**longer)


def _joined(kept: _Arrays, more: _Arrays) -> _Arrays:
    more = more.after(kept)
    columns = {
        name: np.concatenate([getattr(kept, name), getattr(more, name)]) for name in kept.__struct_fields__
    }
    return type(kept)(**columns)
