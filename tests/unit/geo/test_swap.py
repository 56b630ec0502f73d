"""Fences that are published while devices move: each batch is judged by one set, and by the newest."""

import threading

import msgspec
import numpy as np
import pytest

from geo import engine
from geo.engine import FixBatch, Fleet, sense
from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.transition import Rules
from tests.unit.geo.walks import LAT, LON, METRES_PER_DEGREE

MODES = pytest.mark.parametrize("rules", [Rules(mode="exact"), Rules()], ids=["exact", "accurate"])


def circle(name: str, north_m: float, radius_m: float = 60.0, store: str = "s") -> Fence:
    """A circle on the line through the centre."""
    shape = Circle(lat_deg=LAT + north_m / METRES_PER_DEGREE, lon_deg=LON, radius_m=radius_m)
    return Fence(external_id=name, store=store, shape=shape, dwell_s=20.0)


#: So many that edits lie beside them in an overlay.
ELSEWHERE = [circle(f"elsewhere {nth}", 5_000.0 + 100.0 * nth) for nth in range(1_100)]


@MODES
@pytest.mark.parametrize("few", [0, 1000], ids=["rounds", "walks"])
def test_edited_sets_are_those_built_from_nothing_whatever_devices_do_meanwhile(
    rules: Rules, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FEW", few)
    rng = np.random.default_rng(11)
    published: dict[str, Fence] = {fence.external_id: fence for fence in ELSEWHERE}
    edited = FenceSet.build(published.values())
    one, other = Fleet(edited.roll), Fleet(edited.roll)
    slots = [one.add(str(device)) for device in range(16)]
    assert [other.add(str(device)) for device in range(16)] == slots
    heard = 0
    for version in range(1, 40):
        names = [f"shop {nth}" for nth in rng.choice(12, 3, replace=False).tolist()]
        changed = [
            circle(name, *rng.uniform((-300, 20), (300, 90)).tolist(), str(rng.choice(["s", "t"])))
            for name in names[:2]
        ]
        edited = edited.edited(changed, names[2:], version=version)
        published |= {fence.external_id: fence for fence in changed}
        published.pop(names[2], None)
        if version % 13 == 0:
            edited = edited.folded()
        built = FenceSet.build(published.values(), version=version, roll=edited.roll)
        fixes = [
            (
                slot,
                Fix(
                    lat_deg=LAT + float(rng.uniform(-300, 300)) / METRES_PER_DEGREE,
                    lon_deg=LON,
                    fixed_at_us=(version * 30 + int(rng.choice([0, 0, 0, -50]))) * SECOND_US,
                    accuracy_m=8.0,
                ),
            )
            for slot in slots
        ]
        told = sense(one, FixBatch.of(fixes), edited, rules).by_slot()
        assert told == sense(other, FixBatch.of(fixes), built, rules).by_slot()
        heard += sum(map(len, told.values()))
    assert heard > 200
    assert [one.state(slot) for slot in slots] == [other.state(slot) for slot in slots]


class Publisher(threading.Thread):
    """Publishes without a pause: version n has the fences `n left` and `n right` in one place."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.current = FenceSet.build([*ELSEWHERE, *self._fences(0)])
        self.stop = threading.Event()

    def run(self) -> None:
        version = 0
        while not self.stop.is_set():
            version += 1
            gone = [fence.external_id for fence in self._fences(version - 1)]
            self.current = self.current.edited(self._fences(version), gone, version=version)

    def _fences(self, version: int) -> list[Fence]:
        return [circle(f"{version} left", -10), circle(f"{version} right", 10)]


@MODES
@pytest.mark.parametrize("few", [0, 1000], ids=["rounds", "walks"])
def test_a_visit_dwells_by_the_fences_in_use_whatever_they_were_when_it_began(
    rules: Rules, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FEW", few)
    slow = FenceSet.build([msgspec.structs.replace(circle("shop", 0.0), dwell_s=300.0)])
    quick = slow.edited([circle("shop", 0.0)], version=1)
    fleet = Fleet(slow.roll)
    slot = fleet.add("phone")
    heard = []
    for at_s, fences in ((0, slow), (30, quick)):
        fix = Fix(lat_deg=LAT, lon_deg=LON, fixed_at_us=at_s * SECOND_US, accuracy_m=8.0)
        told = sense(fleet, FixBatch.of([(slot, fix)]), fences, rules)
        heard += [(one.kind, one.at_us // SECOND_US) for _, one in told.transitions()]
    assert heard == [("enter", 0), ("dwell", 20)]


@MODES
def test_a_batch_is_never_judged_by_two_sets_while_another_thread_publishes(rules: Rules) -> None:
    publisher = Publisher()
    fleet = Fleet(publisher.current.roll)
    slots = [fleet.add(str(device)) for device in range(40)]
    versions = []
    publisher.start()
    try:
        for second in range(60):
            fences = publisher.current
            here = Fix(lat_deg=LAT, lon_deg=LON, fixed_at_us=second * SECOND_US, accuracy_m=5.0)
            told = sense(fleet, FixBatch.of((slot, here) for slot in slots), fences, rules).by_slot()
            now = {f"{fences.version} left", f"{fences.version} right"}
            for slot in slots:
                entered = {one.geofence for one in told.get(slot, ()) if one.kind == "enter"}
                assert entered == (now if fences.version not in versions else set())
                assert {visit.geofence for visit in fleet.present(slot)} == now
            versions.append(fences.version)
    finally:
        publisher.stop.set()
        publisher.join()
    assert versions == sorted(versions)
    assert len(set(versions)) > 10
