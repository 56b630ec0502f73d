"""Traces for OpenTelemetry (`VICINO_OTLP`): one for each push that the provider has taken, from the ping on.

    vicino.push           received ---------------------------------------------------> accepted
      received_to_decided   |----|
      decided_to_journaled       |----|
      journaled_to_claimed            |------------|
      claimed_to_accepted                          |------------------------------------|

The outbox row has the time of each stage, whichever process noted it, so the relay tells the whole and
nothing is carried along the hot path. The trace's id follows from the decision's: who has a receipt finds it.
Nothing here is imported unless it is wanted, and what it needs is installed apart (`requirements/otel.txt`).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import Tracer, set_span_in_context

from notifications.outbox import PushRow, stages_s

EVERY_MS = 1_000  #: so often what has gathered is sent
MOST_WAITING = 4_096  #: spans; more are dropped, and nothing waits for them
ANSWER_S = 5  #: so long the collector may take


def trace_id_of(decision_id: str) -> int:
    """The id of the trace of a decision's push: the first 16 bytes of its SHA-256."""
    return int.from_bytes(hashlib.sha256(decision_id.encode()).digest()[:16], "big")


class _Ids(IdGenerator):
    """Gives the next trace the id that it is to have; spans have random ones."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self.next_trace = 0

    def generate_span_id(self) -> int:
        return self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        return self.next_trace


class Traces:
    """Tells of pushes; `told` when the provider has taken one."""

    def __init__(self, tracer: Tracer, ids: _Ids) -> None:
        self._tracer, self._ids = tracer, ids

    def told(self, row: PushRow, accepted_at_us: int) -> None:
        """One trace. It names the push and the decision, and neither a shopper nor a place."""
        self._ids.next_trace = trace_id_of(row.decision_id)
        whole = self._tracer.start_span(
            "vicino.push",
            start_time=row.received_at_us * 1_000,
            attributes={
                "vicino.retailer_id": row.retailer_id,
                "vicino.push_id": row.push_id,
                "vicino.decision_id": row.decision_id,
                "vicino.attempts": row.attempts,
            },
        )
        context, at_us = set_span_in_context(whole), row.received_at_us
        for stage, seconds in stages_s(row, accepted_at_us).items():
            end_us = at_us + round(seconds * 1e6)
            part = self._tracer.start_span(stage, context=context, start_time=at_us * 1_000)
            part.end(end_time=end_us * 1_000)
            at_us = end_us
        whole.end(end_time=accepted_at_us * 1_000)


@asynccontextmanager
async def tracing(endpoint: str) -> AsyncIterator[Traces]:
    """Traces, sent by OTLP over HTTP to the collector at a base URL (`http://collector:4318`) from a thread
    of their own. What is waiting at the end is sent then, for some seconds.
    """
    ids = _Ids()
    resource = Resource.create({"service.name": "vicino"})
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=ANSWER_S)
    provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING, schedule_delay_millis=EVERY_MS)
    )
    try:
        yield Traces(provider.get_tracer("vicino"), ids)
    finally:
        await asyncio.to_thread(provider.shutdown)
