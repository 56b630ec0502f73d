"""What fixes say for and against a visit in `accurate` mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import SECOND_US, Fix
from geo.transition import DeviceState, Rules
from geo.walk import MOST_SURE
from tests.unit.geo.walks import EXACT, LAT, LON, METRES_PER_DEGREE, fixes, step, walk

ACCURATE = Rules()


@pytest.mark.parametrize("fix", ["150 30", "150", "70 10", "61 5"])
def test_one_clear_fix_outside_exits_at_once(fix: str) -> None:
    assert walk(f"09:00 in 10, 09:00:55 {fix}", ACCURATE) == ["enter 09:00:00", "exit 09:00:55"]


def test_standing_just_outside_for_two_minutes_exits_when_it_began() -> None:
    heard = walk("09:00 in 10, 09:02 60 10, 09:03 60 10, 09:04 60 10", ACCURATE)
    assert heard == ["enter 09:00:00", "dwell 09:01:00", "exit 09:02:00"]
    assert walk("09:00 in 10, 09:02 60 10, 09:03:59 60 10", ACCURATE)[-1] == "dwell 09:01:00"


@pytest.mark.parametrize(
    ("fix", "exits"),
    [("45 10", False), ("45 60", False), ("52 10", True), ("in 2000", True), ("300 2000", True)],
)
def test_only_a_fix_inside_that_knows_where_it_is_ends_the_doubt(fix: str, exits: bool) -> None:
    heard = walk(f"09:00 in 10, 09:02 60 10, 09:03 {fix}, 09:04 60 10", ACCURATE)
    assert heard[2:] == (["exit 09:02:00"] if exits else [])


def test_a_clear_fix_dates_the_exit_to_the_first_one_that_spoke_against_the_visit() -> None:
    assert walk("09:00 in 10, 09:02 60 10, 09:02:30 200 10", ACCURATE)[-1] == "exit 09:02:00"


def test_an_exit_is_never_dated_before_the_dwell() -> None:
    heard = walk("09:00 in 10, 09:00:30 60 10, 09:02:30 60 10", ACCURATE)
    assert heard == ["enter 09:00:00", "dwell 09:01:00", "exit 09:01:00"]


def test_silence_after_a_doubtful_fix_does_not_end_a_visit() -> None:
    assert walk("09:00 in 10, 09:02 60 10", ACCURATE, until="09:29")[-1] == "dwell 09:01:00"


def test_coming_back_in_is_one_visit_while_only_doubtful_fixes_said_otherwise() -> None:
    heard = walk("09:00 in 10, 09:05 60 10, 09:06 in 10, 09:08 60 10, 09:09 in 10", ACCURATE)
    assert heard == ["enter 09:00:00", "dwell 09:01:00"]


def test_no_transition_is_surer_than_19_in_20_but_in_exact_mode() -> None:
    surest = step(DeviceState(), fixes("09:00 in 5, 09:05 out 5"), ACCURATE).transitions
    assert {transition.confidence for transition in surest} == {MOST_SURE}
    exact = step(DeviceState(), fixes("09:00 in 5, 09:05 out 5"), EXACT).transitions
    assert {transition.confidence for transition in exact} == {1.0}


#: Metres north of the centre of a circle of 50 m, and accuracies.
places = st.tuples(
    st.sampled_from([0.0, 20.0, 45.0, 49.0, 51.0, 58.0, 63.0, 80.0, 150.0]),
    st.sampled_from([None, 5.0, 10.0, 65.0]),
)


def fix_at(second: int, north_m: float, accuracy_m: float | None) -> Fix:
    return Fix(
        lat_deg=LAT + north_m / METRES_PER_DEGREE,
        lon_deg=LON,
        fixed_at_us=second * SECOND_US,
        accuracy_m=accuracy_m,
    )


def changes(walked: list[Fix]) -> list[tuple[object, ...]]:
    told = step(DeviceState(), walked, ACCURATE).transitions
    return [transition.identity for transition in told if transition.kind != "pass_by"]


@given(st.lists(st.tuples(places, st.lists(places, max_size=3)), min_size=1, max_size=12))
def test_fixes_that_a_phone_skips_where_it_clearly_is_change_nothing(
    track: list[tuple[tuple[float, float | None], list[tuple[float, float | None]]]],
) -> None:
    """After a fix that says what all before it said, further ones on that side of the boundary may miss."""
    sparse: list[Fix] = []
    full: list[Fix] = []
    for number, ((north_m, accuracy_m), skipped) in enumerate(track):
        fix = fix_at(40 * number, north_m, accuracy_m)
        sparse.append(fix)
        full.append(fix)
        present = step(DeviceState(), full, ACCURATE).state.present
        calm = all(one.supported_at_us == fix.fixed_at_us for one in present) and bool(present) == (
            north_m <= 50
        )
        if calm and number + 1 < len(track):  # after the last one, time passes for one walk alone
            full += [
                fix_at(40 * number + 10 * (place + 1), *one)
                for place, one in enumerate(skipped)
                if (one[0] <= 50) == (north_m <= 50)
            ]
    assert changes(sparse) == changes(full)
