"""An edited set of fences answers exactly as one that is built from scratch."""

from collections.abc import Mapping
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fence import Circle, Fence
from geo.fences.roll import Roll
from geo.index import WORTH_FOLDING, FenceSet
from tests.unit.geo.shapes import fences_near, latitudes, longitudes, points_near
from tests.unit.geo.walks import columns

IDS = [f"f{number}" for number in range(12)]
Points = list[tuple[float, float]]


def shop(external_id: str, *, lat: float = 60.0, store: str = "s", dwell_s: float = 60.0) -> Fence:
    circle = Circle(lat_deg=lat, lon_deg=24.0, radius_m=50)
    return Fence(external_id=external_id, store=store, shape=circle, dwell_s=dwell_s)


def street(count: int) -> list[Fence]:
    """Shops some 100 m from one another."""
    return [shop(f"f{number}", lat=60.0 + number / 1000) for number in range(count)]


def overlaid() -> "patch[float]":  # type: ignore[type-arg]
    """Has even small sets of fences keep their index when they are edited."""
    return patch.multiple("geo.index", SMALL=0, LARGEST_OVERLAY=100.0)


def told(fences: FenceSet, points: Points, times: list[int]) -> list[object]:
    """All that a set says of itself and of some points, without places, which are a set's own business."""
    lat, lon = columns(points)
    at_us = np.array(times, np.int64)
    point, place = fences.match(lat, lon, at_us)
    sure = fences.probability_inside(lat, lon, (point, place), np.full(len(lat), 20.0))
    inside = sorted(
        (i, fences.roll.external_id(number), p)
        for i, number, p in zip(point.tolist(), fences.number[place].tolist(), sure.tolist(), strict=True)
    )
    near = []
    for (one_lat, one_lon), at in zip(points, times, strict=True):
        found, gap_m = fences.nearest(one_lat, one_lon, 4, within_m=2_000, at_us=at)
        near.append(
            [(fences.roll.external_id(fences.number[i]), gap) for i, gap in zip(found, gap_m, strict=True)]
        )
    return [len(fences), dict(fences.by_id), inside, near]


def check_names(fences: FenceSet, expected: Mapping[str, Fence]) -> None:
    """Places, numbers and ids of a set agree with one another."""
    assert dict(fences.by_id) == expected
    assert {fence.external_id: fence for fence in fences} == expected
    places = fences.places()
    assert fences.place_of_number(fences.number[places]).tolist() == places.tolist()
    for place in places.tolist():
        number = int(fences.number[place])
        fence = fences.fence(place)
        assert fences.roll.name(number) == (fence.external_id, fence.store)
        assert fences.place_of_one(number) == place
        assert fences.dwell_us[place] == round(fence.dwell_s * 1_000_000)
    gone = [number for number in range(len(fences.roll)) if number not in fences.number[places]]
    assert fences.place_of_number(np.array(gone, np.int32)).tolist() == [-1] * len(gone)


@settings(max_examples=50)
@given(data=st.data(), lat=latitudes, lon=longitudes)
def test_after_any_edits_a_set_answers_as_one_that_is_built_anew(
    data: st.DataObject, lat: float, lon: float
) -> None:
    drawn = [data.draw(fences_near(lat, lon, external_id)) for external_id in IDS[:8]]
    points = [*data.draw(points_near([fence.shape for fence in drawn], 6)), (lat, lon)]
    times = [data.draw(st.integers(0, 20)) for _ in points]
    known = {fence.external_id: fence for fence in drawn}
    with overlaid():
        fences = FenceSet.build(known.values())
        for version in range(1, 4):
            before = told(fences, points, times)
            changed = [
                data.draw(fences_near(lat, lon, external_id))
                for external_id in data.draw(st.lists(st.sampled_from(IDS), max_size=4, unique=True))
            ]
            removed = data.draw(st.lists(st.sampled_from(IDS), max_size=2, unique=True))
            edited = fences.edited(changed, removed, version=version)
            assert told(fences, points, times) == before
            known = {external_id: fence for external_id, fence in known.items() if external_id not in removed}
            known |= {fence.external_id: fence for fence in changed}
            fences = edited
            enabled = {external_id: fence for external_id, fence in known.items() if fence.enabled}
            anew = told(FenceSet.build(known.values()), points, times)
            for same in (fences, fences.folded()):
                assert same.version == version
                check_names(same, enabled)
                assert told(same, points, times) == anew


def test_an_edit_shares_the_index_of_the_set_it_starts_from() -> None:
    fences = FenceSet.build(street(2_000))
    edited = fences.edited([shop("f7", dwell_s=5.0)], ["f8"], version=1)
    assert edited.main is fences.main
    assert (len(fences), len(edited), len(edited.overlay)) == (2_000, 1_999, 1)
    assert (fences.by_id["f7"].dwell_s, edited.by_id["f7"].dwell_s) == (60.0, 5.0)
    assert "f8" in fences.by_id
    assert "f8" not in edited.by_id


def test_the_last_of_two_changes_of_a_fence_counts() -> None:
    fences = FenceSet.build([]).edited([shop("a", lat=1.0), shop("a", lat=2.0)], version=1)
    assert [fence.shape.lat_deg for fence in fences if isinstance(fence.shape, Circle)] == [2.0]


def test_what_is_removed_and_changed_at_once_is_there() -> None:
    assert list(FenceSet.build([shop("a")]).edited([shop("a")], ["a", "unknown"], version=1).by_id) == ["a"]


def test_many_edits_are_worth_folding_and_a_folded_set_is_not() -> None:
    fences = FenceSet.build(street(20_000))
    changed = [shop(f"f{number}", dwell_s=1.0) for number in range(WORTH_FOLDING + 1)]
    edited = fences.edited(changed, version=1)
    assert (fences.worth_folding, edited.worth_folding, edited.folded().worth_folding) == (False, True, False)
    assert fences.folded() is fences


def test_an_edit_of_a_large_share_of_a_set_folds_it_at_once() -> None:
    fences = FenceSet.build(street(2_000))
    edited = fences.edited([shop(f"f{number}") for number in range(600)], version=1)
    assert (len(edited), len(edited.overlay)) == (2_000, 0)


def test_sets_that_share_a_roll_give_a_fence_the_same_number() -> None:
    roll = Roll()
    one = FenceSet.build([shop("a"), shop("b")], roll=roll)
    two = one.edited([shop("c")], ["a"], version=1)
    three = FenceSet.build([shop("c"), shop("b")], roll=roll)
    for fences in (two, three):
        assert sorted(fences.number[fences.places()].tolist()) == [1, 2]
    # A set does not know what came after it.
    assert one.place_of_number(np.array([0, 1, 2], np.int32)).tolist()[2] == -1
    assert one.place_of_one(2) == -1


def test_a_fence_that_moves_to_another_store_gets_another_number() -> None:
    roll = Roll()
    first = FenceSet.build([shop("a")], roll=roll)
    moved = first.edited([shop("a", store="t")], version=1)
    back = moved.edited([shop("a")], version=2)
    assert [fences.number[fences.places()].tolist() for fences in (first, moved, back)] == [[0], [1], [0]]
    assert [roll.name(number) for number in range(len(roll))] == [("a", "s"), ("a", "t")]
    assert list(roll.numbers_of("a")) == [0, 1]
    assert list(roll.numbers_of("b")) == []
