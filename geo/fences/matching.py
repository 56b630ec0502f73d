"""Which fences of a grid hold which points: compiled."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from geo.compiled import compiled, touch
from geo.distance import FloatArray, IndexArray
from geo.fences.cells import BOUNDARY
from geo.fences.discs import EAST_PER_DEGREE, NORTH_PER_DEGREE, stretch
from geo.fences.ground import Ground, holds, off_m, square_at

Longs = npt.NDArray[np.int64]

_HALF, _TURN = 2**31, 2**32 - 1
_OUT, _IN, _ASK = range(3)
#: A point's cards are sent for so many points before they are judged: as long as far memory takes.
_AHEAD = 8


class Lattice(NamedTuple):
    """A level's grid: the arrays and numbers of `Mesh` and `Grid`, and what its cards mean."""

    rows_per_degree: int
    columns_per_degree: FloatArray
    stride: int
    mask: int
    first: IndexArray
    cards: Any  #: `CARD`
    most: float  #: further out than this (squared, in radii) no point is inside …
    least: float  #: … and further in than this every point is


class Room(NamedTuple):
    """Where the answers go: pairs of a point and the place of a fence, ascending, so many as there are."""

    point: IndexArray
    place: IndexArray
    asked: Longs  #: pairs of which only the area's exact geometry can tell, or that is not drawn yet
    begin: IndexArray  #: by point, for `search` itself
    end: IndexArray

    @classmethod
    def of(cls, points: int, pairs: int) -> "Room":
        """For so many."""
        return cls(
            np.empty(pairs, np.int32),
            np.empty(pairs, np.int32),
            np.empty(pairs, np.int64),
            np.empty(points, np.int32),
            np.empty(points, np.int32),
        )


@compiled
def search(
    lattice: Lattice, ground: Ground, lat_deg: FloatArray, lon_deg: FloatArray, room: Room
) -> tuple[int, int]:
    """The fences of a level around many points: how many pairs, and how many of them must be asked.

    -1 where the pairs are more than there is room for.
    """
    # Far pieces of memory are sent for (`touch`) well before they are read.
    for i in range(len(lat_deg)):
        bucket = _bucket(lattice, lat_deg[i], lon_deg[i])
        touch(lattice.first, bucket)
        room.end[i] = bucket
    for i in range(len(lat_deg)):
        bucket = room.end[i]
        room.begin[i], room.end[i] = lattice.first[bucket], lattice.first[bucket + 1]
    count, doubts = _near(lattice, lat_deg, lon_deg, room)
    asks, out = 0, 0
    for doubt in range(doubts):
        pair = room.asked[doubt]
        at, place = room.point[pair], room.place[pair]
        verdict = _verdict(ground, lat_deg[at], lon_deg[at], place)
        if verdict == _OUT:
            room.place[pair] = -1
            out += 1
        elif verdict == _ASK:
            room.asked[asks] = pair - out
            asks += 1
    return (count, asks) if out == 0 else (_closed_up(room, count), asks)


@compiled
def _near(lattice: Lattice, lat_deg: FloatArray, lon_deg: FloatArray, room: Room) -> tuple[int, int]:
    """The fences that may hold points: how many pairs, and how many (`asked`) the plane cannot tell."""
    count, doubts = 0, 0
    for i in range(len(lat_deg)):
        if i + _AHEAD < len(lat_deg):
            touch(lattice.cards, room.begin[i + _AHEAD])
            touch(lattice.cards, room.end[i + _AHEAD] - 1)
        begin, end = room.begin[i], room.end[i]
        if begin == end:
            continue
        if count + end - begin > len(room.point):
            return -1, 0
        north = math.floor(lat_deg[i] * NORTH_PER_DEGREE)
        east = math.floor(lon_deg[i] * EAST_PER_DEGREE)
        stretched = stretch(lat_deg[i])
        for entry in range(begin, end):
            card = lattice.cards[entry]
            up = float(north - card.north)
            across = (((east - card.east + _HALF) & _TURN) - _HALF) * stretched
            share = (up * up + across * across) * card.scale
            if abs(share) <= lattice.most:
                room.point[count], room.place[count] = i, card.place
                if not 0.0 < share <= lattice.least:
                    room.asked[doubts] = count
                    doubts += 1
                count += 1
    return count, doubts


@compiled
def _closed_up(room: Room, count: int) -> int:
    """Takes the pairs out that are none; how many are left."""
    kept = 0
    for pair in range(count):
        room.point[kept], room.place[kept] = room.point[pair], room.place[pair]
        kept += room.place[pair] >= 0
    return kept


@compiled
def _bucket(lattice: Lattice, lat_deg: float, lon_deg: float) -> int:
    """As `Mesh.cell` and `Grid.candidates` have it."""
    row = int((lat_deg + 90.0) * lattice.rows_per_degree)
    degree = int(row / lattice.rows_per_degree)  # of two whole numbers: never rounded up to the next
    column = int((lon_deg + 180.0) * lattice.columns_per_degree[degree])
    return (row * lattice.stride + column) & lattice.mask


@compiled
def _verdict(ground: Ground, lat_deg: float, lon_deg: float, place: int) -> int:
    """Whether a fence holds a point, without the plane's help."""
    area = ground.area[place]
    if area < 0:
        return _IN if off_m(ground, lat_deg, lon_deg, place) <= 0.0 else _OUT
    slot = ground.slot[area]
    if slot < 0:
        return _ASK
    square = square_at(ground, lat_deg, lon_deg, slot)
    if square != BOUNDARY:
        return _IN if square > BOUNDARY else _OUT
    inside = holds(ground, lat_deg, lon_deg, slot)
    return _ASK if inside < 0 else _IN if inside else _OUT
