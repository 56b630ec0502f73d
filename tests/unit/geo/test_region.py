import math

import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import assume, given
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence
from geo.index import FenceSet
from geo.region import HEARTBEAT_S, MAX_AFTER_M, safe_region
from geo.transition import DeviceState, Rules
from tests.unit.geo.walks import FENCES, LAT, LON, columns, fixes, step


def fence(external_id: str, shape: Circle | Area) -> Fence:
    return Fence(external_id=external_id, store="s", shape=shape)


@st.composite
def fence_sets(draw: st.DrawFn) -> tuple[float, float, FenceSet]:
    """Fences within some kilometres of a place."""
    lat, lon = draw(st.floats(-80, 80)), draw(st.floats(-179, 179))
    offset = st.floats(-0.03, 0.03)
    fences = []
    for number in range(draw(st.integers(1, 6))):
        there = lat + draw(offset), lon + draw(offset) / math.cos(math.radians(lat))
        if draw(st.booleans()):
            shape: Circle | Area = Circle(
                lat_deg=there[0], lon_deg=there[1], radius_m=draw(st.floats(10, 2000))
            )
        else:
            blob = shapely.Point(there[1], there[0]).buffer(draw(st.floats(0.001, 0.01)), quad_segs=2)
            blob = shapely.affinity.scale(blob, draw(st.floats(0.2, 3.0)), 1.0)
            twin = shapely.affinity.translate(blob, 0.0, 0.021)
            shape = Area(geometry=shapely.MultiPolygon([blob, twin]) if draw(st.booleans()) else blob)
        fences.append(fence(str(number), shape))
    return lat, lon, FenceSet.build(fences)


@given(scene=fence_sets(), azimuth=st.floats(0, 360), share=st.floats(0, 1))
def test_no_fix_within_a_safe_region_is_in_other_fences(
    scene: tuple[float, float, FenceSet], azimuth: float, share: float
) -> None:
    lat, lon, fences = scene
    after_m = safe_region(lat, lon, fences).after_m
    assert 0 <= after_m <= MAX_AFTER_M
    assume(after_m > 0)
    end = Geodesic.WGS84.Direct(lat, lon, azimuth, after_m * share)
    here, there = (
        fences.match(*columns([place]))[1].tolist() for place in ((lat, lon), (end["lat2"], end["lon2"]))
    )
    assert here == there


def test_a_safe_region_reaches_to_the_nearest_edge() -> None:
    north = Geodesic.WGS84.Direct(LAT, LON, 0, 500)
    region = safe_region(north["lat2"], north["lon2"], FENCES)
    assert region.after_m == pytest.approx(450, abs=0.2)
    assert region.within_s == HEARTBEAT_S
    assert [watch.geofence for watch in region.watch] == ["shop"]


def test_a_safe_region_inside_a_fence_reaches_to_its_edge() -> None:
    assert safe_region(LAT, LON, FENCES).after_m == pytest.approx(50, abs=0.05)


def test_a_safe_region_far_from_everything_has_an_end() -> None:
    region = safe_region(0.0, 0.0, FENCES)
    assert 4_900 < region.after_m <= MAX_AFTER_M
    assert region.watch == ()


def test_a_region_watches_at_most_twenty_fences_the_nearest_first() -> None:
    many = FenceSet.build(
        fence(str(i), Circle(lat_deg=LAT + i / 1000, lon_deg=LON, radius_m=30)) for i in range(40)
    )
    watch = safe_region(LAT, LON, many).watch
    assert [one.geofence for one in watch] == [str(i) for i in range(20)]


def test_a_polygon_is_watched_by_a_circle_around_it() -> None:
    box = shapely.box(LON, LAT, LON + 0.001, LAT + 0.001)
    watch = safe_region(LAT, LON, FenceSet.build([fence("box", Area(geometry=box))])).watch[0]
    for lon, lat in shapely.get_coordinates(box):
        assert Geodesic.WGS84.Inverse(watch.lat_deg, watch.lon_deg, lat, lon)["s12"] <= watch.radius_m


def test_a_fix_that_left_open_whether_it_is_inside_asks_for_the_next() -> None:
    rules = Rules()
    state = step(DeviceState(), fixes("09:00 in 300"), rules).state
    assert safe_region(LAT, LON, FENCES, state).after_m == 0.0
    state = step(state, fixes("09:01 in 10"), rules).state
    assert safe_region(LAT, LON, FENCES, state).after_m > 0.0
