"""Presence tokens: what a till can tell offline, and everything else refused."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.presence import DAY_S, DAYS_AHEAD, LIFE_S, SKEW_S, Present, keys_of, token_for, verified

SECRET, NOW_S = b"s" * 32, 1_800_000_000
KEYS = keys_of(SECRET, NOW_S)
TOKEN, UNTIL_S = token_for(SECRET, "shp_1", "shoes-1", NOW_S)


def told(token: str = TOKEN, *, store: str = "shoes-1", now_s: int = NOW_S) -> str:
    found = verified(token, KEYS, store, now_s)
    return found if isinstance(found, str) else "good"


def test_a_token_says_who_and_until_when() -> None:
    found = verified(TOKEN, KEYS, "shoes-1", NOW_S + 10)
    assert isinstance(found, Present)
    assert (found.from_s, found.until_s) == (NOW_S, UNTIL_S)
    assert len(found.shopper) == 16


def test_it_is_bound_to_its_store() -> None:
    assert told(store="shoes-2") == "other_store"


def test_it_is_bound_to_its_time() -> None:
    assert told(now_s=NOW_S + LIFE_S - 1) == "good"
    assert told(now_s=NOW_S + LIFE_S + SKEW_S) == "expired"
    assert told(now_s=NOW_S - SKEW_S - 1) == "not_yet"


def test_it_is_bound_to_the_shopper_who_is_another_pseudonym_every_day() -> None:
    other, _ = token_for(SECRET, "shp_2", "shoes-1", NOW_S)
    tomorrow, _ = token_for(SECRET, "shp_1", "shoes-1", NOW_S + DAY_S)
    found = [
        verified(token, keys_of(SECRET, at_s), "shoes-1", at_s)
        for token, at_s in ((TOKEN, NOW_S), (other, NOW_S), (tomorrow, NOW_S + DAY_S))
    ]
    assert len({one.shopper for one in found if isinstance(one, Present)}) == 3


def test_a_till_that_was_offline_for_days_still_has_the_key_and_then_no_longer() -> None:
    later_s = NOW_S + DAYS_AHEAD * DAY_S
    assert told(token_for(SECRET, "shp_1", "shoes-1", later_s)[0], now_s=later_s) == "good"
    too_late_s = later_s + DAY_S
    assert told(token_for(SECRET, "shp_1", "shoes-1", too_late_s)[0], now_s=too_late_s) == "unknown_key"


def test_another_retailers_token_is_forged_here() -> None:
    assert told(token_for(b"t" * 32, "shp_1", "shoes-1", NOW_S)[0]) == "forged"


def test_a_key_signs_for_its_own_day_alone() -> None:
    yesterday = (NOW_S - DAY_S) // DAY_S
    body = bytearray(base64.urlsafe_b64decode(TOKEN + "=="))
    body[1:3] = struct.pack(">H", yesterday)
    assert told(base64.urlsafe_b64encode(bytes(body)).rstrip(b"=").decode()) == "forged"


@given(st.integers(0, 90), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, by: int) -> None:
    signed = bytearray(base64.urlsafe_b64decode(TOKEN + "=="))
    signed[place] ^= by
    assert told(base64.urlsafe_b64encode(bytes(signed)).rstrip(b"=").decode()) != "good"


@pytest.mark.parametrize("token", ["", "x", "€", TOKEN[:-4], TOKEN + "AAAA", "A" * 122])
def test_whatever_is_no_token_is_refused(token: str) -> None:
    assert told(token) in {"unreadable", "unknown_key"}
