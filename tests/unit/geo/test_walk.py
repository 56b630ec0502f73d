"""Doubted fixes, and ways through fences, as the engine tells of them."""

from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.transition import DeviceState, Rules, Sensed
from tests.unit.geo.walks import (
    EXACT,
    FENCES,
    LAT,
    LON,
    METRES_PER_DEGREE,
    fixes,
    step,
    time_us,
    told,
    walk,
)

ACCURATE = Rules()
DRIVE_THROUGH = "09:00 -300 5, 09:00:10 in 5, 09:00:20 300 5"
SPARSE = "09:00 -300 5, 09:00:20 300 5"


def drive(text: str, rules: Rules = ACCURATE, fences: FenceSet = FENCES) -> Sensed:
    """What one batch tells of a device never seen."""
    return step(DeviceState(), fixes(text), rules, fences)


def test_a_fix_that_nothing_on_the_ground_gets_to_ends_no_visit() -> None:
    sensed = drive("09:00 in 5, 09:00:10 9000 5, 09:00:20 in 5")
    assert told(sensed.transitions) == ["enter 09:00:00"]
    assert sensed.doubted == ("impossible_jump",)


def test_a_fix_that_nothing_on_the_ground_gets_to_enters_nothing() -> None:
    assert told(drive("09:00 9000 5, 09:00:10 in 5").transitions) == []


def test_a_visit_goes_on_as_if_a_doubted_fix_had_not_been() -> None:
    with_it = drive("09:00 in 5, 09:00:10 9000 5, 09:02 out 5")
    without = drive("09:00 in 5, 09:02 out 5")
    assert [one.identity for one in with_it.transitions] == [one.identity for one in without.transitions]


def test_a_position_that_repeats_at_full_speed_does_not_support_a_visit() -> None:
    still = Fix(
        lat_deg=LAT,
        lon_deg=LON,
        fixed_at_us=time_us("09:00") + 20 * SECOND_US,
        accuracy_m=5.0,
        speed_mps=15.0,
    )
    state = drive("09:00 in 5").state
    sensed = step(state, [still], ACCURATE)
    assert sensed.doubted == ("frozen",)
    assert sensed.state.present == state.present


def test_time_passes_with_a_doubted_fix() -> None:
    assert told(drive("09:00 in 5, 09:02 90000 5").transitions) == ["enter 09:00:00", "dwell 09:01:00"]


def test_the_third_fix_in_a_row_is_believed() -> None:
    sensed = drive("09:00 in 5, 09:00:10 9000 5, 09:00:20 9000 5, 09:00:30 9000 5")
    assert sensed.doubted == ("impossible_jump", "impossible_jump")
    assert "exit 09:00:30" in told(sensed.transitions)


def test_doubts_go_on_from_batch_to_batch() -> None:
    far = "09:00:10 9000 5, 09:00:20 9000 5, 09:00:30 9000 5"
    assert "exit 09:00:30" in walk(f"09:00 in 5, {far}", ACCURATE)


def test_a_late_fix_clears_a_doubt() -> None:
    state = drive("09:00 -9000 5, 09:01 in 5").state
    assert state.doubts == 1
    late = step(state, fixes("09:00:30 500 5, 09:00:40 600 5, 09:00:50 400 5"), ACCURATE)
    assert told(late.transitions) == ["enter 09:01:00"]


def test_everything_is_believed_in_exact_mode() -> None:
    sensed = drive("09:00 in, 09:00:10 9000", EXACT)
    assert (told(sensed.transitions), sensed.doubted) == (["enter 09:00:00", "exit 09:00:10"], ())


def test_a_fence_between_two_sparse_fixes_is_passed_by() -> None:
    (one,) = drive(SPARSE).transitions
    assert (one.kind, one.at_us, one.entered_at_us) == ("pass_by", one.at_us, one.at_us)
    assert abs(one.at_us - time_us("09:00:10")) <= SECOND_US
    assert round(one.speed_mps or 0.0) == 30
    assert abs(one.lat_deg - LAT) * METRES_PER_DEGREE < 1.0


