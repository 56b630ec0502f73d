import msgspec
import pytest

from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.revise import settled
from geo.transition import TABLE, DeviceState, Rules, Sign, State
from geo.walk import MOST_SURE
from tests.unit.geo.walks import (
    EXACT,
    FENCES,
    LAT,
    LON,
    SHOP,
    fixes,
    step,
    time_us,
    told,
    wake,
    wake_at_us,
    walk,
)

#: With a time-out that these walks can outlast.
ACCURATE = Rules(presence_timeout_s=1800.0)


def test_a_visit_is_an_enter_a_dwell_and_an_exit() -> None:
    assert walk("09:00 out, 09:02 in, 09:08 in, 09:09 out") == [
        "enter 09:02:00",
        "dwell 09:03:00",
        "exit 09:09:00",
    ]


def test_a_first_fix_inside_enters() -> None:
    assert walk("09:00 in") == ["enter 09:00:00"]


def test_a_short_visit_does_not_dwell() -> None:
    assert walk("09:00 in, 09:00:59 out") == ["enter 09:00:00", "exit 09:00:59"]


def test_a_dwell_that_is_due_at_the_exit_comes_before_it() -> None:
    assert walk("09:00 in, 09:01 out") == ["enter 09:00:00", "dwell 09:01:00", "exit 09:01:00"]


def test_a_dwell_needs_no_further_fix() -> None:
    assert walk("09:00 in", until="09:01") == ["enter 09:00:00", "dwell 09:01:00"]


def test_a_dwell_is_not_told_before_it_is_due() -> None:
    assert walk("09:00 in", until="09:00:59") == ["enter 09:00:00"]


def test_a_dwell_is_told_once() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    state = wake(state, time_us("09:01"), FENCES, EXACT).state
    assert wake(state, time_us("09:02"), FENCES, EXACT).transitions == ()
    assert step(state, fixes("09:03 in")).transitions == ()


def test_no_dwell_time_means_a_dwell_at_the_enter() -> None:
    at_once = FenceSet.build([Fence(external_id="door", store="kamppi", shape=SHOP.shape, dwell_s=0.0)])
    assert walk("09:00 in, 09:05 out", fences=at_once) == [
        "enter 09:00:00",
        "dwell 09:00:00",
        "exit 09:05:00",
    ]


def test_the_first_of_equal_times_wins_in_exact_mode() -> None:
    assert walk("09:00 in, 09:00 out, 09:00:30 in") == ["enter 09:00:00"]


def test_a_visit_stays_open_in_exact_mode_however_long_nothing_is_heard() -> None:
    assert walk("09:00 in", until="23:00") == ["enter 09:00:00", "dwell 09:01:00"]


def test_a_visit_ends_in_accurate_mode_when_nothing_is_heard_for_half_an_hour() -> None:
    heard = walk("09:00 in, 09:10 in", ACCURATE, until="09:40")
    assert heard == ["enter 09:00:00", "dwell 09:01:00", "exit 09:10:00"]


def test_a_fix_at_the_moment_of_the_time_out_saves_the_visit() -> None:
    assert walk("09:00 in, 09:30 in", ACCURATE) == ["enter 09:00:00", "dwell 09:01:00"]


def test_a_lost_visit_ends_after_its_dwell() -> None:
    assert walk("09:00 in, 09:31 out", ACCURATE) == ["enter 09:00:00", "dwell 09:01:00", "exit 09:01:00"]


def test_coming_back_after_a_time_out_is_another_visit() -> None:
    heard = walk("09:00 in, 10:00 in", ACCURATE)
    assert heard == ["enter 09:00:00", "dwell 09:01:00", "exit 09:01:00", "enter 10:00:00"]


@pytest.mark.parametrize(
    ("fix", "enters"),
    [
        ("09:00 40 5", True),
        ("09:00 40 10", True),
        ("09:00 40", True),
        ("09:00 25", True),
        ("09:00 49 10", False),
        ("09:00 51 5", False),
        ("09:00 0 30", True),
        ("09:00 0 200", False),
        ("09:00 0 2000", False),
    ],
)
def test_a_fix_enters_when_it_is_probably_inside(fix: str, enters: bool) -> None:
    assert walk(fix, ACCURATE) == (["enter 09:00:00"] if enters else [])


def test_a_fix_of_unknown_accuracy_40_m_from_a_store_enters_its_100_m_circle_at_once() -> None:
    wide = FenceSet.build(
        [Fence(external_id="wide", store="kamppi", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=100.0))]
    )
    assert walk("09:00 40", ACCURATE, fences=wide) == ["enter 09:00:00"]


def test_a_coarse_fix_never_enters_however_large_the_circle() -> None:
    town = Fence(
        external_id="town", store="kamppi", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=10_000.0)
    )
    assert walk("09:00 in 1500", ACCURATE, fences=FenceSet.build([town])) == []


def test_a_jittery_fix_at_the_edge_does_not_exit() -> None:
    assert walk("09:00 in 10, 09:00:10 55 10, 09:00:20 45 10, 09:00:30 56 10", ACCURATE) == ["enter 09:00:00"]
    assert walk("09:00 in, 09:00:10 55, 09:00:20 45, 09:00:30 56", EXACT)[-1] == "exit 09:00:30"


def test_a_coarse_fix_ends_no_visit_it_knows_nothing_about() -> None:
    assert walk("09:00 in 10, 09:00:30 500 2000", ACCURATE) == ["enter 09:00:00"]


def test_coarse_fixes_do_not_keep_a_visit_alive() -> None:
    heard = walk("09:00 in 10, 09:20 in 2000, 09:31 in 2000", ACCURATE)
    assert heard[-1] == "exit 09:01:00"


