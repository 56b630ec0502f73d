"""The degradation ladder of docs/operations.md: what works on each rung, and that nobody need restart."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from server import db
from server.postgres import EmbeddedPostgres
from tests.acceptance.mall import Mall, Shopper, mall, until
from tests.conftest import KILL_PROOF


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's time-outs, shorter."""
    monkeypatch.setattr(db, "_ACQUIRE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(db, "_COMMAND_TIMEOUT_S", 0.5)


class Ground:
    """A mall on a PostgreSQL of its own."""

    def __init__(self, postgres: EmbeddedPostgres, opened: Mall) -> None:
        self.postgres, self.mall = postgres, opened

    def signal_all(self, number: signal.Signals) -> None:
        """To the whole tree, as a machine does that stops or a killer that is thorough."""
        assert self.postgres.pid is not None
        children = Path(f"/proc/{self.postgres.pid}/task/{self.postgres.pid}/children").read_text().split()
        for pid in (self.postgres.pid, *map(int, children)):
            with suppress(ProcessLookupError):  # it has ended by itself: as good
                os.kill(pid, number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.signal_all(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal_all(signal.SIGCONT)

    async def ping(self, shopper: Shopper) -> tuple[int, Any]:
        return await shopper.call("POST", "/v1/pings", {"fixes": [self.mall.fix(300)]})

    async def status(self, path: str) -> int:
        async with self.mall.session.get(self.mall.vicino.url + path) as answer:
            return answer.status

    async def takes_pings(self, shopper: Shopper) -> bool:
        return (await self.ping(shopper))[0] == 200


@pytest.fixture
async def ground(postgres_folder: Path, tmp_path: Path) -> AsyncIterator[Ground]:
    async with (
        EmbeddedPostgres(postgres_folder, settings=KILL_PROOF, say=lambda _: None) as postgres,
        mall(postgres.url, tmp_path) as opened,
    ):
        yield Ground(postgres, opened)


async def test_while_postgresql_is_slow_everybody_waits_and_nobody_is_refused(ground: Ground) -> None:
    shopper = await ground.mall.shopper()
    with ground.paused():
        asked = [asyncio.create_task(ground.ping(shopper)) for _ in range(20)]
        await asyncio.sleep(0.5)  # the slowness itself
        assert await ground.status("/healthz") == 200
    assert {status for status, _ in await asyncio.gather(*asked)} == {200}


@pytest.mark.usefixtures("impatient")
async def test_while_postgresql_is_paused_the_answer_is_503_in_time_and_it_goes_on_by_itself(
    postgres_folder: Path, tmp_path: Path
) -> None:
    async with (
        EmbeddedPostgres(postgres_folder, settings=KILL_PROOF, say=lambda _: None) as postgres,
        mall(postgres.url, tmp_path) as opened,
    ):
        ground = Ground(postgres, opened)
        shopper = await opened.shopper()
        with ground.paused():
            async with asyncio.timeout(30):
                answers = await asyncio.gather(*(ground.ping(shopper) for _ in range(10)))
                ready = await ground.status("/readyz")
            alive = await ground.status("/healthz")

        assert {status for status, _ in answers} <= {503, 429}
        assert (alive, ready) == (200, 503)
        assert await until(lambda: ground.takes_pings(shopper))


async def test_while_postgresql_is_gone_the_answer_is_503_and_it_goes_on_when_it_is_back(
    ground: Ground,
) -> None:
    shopper = await ground.mall.shopper()
    ground.signal_all(signal.SIGKILL)

    statuses = set()

    async def taken() -> bool:
        status, _ = await ground.ping(shopper)
        statuses.add(status)
        return status == 200

    await until(taken, within_s=90)
    assert statuses <= {200, 503}


async def test_while_fcm_is_gone_offers_are_in_the_inbox_and_pings_are_taken(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        opened.fcm.fail_next("unavailable", times=100)

        answer = await shopper.ping(north_m=40)

        assert answer["accepted"] == 1
        assert [item["offer"] for item in await shopper.inbox()] == ["trainers-15"]
