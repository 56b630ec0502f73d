"""What a fleet keeps, forgets and clears away changes no device's answers."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import engine
from geo.compact import compact
from geo.engine import FixBatch, Fleet, sense, state_of, wake, wake_at_us
from geo.fix import SECOND_US, Fix
from geo.packed import Packed, pack, unpack
from geo.transition import DeviceState, Rules, Transition
from tests.unit.geo.test_fleet import FENCES, MODES, fixes
from tests.unit.geo.walks import LAT, LON, METRES_PER_DEGREE

NEVER_COMPACTED = 10**9


def at(second: float, north_m: float) -> Fix:
    """An exact fix on the line through the centre."""
    return Fix(
        lat_deg=LAT + north_m / METRES_PER_DEGREE,
        lon_deg=LON,
        fixed_at_us=round(second * SECOND_US),
        accuracy_m=5.0,
    )


def walked(track: list[Fix], rules: Rules) -> tuple[Fleet, int]:
    """A fleet of one device that has sent fixes one by one."""
    fleet = Fleet(FENCES.roll)
    slot = fleet.add("phone")
    for fix in track:
        sense(fleet, FixBatch.of([(slot, fix)]), FENCES, rules)
    return fleet, slot


@pytest.mark.parametrize("rules", MODES, ids=["exact", "accurate", "short"])
@given(track=st.lists(fixes, min_size=1, max_size=30))
def test_a_state_that_is_put_into_a_fleet_comes_out_as_it_was(rules: Rules, track: list[Fix]) -> None:
    state = walked(track, rules)[0].state(0)
    other = Fleet(FENCES.roll)
    other.add("somebody", state)
    slot = other.add("phone", state)
    assert other.state(slot) == state
    other.put(slot, state)
    assert other.state(slot) == state
    assert (other.held, other.open) == (2 * len(state.window), 2 * len(state.present))


@given(track=st.lists(fixes, min_size=1, max_size=30), data=st.data())
def test_a_device_moved_to_another_fleet_as_a_value_goes_on_as_if_it_had_stayed(
    track: list[Fix], data: st.DataObject
) -> None:
    rules = Rules()
    cut = data.draw(st.integers(0, len(track)))
    fleet, slot = walked(track[:cut], rules)
    other = Fleet(FENCES.roll)
    twin = other.add("phone", fleet.state(slot))
    for fix in track[cut:]:
        told = sense(fleet, FixBatch.of([(slot, fix)]), FENCES, rules)
        again = sense(other, FixBatch.of([(twin, fix)]), FENCES, rules)
        assert list(told.transitions()) == list(again.transitions())
        assert list(told.retracted()) == list(again.retracted())
    assert state_of(fleet, slot, FENCES, rules) == state_of(other, twin, FENCES, rules)


def test_a_device_never_seen_is_packed_as_nothing() -> None:
    fleet = Fleet(FENCES.roll)
    slot = fleet.add("phone")
    assert pack(fleet, slot) == Packed()
    other = Fleet(FENCES.roll)
    assert other.state(unpack(other, "phone", Packed())) == DeviceState()


def test_a_device_that_is_removed_and_comes_back_has_never_been_seen() -> None:
    fleet, _ = walked([at(0, 0), at(10, 0)], Rules())
    fleet.remove("phone")
    fleet.remove("phone")
    assert (fleet.find("phone"), len(fleet), fleet.held, fleet.open) == (None, 0, 0, 0)
    slot = fleet.add("phone")
    assert (fleet.state(slot), fleet.newest(slot), fleet.present(slot)) == (DeviceState(), None, ())


def test_a_device_that_takes_a_removed_ones_slot_has_nothing_of_it() -> None:
    fleet, slot = walked([at(0, 0), at(10, 0)], Rules())
    fleet.remove("phone")
    assert fleet.add("other") == slot
    assert list(sense(fleet, FixBatch.of([(slot, at(5, 400))]), FENCES, Rules()).transitions()) == []


def traffic(seed: int) -> Iterator[tuple[str, list[tuple[str, Fix]]]]:
    """Batches of fixes of devices that come, go, are late and are silent; timers and removals in between."""
    rng = np.random.default_rng(seed)
    north_m = np.zeros(40)
    for minute in range(90):
        devices = rng.choice(40, int(rng.integers(1, 30)), replace=False)
        north_m[devices] += rng.normal(0, 60, len(devices))
        north_m *= np.abs(north_m) < 500
        late_s = rng.choice([0, 0, 0, 0, 200, 700], len(devices))
        batch = [
            (str(device), at(60 * minute + 2 * nth - late, north_m[device]))
            for device, late in zip(devices.tolist(), late_s.tolist(), strict=True)
            for nth in range(int(rng.integers(1, 4)))
        ]
        yield "sense", batch
        action = ("wake", "remove", "repack", "nothing")[int(rng.integers(4))]
        yield action, [(str(device), at(60 * minute, 0)) for device in rng.choice(40, 3).tolist()]


class Listener:
    """A fleet under traffic, and all that it tells, by device."""

    def __init__(self, rules: Rules) -> None:
        self.fleet, self.rules = Fleet(FENCES.roll), rules
        self.heard: list[tuple[str, str, Transition]] = []

    def hear(self, action: str, batch: list[tuple[str, Fix]]) -> None:
        """Takes part of the traffic."""
        fleet, rules = self.fleet, self.rules
        slots = {
            fleet.find(name) if fleet.find(name) is not None else fleet.add(name): name for name, _ in batch
        }
        by_name = {name: slot for slot, name in slots.items()}
        if action == "remove":
            for name in by_name:
                fleet.remove(name)
            return
        if action == "repack":
            for name, slot in by_name.items():
                unpack(fleet, name, pack(fleet, slot))
            return
        if action == "wake":
            told = wake(fleet, by_name.values(), batch[0][1].fixed_at_us, FENCES, rules)
        elif action == "sense":
            told = sense(fleet, FixBatch.of((by_name[name], fix) for name, fix in batch), FENCES, rules)
        else:
            return
        heard = [("told", slots[slot], one) for slot, one in told.transitions()]
        heard += [("retracted", slots[slot], one) for slot, one in told.retracted()]
        self.heard += sorted(heard, key=lambda item: (item[1], item[2].at_us, item[2].geofence, item[2].kind))


@pytest.mark.parametrize("few", [0, 1000], ids=["rounds", "walks"])
@pytest.mark.parametrize("rules", MODES, ids=["exact", "accurate", "short"])
def test_clearing_dead_rows_away_changes_nothing_that_is_told(
    rules: Rules, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FEW", few)
    cleared, kept = Listener(rules), Listener(rules)
    for action, batch in traffic(seed=7):
        monkeypatch.setattr("geo.compact.SLACK_LEAST", 0)
        cleared.hear(action, batch)
        monkeypatch.setattr("geo.compact.SLACK_LEAST", NEVER_COMPACTED)
        kept.hear(action, batch)
    assert len(kept.heard) > 100
    assert cleared.heard == kept.heard
    assert cleared.fleet.sightings.used < kept.fleet.sightings.used / 2
    for device in map(str, range(40)):
        one, other = cleared.fleet.find(device), kept.fleet.find(device)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert pack(cleared.fleet, one) == pack(kept.fleet, other)
            assert wake_at_us(cleared.fleet, one, FENCES, rules) == wake_at_us(
                kept.fleet, other, FENCES, rules
            )


def test_what_a_fleet_counts_is_what_its_devices_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FEW", 0)
    listener = Listener(Rules())
    for action, batch in traffic(seed=3):
        listener.hear(action, batch)
        fleet = listener.fleet
        slots = [slot for device in range(40) if (slot := fleet.find(str(device))) is not None]
        assert fleet.held == sum(len(fleet.rows(slot)) for slot in slots)
        assert fleet.open == sum(len(fleet.present(slot)) for slot in slots)


def test_devices_that_are_removed_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.compact.SLACK_LEAST", 0)
    listener = Listener(Rules())
    for action, batch in traffic(seed=5):
        listener.hear(action, batch)
    fleet = listener.fleet
    for device in range(40):
        fleet.remove(str(device))
    fleet.past_kept = 0  # it is cleared when it has doubled since, which what is left here need not have
    compact(fleet)
    tables = fleet.sightings, fleet.pairs, fleet.visits, fleet.past
    assert [len(table) for table in tables] == [0, 0, 0, 0]


@pytest.mark.parametrize("few", [0, 1000], ids=["rounds", "walks"])
def test_a_phone_that_reports_each_second_is_not_remembered_without_end(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FEW", few)
    monkeypatch.setattr("geo.compact.SLACK_LEAST", 0)
    rules = Rules(window_fixes=20)
    fleet = Fleet(FENCES.roll)
    slots = [fleet.add(str(device)) for device in range(20)]
    for second in range(0, 600, 2):
        batch = [(slot, at(second + nth, 0)) for slot in slots for nth in range(2)]
        sense(fleet, FixBatch.of(batch), FENCES, rules)
        assert fleet.held <= len(slots) * (2 * rules.window_fixes + 2)
    assert fleet.sightings.used <= 2 * fleet.held
    assert all(len(fleet.present(slot)) == 4 for slot in slots)
