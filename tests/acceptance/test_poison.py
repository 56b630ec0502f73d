"""An input that cannot be processed, amid many that can: it is put aside, and costs nobody else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from geo.engine import FixBatch, Fleet, Told
from geo.index import FenceSet
from geo.transition import Rules
from server import whereabouts
from server.journal import Entry, PostgresJournal
from tests.acceptance.mall import Mall, Shopper, mall

GOOD, BAD, PINGS = 16, 4, 4
NOWHERE = {"lat": 60.6}  #: where a fix meets the defect


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fence engine fails at some fixes, when it has moved on by others of their batch."""
    sense = whereabouts.sense

    def breaks(fleet: Fleet, batch: FixBatch, fences: FenceSet, rules: Rules) -> Told:
        told = sense(fleet, batch, fences, rules)
        if (batch.lat_deg > 60.5).any():
            raise ZeroDivisionError("a defect that only these fixes meet")
        return told

    monkeypatch.setattr(whereabouts, "sense", breaks)
    # Unconfigured, structlog draws each traceback with all locals, which takes longer than everything else.
    with structlog.testing.capture_logs():
        yield


async def pings(shopper: Shopper, *fixes: dict[str, object]) -> list[int]:
    """The statuses of several pings, one after the other."""
    return [(await shopper.call("POST", "/v1/pings", {"fixes": [fix]}))[0] for fix in fixes]


@pytest.mark.usefixtures("defect")
async def test_poison_under_load_is_put_aside_one_by_one_and_everybody_else_is_served(at_noon: Mall) -> None:
    good = [await at_noon.shopper() for _ in range(GOOD)]
    bad = [await at_noon.shopper() for _ in range(BAD)]
    steps = [at_noon.fix(400 - 20 * step, ago_s=60 - 15 * step) for step in range(PINGS)]

    answers = await asyncio.gather(
        *(pings(shopper, *steps) for shopper in good),
        *(pings(shopper, at_noon.fix(**NOWHERE)) for shopper in bad),
    )

    assert answers == [[200] * PINGS] * GOOD + [[422]] * BAD
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT reason, detail, input FROM quarantine")
    assert [(row["reason"], row["detail"]) for row in rows] == [("ZeroDivisionError", "RecordFixes")] * BAD
    assert all(row["input"] for row in rows)
    standing = await at_noon.server.get("/v1/standing")
    assert standing["put_aside"] == BAD
    assert {one["reason"] for one in standing["newest_put_aside"]} == {"ZeroDivisionError"}


@pytest.mark.usefixtures("defect")
async def test_an_alert_can_be_set_on_what_was_put_aside(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    before = await _metric(at_noon)
    await pings(shopper, at_noon.fix(**NOWHERE), at_noon.fix(300))

    assert before is None
    assert await _metric(at_noon) == 1.0


@pytest.mark.usefixtures("defect")
async def test_who_sent_poison_goes_on_as_if_it_had_not_been(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    assert await pings(shopper, at_noon.fix(ago_s=30, **NOWHERE), at_noon.fix(40)) == [422, 200]
    assert len(await shopper.inbox()) == 1


@pytest.mark.usefixtures("defect")
async def test_the_journal_is_read_once_however_often_a_batch_is_halved(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    shoppers = [await at_noon.shopper() for _ in range(GOOD)]
    for shopper in shoppers:
        await pings(shopper, at_noon.fix(400, ago_s=60))
    read = []
    since = PostgresJournal.since

    def counted(*arguments: Any) -> AsyncIterator[Entry]:
        read.append(arguments)
        return since(*arguments)

    monkeypatch.setattr(PostgresJournal, "since", counted)
    both = {"fixes": [at_noon.fix(380), at_noon.fix(**NOWHERE)]}
    answers = await asyncio.gather(*(shopper.call("POST", "/v1/pings", both) for shopper in shoppers))

    assert [status for status, _ in answers] == [422] * GOOD
    assert (
        1 <= len(read) <= 2
    )  # of whom her first ping is in the journal alone: the lone first batch, and the rest


async def _metric(opened: Mall) -> float | None:
    async with opened.session.get(f"{opened.vicino.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    label = '{input="RecordFixes",reason="ZeroDivisionError"}'
    found = [line for line in lines if line.startswith(f"vicino_quarantined_total{label}")]
    return float(found[0].split()[-1]) if found else None
