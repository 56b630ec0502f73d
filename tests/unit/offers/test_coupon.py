from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.coupon import ALPHABET, LENGTH, code_hash, coupon_code, normalise_code

SECRET = b"secret"
CODES = st.integers(0, 10**9).map(lambda number: coupon_code(SECRET, f"dec_{number}"))
PLAIN = CODES.map(lambda code: code.replace("-", ""))


@given(CODES)
def test_a_code_reads_back_as_itself(code: str) -> None:
    assert normalise_code(code) == code.replace("-", "")


def test_a_code_is_the_same_every_time_and_another_for_every_decision_and_secret() -> None:
    codes = {coupon_code(secret, f"dec_{n}") for secret in (b"a", b"b") for n in range(500) for _ in range(2)}
    assert len(codes) == 1000


def test_a_code_is_three_groups_of_characters_that_cannot_be_mistaken() -> None:
    code = coupon_code(SECRET, "dec_1")
    assert [len(group) for group in code.split("-")] == [6, 6, 6]
    assert not set("ILOU") & set(ALPHABET)


@given(CODES)
def test_case_spaces_dashes_and_look_alikes_do_not_matter(code: str) -> None:
    typed = f" {code.lower().replace('-', ' – ').replace('0', 'o').replace('1', 'l').replace('v', 'u')}\n"
    assert normalise_code(typed) == code.replace("-", "")


@given(PLAIN, st.integers(0, LENGTH - 1))
def test_every_single_wrong_character_is_caught(code: str, position: int) -> None:
    for other in set(ALPHABET) - {code[position]}:
        assert normalise_code(code[:position] + other + code[position + 1 :]) is None


@given(PLAIN)
def test_any_two_characters_that_changed_places_are_caught(code: str) -> None:
    for first, second in combinations(range(LENGTH), 2):
        swapped = list(code)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        assert code[first] == code[second] or normalise_code("".join(swapped)) is None


@given(
    PLAIN, st.sets(st.integers(0, LENGTH - 1), min_size=2, max_size=2), st.integers(1, 31), st.integers(1, 31)
)
def test_any_two_wrong_characters_are_caught(code: str, places: set[int], one: int, other: int) -> None:
    typed = list(code)
    for place, step in zip(sorted(places), (one, other), strict=True):
        typed[place] = ALPHABET[ALPHABET.index(typed[place]) ^ step]
    assert normalise_code("".join(typed)) is None


@given(st.text(max_size=60))
def test_no_text_makes_it_stumble(text: str) -> None:
    assert normalise_code(text) is None or len(normalise_code(text) or "") == LENGTH


@pytest.mark.parametrize("text", ["", "-", "0" * 17, "0" * 19, "x" * 100_000, "٣" * 18, "\ud800" * 18])
def test_what_is_no_code_is_none(text: str) -> None:
    assert normalise_code(text) is None


def test_the_hash_is_keyed_and_takes_either_form() -> None:
    code = coupon_code(SECRET, "dec_1")
    assert code_hash(SECRET, code) == code_hash(SECRET, normalise_code(code) or "")
    assert code_hash(SECRET, code) != code_hash(b"other", code)
    assert len(code_hash(SECRET, code)) == 32
