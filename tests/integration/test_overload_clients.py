"""Existing clients while there is too much to do: no 4xx, for which they would delete what they sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.clock import SystemClock
from server.edge.room import Busy
from tests.integration.test_overload_edge import Opened, opened


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Opened]:
    async for one in opened(database_url):
        yield one


async def owntracks(server: Opened, device_id: str) -> tuple[int, Any, Any]:
    """One message by OwnTracks, as iOS sends it."""
    now_s = SystemClock().now_us() // 1_000_000
    body = {"_type": "location", "lat": 60.0, "lon": 25.0, "tst": now_s, "acc": 5}
    url = f"{server.vicino.url}/v1/ingest/owntracks/{server.keys['app_key']}?device_id={device_id}"
    async with server.session.post(url, data=json.dumps(body)) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def track(server: Opened) -> tuple[int, Any, Any]:
    body = {"deviceId": "r-1", "latitude": 60.0, "longitude": 25.0, "accuracy": 5}
    headers = {"Authorization": server.keys["app_key"]}
    async with server.session.post(f"{server.vicino.url}/v1/track", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def test_where_there_is_no_room_they_are_asked_to_come_again(
    server: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await owntracks(server, "phone-1"))[0] == 200

    async def refuses(*_: object) -> None:
        raise Busy("more comes than can be done")

    monkeypatch.setattr(server.vicino.engine, "submit", refuses)

    for status, problem, headers in (await owntracks(server, "phone-1"), await track(server)):
        assert (status, problem["status"], problem["code"]) == (503, 503, "busy")
        assert 1 <= int(headers["Retry-After"]) <= 6
    assert (await server.refused())["busy"] == 2


async def test_one_phone_beyond_its_rate_is_asked_to_come_again_and_others_with_the_same_key_are_not(
    database_url: str,
) -> None:
    settings = {"limits": "always", "limit_device": "0.2,10", "limit_key": "0.2,10"}
    async for server in opened(database_url, **settings):
        loud = [await owntracks(server, "loud") for _ in range(11)]
        others = [(await owntracks(server, f"quiet-{number}"))[0] for number in range(12)]

        assert [status for status, *_ in loud] == [200] * 10 + [503]
        _, problem, headers = loud[-1]
        assert problem["code"] == "rate_device"
        assert 5 <= int(headers["Retry-After"]) <= 10
        assert others == [200] * 12


async def test_requests_that_name_no_phone_count_for_the_key(database_url: str) -> None:
    async for server in opened(database_url, limits="always", limit_key="0.2,10"):
        url = f"{server.vicino.url}/v1/ingest/overland/{server.keys['app_key']}"
        statuses = []
        for _ in range(11):
            async with server.session.get(url) as answer:
                statuses.append(answer.status)

        assert statuses[:9] == [200] * 9  # the phone of the fixture was registered with it
        assert statuses[-1] == 503


async def test_a_body_that_drips_in_is_no_reason_to_delete_it(server: Opened) -> None:
    reader, writer = await server.connect()
    path = f"/v1/ingest/owntracks/{server.keys['app_key']}"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{{".encode())
    async with asyncio.timeout(5):
        answered = await reader.read()
    writer.close()

    assert answered.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"too_slow"' in answered