def test_a_fence_that_was_driven_through_is_entered_left_and_passed_by() -> None:
    sensed = drive(DRIVE_THROUGH)
    assert told(sensed.transitions) == ["enter 09:00:10", "exit 09:00:20", "pass_by 09:00:20"]
    assert len({one.entered_at_us for one in sensed.transitions}) == 1


def test_a_fence_that_was_walked_through_is_not_passed_by() -> None:
    assert told(drive("09:00 -60 5, 09:00:40 0 5, 09:01:30 70 5").transitions) == [
        "enter 09:00:40",
        "exit 09:01:30",
    ]


def test_a_fence_where_a_car_stopped_long_enough_is_not_passed_by() -> None:
    heard = told(drive("09:00 -300 5, 09:00:10 in 5, 09:01:20 in 5, 09:01:30 300 5").transitions)
    assert heard == ["enter 09:00:10", "dwell 09:01:10", "exit 09:01:30"]


def test_nothing_is_passed_by_in_exact_mode() -> None:
    assert drive(SPARSE, EXACT).transitions == ()
    assert told(drive(DRIVE_THROUGH, EXACT).transitions) == ["enter 09:00:10", "exit 09:00:20"]


def test_nothing_is_passed_by_on_the_way_to_a_doubted_fix() -> None:
    assert drive("09:00 -300 5, 09:00:10 9000 5").transitions == ()


def test_the_way_leads_from_one_believed_fix_to_the_next() -> None:
    sensed = drive("09:00 -300 5, 09:00:10 9000 5, 09:00:20 300 5")
    assert [one.kind for one in sensed.transitions] == ["pass_by"]
    assert sensed.doubted == ("impossible_jump",)


def test_a_fence_that_is_visited_is_not_passed_by_at_the_same_time() -> None:
    # Contrary fixes on both sides of the fence, not yet for long enough to end the visit.
    wide = Fence(external_id="shop", store="kamppi", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=30.0))
    heard = told(
        drive("09:00 in 5, 09:00:30 50 30, 09:00:45 -50 30", fences=FenceSet.build([wide])).transitions
    )
    assert heard == ["enter 09:00:00"]


def test_a_late_fix_beside_the_fence_takes_a_pass_by_back() -> None:
    state = drive(SPARSE).state
    round_about = Fix(
        lat_deg=LAT,
        lon_deg=LON + 300.0 / METRES_PER_DEGREE * 2,
        fixed_at_us=time_us("09:00:10"),
        accuracy_m=5.0,
    )
    sensed = step(state, [round_about], ACCURATE)
    assert (sensed.transitions, [one.kind for one in sensed.retracted]) == ((), ["pass_by"])


def test_a_late_fix_inside_makes_a_visit_of_a_pass_by() -> None:
    sensed = step(drive(SPARSE).state, fixes("09:00:10 in 5"), ACCURATE)
    assert told(sensed.transitions) == ["enter 09:00:10", "exit 09:00:20", "pass_by 09:00:20"]
    assert [one.kind for one in sensed.retracted] == ["pass_by"]
    assert all(one.late for one in sensed.transitions if one.at_us < time_us("09:00:20"))


def test_a_late_fix_before_and_one_after_make_a_pass_by_known() -> None:
    state = drive("09:05 300 5").state
    sensed = step(state, fixes("09:04:40 -300 5"), ACCURATE)
    assert [(one.kind, one.late) for one in sensed.transitions] == [("pass_by", True)]


def test_a_passing_is_told_once_however_often_it_is_judged_again() -> None:
    state = drive(SPARSE).state
    sensed = step(state, fixes("08:59 -900 5, 08:58 -1500 5"), ACCURATE)
    assert (sensed.transitions, sensed.retracted) == ((), ())


def test_each_fence_on_the_way_is_passed_by_in_turn() -> None:
    row = FenceSet.build(
        [
            Fence(
                external_id=f"shop {north_m}",
                store="kamppi",
                shape=Circle(lat_deg=LAT + north_m / METRES_PER_DEGREE, lon_deg=LON, radius_m=50.0),
            )
            for north_m in (150, -150, 0)
        ]
    )
    heard = drive(SPARSE, fences=row).transitions
    assert [(one.kind, one.geofence) for one in heard] == [
        ("pass_by", "shop -150"),
        ("pass_by", "shop 0"),
        ("pass_by", "shop 150"),
    ]
