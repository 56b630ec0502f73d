"""A retailer's own codes: what can be one, and how a code is told from Vicino's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.codes import Code, foreign_code, foreign_hash
from offers.coupon import code_hash, coupon_code, normalise_code
from offers.offer_body import offer_body, offer_from_body
from offers.problem import BodyRejected
from tests.unit.offers.scene import OFFER, changed


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("SPRING-15", "SPRING-15"),
        ("  spring-15 ", "SPRING-15"),
        ("spring 15", "SPRING15"),
        ("\uff33\uff30\uff32\uff29\uff2e\uff27", "SPRING"),  # full-width letters
        ("x" * 40, "X" * 40),
        ("x" * 41, None),
        ("", None),
        ("   ", None),
        ("früh", None),
        ("a\x00b", None),
        ("x" * 10_000, None),
    ],
)
def test_a_code_is_read_as_somebody_types_it(typed: str, code: str | None) -> None:
    assert foreign_code(typed) == code


@given(st.binary(min_size=32, max_size=32), st.text(min_size=1))
def test_what_may_be_one_of_our_own_is_none_of_the_retailers(secret: bytes, decision: str) -> None:
    own = coupon_code(secret, decision)
    assert normalise_code(own) is not None
    assert foreign_code(own) is None


@given(st.text())
def test_a_code_in_its_form_stays_as_it_is(typed: str) -> None:
    code = foreign_code(typed)
    assert code is None or foreign_code(code) == code


def test_the_hash_of_a_code_is_of_its_own_kind_and_keyed() -> None:
    hashes = {foreign_hash(b"a", "X"), foreign_hash(b"b", "X"), foreign_hash(b"a", "Y"), code_hash(b"a", "X")}
    assert len(hashes) == 4


@pytest.mark.parametrize("code", [Code(), Code(pool="spring"), Code(static="SPRING15")])
def test_an_offer_says_which_codes_its_coupons_have(code: Code) -> None:
    offer = changed(OFFER, code=code)
    assert offer_from_body(offer_body(offer)) == offer
    assert offer.bounded == (code.pool is not None)


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ({}, "code"),
        ({"pool": "a", "static": "B"}, "code"),
        ({"pool": ""}, "code.pool"),
        ({"static": "früh"}, "code.static"),
        ({"static": coupon_code(b"s", "dec_1")}, "code.static"),
    ],
)
def test_a_choice_of_codes_that_cannot_be_is_refused(code: dict[str, Any], field: str) -> None:
    with pytest.raises(BodyRejected) as raised:
        offer_from_body(offer_body(OFFER) | {"code": code})
    assert [problem.field for problem in raised.value.problems] == [field]
