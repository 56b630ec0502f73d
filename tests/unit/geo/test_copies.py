"""Tracks that were another's: found to the last digit, and nobody else suspected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.copies import ONE_IN, Copies

Track = list[tuple[float, float]]


def walk(count: int, seed: int = 1) -> Track:
    """Places some metres apart, as a phone measures them."""
    chance = np.random.default_rng(seed)
    steps = np.cumsum(chance.uniform(0.00002, 0.0002, (count, 2)), axis=0)
    return [(60.0 + lat, 25.0 + lon) for lat, lon in steps.tolist()]


def send(
    copies: Copies, slot: int, owner: str, track: Track, *, at_once: int = 1, accuracy_m: float = 5.0
) -> list[int]:
    """Sends a track, so many fixes a batch; the places of those fixes that repeat another's."""
    found = []
    for start in range(0, len(track), at_once):
        part = track[start : start + at_once]
        lat, lon = zip(*part, strict=True)
        count = len(part)
        told = copies.find(
            [slot] * count, [owner] * count, range(start, start + count), lat, lon, [accuracy_m] * count
        )
        found += [start + row for row in told]
    return found


@pytest.mark.parametrize("at_once", [1, 3, 40])
def test_a_track_played_again_by_another_is_found_however_it_is_sent(at_once: int) -> None:
    copies = Copies()
    assert send(copies, 0, "ann", walk(40)) == []

    found = send(copies, 1, "bob", walk(40), at_once=at_once)

    assert found == send(copies, 2, "cem", walk(40))
    assert 3 <= len(found) <= 2 * 40 // ONE_IN
    assert min(found) >= 3, "less than four places are no track"


def test_two_phones_on_the_same_walk_differ_and_so_do_parts_of_it_in_another_order() -> None:
    copies = Copies()
    send(copies, 0, "ann", walk(40))

    assert send(copies, 1, "bob", [(lat + 1e-7, lon) for lat, lon in walk(40)]) == []
    assert send(copies, 2, "cem", walk(40)[::-1]) == []


def test_her_own_track_by_another_device_says_nothing() -> None:
    copies = Copies()
    send(copies, 0, "ann", walk(40))

    assert send(copies, 1, "ann", walk(40)) == []


@pytest.mark.parametrize(
    ("track", "accuracy_m"),
    [
        ([(round(lat, 4), round(lon, 4)) for lat, lon in walk(40)], 5.0),
        (walk(40), 80.0),
        (walk(2) * 20, 5.0),
        (walk(1) * 40, 5.0),
    ],
    ids=["rounded", "guessed by a network", "to and fro", "at rest"],
)
def test_what_coincides_innocently_says_nothing(track: Track, accuracy_m: float) -> None:
    copies = Copies()
    for slot, owner in enumerate(("ann", "bob", "cem")):
        assert send(copies, slot, owner, track, accuracy_m=accuracy_m) == []


def test_an_unknown_accuracy_hides_no_copy() -> None:
    copies = Copies()
    send(copies, 0, "ann", walk(40), accuracy_m=np.nan)

    assert send(copies, 1, "bob", walk(40), accuracy_m=np.nan) != []


def test_two_who_send_the_same_at_the_same_moment_are_told() -> None:
    lat, lon = zip(*(place for place in walk(40) for _ in range(2)), strict=True)
    at_us = [at for at in range(40) for _ in range(2)]

    found = Copies().find([0, 1] * 40, ["ann", "bob"] * 40, at_us, lat, lon, [5.0] * 80)

    assert found != []
    assert len({row % 2 for row in found}) == 1, "one of the two was first"


def test_a_track_that_comes_shuffled_is_put_in_order() -> None:
    copies, track = Copies(), walk(40)
    send(copies, 0, "ann", track)
    order = np.random.default_rng(2).permutation(40).tolist()
    lat, lon = zip(*(track[at] for at in order), strict=True)

    assert copies.find([1] * 40, ["bob"] * 40, order, lat, lon, [5.0] * 40) != []


def test_a_slot_that_is_given_to_another_device_begins_anew() -> None:
    copies, track = Copies(), walk(40)
    send(copies, 0, "ann", track)
    fresh = Copies()
    fresh.forget(0)
    send(copies, 1, "bob", track[:20])
    copies.forget(1)

    told = send(copies, 1, "cem", track[20:])

    assert min(told, default=99) >= 3


def test_of_her_who_was_erased_nothing_is_remembered() -> None:
    copies = Copies()
    send(copies, 0, "ann", walk(40))
    copies.forget_owner("ann")

    assert send(copies, 1, "bob", walk(40)) == []


@given(st.integers(1, 400), st.integers(0, 2**16))
def test_however_many_tracks_come_no_more_is_kept_and_nobody_is_suspected(many: int, seed: int) -> None:
    copies = Copies(runs_most=64)
    sizes = [len(copies._runs), len(copies._owners)]
    chance = np.random.default_rng(seed)
    slots = chance.integers(0, 8, many).tolist()
    lat, lon = chance.uniform(-80, 80, (2, many)).tolist()

    found = copies.find(slots, [f"s{slot}" for slot in slots], range(many), lat, lon, [5.0] * many)

    assert found == []
    assert sizes == [len(copies._runs), len(copies._owners)]
