"""Traces: a real receiver of OTLP over HTTP hears of a push, from the ping to FCM's answer."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from notifications.outbox import STAGES
from tests.acceptance import mall as malls
from tests.acceptance.mall import mall
from tests.support import REPOSITORY, serving


class Collector:
    """What was sent to it."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.raw = b""
        self.heard = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        self.raw += (body := await request.read())
        told = ExportTraceServiceRequest.FromString(body)
        self.spans += [
            span for one in told.resource_spans for scope in one.scope_spans for span in scope.spans
        ]
        self.heard.set()
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with serving(app) as collector.url:
        yield collector


async def test_a_push_is_one_trace_from_the_ping_to_its_acceptance(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await traced(database_url, tmp_path, monkeypatch, None)


async def test_over_kafka_too_a_push_is_one_trace(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka: str
) -> None:
    await traced(database_url, tmp_path, monkeypatch, kafka)


async def traced(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka: str | None
) -> None:
    """A shopper has a push; what the collector heard of it is as it was."""
    plain = malls.mall_config
    async with collecting() as collector:
        monkeypatch.setattr(
            malls, "mall_config", lambda *given: msgspec.structs.replace(plain(*given), otlp=collector.url)
        )
        async with mall(database_url, tmp_path, kafka=kafka) as opened:
            shopper = await opened.shopper()
            await shopper.looks_at("T-1")
            await shopper.ping(north_m=40)
            await opened.fcm.wait_for_push(shopper.address, timeout_s=20)
            async with asyncio.timeout(20):
                await collector.heard.wait()
            [item] = await shopper.inbox()

    [whole] = [span for span in collector.spans if not span.parent_span_id]
    parts = [span for span in collector.spans if span.parent_span_id]
    assert {span.trace_id for span in collector.spans} == {
        hashlib.sha256(item["decision_id"].encode()).digest()[:16]
    }
    assert tuple(span.name for span in parts) == STAGES
    assert {span.parent_span_id for span in parts} == {whole.span_id}
    edges = [whole.start_time_unix_nano, *(span.end_time_unix_nano for span in parts)]
    assert edges == sorted(edges)
    assert [span.start_time_unix_nano for span in parts] == edges[:-1]
    assert whole.end_time_unix_nano == edges[-1]
    told = {one.key: one.value.string_value for one in whole.attributes}
    assert told["vicino.decision_id"] == item["decision_id"]
    for private in (shopper.shopper_id, shopper.device_id, shopper.address, item["code"]):
        assert private.encode() not in collector.raw


async def test_a_collector_that_is_away_costs_no_push(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = malls.mall_config
    away = "http://127.0.0.1:1"
    monkeypatch.setattr(
        malls, "mall_config", lambda *given: msgspec.structs.replace(plain(*given), otlp=away)
    )
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        await opened.fcm.wait_for_push(shopper.address, timeout_s=20)


def test_opentelemetry_is_not_imported_unless_it_is_wanted() -> None:
    seen = "import sys, server.app, server.cli; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", seen], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
