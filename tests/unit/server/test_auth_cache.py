"""Keys that are remembered: looked up again before they are forgotten, by one caller for all."""

import asyncio

import pytest

from server.auth import KEY_CACHE_US, LOOK_THROUGH_LEAST, Authenticator, Caller
from server.problems import Problem
from tests.fakes import ManualClock


class Keys(Authenticator):
    """Counts the look-ups of keys; a key may have been revoked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(None, clock)  # type: ignore[arg-type]
        self.asked = 0
        self.revoked = False

    async def _key(self, key: str) -> Caller:
        self.asked += 1
        await asyncio.sleep(0)
        if self.revoked:
            raise Problem(401, "unknown_key", "no such key, or it was revoked")
        return Caller(retailer_id="rtl_1", kind="app", name=key)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000_000_000)


async def settled(keys: Keys) -> None:
    while keys._looking:
        await asyncio.gather(*keys._looking.values())


async def test_a_key_in_use_is_looked_up_once_before_it_is_forgotten(clock: ManualClock) -> None:
    keys = Keys(clock)
    await keys.caller("pk_1")
    for _ in range(10):
        clock.advance(0.6 * KEY_CACHE_US / 1e6)
        assert all(keys.known("pk_1") is not None for _ in range(64))
        await settled(keys)

    assert keys.asked == 11


async def test_a_revoked_key_is_forgotten_no_later_than_before(clock: ManualClock) -> None:
    keys = Keys(clock)
    await keys.caller("pk_1")
    keys.revoked = True
    clock.advance(0.6 * KEY_CACHE_US / 1e6)
    keys.known("pk_1")
    await settled(keys)

    assert keys.known("pk_1") is None
    with pytest.raises(Problem):
        await keys.caller("pk_1")


async def test_a_key_that_nobody_showed_for_as_long_is_asked_for_anew(clock: ManualClock) -> None:
    keys = Keys(clock)
    await keys.caller("pk_1")
    clock.advance(KEY_CACHE_US / 1e6)

    assert keys.known("pk_1") is None
    assert keys.asked == 1


async def test_what_holds_no_more_does_not_pile_up(clock: ManualClock) -> None:
    keys = Keys(clock)
    for number in range(10 * LOOK_THROUGH_LEAST):
        await keys.caller(f"pk_{number}")
        clock.advance(KEY_CACHE_US / 1e6 / 100)

    assert len(keys._callers) <= LOOK_THROUGH_LEAST
    assert keys.known(f"pk_{number}") is not None
