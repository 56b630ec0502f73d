"""A shopper's copy where the journal is in Kafka: what lies there alone is in it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from server import app
from server.kafka.cluster import Cluster
from server.kafka.hers import Hers
from server.kafka.topics import Topics, grow
from tests.acceptance import scaled
from tests.acceptance.mall import Mall, Shopper, mall
from tests.acceptance.test_rights import HER_LON, download, jsonschema_valid, lives
from tests.acceptance.traces import found, names_of


async def files_of(shopper: Shopper) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(await download(shopper)))
    return {name: archive.read(name) for name in archive.namelist()}


def pings_in(files: dict[str, bytes]) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in files["journal.ndjson"].splitlines()]
    jsonschema_valid(rows, json.loads(files["journal.schema.json"]))
    return [row for row in rows if row["type"] == "RecordFixes"]


async def test_every_position_that_she_sent_is_in_her_copy_once_and_nobody_elses(at_noon: Mall) -> None:
    shopper, other = await at_noon.shopper(), await at_noon.shopper()
    await lives(shopper)
    for north_m in (500, 501, 502):  # from these nothing follows: the topic alone has them
        at_noon.clock.advance(1)
        await shopper.ping(north_m=north_m, lon=HER_LON)
        await other.ping(north_m=north_m)

    files = await files_of(shopper)

    pings = pings_in(files)
    positions = json.loads(files["positions.geojson"])["features"]
    journaled = [one for one in positions if one["properties"]["from"] == "journal"]
    assert len(pings) == len({ping["received_at_us"] for ping in pings}) == 6
    assert len(journaled) == 6
    assert {one["geometry"]["coordinates"][0] for one in journaled} == {HER_LON}
    manifest = json.loads(files["manifest.json"])["files"]
    assert {"journal": len(files["journal.ndjson"].splitlines())}.items() <= {
        one["name"].removesuffix(".ndjson"): one["rows"] for one in manifest
    }.items()
    assert found(b"".join(files.values()), names_of(other)) == []


async def test_what_she_sent_before_she_was_known_is_in_it_too(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(user_id="ann")
    again = await at_noon.shopper()
    await again.ping(north_m=600, lon=HER_LON)
    await again.post("/v1/me/login", {"user_id": "ann"})

    files = await files_of(shopper)

    assert [ping["device_id"] for ping in pings_in(files)] == [again.device_id]


async def test_a_copy_that_takes_longer_than_a_request_may_is_told_as_that(
    database_url: str, tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "COPY_S", 0.0)
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        shopper = await opened.shopper()
        await shopper.ping(north_m=300)

        status, problem = await shopper.call("GET", "/v1/me/export")

    assert (status, problem["code"]) == (503, "copy_takes_longer")
    assert "./vicino export" in problem["detail"]


async def test_what_lay_in_a_partition_before_it_was_split_is_found(
    database_url: str,
    tmp_path: Path,
    kafka: str,
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scaled, "new_id", lambda _: topics.prefix)
    monkeypatch.setattr(scaled, "PARTS", 1)
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        people = [await opened.shopper() for _ in range(4)]
        for shopper in people:
            await shopper.ping(north_m=300)
        await opened.stop()
    await grow(Cluster(servers=kafka), topics, database_url, parts=4)
    seen: list[tuple[int, int]] = []

    async with await app.Database.open(database_url) as database:
        hers = Hers(
            Cluster(servers=kafka),
            topics,
            database,
            opened.clock,
            within_s=30,
            progress=lambda done, total: seen.append((done, total)),
        )
        for shopper in people:
            inputs = await hers.inputs(opened.keys["retailer_id"], [shopper.shopper_id])
            assert "RecordFixes" in {type(one).__name__ for one in inputs}

    assert seen[-1][0] == seen[-1][1] > 0
