"""OwnTracks' messages from their raw bytes: the same answers as by the usual way, on the same connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.api import ingest
from server.edge.room import Busy
from server.intake import Intake
from tests.acceptance.mall import Mall, mall
from tests.acceptance.test_clients import ANDROID, Phone, journal_seq, kept_since, owntracks


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


class Wire:
    """A connection on which each message is one write, as a phone's is."""

    def __init__(self, opened: Mall, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._opened, self._reader, self._writer = opened, reader, writer

    async def send(self, body: Any, *, query: str = "", headers: str = "") -> tuple[int, Any]:
        """Status and answer."""
        raw = json.dumps(body).encode()
        head = (
            f"POST /v1/ingest/owntracks/{self._opened.keys['app_key']}{query} HTTP/1.1\r\nHost: v\r\n"
            f"User-Agent: {ANDROID['User_Agent']}\r\nX-Limit-U: ann\r\nX-Limit-D: pixel\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        self._writer.write(head.encode() + raw)
        told = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)
        length = int(told.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(told.split(b" ", 2)[1]), json.loads(await self._reader.readexactly(length))


@pytest.fixture
async def wire(at_noon: Mall) -> AsyncIterator[Wire]:
    """A connection of a phone whose shopper has permitted everything."""
    phone = Phone(at_noon, "owntracks", "ann:pixel", X_Limit_U="ann", X_Limit_D="pixel", **ANDROID)
    await phone.send(owntracks(at_noon, 5_000))
    await phone.consents()
    host, port = at_noon.vicino.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield Wire(at_noon, reader, writer)
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def by_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of the requests that were made requests of."""
    seen: list[bytes] = []
    asked = ingest._asked

    async def noted(*arguments: Any) -> Any:
        made = await asked(*arguments)
        seen.append(made.body)
        return made

    monkeypatch.setattr(ingest, "_asked", noted)
    return seen


async def later(opened: Mall, seconds: float, seen: list[bytes]) -> None:
    """So much later, when another phone has shown the key, which is remembered for 5 s."""
    opened.clock.advance(seconds)
    await Phone(opened, "owntracks", "bea:nexus").send({"_type": "status"})
    seen.clear()


async def test_a_message_is_kept_once_and_answered_as_by_the_usual_way(
    at_noon: Mall, wire: Wire, by_the_usual_way: list[bytes]
) -> None:
    before = await journal_seq(at_noon)

    told = await wire.send(owntracks(at_noon, 1_000))
    lost = await wire.send(owntracks(at_noon, 1_000))
    await later(at_noon, 60, by_the_usual_way)
    further = await wire.send(owntracks(at_noon, 990))

    [command] = told[1]
    assert {one["rid"] for one in command["waypoints"]["waypoints"]} == {"door", "vicino-rim"}
    assert lost == told, "the same message again: its answer did not arrive"
    assert further == (200, [])
    assert len(await kept_since(at_noon, before)) == 2
    assert by_the_usual_way == []


async def test_regions_are_told_again_when_the_fences_change_or_the_rim_is_left(
    at_noon: Mall, wire: Wire, by_the_usual_way: list[bytes]
) -> None:
    await wire.send(owntracks(at_noon, 1_000))
    await at_noon.server.post("/v1/geofences", at_noon.fence(radius=200))
    await later(at_noon, 60, by_the_usual_way)
    changed = await wire.send(owntracks(at_noon, 990))
    await later(at_noon, 600, by_the_usual_way)
    left = await wire.send(owntracks(at_noon, 4_000))

    [[door]] = [one["waypoints"]["waypoints"] for one in changed[1]]
    assert (door["rid"], door["rad"]) == ("door", 200)
    assert "vicino-rim" in {one["rid"] for one in left[1][0]["waypoints"]["waypoints"]}
    assert by_the_usual_way == []


@pytest.mark.parametrize(
    "more",
    [
        {"_type": "transition", "event": "enter", "wtst": 5, "t": "c"},
        {"lat": None},
        {"_type": "status", "android": {}},
    ],
    ids=["a transition", "no position", "another type"],
)
async def test_whatever_is_more_or_less_than_a_position_goes_the_usual_way(
    at_noon: Mall, wire: Wire, by_the_usual_way: list[bytes], more: dict[str, Any]
) -> None:
    assert (await wire.send(owntracks(at_noon, 1_000) | more))[0] == 200
    assert len(by_the_usual_way) == 1
    assert (await wire.send(owntracks(at_noon, 5_000)))[0] == 200
    assert len(by_the_usual_way) == 1, "and the next plain one does not"


async def test_a_device_that_nobody_knows_goes_the_usual_way_and_appears(
    at_noon: Mall, wire: Wire, by_the_usual_way: list[bytes]
) -> None:
    assert await wire.send(owntracks(at_noon) | {"topic": "owntracks/eve/nexus"}) == (200, [])

    assert len(by_the_usual_way) == 1
    await at_noon.server.get("/v1/devices/eve:nexus/consents")


async def test_a_device_that_has_changed_hands_is_looked_up_anew(
    at_noon: Mall, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wire.send(owntracks(at_noon, 1_000))
    at_noon.clock.advance(60)
    before = await journal_seq(at_noon)
    monkeypatch.setattr(Intake, "known", lambda *_: "shp_somebody_before")

    assert await wire.send(owntracks(at_noon, 990)) == (200, [])

    assert len(await kept_since(at_noon, before)) == 1


async def test_where_there_is_no_room_it_is_asked_to_come_again_and_never_with_a_4xx(
    at_noon: Mall, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wire.send(owntracks(at_noon, 1_000))

    def refuses(*_: object) -> None:
        raise Busy("more comes than can be done")

    monkeypatch.setattr(at_noon.vicino.engine, "put", refuses)

    status, problem = await wire.send(owntracks(at_noon, 990))
    assert (status, problem["status"], problem["code"]) == (503, 503, "busy")
