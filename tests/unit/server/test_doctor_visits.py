"""`server.doctor`: visits from transitions, what is wrong with them, and the measures."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Fence
from geo.fix import SECOND_US
from geo.transition import Kind, Transition
from server.doctor.measures import Measures
from server.doctor.visits import Passages, Spans, passages_of
from server.traces.columns import Trace
from tests.unit.server.doctor_scene import EXACT, Leg, circle, reports, trace_of, walk


def measures(walks: Sequence[Sequence[Leg]], *fences: Fence, accuracy_m: float | None = 10.0) -> Measures:
    """Of the first of the fences, by bare geometry: what is asked here is not how the engine judges."""
    return reports(trace_of(walks, accuracy_m=accuracy_m), *(fences or (circle(),)), rules=EXACT)[
        0
    ].case.measures


def told(trace: Trace, *transitions: tuple[Kind, int, int]) -> Passages:
    """From transitions of the first device: kind, time and time of the enter."""
    made = [
        (
            trace.devices[0],
            Transition(
                kind=kind, geofence="shop", store="s", at_us=at_s * SECOND_US, lat_deg=0.0, lon_deg=0.0,
                entered_at_us=entered_s * SECOND_US,
            ),
        )
        for kind, at_s, entered_s in transitions
    ]  # fmt: skip
    return passages_of(trace, made)["shop"]


STRAIGHT = trace_of([walk((0, -500, 0), (100, 500, 0))])


def test_a_visit_is_an_enter_and_what_follows_it() -> None:
    (visit,) = told(STRAIGHT, ("enter", 40, 40), ("dwell", 50, 40), ("exit", 60, 40)).visits

    assert (visit.lasts_s, visit.dwelled, visit.open) == (20, True, False)
    assert visit.straight_mps == pytest.approx(10)


def test_a_visit_without_an_exit_lasts_until_the_trace_ends() -> None:
    (visit,) = told(STRAIGHT, ("enter", 40, 40)).visits

    assert (visit.lasts_s, visit.open, visit.straight_mps) == (60, True, None)


def test_a_way_lost_in_noise_has_no_speed() -> None:
    trace = trace_of([walk((0, 0, 0), (100, 50, 0))], accuracy_m=30)

    assert told(trace, ("enter", 0, 0), ("exit", 100, 0)).visits[0].straight_mps is None


def test_a_pass_by_marks_its_visit_or_counts_as_a_crossing() -> None:
    passages = told(STRAIGHT, ("enter", 40, 40), ("exit", 60, 40), ("pass_by", 60, 40), ("pass_by", 80, 80))

    assert [visit.passed for visit in passages.visits] == [True]
    assert passages.crossings == 1


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=12, unique=True), st.integers(0, 50), st.integers(0, 9)
)
def test_spans_touch_when_they_share_a_moment(edges: list[int], begin: int, length: int) -> None:
    edges = sorted(edges)[: len(edges) // 2 * 2]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    shared = any(one <= begin + length and begin <= other for one, other in spans)

    assert Spans((7, one, other) for one, other in spans).touch(7, begin, begin + length) == shared
    assert not Spans((8, one, other) for one, other in spans).touch(7, begin, begin + length)


def test_a_short_visit_at_the_edge_is_a_false_enter() -> None:
    found = measures([[(0, 200, 0), (100, 45, 0), (150, 200, 0)]], accuracy_m=40)

    assert (found.visits, found.false_enters, found.wrong) == (1, 1, 1)


def test_a_short_visit_to_the_middle_is_none() -> None:
    found = measures([walk((0, 200, 0), (160, 0, 0), (180, 0, 0), (340, 0, 200))])

    assert (found.visits, found.false_enters, found.wrong) == (1, 0, 0)


def test_who_comes_back_within_minutes_re_enters() -> None:
    out_and_in = walk((0, 0, 0), (100, 0, 0), (150, 0, 80), (200, 0, 0), (400, 0, 0))
    late = walk((0, 0, 0), (100, 0, 0), (150, 0, 80), (700, 0, 80), (750, 0, 0), (900, 0, 0))

    assert measures([out_and_in]).re_enters == 1
    assert measures([late]).re_enters == 0


def test_a_car_drives_by_and_a_walker_does_not() -> None:
    assert measures([walk((0, -500, 0), (100, 500, 0), every_s=2)]).drive_bys == 1
    assert measures([walk((0, -500, 0), (700, 500, 0))]).drive_bys == 0


def test_a_walk_straight_through_that_dwells_dwells_in_passing() -> None:
    found = measures([walk((0, -500, 0), (700, 500, 0))])

    assert (found.dwelled, found.dwells_in_passing) == (1, 1)


def test_a_walk_with_a_stop_dwells_rightly() -> None:
    found = measures([walk((0, -300, 0), (200, 0, 0), (500, 0, 0), (700, 300, 0))])

    assert (found.dwelled, found.dwells_in_passing, found.wrong) == (1, 0, 0)
    assert found.to_dwell_s == 60


def test_a_fence_that_asks_for_no_wait_has_no_dwells_in_passing() -> None:
    found = measures([walk((0, -500, 0), (700, 500, 0))], circle(dwell_s=0.0))

    assert (found.dwelled, found.dwells_in_passing) == (1, 0)


def test_a_stop_that_ends_before_the_dwell_is_cut_short() -> None:
    found = measures([walk((0, -300, 0), (200, 0, 0), (300, 0, 0), (500, 300, 0))], circle(dwell_s=300.0))

    assert (found.dwelled, found.cut_short) == (0, 1)


def test_a_stop_next_to_the_fence_is_a_missed_visit() -> None:
    found = measures([walk((0, 300, 0), (200, 57, 0), (500, 57, 0), (700, 300, 0))])

    assert (found.visits, found.stops, found.missed_visits, found.missed_outside) == (0, 1, 1, 1)


def test_a_stop_further_off_than_fixes_are_accurate_is_none() -> None:
    steps = walk((0, 300, 0), (200, 75, 0), (500, 75, 0), (700, 300, 0))

    assert measures([steps]).stops == 0
    assert measures([steps], accuracy_m=30).stops == 1


def test_a_stop_in_the_neighbours_fence_is_the_neighbours() -> None:
    steps = walk((0, 300, 0), (200, 57, 0), (500, 57, 0), (700, 300, 0))

    assert measures([steps], circle(), circle("next", radius_m=20, at_m=(72, 0))).stops == 0


def test_fixes_near_the_fence_are_counted_with_their_accuracy() -> None:
    found = measures([[(0, 0, 0), (60, 45, 0), (120, 149, 0), (180, 151, 0), (240, 5_000, 0)], [(0, 900, 0)]])

    assert (found.devices, found.fixes) == (1, 3)
    assert (found.accuracy_m, found.accuracy_known, found.unsure) == (10, 1, 0.333)
    assert found.every_s == 60


def test_an_unknown_accuracy_is_not_told_but_the_default() -> None:
    found = measures([[(0, 0, 0), (60, 35, 0)]], accuracy_m=None)

    assert (found.accuracy_m, found.accuracy_p90_m, found.accuracy_known, found.unsure) == (
        None,
        None,
        0,
        0.5,
    )


def test_a_fence_that_nobody_came_to_has_no_medians() -> None:
    found = measures([[(0, 9_000, 0)]])

    assert (found.devices, found.visits, found.visit_s, found.every_s, found.unsure) == (
        0,
        0,
        None,
        None,
        None,
    )


def test_visits_that_one_mode_alone_has_are_counted() -> None:
    coarse = trace_of([[(0, 500, 0), (60, 40, 0), (120, 500, 0), (180, 520, 0)]], accuracy_m=900)
    found = reports(coarse, circle())[0].case.measures

    assert (found.only_exact, found.only_accurate) == (1, 0)


def test_a_temporary_fence_is_judged_by_its_own_time() -> None:
    steps = walk((0, 0, 0), (1_000, 0, 0))
    fence = circle(valid_from_us=400 * SECOND_US, valid_until_us=600 * SECOND_US)
    found = measures([steps], fence)

    assert found.fixes == 20
    assert found.stops == 0, "the stop began before the fence did"


def test_the_share_of_drive_bys_counts_visits_and_crossings() -> None:
    found = measures([walk((0, -500, 0), (100, 500, 0), every_s=2), walk((0, 0, 0), (600, 0, 0))])

    assert (found.visits, found.drive_bys, found.drive_by_share) == (2, 1, 0.5)
    assert np.isclose(found.sound, 1)
