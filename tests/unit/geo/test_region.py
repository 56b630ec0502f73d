import math
from collections.abc import Sequence

import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import assume, given
from hypothesis import strategies as st

from bench._phones import Phone, circles, compare, mobilitynet, sample
from bench._phones import places as places_of_the_bay
from geo.fence import Area, Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.region import (
    EVERY_FIX,
    HEARTBEAT_S,
    IDLE_HEARTBEAT_S,
    MAX_AFTER_M,
    RIM,
    UNDECIDED_S,
    SafeRegion,
    safe_region,
)
from geo.transition import DeviceState, Rules, Sighting
from tests.support import shared_data
from tests.unit.geo.walks import EXACT, FENCES, LAT, LON, METRES_PER_DEGREE, columns, fixes, step, time_us

NOON_US = time_us("12:00")


def fence(
    external_id: str, shape: Circle | Area, *, from_us: int | None = None, until_us: int | None = None
) -> Fence:
    return Fence(
        external_id=external_id, store="s", shape=shape, valid_from_us=from_us, valid_until_us=until_us
    )


def region_at(lat: float, lon: float, fences: FenceSet = FENCES, at_us: int = NOON_US) -> SafeRegion:
    """For a device that visits what it is in."""
    state = step(DeviceState(), [Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=at_us)], EXACT, fences).state
    return region_after(state, fences)


def region_after(state: DeviceState, fences: FenceSet = FENCES, rules: Rules = EXACT) -> SafeRegion:
    assert state.last is not None
    return safe_region(state.last, state.present, fences, rules)


def north_m(metres: float) -> float:
    """The latitude so far north of the circle's centre."""
    return LAT + metres / METRES_PER_DEGREE


@st.composite
def shapes(draw: st.DrawFn, lat: float, lon: float, reach_deg: float, radius_m: float) -> Circle | Area:
    """Circles, polygons and pairs of polygons around a place."""
    offset = st.floats(-reach_deg, reach_deg)
    there = lat + draw(offset), lon + draw(offset) / math.cos(math.radians(lat))
    size_m = draw(st.floats(10, radius_m))
    if draw(st.booleans()):
        return Circle(lat_deg=there[0], lon_deg=there[1], radius_m=size_m)
    blob = shapely.Point(there[1], there[0]).buffer(size_m / 100_000 + 0.0002, quad_segs=2)
    blob = shapely.affinity.scale(blob, draw(st.floats(0.2, 3.0)), 1.0)
    twin = shapely.affinity.translate(blob, 0.0, 0.021)
    return Area(geometry=shapely.MultiPolygon([blob, twin]) if draw(st.booleans()) else blob)


places = st.tuples(st.floats(-80, 80), st.floats(-179, 179))


@st.composite
def fence_sets(draw: st.DrawFn) -> tuple[float, float, FenceSet]:
    """Fences within some kilometres of a place."""
    lat, lon = draw(places)
    count = draw(st.integers(1, 6))
    return (
        lat,
        lon,
        FenceSet.build(fence(str(i), draw(shapes(lat, lon, 0.03, 2000))) for i in range(count)),
    )


@st.composite
def walks(
    draw: st.DrawFn,
    *,
    longest_s: int = 300,
    accuracies_m: Sequence[float | None] = (None, 4, 12, 30, 80, 1500),
) -> tuple[FenceSet, list[Fix]]:
    """A town of a kilometre or two with fences, some of them temporary, and a phone that walks through it."""
    lat, lon = draw(places)
    times = st.none() | st.integers(0, 3600).map(lambda seconds: NOON_US + seconds * SECOND_US)
    made = []
    for number in range(draw(st.integers(1, 6))):
        shape, from_us, until_us = draw(shapes(lat, lon, 0.008, 300)), draw(times), draw(times)
        if from_us is not None and until_us is not None:
            until_us += from_us - NOON_US + 1
        made.append(fence(str(number), shape, from_us=from_us, until_us=until_us))
    walked, at_us = [], NOON_US
    step_m = draw(st.sampled_from([3.0, 40.0, 300.0]))
    pauses = st.integers(1, 300_000) | st.integers(1, longest_s * 1000)
    for _ in range(draw(st.integers(2, 40))):
        at_us += draw(pauses) * 1000
        accuracy_m = draw(st.sampled_from(accuracies_m))
        walked.append(Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=at_us, accuracy_m=accuracy_m))
        lat += draw(st.floats(-step_m, step_m)) / 111_000
        lon += draw(st.floats(-step_m, step_m)) / 111_000 / math.cos(math.radians(lat))
    return FenceSet.build(made), walked


