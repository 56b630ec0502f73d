"""Fences that were indexed together: which of them hold points, how surely, and how far off they are."""

from struct import Struct

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, IndexArray
from geo.fences.bell import DISC_TABLE
from geo.fences.boxes import Boxes, groups
from geo.fences.columns import Columns
from geo.fences.discs import Discs, tolerance_of
from geo.fences.grid import CELL_SHARE, Grid, Mesh
from geo.fences.nearby import Nearby, curve
from geo.fences.ranges import as_view

_ROW = Struct("4d").unpack_from
_ROW_BYTES = 32

Pairs = tuple[IndexArray, IndexArray]  #: points and places


class Level(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences of similar size, in a grid of their own."""

    grid: Grid
    nearby: Nearby
    most: float  #: further out than this (squared, in radii) no point is inside …
    least: float  #: … and further in than this every point is
    plain: bool  #: all are circles for which the plane is good


class Part(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences by place. Those near one another have near places, level by level."""

    columns: Columns
    places: IndexArray  #: all of them
    discs: Discs
    rows: memoryview  #: of the discs, as bytes
    levels: tuple[Level, ...]

    @classmethod
    def build(cls, columns: Columns) -> "Part":
        """Indexes fences; their order changes."""
        boxes = _boxes(columns)
        sizes = boxes.size_deg
        chosen = groups(sizes)
        meshes = [Mesh.of(CELL_SHARE * float(np.median(sizes[group]))) for group in chosen]
        ordered = []
        for mesh, group in zip(meshes, chosen, strict=True):
            cells = mesh.cell(columns.lat_deg[group], columns.lon_deg[group])
            ordered.append(group[np.argsort(curve(*cells), kind="stable")])
        order = np.concatenate(ordered) if ordered else np.empty(0, np.intp)
        columns, boxes = columns.take(order), boxes.take(order)
        discs = Discs.of(columns.lat_deg, columns.lon_deg, columns.radius_m, columns.area >= 0)
        levels, begin = [], 0
        for mesh, group in zip(meshes, ordered, strict=True):
            levels.append(_level(mesh, boxes, discs, slice(begin, begin + len(group))))
            begin += len(group)
        return cls(
            columns=columns.centred(discs.plane[:, 0], discs.plane[:, 1], discs.globe[:, 3]),
            places=np.arange(len(columns), dtype=np.int32),
            discs=discs,
            rows=as_view(discs.plane.reshape(-1).view(np.uint8)),
            levels=tuple(levels),
        )

    def __len__(self) -> int:
        return len(self.columns)

    def match(self, lat_deg: FloatArray, lon_deg: FloatArray) -> list[Pairs]:
        """Pairs of a point and the place of a fence that holds it: ascending lists, one of each level."""
        return [self._match(level, lat_deg, lon_deg) for level in self.levels]

    def _match(self, level: Level, lat_deg: FloatArray, lon_deg: FloatArray) -> Pairs:
        point, place = level.grid.candidates(lat_deg, lon_deg)
        row = self.discs.plane.take(place, axis=0)
        share = lat_deg.take(point)
        share -= row[:, 0]
        share *= row[:, 2]
        share *= share
        east = lon_deg.take(point)
        east -= row[:, 1]
        east *= row[:, 3]
        east *= east
        share += east
        near = (share <= level.most).nonzero()[0]
        point, place, share = point[near], place[near], share[near]
        wrong = [
            i
            for i in (share > level.least).nonzero()[0].tolist()
            if not self.discs.holds(float(lat_deg[point[i]]), float(lon_deg[point[i]]), int(place[i]))
        ]
        if level.plain and not wrong:
            return point, place
        inside = np.ones(len(point), bool)
        inside[wrong] = False
        if not level.plain:
            odd = (row[:, 2][near] == 0).nonzero()[0]
            inside[odd] = self._hold(lat_deg[point[odd]], lon_deg[point[odd]], place[odd])
        return point[inside], place[inside]

    def _hold(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> npt.NDArray[np.bool_]:
        """For each point whether the fence at place[i] holds it, without the plane's help."""
        area = self.columns.area[place]
        inside = np.zeros(len(place), bool)
        polygon = (area >= 0).nonzero()[0]
        inside[polygon] = self.columns.areas.holds(lat_deg[polygon], lon_deg[polygon], area[polygon])
        for i in (area < 0).nonzero()[0].tolist():
            inside[i] = self.discs.holds(float(lat_deg[i]), float(lon_deg[i]), int(place[i]))
        return inside

    def match_one(self, lat_deg: float, lon_deg: float) -> list[int]:
        """The places of the fences that hold a point."""
        rows, found = self.rows, []
        for level in self.levels:
            for place in level.grid.candidates_of_one(lat_deg, lon_deg):
                lat, lon, a, b = _ROW(rows, place * _ROW_BYTES)
                north, east = (lat_deg - lat) * a, (lon_deg - lon) * b
                share = north * north + east * east
                if share > level.most:
                    continue
                if (share <= level.least and a != 0.0) or self._holds_one(lat_deg, lon_deg, place):
                    found.append(place)
        return found

    def _holds_one(self, lat_deg: float, lon_deg: float, place: int) -> bool:
        area = int(self.columns.area[place])
        if area >= 0:
            return self.columns.areas.holds_one(lat_deg, lon_deg, area)
        return self.discs.holds(lat_deg, lon_deg, place)

    def probability(
        self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray, sigma_m: FloatArray
    ) -> FloatArray:
        """P(inside) for fixes inside fences: fix i lies in that at place[i]."""
        if not self.columns.areas:
            return self._probability_in_circles(lat_deg, lon_deg, place, sigma_m)
        area = self.columns.area[place]
        found = np.empty(len(place))
        at = (area < 0).nonzero()[0]
        found[at] = self._probability_in_circles(lat_deg[at], lon_deg[at], place[at], sigma_m[at])
        at = (area >= 0).nonzero()[0]
        found[at] = self.columns.areas.probability(lat_deg[at], lon_deg[at], area[at], sigma_m[at])
        return found

    def _probability_in_circles(
        self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray, sigma_m: FloatArray
    ) -> FloatArray:
        share = self.discs.share(lat_deg, lon_deg, place)
        return DISC_TABLE.probability(share, self.columns.radius_m[place], sigma_m)

    def probability_one(self, lat_deg: float, lon_deg: float, place: int, sigma_m: float) -> float:
        """The same for one fix."""
        area = int(self.columns.area[place])
        if area >= 0:
            return self.columns.areas.probability_one(lat_deg, lon_deg, area, sigma_m)
        share = self.discs.share_one(lat_deg, lon_deg, place)
        return DISC_TABLE.probability_one(share, float(self.columns.radius_m[place]), sigma_m)

    def gap_m(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> FloatArray:
        """Metres from point i, which lies outside, to the boundary of the fence at place[i]."""
        gap_m = np.maximum(self.discs.off_m(lat_deg, lon_deg, place), 0.0)
        area = self.columns.area[place]
        at = (area >= 0).nonzero()[0]
        if len(at):
            gap_m[at] = self.columns.areas.gap_m(lat_deg[at], lon_deg[at], area[at])
        return gap_m

    def gap_one(self, lat_deg: float, lon_deg: float, place: int) -> float:
        """The same for one point."""
        area = int(self.columns.area[place])
        if area < 0:
            return max(self.discs.off_one(lat_deg, lon_deg, place), 0.0)
        point = np.array([lat_deg]), np.array([lon_deg])
        return float(self.columns.areas.gap_m(*point, np.array([area]))[0])


def _boxes(columns: Columns) -> Boxes:
    boxes = Boxes.of_circles(columns.lat_deg, columns.lon_deg, columns.radius_m)
    polygon = columns.area >= 0
    return boxes.replaced(polygon, columns.areas.bounds[columns.area[polygon]]) if polygon.any() else boxes


def _level(mesh: Mesh, boxes: Boxes, discs: Discs, places: slice) -> Level:
    """Indexes some fences that lie one after the other."""
    lat_deg, lon_deg, radius_m = discs.plane[places, 0], discs.plane[places, 1], discs.globe[places, 3]
    flat = discs.plane[places, 2] != 0
    tolerance = float(tolerance_of(lat_deg, radius_m)[flat].max(initial=0.0))
    return Level(
        grid=Grid.build(mesh, boxes.take(np.arange(places.start, places.stop)), places.start),
        nearby=Nearby.build(mesh, *mesh.cell(lat_deg, lon_deg), places.start, float(radius_m.max())),
        most=1 + tolerance,
        least=1 - tolerance,
        plain=bool(flat.all()),
    )
