"""Rows lag behind memory; nothing acknowledged is lost for it, and a restart comes to the same state."""

from collections.abc import Collection
from pathlib import Path

import pytest

from server.app import running
from server.checkpoints import AFTER_US, SOONER_US
from server.cli.state_hash import stored_state
from server.lane import Lane
from server.memory import Memory, PackedState
from tests.acceptance.mall import Mall, mall, mall_config, until


async def never(_: Lane) -> None:
    """A process that is killed writes nothing at its end."""


async def walks(opened: Mall, shoppers: int = 3) -> None:
    """Pings of which some lead to transitions and most to nothing."""
    people = [await opened.shopper() for _ in range(shoppers)]
    for north_m in (900, 700, 500, 40, 60, 500):
        for shopper in people:
            await shopper.ping(north_m=north_m)
        opened.clock.advance(30)


async def lagging(opened: Mall) -> int:
    """How many rows are of an older journal entry than the newest of their shopper may be."""
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM shoppers s JOIN heads h USING (retailer_id) "
            "WHERE s.state_seq < h.journal_seq"
        )
        return found


@pytest.mark.parametrize("checkpointed", [False, True])
async def test_a_killed_server_comes_back_to_the_same_state(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpointed: bool
) -> None:
    monkeypatch.setattr(Lane, "close", never)
    async with mall(database_url, tmp_path) as opened:
        retailer_id = opened.keys["retailer_id"]
        await walks(opened)
        if checkpointed:
            opened.clock.advance(AFTER_US // 1_000_000)
            await until_stored(opened)
            await walks(opened, 1)
        before = await opened.vicino.engine.state(retailer_id)
        assert await stored_state(opened.vicino.database, retailer_id) == before
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            assert await again.engine.state(retailer_id) == before


async def until_stored(opened: Mall) -> None:
    async def stored() -> bool:
        async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
            told = await connection.fetchval("SELECT seq FROM checkpoints")
            head = await connection.fetchval("SELECT journal_seq FROM heads")
        return bool(told == head)

    await until(stored)


async def test_a_server_that_is_stopped_leaves_no_row_behind(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.ping(north_m=900)
        await shopper.ping(north_m=800)
        assert await lagging(opened) == 1
        before = await opened.vicino.engine.state(opened.keys["retailer_id"])
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            reopened = Mall(again, opened.session, opened.clock, opened.fcm, opened.keys)
            assert await lagging(reopened) == 0
            assert await again.engine.state(opened.keys["retailer_id"]) == before


async def test_a_ping_that_fails_is_forgotten_and_those_before_it_are_not(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper, retailer_id = await opened.shopper(), opened.keys["retailer_id"]
        await shopper.ping(north_m=900)
        before = await opened.vicino.engine.state(retailer_id)
        with monkeypatch.context() as patched:
            patched.setattr(Memory, "entry", fails)
            status, _ = await shopper.call("POST", "/v1/pings", {"fixes": [opened.fix(800)]})
        assert status == 422
        await shopper.ping(north_m=900, ago_s=1)

        after = await opened.vicino.engine.state(retailer_id)
        assert after.seq == before.seq + 1
        assert await stored_state(opened.vicino.database, retailer_id) == after


async def test_no_checkpoint_passes_over_what_the_row_of_a_shopper_lacks_one_of_whose_pings_failed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lane, "close", never)
    async with mall(database_url, tmp_path) as opened:
        retailer_id = opened.keys["retailer_id"]
        first, second = await opened.shopper(), await opened.shopper()
        for shopper in (first, second):
            await shopper.ping(north_m=900)
        await until_stored_as_far_as_may_be(opened)
        with monkeypatch.context() as patched:
            patched.setattr(Memory, "entry", fails)
            assert (await first.call("POST", "/v1/pings", {"fixes": [opened.fix(800)]}))[0] == 422
        opened.clock.advance(SOONER_US // 1_000_000 + 1)
        await first.ping(north_m=800)
        await until_stored_as_far_as_may_be(opened)
        before = await opened.vicino.engine.state(retailer_id)
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            assert await again.engine.state(retailer_id) == before


async def test_states_are_packed_between_two_batches_and_not_in_the_midst_of_the_next(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper, retailer_id = await opened.shopper(), opened.keys["retailer_id"]
        for north_m in (900, 800):
            await shopper.ping(north_m=north_m)
        pipeline = (await opened.vicino.engine._lane(retailer_id))._pipeline
        await pipeline.checkpoints.idle()
        at = []
        packed = Memory.packed

        def told(memory: Memory, names: Collection[str]) -> list[PackedState]:
            at.extend([memory.seq, *names])
            return packed(memory, names)

        monkeypatch.setattr(Memory, "packed", told)
        opened.clock.advance(AFTER_US // 1_000_000 + 1)
        pipeline.checkpoints.write_some()
        assert at == [pipeline.memory.seq, shopper.shopper_id]  # nothing has had its turn since
        await pipeline.checkpoints.idle()


async def until_stored_as_far_as_may_be(opened: Mall) -> None:
    """Until the checkpoint has been told again, or what is written is on its way no more."""

    async def told() -> bool:
        lane = await opened.vicino.engine._lane(opened.keys["retailer_id"])
        checkpoints = lane._pipeline.checkpoints
        return checkpoints._writing is None and opened.clock.now_us() - checkpoints._told[1] < SOONER_US

    await until(told)


def fails(*_: object) -> None:
    raise ZeroDivisionError
