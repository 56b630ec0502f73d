"""Fences that change, come, go and end: what a timer says without a further fix."""

import pytest

from geo.fence import Circle, Fence
from geo.index import FenceSet
from geo.transition import DeviceState, Rules
from tests.unit.geo.walks import EXACT, FENCES, LAT, LON, SHOP, fixes, step, time_us, told, wake, wake_at_us

ACCURATE = Rules()
FAR = Circle(lat_deg=61.0, lon_deg=LON, radius_m=50.0)
NONE = FenceSet.build([])

both_modes = pytest.mark.parametrize("rules", [EXACT, ACCURATE], ids=["exact", "accurate"])


def fence(shape: Circle = SHOP.shape, **changed: object) -> Fence:  # type: ignore[assignment]
    """The shop's fence, changed."""
    known = {"external_id": "shop", "store": "kamppi", "shape": shape}
    return Fence(**{**known, **changed})  # type: ignore[arg-type]


def seen(walk: str, rules: Rules, fences: FenceSet) -> DeviceState:
    """A device after a walk."""
    return step(DeviceState(), fixes(walk), rules, fences).state


def woken(state: DeviceState, at: str, rules: Rules, *fences: Fence) -> list[str]:
    """What a timer tells once there are these fences."""
    transitions = wake(state, time_us(at), FenceSet.build(fences), rules).transitions
    return [f"{heard} {one.store}" for heard, one in zip(told(transitions), transitions, strict=True)]


@both_modes
def test_a_fence_created_over_a_device_is_entered(rules: Rules) -> None:
    assert woken(seen("09:00 in 5", rules, NONE), "09:05", rules, fence()) == ["enter 09:00:00 kamppi"]


@both_modes
def test_a_fence_moved_over_a_device_is_entered(rules: Rules) -> None:
    state = seen("09:00 in 5", rules, FenceSet.build([fence(FAR)]))
    assert woken(state, "09:05", rules, fence()) == ["enter 09:00:00 kamppi"]


@both_modes
def test_a_fence_moved_away_from_a_device_is_left(rules: Rules) -> None:
    assert woken(seen("09:00 in 5", rules, FENCES), "09:00:30", rules, fence(FAR)) == ["exit 09:00:00 kamppi"]


@both_modes
def test_a_fence_that_is_deleted_is_left_when_that_was_known(rules: Rules) -> None:
    assert woken(seen("09:00 in 5", rules, FENCES), "09:00:30", rules) == ["exit 09:00:30 kamppi"]


@both_modes
def test_a_fence_that_is_disabled_is_left_when_that_was_known(rules: Rules) -> None:
    state = seen("09:00 in 5", rules, FENCES)
    assert woken(state, "09:00:30", rules, fence(enabled=False)) == ["exit 09:00:30 kamppi"]


@both_modes
def test_a_fence_that_goes_to_another_store_is_left_and_entered_anew(rules: Rules) -> None:
    state = seen("09:00 in 5", rules, FENCES)
    assert woken(state, "09:00:30", rules, fence(store="forum")) == [
        "enter 09:00:00 forum",
        "exit 09:00:30 kamppi",
    ]


@both_modes
def test_a_fence_that_is_enabled_again_is_entered_again(rules: Rules) -> None:
    state = seen("09:00 in 5", rules, FENCES)
    state = wake(state, time_us("09:00:30"), FenceSet.build([fence(enabled=False)]), rules).state
    assert [heard.split()[0] for heard in woken(state, "09:00:40", rules, fence())] == ["enter"]


@both_modes
def test_nobody_is_taken_to_be_where_an_old_fix_was(rules: Rules) -> None:
    assert woken(seen("09:00 in 5", rules, NONE), "09:11:01", rules, fence()) == []


@both_modes
def test_a_publication_that_changes_no_fence_there_tells_nothing(rules: Rules) -> None:
    state = seen("09:00 in 5", rules, FENCES)
    renamed = fence(name="another name"), fence(FAR, external_id="far")
    sensed = wake(state, time_us("09:00:30"), FenceSet.build(renamed), rules)
    assert (sensed.transitions, sensed.state) == ((), state)


@both_modes
def test_the_second_timer_after_a_publication_tells_nothing_more(rules: Rules) -> None:
    state = wake(seen("09:00 in 5", rules, NONE), time_us("09:00:10"), FENCES, rules).state
    assert wake(state, time_us("09:00:20"), FENCES, rules).transitions == ()


def test_a_coarse_fix_enters_no_fence_that_is_created_there() -> None:
    town = fence(Circle(lat_deg=LAT, lon_deg=LON, radius_m=9_000.0))
    assert woken(seen("09:00 in 1500", ACCURATE, NONE), "09:05", ACCURATE, town) == []


def test_a_visit_to_a_fence_published_there_dwells_and_ends_like_any_other() -> None:
    state = wake(seen("09:00 in 5", ACCURATE, NONE), time_us("09:00:10"), FENCES, ACCURATE).state
    sensed = step(state, fixes("09:03 in 5, 09:04 out 5"), ACCURATE)
    assert told(sensed.transitions) == ["dwell 09:01:00", "exit 09:04:00"]


SALE = FenceSet.build([fence(valid_from_us=time_us("09:00"), valid_until_us=time_us("09:30"))])


@both_modes
def test_a_temporary_fence_is_entered_in_its_time_alone(rules: Rules) -> None:
    def heard(walk: str) -> list[str]:
        return told(step(DeviceState(), fixes(walk), rules, SALE).transitions)

    assert heard("08:59:59 in 5") == []
    assert heard("09:00 in 5") == ["enter 09:00:00"]
    assert heard("09:29:59 in 5") == ["enter 09:29:59"]
    assert heard("09:30 in 5") == []


@both_modes
def test_a_visit_to_a_temporary_fence_ends_with_its_time(rules: Rules) -> None:
    state = seen("09:20 in 5", rules, SALE)
    assert told(step(state, fixes("09:29 in 5, 09:31 in 5"), rules, SALE).transitions) == [
        "dwell 09:21:00",
        "exit 09:30:00",
    ]


@both_modes
def test_no_fix_is_needed_for_a_temporary_fence_to_end(rules: Rules) -> None:
    state = wake(seen("09:20 in 5", rules, SALE), time_us("09:21"), SALE, rules).state
    assert wake_at_us(state, SALE, rules) == time_us("09:30")
    assert told(wake(state, time_us("09:30"), SALE, rules).transitions) == ["exit 09:30:00"]


@both_modes
def test_what_would_dwell_after_the_end_does_not(rules: Rules) -> None:
    state = seen("09:29:30 in 5", rules, SALE)
    assert told(wake(state, time_us("09:40"), SALE, rules).transitions) == ["exit 09:30:00"]


@both_modes
def test_a_late_fix_moves_the_end_of_a_visit_to_a_temporary_fence(rules: Rules) -> None:
    sensed = step(DeviceState(), fixes("09:25 in 5, 09:31 in 5"), rules, SALE)
    late = step(sensed.state, fixes("09:28 out 5"), rules, SALE)
    assert told(late.transitions) == ["exit 09:28:00"]
    assert told(late.retracted) == ["exit 09:30:00"]
