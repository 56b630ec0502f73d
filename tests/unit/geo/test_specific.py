"""The smaller of two fences is the more specific."""

import math

import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence
from geo.index import FenceSet
from geo.specific import area_m2, size_m2


def circle(radius_m: float, lat_deg: float = 60.17, lon_deg: float = 24.94) -> Circle:
    return Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)


def test_a_circles_area_is_a_discs() -> None:
    assert area_m2(circle(100.0)) == pytest.approx(31_415.9, abs=0.1)


@given(st.floats(-85, 85), st.floats(-179, 178), st.floats(0.0005, 0.02), st.floats(0.0005, 0.02))
def test_an_areas_is_that_on_the_ellipsoid(south: float, west: float, height: float, width: float) -> None:
    corners = [(west, south), (west + width, south), (west + width, south + height), (west, south + height)]
    polygon = Geodesic.WGS84.Polygon()
    for lon_deg, lat_deg in corners:
        polygon.AddPoint(lat_deg, lon_deg)

    area = area_m2(Area(geometry=shapely.Polygon(corners)))

    # Its edges are straight in longitude and latitude, the geodesic polygon's are not: a little apart.
    assert area == pytest.approx(abs(polygon.Compute()[2]), rel=1e-3)


def test_a_hole_is_no_part_of_an_area() -> None:
    outer, hole = shapely.box(24.0, 60.0, 24.02, 60.02), shapely.box(24.005, 60.005, 24.015, 60.015)
    rest = area_m2(Area(geometry=outer.difference(hole)))
    assert rest == pytest.approx(area_m2(Area(geometry=outer)) - area_m2(Area(geometry=hole)))


def test_what_is_nested_is_the_smaller() -> None:
    mall = shapely.Point(24.94, 60.17).buffer(0.002)
    for shrunk in (0.1, 0.5, 0.99):
        shop = shapely.affinity.scale(mall, shrunk, shrunk)
        assert mall.contains(shop)
        assert area_m2(Area(geometry=shop)) < area_m2(Area(geometry=mall))


def test_a_fence_that_is_gone_says_nothing() -> None:
    off = Fence(external_id="off", store="s", shape=circle(50.0), enabled=False)
    fences = FenceSet.build([Fence(external_id="on", store="s", shape=circle(50.0)), off])
    assert size_m2("on", fences) == 7854
    assert size_m2("off", fences) == size_m2("unknown", fences) == math.inf
