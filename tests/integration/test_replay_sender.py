"""`vicino replay --url`: traces sent to a server."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.clock import from_us, to_us
from server.replay_client import Client, CredentialRefused, SendingFailed
from server.replay_sender import BATCH_FIXES, Received, Sent, send
from server.traces import TraceFix
from server.traces.columns import Trace, TraceBuilder
from tests.integration.replay_files import trace, vicino


class Loopback:
    """A server that speaks the app's part of the public contract."""

    def __init__(self) -> None:
        self.registered: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.pings: list[list[dict[str, Any]]] = []
        self.refreshed = 0
        self.busy: list[tuple[int, str | None]] = []  #: status and Retry-After of the next pings
        self.pings_a_token = 1000
        self._pings_left: dict[str, int] = {}
        self._tokens = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/devices", self._register)
        app.router.add_post("/v1/devices/token", self._refresh)
        app.router.add_post("/v1/pings", self._ping)
        app.router.add_get("/v1/inbox", self._inbox)
        return app

    def _new_tokens(self) -> dict[str, str]:
        self._tokens += 1
        self._pings_left[f"access-{self._tokens}"] = self.pings_a_token
        return {
            "access_token": f"access-{self._tokens}",
            "refresh_token": f"refresh-{self._tokens}",
            "expires_at": "2026-01-05T12:00:00Z",
        }

    def _refusal(self, request: web.Request) -> web.Response | None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if self._pings_left.get(token, 0) > 0:
            self._pings_left[token] -= 1
            return None
        return web.json_response({"title": "Not authenticated", "detail": "token expired"}, status=401)

    async def _register(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer pk_good":
            return web.json_response({"detail": "no such key"}, status=401)
        self.registered.append(await request.json())
        self.keys.append(request.headers.get("Idempotency-Key"))
        number = len(self.registered)
        ids = {"device_id": f"dev_{number}", "shopper_id": f"shp_{number}"}
        return web.json_response(ids | self._new_tokens(), status=201)

    async def _refresh(self, request: web.Request) -> web.Response:
        if (await request.json())["refresh_token"] != f"refresh-{self._tokens}":
            return web.json_response({"detail": "used before"}, status=401)
        self.refreshed += 1
        return web.json_response(self._new_tokens())

    async def _ping(self, request: web.Request) -> web.Response:
        if self.busy:
            status, retry_after = self.busy.pop(0)
            headers = {} if retry_after is None else {"Retry-After": retry_after}
            return web.json_response({"title": "Later"}, status=status, headers=headers)
        if (refusal := self._refusal(request)) is not None:
            return refusal
        fixes = (await request.json())["fixes"]
        self.pings.append(fixes)
        rejected = [{"index": 0, "reason": "too_old"}] if len(self.pings) == 1 else []
        answer = {"accepted": len(fixes) - len(rejected), "rejected": rejected, "next": {"after_m": 9}}
        return web.json_response(answer)

    async def _inbox(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if "cursor" in request.query:
            return web.json_response({"items": [{"id": request.query["cursor"]}], "next_cursor": None})
        return web.json_response({"items": [{"id": "first"}], "next_cursor": "se/co=nd"})


@pytest.fixture
async def loopback() -> AsyncIterator[tuple[Loopback, str]]:
    behind = Loopback()
    async with TestServer(behind.app()) as listening:
        yield behind, str(listening.make_url("/"))


def columns(*rows: tuple[str, int]) -> Trace:
    builder = TraceBuilder()
    for device, seconds in rows:
        builder.add(TraceFix(device=device, fixed_at_us=seconds * 1_000_000, lat_deg=60, lon_deg=25))
    return builder.build()


async def sent(
    trace: Trace, url: str, *, key: str = "pk_good", said: Callable[[str], None] = print
) -> tuple[list[Sent | Received], list[float]]:
    """What sending told, and how long it slept instead of really sleeping."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with Client(url, key, say=said, sleep=sleep) as client:
        return [told async for told in send(trace, client, shift_us=0)], slept


async def test_each_device_is_registered_and_its_shopper_consents_to_everything(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    await sent(columns(("a", 1), ("b", 1)), url)
    assert len(behind.registered) == 2
    assert len({*behind.keys, None}) == 3
    consents = behind.registered[0]["consents"]
    assert consents.keys() == {"nearby_offers", "background_location", "push", "personalisation", "insight"}
    assert all(consent == {"granted": True} for consent in consents.values())


async def test_fixes_go_in_batches_by_time_and_the_answers_are_added_up(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    told, _ = await sent(columns(*(("a", second) for second in range(BATCH_FIXES * 2 + 3))), url)
    assert [len(fixes) for fixes in behind.pings] == [BATCH_FIXES, BATCH_FIXES, 3]
    assert told[0] == Sent(
        device="a", device_id="dev_1", accepted=BATCH_FIXES * 2 + 2, rejected={"too_old": 1}
    )
    times = [fix["fixed_at"] for fixes in behind.pings for fix in fixes]
    assert times == sorted(times)
    assert behind.pings[0][1] == {"lat": 60, "lon": 25, "fixed_at": "1970-01-01T00:00:01Z"}


async def test_the_inbox_is_told_page_by_page_at_the_end(loopback: tuple[Loopback, str]) -> None:
    _, url = loopback
    told, _ = await sent(columns(("a", 1)), url)
    assert told[1:] == [
        Received(device="a", item={"id": "first"}),
        Received(device="a", item={"id": "se/co=nd"}),
    ]


async def test_a_server_that_asks_to_wait_is_given_the_time_it_asks_for(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    soon = format_datetime(datetime.now(UTC), usegmt=True)
    behind.busy = [(429, "7"), (503, None), (429, soon)]
    said: list[str] = []
    told, slept = await sent(columns(("a", 1)), url, said=said.append)
    assert slept == [7, 1, 0]
    assert said[0].endswith("asks to wait 7 s")
    assert isinstance(told[0], Sent)
    assert len(behind.pings) == 1


async def test_a_server_that_asks_to_wait_for_ever_is_given_up(loopback: tuple[Loopback, str]) -> None:
    behind, url = loopback
    behind.busy = [(429, "1")] * 1000
    with pytest.raises(SendingFailed, match="try again later"):
        await sent(columns(("a", 1)), url)


async def test_an_expired_access_token_is_refreshed_and_nothing_is_lost(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    behind.pings_a_token = 1
    told, _ = await sent(columns(*(("a", second) for second in range(BATCH_FIXES * 3))), url)
    assert sum(len(fixes) for fixes in behind.pings) == BATCH_FIXES * 3
    assert behind.refreshed == 4
    assert len(told) == 3


async def test_a_wrong_app_key_is_a_failure_with_the_servers_reason(loopback: tuple[Loopback, str]) -> None:
    _, url = loopback
    with pytest.raises(CredentialRefused, match="no such key"):
        await sent(columns(("a", 1)), url, key="pk_bad")


async def test_another_server_is_a_failure_that_says_so() -> None:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_post("/v1/devices", hello)
    async with TestServer(app) as other:
        with pytest.raises(SendingFailed, match="is it Vicino"):
            await sent(columns(("a", 1)), str(other.make_url("/")))


async def test_no_server_is_a_failure() -> None:
    with pytest.raises(SendingFailed, match="no answer from"):
        await sent(columns(("a", 1)), "http://127.0.0.1:1")


@pytest.mark.parametrize("keep", [True, False])
async def test_the_command_moves_the_last_fix_to_now_unless_told_otherwise(
    loopback: tuple[Loopback, str], tmp_path: Path, keep: bool
) -> None:
    behind, url = loopback
    path = trace(tmp_path, ("a", 0, 0), ("a", 100.25, 500))
    before_us = to_us(datetime.now(UTC))
    flags = ["--keep-times"] if keep else []
    status, output, errors = await vicino("replay", str(path), "--url", url, "--app-key", "pk_good", *flags)
    assert (status, errors) == (0, b"")
    assert [msgspec.json.decode(line)["event"] for line in output.splitlines()] == ["sent", "inbox", "inbox"]
    first_us, last_us = (to_us(datetime.fromisoformat(fix["fixed_at"])) for fix in behind.pings[0])
    assert last_us - first_us == 100_250_000
    if keep:
        assert from_us(first_us).isoformat() == "1970-01-01T00:00:00+00:00"
    else:
        assert before_us <= last_us <= to_us(datetime.now(UTC))
