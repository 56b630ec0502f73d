"""The streets as a graph, and the shortest way along them. Pure.

Ways that share a point are joined there, as in OpenStreetMap. Only the largest connected part is kept, so
that any two corners have a way between them.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from server.demo.plane import Spot, distance_m

#: Longer stretches get corners in between, so that the nearest corner is never far from the nearest street.
STRETCH_MOST_M = 20.0


class Streets(msgspec.Struct, frozen=True, kw_only=True):
    """Corners, and the stretches of street between them; both are numbered alike."""

    corners: tuple[Spot, ...]
    stretches: tuple[tuple[tuple[int, float], ...], ...]  #: per corner: (neighbour, length in metres)
    positions: npt.NDArray[np.float64]  #: the corners again, a row each, for looking among all of them

    @classmethod
    def build(cls, ways: Iterable[Sequence[Spot]]) -> "Streets":
        """The largest connected part of the ways; equal points of different ways are one corner."""
        neighbours = _largest_part(_neighbours(ways))
        numbers = {spot: number for number, spot in enumerate(neighbours)}
        return cls(
            corners=tuple(neighbours),
            stretches=tuple(
                tuple((numbers[other], distance_m(spot, other)) for other in sorted(others))
                for spot, others in neighbours.items()
            ),
            positions=np.array(list(neighbours), dtype=np.float64).reshape(-1, 2),
        )

    def nearest(self, spot: Spot) -> int:
        """The corner nearest to `spot` in a straight line."""
        return int(np.argmin(self._away_m(spot)))

    def within(self, spot: Spot, nearest_m: float, farthest_m: float) -> list[int]:
        """The corners that lie no nearer and no farther, by number."""
        away_m = self._away_m(spot)
        found: list[int] = np.flatnonzero((away_m >= nearest_m) & (away_m <= farthest_m)).tolist()
        return found

    def _away_m(self, spot: Spot) -> npt.NDArray[np.float64]:
        east_m, north_m = self.positions[:, 0] - spot.east_m, self.positions[:, 1] - spot.north_m
        return np.hypot(east_m, north_m)

    def way(self, start: int, goal: int) -> tuple[Spot, ...]:
        """The shortest way between two corners, both included (A*: Hart, Nilsson and Raphael 1968)."""
        target = self.corners[goal]
        came_from: dict[int, int] = {start: start}
        walked_m: dict[int, float] = {start: 0.0}
        settled: set[int] = set()
        waiting = [(distance_m(self.corners[start], target), start)]
        while waiting:
            _, corner = heapq.heappop(waiting)
            if corner == goal:
                return self._back(came_from, goal)
            if corner in settled:
                continue
            settled.add(corner)
            for neighbour, length_m in self.stretches[corner]:
                so_far_m = walked_m[corner] + length_m
                if so_far_m < walked_m.get(neighbour, math.inf):
                    walked_m[neighbour] = so_far_m
                    came_from[neighbour] = corner
                    left_m = distance_m(self.corners[neighbour], target)
                    heapq.heappush(waiting, (so_far_m + left_m, neighbour))
        raise AssertionError("the streets are connected")

    def _back(self, came_from: Mapping[int, int], goal: int) -> tuple[Spot, ...]:
        found = [goal]
        while came_from[found[-1]] != found[-1]:
            found.append(came_from[found[-1]])
        return tuple(self.corners[corner] for corner in reversed(found))


def _neighbours(ways: Iterable[Sequence[Spot]]) -> dict[Spot, set[Spot]]:
    neighbours: dict[Spot, set[Spot]] = defaultdict(set)
    for way in ways:
        fine = _refined(way)
        for start, end in pairwise(fine):
            if start != end:
                neighbours[start].add(end)
                neighbours[end].add(start)
    return neighbours


def _refined(way: Sequence[Spot]) -> list[Spot]:
    """The way with points added wherever two lie further apart than a stretch may be long."""
    fine = [way[0]]
    for start, end in pairwise(way):
        parts = max(1, math.ceil(distance_m(start, end) / STRETCH_MOST_M))
        fine += [between(start, end, part / parts) for part in range(1, parts)]
        fine.append(end)
    return fine


def between(start: Spot, end: Spot, share: float) -> Spot:
    """The spot that lies the `share` of the way from `start` to `end`."""
    return Spot(
        start.east_m + (end.east_m - start.east_m) * share,
        start.north_m + (end.north_m - start.north_m) * share,
    )


def _largest_part(neighbours: Mapping[Spot, set[Spot]]) -> dict[Spot, set[Spot]]:
    left = dict.fromkeys(neighbours)
    largest: list[Spot] = []
    while left:
        part = [left.popitem()[0]]
        for spot in part:
            for other in neighbours[spot]:
                if other in left:
                    del left[other]
                    part.append(other)
        largest = max(largest, part, key=len)
    return {spot: neighbours[spot] for spot in sorted(largest)}
