"""Hostile input over HTTP: a clear 4xx, or taken as documented; in under a second, and never a 5xx."""

import asyncio
import base64
import json
import math
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.mall import Mall, mall
from tests.support import shared_data

WITHIN_S = 1.0


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


def fence_files() -> list[Path]:
    folders = ("geojsonhint/bad", "geojsonhint/good", "own/geojson", "antimeridian/tests/data/input")
    files = [
        path
        for folder in folders
        for path in sorted(shared_data("badinput", *folder.split("/")).iterdir())
        if path.suffix in (".geojson", ".json")
    ]
    assert len(files) > 120
    return files


async def test_every_fence_file_is_refused_clearly_or_taken_and_quickly(at_noon: Mall) -> None:
    wrong = []
    for path in fence_files():
        started = time.perf_counter()
        status, answer = await at_noon.server.call("POST", "/v1/geofences", path.read_bytes())
        took_s = time.perf_counter() - started
        clear = status == 200 or (status in (400, 422) and answer["detail"] and answer["code"])
        if not clear or took_s > WITHIN_S:
            wrong.append((path.name, status, took_s))

    assert not wrong


async def test_hostile_times_and_positions_are_refused_one_by_one(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    times = [json.loads(line)["value"] for line in lines("timestamps.jsonl")]
    places = [place for place in map(json.loads, lines("coords.jsonl")) if is_json(place)]
    fixes = [at_noon.fix(fixed_at=value) for value in times]
    fixes += [at_noon.fix(lat=place["lat"], lon=place["lon"]) for place in places]
    fixes += [at_noon.fix(40)]

    answer = await shopper.post("/v1/pings", json.dumps({"fixes": fixes}, allow_nan=False).encode())

    rejected = {one["index"] for one in answer["rejected"]}
    assert answer["accepted"] + len(rejected) == len(fixes)
    assert len(fixes) - 1 not in rejected
    assert all(one["reason"] for one in answer["rejected"])
    beyond = [i for i, p in enumerate(places, len(times)) if not in_range(p)]
    assert rejected.issuperset(beyond)


def is_json(place: dict[str, Any]) -> bool:
    """Whether it can be sent at all: JSON has neither NaN nor infinity."""
    return all(not isinstance(value, float) or math.isfinite(value) for value in place.values())


def in_range(place: dict[str, Any]) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most
        for value, most in ((place["lat"], 90), (place["lon"], 180))
    )


async def test_naughty_strings_come_back_as_they_were_or_are_refused(at_noon: Mall) -> None:
    strings = [json.loads(line) for line in lines("strings_extra.jsonl")]
    strings += json.loads(shared_data("badinput", "blns", "blns.json").read_text())
    wrong = []
    for number, text in enumerate(strings):
        offer = at_noon.offer(external_id=f"naughty-{number}", name=text)
        body = json.dumps(offer, ensure_ascii=True).encode()
        status, answer = await at_noon.server.call("POST", "/v1/offers", body)
        if status == 200:
            kept = await at_noon.server.get(f"/v1/offers/naughty-{number}")
            if kept["name"] != text:
                wrong.append((text, kept["name"]))
        elif status not in (400, 422) or not answer["detail"]:
            wrong.append((text, status))

    assert not wrong


async def test_naughty_strings_in_an_apps_requests_break_nothing(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    strings = [json.loads(line) for line in lines("strings_extra.jsonl")]
    strings += json.loads(shared_data("badinput", "blns", "blns.json").read_text())
    wrong = []
    for text in strings:
        at_noon.clock.advance(0.5)
        event = {"kind": "search", "query": text, "at": at_noon.time(), "id": text[:50] or None}
        body = json.dumps({"events": [event, event | {"query": "boots", "id": None}]}).encode()
        status, answer = await shopper.call("POST", "/v1/events", body)
        if status not in (200, 400) or (status == 200 and answer["accepted"] < 1):
            wrong.append((text, status))

    assert not wrong


async def test_malformed_http_gets_one_answer_and_no_5xx(at_noon: Mall) -> None:
    wrong = []
    for case in map(json.loads, lines("http1_raw.jsonl")):
        answer = await raw(at_noon.vicino.url, base64.b64decode(case["raw_b64"]))
        statuses = re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE)
        if len(statuses) != 1 or not statuses[0].startswith(b"4"):
            wrong.append((case["name"], statuses))

    assert not wrong


async def raw(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read(65536)
    try:
        async with asyncio.timeout(0.2):  # a second answer would be a smuggled request's
            while more := await reader.read(65536):
                answer += more
    except TimeoutError:
        pass
    writer.close()
    return answer


def lines(name: str) -> list[str]:
    return shared_data("badinput", "own", name).read_text(encoding="utf-8").splitlines()
