"""How shoppers are divided: the same for ever, evenly, and each part splits in two."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.parts import SLOTS, Part, is_number_of_parts, part_of, slot_of

NAMES = st.text(max_size=40)
POWERS = [1 << exponent for exponent in range(SLOTS.bit_length())]


@pytest.mark.parametrize(
    ("retailer_id", "shopper_id", "slot"),
    [("rtl_a", "shp_1", 774), ("rtl_a", "shp_2", 38), ("rtl_b", "shp_1", 651)],
)
def test_a_shoppers_slot_is_what_it_has_always_been(retailer_id: str, shopper_id: str, slot: int) -> None:
    assert slot_of(retailer_id, shopper_id) == slot


@given(NAMES, NAMES, st.sampled_from(POWERS[:-1]))
def test_doubling_the_parts_splits_each_in_two(retailer_id: str, shopper_id: str, parts: int) -> None:
    before, after = (part_of(retailer_id, shopper_id, count) for count in (parts, 2 * parts))

    assert after in {before, before + parts}


def test_shoppers_are_spread_evenly() -> None:
    spread = Counter(part_of("rtl_a", f"shp_{number}", 16) for number in range(16_000))

    assert len(spread) == 16
    assert max(spread.values()) < 1.15 * min(spread.values())


@given(NAMES, NAMES, st.sampled_from(POWERS))
def test_every_shopper_is_in_one_part(retailer_id: str, shopper_id: str, parts: int) -> None:
    holding = [
        number for number in range(parts) if Part(number=number, of=parts).holds(retailer_id, shopper_id)
    ]

    assert holding == [part_of(retailer_id, shopper_id, parts)]


def test_only_powers_of_two_up_to_the_slots_can_be_split() -> None:
    assert [count for count in range(-1, 2 * SLOTS + 1) if is_number_of_parts(count)] == POWERS
