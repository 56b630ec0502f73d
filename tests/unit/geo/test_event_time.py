"""Any order of arrival, any repetition, any batches: the same visits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.engine import FixBatch, Fleet, sense
from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.revise import settled
from geo.transition import DeviceState, Rules, Transition
from tests.unit.geo.walks import (
    FENCES,
    LAT,
    LON,
    METRES_PER_DEGREE,
    SHOP,
    fixes,
    sensed,
    step,
    told,
    visits,
    wake,
)

RULES = [Rules(mode="exact"), Rules()]
TWO = FenceSet.build(
    [
        SHOP,
        Fence(
            external_id="mall", store="m", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=120.0), dwell_s=30
        ),
    ]
)

#: Fixes within ten minutes of one another, at different times, anywhere on a line through the centre; some of
#: them so far away, or so still at such a speed, that they are doubted.
moments = st.lists(st.integers(0, 600), unique=True, min_size=1, max_size=12)
places = st.sampled_from([0.0, 49.0, 51.0, 70.0, 119.0, 121.0, 200.0, -130.0, -400.0, 9_000.0, 70_000.0])
accuracies = st.sampled_from([None, 5.0, 20.0, 60.0, 2000.0])
speeds = st.sampled_from([None, None, 0.0, 1.5, 30.0])


@st.composite
def tracks(draw: st.DrawFn) -> list[Fix]:
    return [
        Fix(
            lat_deg=LAT + draw(places) / METRES_PER_DEGREE,
            lon_deg=LON,
            fixed_at_us=moment * SECOND_US,
            accuracy_m=draw(accuracies),
            speed_mps=draw(speeds),
        )
        for moment in draw(moments)
    ]


def play(batches: list[list[Fix]], rules: Rules) -> tuple[DeviceState, list[Transition], list[Transition]]:
    state, heard, taken_back = DeviceState(), [], []
    for batch in batches:
        sensed = step(state, batch, rules, TWO)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(sensed.state), type=DeviceState)
        heard += sensed.transitions
        taken_back += sensed.retracted
    return state, heard, taken_back


def known(batches: list[list[Fix]], rules: Rules) -> tuple[set[tuple[object, ...]], set[str]]:
    state, heard, taken_back = play(batches, rules)
    # Told and taken back may alternate for one identity: count them.
    balance: dict[tuple[object, ...], int] = {}
    for transition in heard:
        balance[transition.identity] = balance.get(transition.identity, 0) + 1
    for transition in taken_back:
        balance[transition.identity] -= 1
    assert set(balance.values()) <= {0, 1}
    return {identity for identity, count in balance.items() if count}, {one.geofence for one in state.present}


@pytest.mark.parametrize("rules", RULES, ids=["exact", "accurate"])
@given(track=tracks(), data=st.data())
def test_any_order_and_repetition_within_the_lateness_ends_in_the_same_visits(
    rules: Rules, track: list[Fix], data: st.DataObject
) -> None:
    in_order = sorted(track, key=lambda fix: fix.fixed_at_us)
    shuffled = data.draw(st.permutations(track + data.draw(st.lists(st.sampled_from(track), max_size=4))))
    cut = data.draw(st.integers(0, len(shuffled)))
    expected = known([[fix] for fix in in_order], rules)
    assert known([in_order], rules) == expected
    assert known([[fix] for fix in shuffled], rules) == expected
    assert known([shuffled[:cut], shuffled[cut:]], rules) == expected


@pytest.mark.parametrize("rules", RULES, ids=["exact", "accurate"])
@given(track=tracks(), data=st.data(), ticks=st.lists(st.integers(0, 1300), max_size=4))
def test_timers_that_fire_between_late_fixes_change_nothing_in_the_end(
    rules: Rules, track: list[Fix], data: st.DataObject, ticks: list[int]
) -> None:
    state, heard, wrong = DeviceState(), [], []
    schedule = data.draw(st.permutations([*track, *ticks]))
    for item in schedule:
        sensed = (
            step(state, [item], rules, TWO)
            if isinstance(item, Fix)
            else wake(state, item * SECOND_US, TWO, rules)
        )
        state = sensed.state
        heard += sensed.transitions
        wrong += sensed.retracted
    last = wake(state, 5000 * SECOND_US, TWO, rules)
    expected_state, expected, _ = play([sorted(track, key=lambda fix: fix.fixed_at_us)], rules)
    expected += wake(expected_state, 5000 * SECOND_US, TWO, rules).transitions
    told_in_the_end = [t.identity for t in [*heard, *last.transitions]]
    for transition in wrong:
        told_in_the_end.remove(transition.identity)
    assert sorted(told_in_the_end) == sorted(transition.identity for transition in expected)


@pytest.mark.parametrize("rules", RULES, ids=["exact", "accurate"])
@given(track=tracks())
def test_there_is_no_exit_without_an_enter_and_no_second_enter_without_an_exit(
    rules: Rules, track: list[Fix]
) -> None:
    _, heard, _ = play([sorted(track, key=lambda fix: fix.fixed_at_us)], rules)
    open_visits: dict[str, int] = {}
    for transition in heard:
        if transition.kind == "enter":
            assert transition.geofence not in open_visits
            open_visits[transition.geofence] = transition.entered_at_us
        elif transition.kind != "pass_by":
            assert open_visits[transition.geofence] == transition.entered_at_us
            if transition.kind == "exit":
                del open_visits[transition.geofence]


@given(tracks_of_devices=st.lists(tracks(), max_size=4), data=st.data())
def test_devices_do_not_touch_one_another(tracks_of_devices: list[list[Fix]], data: st.DataObject) -> None:
    rules = Rules()
    pairs = [(device, fix) for device, track in enumerate(tracks_of_devices) for fix in track]
    mixed = data.draw(st.permutations(pairs))
    fleet = Fleet(TWO.roll)
    slots = [fleet.add(str(device)) for device in range(len(tracks_of_devices))]
    together = sense(fleet, FixBatch.of((slots[device], fix) for device, fix in mixed), TWO, rules)
    for device, slot in enumerate(slots):
        alone = step(DeviceState(), [fix for of, fix in mixed if of == device], rules, TWO)
        assert sensed(fleet, slot, together) == alone


def test_a_late_fix_tells_what_was_missed_and_says_that_it_is_late() -> None:
    state = step(DeviceState(), fixes("09:00 out, 09:05 out")).state
    sensed = step(state, fixes("09:02 in"))
    assert told(sensed.transitions) == ["enter 09:02:00", "dwell 09:03:00", "exit 09:05:00"]
    assert [transition.late for transition in sensed.transitions] == [True, True, False]


def test_a_late_fix_takes_back_the_visit_it_splits() -> None:
    state = step(DeviceState(), fixes("09:00 in, 09:05 in")).state
    sensed = step(state, fixes("09:00:30 out"))
    assert told(sensed.retracted) == ["dwell 09:01:00"]
    assert told(sensed.transitions) == ["exit 09:00:30", "enter 09:05:00"]


def test_a_fix_from_before_the_window_changes_nothing() -> None:
    state = step(DeviceState(), fixes("09:00 out, 09:30 out")).state
    sensed = step(state, fixes("09:19:59 in"))
    assert sensed.state == state
    assert sensed.transitions == ()


def test_a_repeated_fix_changes_nothing() -> None:
    state = step(DeviceState(), fixes("09:00 out, 09:05 in")).state
    assert step(state, fixes("09:05 in, 09:00 out")).state == state


def test_the_most_accurate_of_equal_times_wins_in_accurate_mode_whatever_their_order() -> None:
    rules = Rules()
    one = step(DeviceState(), fixes("09:00 in 5, 09:00 out 50"), rules)
    other = step(step(DeviceState(), fixes("09:00 out 50"), rules).state, fixes("09:00 in 5"), rules)
    assert told(one.transitions) == told(other.transitions) == ["enter 09:00:00"]
    assert one.state == other.state


def test_the_window_is_bounded_however_dense_the_fixes() -> None:
    rules = Rules(window_fixes=20)
    state = DeviceState()
    for second in range(0, 100, 10):
        batch = [Fix(lat_deg=LAT, lon_deg=LON, fixed_at_us=(second + i) * SECOND_US) for i in range(10)]
        state = step(state, batch, rules).state
    assert len(settled(state, FENCES, rules).recent) == 20
    assert visits(step(state, fixes("00:00:10 out"), rules).transitions) == set()


def test_a_visit_that_began_before_the_window_ends_rightly_by_a_late_fix() -> None:
    state = step(DeviceState(), fixes("09:00 in, 09:20 in, 09:40 in")).state
    sensed = step(state, fixes("09:35 out"))
    assert told(sensed.transitions) == ["exit 09:35:00", "enter 09:40:00"]
    assert sensed.transitions[0].entered_at_us == fixes("09:00 in")[0].fixed_at_us


def test_a_late_fix_does_not_reopen_a_visit_to_a_fence_that_is_gone() -> None:
    state = step(DeviceState(), fixes("09:00 in, 09:02 in")).state
    gone = FenceSet.build([])
    state = wake(state, fixes("09:03 in")[0].fixed_at_us, gone, RULES[0]).state
    sensed = step(state, fixes("09:01 in"), fences=gone)
    assert sensed.state.present == ()
    assert sensed.transitions == ()