@given(scene=fence_sets(), azimuth=st.floats(0, 360), share=st.floats(0, 1))
def test_no_fix_within_a_safe_region_is_in_other_fences(
    scene: tuple[float, float, FenceSet], azimuth: float, share: float
) -> None:
    lat, lon, fences = scene
    after_m = region_at(lat, lon, fences).after_m
    assert 0 <= after_m <= MAX_AFTER_M
    assume(after_m > 0)
    end = Geodesic.WGS84.Direct(lat, lon, azimuth, after_m * share)
    here, there = (
        fences.match(*columns([place]))[1].tolist() for place in ((lat, lon), (end["lat2"], end["lon2"]))
    )
    assert here == there


PHONES = pytest.mark.parametrize("watches", [False, True], ids=["plain phone", "watching phone"])


@PHONES
@pytest.mark.parametrize("mode", ["exact", "accurate"])
@given(walk=walks())
def test_a_phone_that_heeds_its_safe_regions_misses_no_transition(
    walk: tuple[FenceSet, list[Fix]], mode: str, watches: bool
) -> None:
    fences, walked = walk
    saved = compare(walked, Phone(watches=watches), fences, Rules(mode=mode))  # type: ignore[arg-type]
    assert saved["differ"] == 0


@PHONES
@given(walk=walks(longest_s=7200, accuracies_m=(None, 4, 12)))
def test_nor_does_one_that_falls_silent_for_hours(walk: tuple[FenceSet, list[Fix]], watches: bool) -> None:
    fences, walked = walk
    assert compare(walked, Phone(watches=watches), fences, Rules())["differ"] == 0


@PHONES
def test_a_recorded_phone_misses_no_transition(watches: bool) -> None:
    shared_data("trajectories", "mobilitynet")
    walked = mobilitynet()["ucb-sdb-android-3"]
    saved = compare(walked, Phone(watches=watches), circles(sample(places_of_the_bay(), 1000)), Rules())
    assert saved["transitions"] > 100
    assert saved["differ"] == 0


def test_a_safe_region_reaches_to_the_nearest_edge() -> None:
    region = region_at(north_m(500), LON)
    assert region.after_m == pytest.approx(450, rel=0.01)
    assert region.after_m < 450
    assert region.within_s == IDLE_HEARTBEAT_S


def test_a_safe_region_inside_a_fence_reaches_to_its_edge_and_ends_sooner() -> None:
    region = region_at(LAT, LON)
    assert region.after_m == pytest.approx(50, rel=0.01)
    assert region.within_s == HEARTBEAT_S


def test_a_visit_is_heard_of_several_times_before_silence_would_end_it() -> None:
    state = step(DeviceState(), fixes("09:00 in 5"), Rules()).state
    hasty = Rules(presence_timeout_s=300)
    assert region_after(state, rules=hasty).within_s == pytest.approx(100)


def test_a_safe_region_far_from_everything_has_an_end() -> None:
    region = region_at(0.0, 0.0)
    assert 4_900 < region.after_m <= MAX_AFTER_M
    assert [watch.geofence for watch in region.watch] == [RIM]


def test_its_rim_is_watched_too_and_comes_first() -> None:
    region = region_at(north_m(500), LON)
    rim, shop = region.watch
    assert (rim.geofence, rim.lat_deg, rim.lon_deg, rim.radius_m) == (
        "",
        north_m(500),
        LON,
        region.after_m,
    )
    assert (shop.geofence, shop.lat_deg, shop.radius_m) == ("shop", LAT, 50.0)


def test_twenty_circles_are_watched_at_most_those_of_the_nearest_fences() -> None:
    many = FenceSet.build(
        fence(str(i), Circle(lat_deg=LAT + i / 1000, lon_deg=LON, radius_m=30)) for i in range(40)
    )
    watch = region_at(LAT - 0.001, LON, many).watch
    assert [one.geofence for one in watch] == [RIM, *(str(i) for i in range(19))]


def test_a_polygon_is_watched_by_a_circle_around_it() -> None:
    box = shapely.box(LON, LAT, LON + 0.001, LAT + 0.001)
    watch = region_at(LAT - 0.01, LON, FenceSet.build([fence("box", Area(geometry=box))])).watch[1]
    for lon, lat in shapely.get_coordinates(box):
        assert Geodesic.WGS84.Inverse(watch.lat_deg, watch.lon_deg, lat, lon)["s12"] <= watch.radius_m


def test_from_within_that_circle_a_polygon_is_watched_by_one_around_the_phone() -> None:
    box = shapely.box(LON, LAT, LON + 0.01, LAT + 0.001)
    fences = FenceSet.build([fence("box", Area(geometry=box))])
    region = region_at(LAT + 0.002, LON + 0.005, fences)
    box_watch = region.watch[1]
    assert (box_watch.lat_deg, box_watch.lon_deg) == (LAT + 0.002, LON + 0.005)
    assert box_watch.radius_m == region.after_m == pytest.approx(111.4, rel=0.01)


