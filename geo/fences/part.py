"""Fences that were indexed together: which of them hold points, how surely, and how far off they are."""

from struct import Struct

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray, IndexArray
from geo.fences.bell import DISC_TABLE
from geo.fences.boxes import Boxes, groups
from geo.fences.columns import Columns
from geo.fences.discs import (
    CARD,
    EAST_PER_DEGREE,
    NORTH_PER_DEGREE,
    Discs,
    Records,
    cards_of_points,
    short_way,
    stretch_one,
    whole_one,
)
from geo.fences.grid import CELL_SHARE, Grid, Mesh
from geo.fences.nearby import Nearby, curve

_CARD = Struct("iifi").unpack_from

Pairs = tuple[IndexArray, IndexArray]  #: points and places


class Points(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Points that are looked up."""

    lat_deg: FloatArray
    lon_deg: FloatArray
    cards: Records


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
    levels: tuple[Level, ...]

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
        )

    def __len__(self) -> int:
        return len(self.columns)

    def match(self, lat_deg: FloatArray, lon_deg: FloatArray) -> list[Pairs]:
        """Pairs of a point and the place of a fence that holds it: ascending lists, one of each level."""
        points = Points(lat_deg=lat_deg, lon_deg=lon_deg, cards=cards_of_points(lat_deg, lon_deg))
        return [self._match(level, points) for level in self.levels]

    def _match(self, level: Level, points: Points) -> Pairs:
        count, card = level.grid.candidates(points.lat_deg, points.lon_deg)
        asked = points.cards.repeat(count)
        asked_whole, card_whole = asked.view(np.int32), card.view(np.int32)
        apart = (asked_whole - card_whole).astype(np.float32)  # all four columns: faster than two
        share = np.square(apart[0::4])
        across = apart[1::4] * asked.view(np.float32)[2::4]
        across *= across
        share += across
        share *= card.view(np.float32)[2::4]
        far = share if level.plain else np.abs(share)
        near = (far <= level.most).nonzero()[0]
        point, place, share = asked_whole[3::4][near], card_whole[3::4][near], share.take(near)
        wrong = [
            i
            for i in (share > level.least).nonzero()[0].tolist()
            if not self._holds_circle(points, int(point[i]), int(place[i]))
        ]
        if level.plain and not wrong:
            return point, place
        inside = np.ones(len(point), bool)
        inside[wrong] = False
        if not level.plain:
            odd = (share <= 0).nonzero()[0]
            at = point[odd]
            inside[odd] = self._hold(points.lat_deg[at], points.lon_deg[at], place[odd])
        return point[inside], place[inside]

    def _holds_circle(self, points: Points, point: int, place: int) -> bool:
        return self.discs.holds(float(points.lat_deg[point]), float(points.lon_deg[point]), place)

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
        found = []
        north, east = whole_one(lat_deg, NORTH_PER_DEGREE), whole_one(lon_deg, EAST_PER_DEGREE)
        stretch = stretch_one(lat_deg)
        for level in self.levels:
            grid = level.grid
            cards = grid.cards_view
            for entry in grid.candidates_of_one(lat_deg, lon_deg):
                card_north, card_east, scale, place = _CARD(cards, entry * CARD.itemsize)
                up, across = north - card_north, short_way(east - card_east) * stretch
                share = (up * up + across * across) * scale
                if abs(share) > level.most:
                    continue
                if 0.0 < share <= level.least or self._holds_one(lat_deg, lon_deg, place):
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
        return DISC_TABLE.probability(*self.discs.share(lat_deg, lon_deg, place), sigma_m)

    def probability_one(self, lat_deg: float, lon_deg: float, place: int, sigma_m: float) -> float:
        """The same for one fix."""
        area = int(self.columns.area[place])
        if area >= 0:
            return self.columns.areas.probability_one(lat_deg, lon_deg, area, sigma_m)
        return DISC_TABLE.probability_one(*self.discs.share_one(lat_deg, lon_deg, place), sigma_m)

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


def _sizes_deg(columns: Columns) -> FloatArray:
    """The longer side of the box around each fence, in degrees of a great circle (at most, near a pole)."""
    sizes = 2 / SHORTEST_MERIDIAN_DEGREE_M * columns.radius_m
    polygon = (columns.area >= 0).nonzero()[0]
    south, west, north, east = columns.areas.bounds[columns.area[polygon]].T
    nearest = np.where((south <= 0) & (north >= 0), 0.0, np.minimum(np.abs(south), np.abs(north)))
    sizes[polygon] = np.maximum(north - south, (east - west) * np.cos(np.radians(nearest)))
    return sizes


def _level(mesh: Mesh, columns: Columns, discs: Discs, places: slice) -> Level:
    """Indexes some fences that lie one after the other."""
    lat_deg, lon_deg, radius_m = columns.lat_deg[places], columns.lon_deg[places], columns.radius_m[places]
    boxes = Boxes.of_circles(lat_deg, lon_deg, radius_m)
    area = columns.area[places]
    polygon = area >= 0
    if polygon.any():
        boxes = boxes.replaced(polygon, columns.areas.bounds[area[polygon]])
    tolerance = discs.tolerance(places)
    return Level(
        grid=Grid.build(mesh, boxes, discs.cards(places)),
        nearby=Nearby.build(mesh, *mesh.cell(lat_deg, lon_deg), places.start, float(radius_m.max())),
        most=1 + tolerance,
        least=1 - tolerance,
        plain=bool((discs.plane[places, 0] > 0).all()),
    )
