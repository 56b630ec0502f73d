"""The street graph of the demo: everything hangs together, and ways are the shortest."""

import random
from functools import cache
from itertools import pairwise

import pytest

from server.demo.helsinki import PLANE, Town, read_shops, read_town
from server.demo.plane import Spot, distance_m
from server.demo.streets import STRETCH_MOST_M, Streets

#: The shop deepest inside a block; where the data changes, this says so.
SHOP_TO_STREET_MOST_M = 60.0


@cache
def town() -> Town:
    return read_town()


def length_m(way: tuple[Spot, ...]) -> float:
    return sum(distance_m(start, end) for start, end in pairwise(way))


def test_every_shop_lies_near_a_street_one_can_walk() -> None:
    streets = town().footways
    for shop in read_shops():
        spot = PLANE.spot(shop.lat_deg, shop.lon_deg)
        corner = streets.corners[streets.nearest(spot)]
        assert distance_m(spot, corner) < SHOP_TO_STREET_MOST_M, shop.name


def test_every_shop_can_be_reached_from_every_other() -> None:
    streets = town().footways
    rng = random.Random(7)
    shops = read_shops()
    for start, goal in ((rng.choice(shops), rng.choice(shops)) for _ in range(40)):
        way = streets.way(
            streets.nearest(PLANE.spot(start.lat_deg, start.lon_deg)),
            streets.nearest(PLANE.spot(goal.lat_deg, goal.lon_deg)),
        )
        assert all(distance_m(*step) <= STRETCH_MOST_M + 1e-6 for step in pairwise(way))


def test_the_plane_agrees_with_the_ellipsoid_across_the_town() -> None:
    geodesic = pytest.importorskip("geographiclib.geodesic").Geodesic.WGS84
    near, far = (60.1650, 24.9360), (60.1790, 24.9530)
    true_m = geodesic.Inverse(*near, *far)["s12"]
    assert distance_m(PLANE.spot(*near), PLANE.spot(*far)) == pytest.approx(true_m, abs=0.3)


def test_a_place_on_the_plane_is_the_same_place_again() -> None:
    assert PLANE.place(PLANE.spot(60.1683, 24.9402)) == pytest.approx((60.1683, 24.9402), abs=1e-12)


def test_the_shorter_of_two_ways_is_taken() -> None:
    corner = Spot(0.0, 0.0)
    opposite = Spot(10.0, 10.0)
    streets = Streets.build(
        [(corner, Spot(10.0, 0.0), opposite), (corner, Spot(-30.0, 0.0), Spot(-30.0, 10.0), opposite)]
    )
    way = streets.way(streets.nearest(corner), streets.nearest(opposite))
    assert way == (corner, Spot(10.0, 0.0), opposite)


def test_a_way_to_where_one_is_is_that_place() -> None:
    streets = Streets.build([(Spot(0.0, 0.0), Spot(10.0, 0.0))])
    assert streets.way(0, 0) == (streets.corners[0],)


def test_ways_are_as_short_as_an_exhaustive_search_finds_them() -> None:
    rng = random.Random(3)
    grid = [[Spot(x * 10.0 + rng.random(), y * 10.0 + rng.random()) for x in range(6)] for y in range(6)]
    rows = [tuple(row) for row in grid]
    columns = [tuple(row[x] for row in grid) for x in range(6)]
    streets = Streets.build(rows + columns)
    best_m = bellman_ford_m(streets, 0)
    for goal in range(len(streets.corners)):
        assert length_m(streets.way(0, goal)) == pytest.approx(best_m[goal])


def bellman_ford_m(streets: Streets, start: int) -> list[float]:
    best_m = [float("inf")] * len(streets.corners)
    best_m[start] = 0.0
    for _ in streets.corners:
        for corner, stretches in enumerate(streets.stretches):
            for neighbour, stretch_m in stretches:
                best_m[neighbour] = min(best_m[neighbour], best_m[corner] + stretch_m)
    return best_m


def test_a_part_without_connection_is_left_out() -> None:
    streets = Streets.build(
        [(Spot(0.0, 0.0), Spot(5.0, 0.0), Spot(9.0, 0.0)), (Spot(50.0, 0.0), Spot(51.0, 0.0))]
    )
    assert len(streets.corners) == 3


def test_long_stretches_get_corners_in_between() -> None:
    streets = Streets.build([(Spot(0.0, 0.0), Spot(100.0, 0.0))])
    assert len(streets.corners) == 6