def test_a_fix_that_left_open_whether_it_is_inside_asks_for_every_next_one() -> None:
    rules = Rules()
    state = step(DeviceState(), fixes("09:00 in 300"), rules).state
    region = region_after(state, rules=rules)
    assert (region.after_m, region.within_s) == (0.0, UNDECIDED_S)
    assert [watch.geofence for watch in region.watch] == ["shop"]
    state = step(state, fixes("09:01 in 10"), rules).state
    assert region_after(state, rules=rules).after_m > 0.0


def test_so_does_one_that_says_nothing_about_an_open_visit() -> None:
    state = step(DeviceState(), fixes("09:00 in 5, 09:01 in 900"), Rules()).state
    assert [visit.geofence for visit in state.present] == ["shop"]
    assert region_after(state, rules=Rules()).after_m == 0.0


def test_so_does_one_just_outside_a_visited_fence() -> None:
    state = step(DeviceState(), fixes("09:00 in 5, 09:01 52 30"), Rules()).state
    assert [visit.geofence for visit in state.present] == ["shop"]
    assert region_after(state, rules=Rules()).after_m == 0.0


def test_so_does_one_that_is_not_believed() -> None:
    state = step(DeviceState(), fixes("09:00 out 5"), Rules()).state
    assert state.last is not None
    assert safe_region(state.last, state.present, FENCES, Rules(), believed=False).after_m == 0.0


def test_so_does_one_within_a_fence_that_was_published_since() -> None:
    state = step(DeviceState(), fixes("09:00 in 5"), fences=FenceSet.build([])).state
    assert region_after(state, FENCES).after_m == 0.0


HERE = Circle(lat_deg=LAT, lon_deg=LON, radius_m=50)


def test_a_fence_that_begins_around_the_phone_ends_the_region_in_time() -> None:
    sale = FenceSet.build([fence("sale", HERE, from_us=NOON_US + 120 * SECOND_US)])
    assert region_at(LAT, LON, sale).within_s == pytest.approx(120, abs=0.002)
    assert region_at(LAT, LON, sale).within_s < 120


def test_so_does_one_that_ends_around_it() -> None:
    sale = FenceSet.build([fence("sale", HERE, until_us=NOON_US + 120 * SECOND_US)])
    assert region_at(LAT, LON, sale).within_s == pytest.approx(120, abs=0.002)


def test_a_fence_that_begins_elsewhere_bounds_the_way_and_not_the_time() -> None:
    sale = FenceSet.build([fence("sale", HERE, from_us=NOON_US + 120 * SECOND_US)])
    region = region_at(north_m(500), LON, sale)
    assert region.within_s == IDLE_HEARTBEAT_S
    assert region.after_m == pytest.approx(450, rel=0.01)
    assert [watch.geofence for watch in region.watch] == [RIM, "sale"]


@pytest.mark.parametrize("number", [1, 30])
def test_fences_that_are_over_or_begin_too_late_do_not_count(number: int) -> None:
    late_us = NOON_US + round(IDLE_HEARTBEAT_S + 1) * SECOND_US
    sale = fence("later", HERE, from_us=late_us)
    past = [fence(f"over {i}", HERE, until_us=NOON_US) for i in range(number)]
    door = fence("door", Circle(lat_deg=north_m(2000), lon_deg=LON, radius_m=50))
    region = region_at(north_m(500), LON, FenceSet.build([sale, *past, door]))
    assert region.after_m == pytest.approx(1450, rel=0.01)
    assert [watch.geofence for watch in region.watch] == [RIM, "door"]


def test_a_disabled_fence_does_not_count() -> None:
    closed = Fence(external_id="closed", store="s", shape=HERE, enabled=False)
    assert region_at(north_m(500), LON, FenceSet.build([closed])).after_m > 4_900


def test_who_may_be_at_a_door_soon_is_heard_of_on_the_way() -> None:
    far, close = (
        safe_region(Sighting(at_us=0, lat_deg=north_m(m), lon_deg=LON), (), FENCES, EXACT, approach_s=60)
        for m in (500, 160)
    )
    assert far.after_m == pytest.approx(500 - 50 - 120, rel=0.01)
    assert far.watch[1].radius_m == 50 + 120
    assert (close.after_m, close.within_s) == (0.0, UNDECIDED_S)


def test_turned_off_every_fix_is_asked_for() -> None:
    assert (EVERY_FIX.after_m, EVERY_FIX.within_s, EVERY_FIX.watch) == (0.0, 60.0, ())
