"""Fences that were indexed together: which of them hold points, how surely, and how far off they are."""

import msgspec
import numpy as np

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray, IndexArray
from geo.fences.boxes import Boxes, groups
from geo.fences.columns import Columns
from geo.fences.discs import CARD, Discs
from geo.fences.grid import CELL_SHARE, Grid, Mesh
from geo.fences.ground import Ground, gaps_m, probabilities
from geo.fences.matching import Lattice, Room, search
from geo.fences.nearby import Nearby, curve

Places = tuple[FloatArray, FloatArray]  #: latitudes and longitudes
Pairs = tuple[IndexArray, IndexArray]  #: points and places


class Level(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences of similar size, in a grid of their own."""

    grid: Grid
    nearby: Nearby
    lattice: Lattice  #: the grid for compiled functions


class Part(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences by place. Those near one another have near places, level by level."""

    columns: Columns
    places: IndexArray  #: all of them
    discs: Discs
    levels: tuple[Level, ...]
    circles: Ground | None  #: where there are no areas

    @classmethod
    def build(cls, columns: Columns) -> "Part":
        """Indexes fences; their order changes."""
        sizes = _sizes_deg(columns)
        chosen = groups(sizes)
        meshes = [Mesh.of(CELL_SHARE * float(np.median(sizes[group]))) for group in chosen]
        ordered = []
        for mesh, group in zip(meshes, chosen, strict=True):
            cells = mesh.cell(columns.lat_deg[group], columns.lon_deg[group])
            ordered.append(group[np.argsort(curve(*cells))])
        order = np.concatenate(ordered) if ordered else np.empty(0, np.intp)
        columns = columns.take(order)
        discs = Discs.of(columns.lat_deg, columns.lon_deg, columns.radius_m, columns.area >= 0)
        levels, begin = [], 0
        for mesh, group in zip(meshes, ordered, strict=True):
            levels.append(_level(mesh, columns, discs, slice(begin, begin + len(group))))
            begin += len(group)
        return cls(
            columns=columns.centred(discs.radius_m),
            places=np.arange(len(columns), dtype=np.int32),
            discs=discs,
            levels=tuple(levels),
            circles=None if columns.areas else _ground(columns, discs),
        )

    def __len__(self) -> int:
        return len(self.columns)

    def match(self, lat_deg: FloatArray, lon_deg: FloatArray) -> list[Pairs]:
        """Pairs of a point and the place of a fence that holds it: ascending lists, one of each level.

        The areas among these are drawn by then.
        """
        ground = self.ground
        return [self._match(level, ground, lat_deg, lon_deg) for level in self.levels]

    def _match(self, level: Level, ground: Ground, lat_deg: FloatArray, lon_deg: FloatArray) -> Pairs:
        size, count, asks = 4 * len(lat_deg) + 16, -1, 0
        while count < 0:
            room = Room.of(len(lat_deg), size)
            count, asks = search(level.lattice, ground, lat_deg, lon_deg, room)
            size *= 4
        point, place = room.point[:count], room.place[:count]
        if not asks:
            return point, place
        asked, areas = room.asked[:asks], self.columns.areas
        at, area = point[asked], self.columns.area[place[asked]]
        if areas.draw(area):
            return self._match(level, self.ground, lat_deg, lon_deg)
        inside = np.ones(count, bool)
        inside[asked] = areas.holds(lat_deg[at], lon_deg[at], area)
        return point[inside], place[inside]

    @property
    def ground(self) -> Ground:
        """What compiled functions ask of these fences: as many areas as are drawn by now."""
        return self.circles if self.circles is not None else _ground(self.columns, self.discs)

    def draw(self, place: IndexArray) -> None:
        """Makes sure that the areas among some fences are drawn, as `ground` wants them."""
        if self.columns.areas:
            area = self.columns.area.take(place)
            self.columns.areas.draw(area[area >= 0])

    def probability(
        self, fixes: Places, point: IndexArray, place: IndexArray, sigma_m: FloatArray
    ) -> FloatArray:
        """P(inside) for fixes inside fences, as matched: the fix at point[i] lies in that at place[i]."""
        found = np.empty(len(place))
        probabilities(self.ground, *fixes, point, place, sigma_m, found)
        return found

    def gap_m(self, lat_deg: FloatArray, lon_deg: FloatArray, place: IndexArray) -> FloatArray:
        """Metres from point i, which lies outside, to the boundary of the fence at place[i]."""
        self.draw(place)
        found = np.empty(len(place))
        gaps_m(self.ground, lat_deg, lon_deg, place, found)
        return found


def _sizes_deg(columns: Columns) -> FloatArray:
    """The longer side of the box around each fence, in degrees of a great circle (at most, near a pole)."""
    sizes = 2 / SHORTEST_MERIDIAN_DEGREE_M * columns.radius_m
    polygon = (columns.area >= 0).nonzero()[0]
    south, west, north, east = columns.areas.bounds[columns.area[polygon]].T
    nearest = np.where((south <= 0) & (north >= 0), 0.0, np.minimum(np.abs(south), np.abs(north)))
    sizes[polygon] = np.maximum(north - south, (east - west) * np.cos(np.radians(nearest)))
    return sizes


def _ground(columns: Columns, discs: Discs) -> Ground:
    slot, cells, outlines = columns.areas.pictures.shown()
    return Ground(
        discs.lat_deg,
        discs.lon_deg,
        discs.plane,
        discs.globe,
        columns.area,
        slot,
        cells.frames,
        cells.squares,
        outlines.middle,
        outlines.first_strip,
        outlines.centres,
        outlines.halves,
        outlines.first_vertex,
        outlines.vertices,
    )


def _level(mesh: Mesh, columns: Columns, discs: Discs, places: slice) -> Level:
    """Indexes some fences that lie one after the other."""
    lat_deg, lon_deg, radius_m = columns.lat_deg[places], columns.lon_deg[places], columns.radius_m[places]
    boxes = Boxes.of_circles(lat_deg, lon_deg, radius_m)
    area = columns.area[places]
    polygon = area >= 0
    if polygon.any():
        boxes = boxes.replaced(polygon, columns.areas.bounds[area[polygon]])
    tolerance = discs.tolerance(places)
    grid = Grid.build(mesh, boxes, discs.cards(places))
    return Level(
        grid=grid,
        nearby=Nearby.build(mesh, *mesh.cell(lat_deg, lon_deg), places.start, float(radius_m.max())),
        lattice=Lattice(
            mesh.rows_per_degree,
            mesh.columns_per_degree,
            grid.stride,
            grid.mask,
            grid.first,
            grid.cards.view(CARD),
            1 + tolerance,
            1 - tolerance,
        ),
    )
