"""The deadline ledger: where the time of a push went, in its receipt and in the metrics."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifications.outbox import STAGES
from server.db import Connection
from server.writes import Writes
from tests.acceptance.mall import Mall, mall, until


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def test_a_receipt_says_how_long_each_stage_of_its_push_took(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    at_noon.fcm.fail_next("unavailable", retry_after_s=1)
    await shopper.ping(north_m=40)

    async def put_off() -> bool:
        return any(one.get("push", {}).get("reason") == "unavailable" for one in await shopper.receipts())

    await until(put_off)
    at_noon.clock.advance(2)

    async def sent() -> bool:
        return any(receipt.get("push", {}).get("state") == "sent" for receipt in await shopper.receipts())

    await until(sent)
    [receipt] = [one for one in await shopper.receipts() if "push" in one]
    timings = receipt["timings_ms"]
    assert set(STAGES) <= set(timings)
    assert timings["claimed_to_accepted"] == 2000
    assert sum(timings[stage] for stage in STAGES) == timings["received_to_accepted"] == 2000


async def test_what_writing_the_entry_took_counts_until_it_is_journaled(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    write = Writes.run

    async def slowly(writes: Writes, connection: Connection) -> None:
        await write(writes, connection)
        at_noon.clock.advance(0.25)

    monkeypatch.setattr(Writes, "run", slowly)
    await shopper.ping(north_m=40)

    [receipt] = [one for one in await shopper.receipts() if "push" in one]
    assert receipt["timings_ms"]["decided_to_journaled"] == 250


async def test_the_metrics_tell_the_stages_of_pushes_and_what_waits(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    await at_noon.fcm.wait_for_push(shopper.address, timeout_s=10)

    async def told() -> dict[str, float]:
        async with at_noon.session.get(at_noon.vicino.url + "/metrics") as answer:
            lines = re.findall(r"^(vicino_\S+) (\S+)$", await answer.text(), re.MULTILINE)
        found = {name: float(value) for name, value in lines}
        return found if found['vicino_push_stage_seconds_count{stage="claimed_to_accepted"}'] else {}

    found = await until(told)
    assert all(found[f'vicino_push_stage_seconds_count{{stage="{stage}"}}'] == 1 for stage in STAGES)
    assert found["vicino_waiting"] == 0
    assert found["vicino_batch_inputs_count"] >= 2
