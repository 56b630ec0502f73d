"""`server.ids`."""

import re

import pytest

from offers.ids import derived_id
from server.ids import new_id

FORM = re.compile(r"dev_[0-7][0-9a-hjkmnp-tv-z]{25}")


def test_a_new_id_is_its_prefix_and_128_bits() -> None:
    assert FORM.fullmatch(new_id("dev"))


def test_new_ids_differ() -> None:
    assert len({new_id("dev") for _ in range(1000)}) == 1000


def test_a_derived_id_is_the_same_everywhere_and_for_ever() -> None:
    assert derived_id("dev", "a", 1) == derived_id("dev", "a", 1) == "dev_66e8m39qd0sjfa9dy791yevbcm"
    assert FORM.fullmatch(derived_id("dev"))


@pytest.mark.parametrize("other", [("b", 1), ("a", 2), ("a1",), ("a", "", 1), ("1", "a"), ()])
def test_other_parts_derive_another_id(other: tuple[str | int, ...]) -> None:
    assert derived_id("dev", *other) != derived_id("dev", "a", 1)


def test_another_prefix_derives_another_id() -> None:
    assert derived_id("psh", "a")[4:] != derived_id("dec", "a")[4:]