def test_every_transition_says_how_sure_it_is() -> None:
    sensed = step(DeviceState(), fixes("09:00 45 10, 09:05 100 10"), ACCURATE)
    assert [(t.kind, round(t.confidence, 2)) for t in sensed.transitions] == [
        ("enter", 0.79),
        ("dwell", 0.79),
        ("exit", MOST_SURE),
    ]


def test_transitions_carry_the_measured_speed() -> None:
    fix = Fix(lat_deg=LAT, lon_deg=LON, fixed_at_us=0, speed_mps=1.5)
    assert step(DeviceState(), [fix]).transitions[0].speed_mps == 1.5


def test_speed_is_derived_from_an_earlier_fix_when_the_phone_gives_none() -> None:
    sensed = step(DeviceState(), fixes("09:00 500, 09:00:25 0"))
    assert sensed.transitions[0].speed_mps == pytest.approx(20.0, rel=0.01)


def test_no_speed_is_derived_across_a_long_silence() -> None:
    assert step(DeviceState(), fixes("09:00 500, 09:05 0")).transitions[0].speed_mps is None


def test_speed_is_derived_across_ten_seconds_where_fixes_are_dense() -> None:
    sensed = step(DeviceState(), fixes("09:00 80, 09:00:10 64, 09:00:11 62, 09:00:12 45"))
    assert sensed.transitions[0].speed_mps == pytest.approx(35 / 12, rel=0.01)


def test_a_visit_to_a_deleted_fence_ends_at_the_next_fix() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    sensed = step(state, fixes("09:05 in"), fences=FenceSet.build([]))
    assert told(sensed.transitions) == ["exit 09:05:00"]


def test_a_visit_to_a_disabled_fence_ends_at_the_next_timer() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    disabled = FenceSet.build([Fence(external_id="shop", store="kamppi", shape=SHOP.shape, enabled=False)])
    assert wake_at_us(state, disabled, EXACT) == time_us("09:00")
    assert told(wake(state, time_us("09:05"), disabled, EXACT).transitions) == ["exit 09:05:00"]


def test_a_moved_fence_is_left_at_the_next_fix() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    moved = Fence(external_id="shop", store="kamppi", shape=Circle(lat_deg=61.0, lon_deg=LON, radius_m=50.0))
    assert told(step(state, fixes("09:00:30 in"), fences=FenceSet.build([moved])).transitions) == [
        "exit 09:00:30"
    ]


def test_the_next_timer_is_the_dwell_and_then_the_time_out() -> None:
    state = step(DeviceState(), fixes("09:00 in"), ACCURATE).state
    assert wake_at_us(state, FENCES, ACCURATE) == time_us("09:01")
    state = wake(state, time_us("09:01"), FENCES, ACCURATE).state
    assert wake_at_us(state, FENCES, ACCURATE) == time_us("09:30")
    assert wake_at_us(state, FENCES, EXACT) is None


def test_a_device_outside_has_no_timer() -> None:
    assert wake_at_us(step(DeviceState(), fixes("09:00 out")).state, FENCES, ACCURATE) is None


def test_a_timer_that_finds_nothing_due_changes_nothing() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    assert wake(state, time_us("09:00:30"), FENCES, EXACT).state == state


def test_a_fix_measured_before_a_timer_fired_takes_back_what_the_timer_said() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    state = wake(state, time_us("09:01:02"), FENCES, EXACT).state
    sensed = step(state, fixes("09:00:58 out"))
    assert told(sensed.transitions) == ["exit 09:00:58"]
    assert told(sensed.retracted) == ["dwell 09:01:00"]
    assert sensed.state.present == ()


def test_a_fix_newer_than_all_others_is_not_late_because_a_timer_fired() -> None:
    state = step(DeviceState(), fixes("09:00 in")).state
    state = wake(state, time_us("09:01:02"), FENCES, EXACT).state
    assert not step(state, fixes("09:01:01 out")).transitions[0].late


def test_overlapping_fences_are_visited_each_for_itself() -> None:
    mall = Fence(external_id="mall", store="mall", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=200.0))
    sensed = step(DeviceState(), fixes("09:00 100, 09:00:30 in"), fences=FenceSet.build([SHOP, mall]))
    assert [(t.kind, t.geofence) for t in sensed.transitions] == [("enter", "mall"), ("enter", "shop")]


def test_the_table_lets_no_visit_begin_twice_or_end_unbegun() -> None:
    for (state, sign), (following, kind) in TABLE.items():
        if sign is Sign.PASSED:
            assert (state, following, kind) == (State.OUTSIDE, State.OUTSIDE, "pass_by")
            continue
        assert (kind == "enter") == (state is State.OUTSIDE) == (sign is Sign.INSIDE)
        assert (kind == "exit") == (following is State.OUTSIDE)
        assert (kind == "dwell") == (following is State.DWELLED) == (sign is Sign.DWELL_DUE)


def test_a_state_of_a_device_far_from_everything_is_small() -> None:
    state = DeviceState()
    for minute in range(600):
        state = step(state, [Fix(lat_deg=1.0, lon_deg=2.0, fixed_at_us=minute * 60 * SECOND_US)]).state
    assert len(msgspec.msgpack.encode(settled(state, FENCES, EXACT))) < 500
    late = step(DeviceState(), [Fix(lat_deg=1.0, lon_deg=2.0, fixed_at_us=1_800_000_000 * SECOND_US)]).state
    assert len(msgspec.msgpack.encode(late)) < 64
