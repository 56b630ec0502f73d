"""No log of any level says who or where a shopper is, or holds what opens a door."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from server import logs, whereabouts
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from server.postgres.cluster import place_of
from tests.acceptance.mall import Mall, Shopper, mall
from tests.acceptance.test_rights import HER_LON, erased, lives
from tests.acceptance.traces import found, names_of
from tests.conftest import FAST, data_folder

#: PostgreSQL as it says the most: every statement with its parameters, were it not kept from it.
TALKATIVE = FAST | {"log_statement": "all", "log_min_duration_statement": "0", "log_min_messages": "debug1"}


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[tuple[str, Path]]:
    """A talkative PostgreSQL of its own: its address, and its log."""
    with data_folder() as folder:
        async with EmbeddedPostgres(folder, settings=TALKATIVE, say=lambda _: None) as server:
            await migrate(server.url)
            yield server.url, place_of(folder).log


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as the tests have it, afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


async def goes_wrong(opened: Mall, monkeypatch: pytest.MonkeyPatch) -> Shopper:
    """What may go wrong with what a shopper sends: nonsense, another's call, an input that meets a defect."""
    shopper = await opened.shopper()
    assert (await shopper.call("POST", "/v1/pings", {"fixes": [{"lat": 60.16860, "lon": HER_LON}]}))[0] == 200
    assert (await shopper.call("POST", "/v1/redemptions", {"code": "ABCD"}))[0] == 403
    with monkeypatch.context() as broken:

        def meets_a_defect(_fleet: object, batch: object, *_: object) -> None:
            raise ValueError(f"no place for {HER_LON!r} of {shopper.device_id}: {batch}")

        broken.setattr(whereabouts, "sense", meets_a_defect)
        status, _ = await shopper.call("POST", "/v1/pings", {"fixes": [opened.fix(40.0, lon=HER_LON)]})
        assert status == 422
    return shopper


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.usefixtures("restored")
async def test_the_logs_of_a_whole_story_name_nobody(
    form: Literal["json", "text"],
    cluster: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, postgres_log = cluster
    stream = io.StringIO()
    logs.configure(form, stream, level=logging.DEBUG)
    async with mall(url, tmp_path) as opened:
        shopper = await opened.shopper(user_id="her-own-id")
        hers = await lives(shopper)
        unlucky = await goes_wrong(opened, monkeypatch)
        await shopper.put("/v1/me/preferences", {"max_per_day": 1})
        tokens = [shopper._credential, shopper.refresh_token, *opened.keys.values()]
        await erased(shopper)

    secrets = [*hers, *tokens, *names_of(shopper), *names_of(unlucky), "her-own-id"]
    secrets.remove(opened.keys["retailer_id"])  # the tenant is told: it is no person
    secrets = [one for one in secrets if not str(one).startswith(("psh_",))]  # a push is named in its own log
    told = stream.getvalue().encode()
    assert b"poison" in told, "what went wrong must be in the log"
    assert b"shopper_erased" in told
    assert found(told, secrets) == []
    database = postgres_log.read_bytes()
    assert b"INSERT INTO transitions" in database, "the database's log must be that of this run"
    assert found(database, secrets) == []
