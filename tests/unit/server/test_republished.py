"""Which positions lie in the geofences that a publication changed."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence
from geo.index import FenceSet
from server.republished import points_inside

LAT, LON = 60.17, 24.94
NOW_US = 1_795_000_000_000_000
IDS = ["a", "b", "c", "d", "e"]

near = st.floats(-0.01, 0.01)
circles = st.builds(
    lambda lat, lon, radius_m: Circle(lat_deg=LAT + lat, lon_deg=LON + lon, radius_m=radius_m),
    near,
    near,
    st.floats(30, 600),
)
boxes = st.builds(
    lambda lat, lon, size: Area(
        geometry=shapely.box(LON + lon, LAT + lat, LON + lon + size, LAT + lat + size)
    ),
    near,
    near,
    st.floats(0.001, 0.01),
)


def fence(external_id: str, shape: Circle | Area, *, enabled: bool = True) -> Fence:
    return Fence(external_id=external_id, store="s", shape=shape, enabled=enabled)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(IDS), st.tuples(circles | boxes, st.booleans())),
    st.sets(st.sampled_from([*IDS, "unknown"])),
    st.lists(st.tuples(near, near), max_size=30),
)
def test_those_are_found_who_are_in_one_of_these_fences(
    shapes: dict[str, tuple[Circle | Area, bool]], asked: set[str], places: list[tuple[float, float]]
) -> None:
    fences = [fence(name, shape, enabled=enabled) for name, (shape, enabled) in shapes.items()]
    lat, lon = (np.array([base + place[axis] for place in places]) for axis, base in ((0, LAT), (1, LON)))

    indexed = FenceSet.build(fences)
    found, _ = points_inside(indexed, asked, lat, lon, NOW_US)
    in_any, number = points_inside(indexed, None, lat, lon, NOW_US)

    named = [indexed.roll.external_id(one) in asked for one in number.tolist()]
    assert in_any[named].tolist() == found.tolist()
    wanted = [one for one in fences if one.enabled and one.external_id in asked]
    assert np.unique(found).tolist() == [
        point
        for point in range(len(places))
        if any(one.contains(float(lat[point]), float(lon[point])) for one in wanted)
    ]


@pytest.mark.parametrize(("lat", "lon"), [(-16.8, 180.0), (-16.8, -180.0), (89.9995, 77.0), (-90.0, 0.0)])
def test_the_ends_of_the_earth_are_like_any_other_place(lat: float, lon: float) -> None:
    fences = FenceSet.build([fence("a", Circle(lat_deg=lat, lon_deg=lon, radius_m=500.0))])
    around = np.array([lat, lat - 0.5 if lat > 0 else lat + 0.5]), np.array([-lon, lon])
    assert points_inside(fences, {"a"}, *around, NOW_US)[0].tolist() == [0]


def test_a_fence_that_has_moved_holds_those_where_it_is_now() -> None:
    before = FenceSet.build([fence("a", Circle(lat_deg=LAT, lon_deg=LON, radius_m=100.0))])
    after = before.edited([fence("a", Circle(lat_deg=LAT + 0.01, lon_deg=LON, radius_m=100.0))], version=2)
    here = np.array([LAT, LAT + 0.01]), np.array([LON, LON])
    assert points_inside(before, {"a"}, *here, NOW_US)[0].tolist() == [0]
    assert points_inside(after, {"a"}, *here, NOW_US)[0].tolist() == [1]
    assert points_inside(after.edited([], ["a"], version=3), {"a"}, *here, NOW_US)[0].tolist() == []
