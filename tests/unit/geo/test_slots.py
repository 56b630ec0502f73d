"""Slots of ids: a dict in little memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geo.slots import Slots

names = st.integers(0, 40).map(str)


class SlotsAreADict(RuleBasedStateMachine):
    """Any order of adding and removing."""

    def __init__(self) -> None:
        super().__init__()
        self.slots, self.known = Slots(), dict[str, int]()

    @rule(name=names)
    def add(self, name: str) -> None:
        slot = self.slots.add(name)
        assert self.known.setdefault(name, slot) == slot
        assert sorted(self.known.values()) == sorted(set(self.known.values()))

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name in self.known:
            assert self.slots.remove(name) == self.known.pop(name)
        else:
            with pytest.raises(KeyError):
                self.slots.remove(name)

    @rule(name=names)
    def find(self, name: str) -> None:
        assert self.slots.find(name) == self.known.get(name)

    @invariant()
    def they_are_as_many(self) -> None:
        assert len(self.slots) == len(self.known)
        assert self.slots.used <= 41


TestSlotsAreADict = SlotsAreADict.TestCase


def test_slots_are_handed_out_from_0_on() -> None:
    slots = Slots()
    assert [slots.add(name) for name in ("a", "b", "a", "c")] == [0, 1, 0, 2]


def test_a_removed_slot_is_handed_out_again() -> None:
    slots = Slots()
    slots.add("a")
    slots.add("b")
    slots.remove("a")
    assert slots.add("c") == 0
    assert slots.find("a") is None


@given(keep_each=st.integers(2, 9))
def test_all_are_found_after_the_table_was_rebuilt(keep_each: int) -> None:
    slots = Slots()
    known = {str(number): slots.add(str(number)) for number in range(3_000)}
    for number in range(0, 3_000, keep_each):
        slots.remove(str(number))
        del known[str(number)]
    known |= {f"later {number}": slots.add(f"later {number}") for number in range(6_000)}
    assert {name: slots.find(name) for name in known} == known
    assert slots.find("0") is None
    assert len(slots) == len(set(known.values())) == len(known)


def test_coming_and_going_for_long_takes_no_more_room() -> None:
    slots = Slots()
    for number in range(20_000):
        slots.add(str(number))
        slots.remove(str(number))
    assert (len(slots), slots.used) == (0, 1)
