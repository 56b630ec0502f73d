"""The catalogue of metrics: one entry each, served at /metrics in Prometheus' text format.

What they say together: `waiting` and `loop_lag` rise first, then `refused` counts; `stage` says where the
time of a push goes; `quarantined` and `pushes` by reason are what an operator wants to be woken for.
"""

import collections

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from notifications.outbox import STAGES, PushRow, stages_s
from server.edge.room import Room

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0)
_FIXES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Metrics:
    """The counters, gauges and histograms of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._came_in()
        self._at_the_door()
        self._went_out()

    def _came_in(self) -> None:
        # Counter: fixes, by what became of them: accepted, or the reason code they were rejected with.
        self.fixes = self._counter("vicino_fixes", "Fixes received", "result")
        self.fixes_accepted = self.fixes.labels("accepted")  # looked up once: it counts with every ping
        # Counter: fixes that were taken and that the fence engine does not believe, by the reason code.
        self.doubted = self._counter("vicino_fixes_doubted", "Fixes not believed", "reason")
        # Counter: browse events, by what became of them.
        self.events = self._counter("vicino_events", "Browse events received", "result")
        # Counter: inputs that could not be processed and were put aside, by kind and error. Each is a defect.
        self._quarantined = self._counter("vicino_quarantined", "Inputs put aside", "input", "reason")
        # Histogram: fixes, events and others in one micro-batch. It grows with the load.
        self._batch_inputs = self._histogram("vicino_batch_inputs", "Fixes and events in a batch", _FIXES)
        # Histogram: how long a micro-batch takes, its commit included.
        self._batch_seconds = self._histogram("vicino_batch_seconds", "From a batch's begin to its commit")

    def _at_the_door(self) -> None:
        # Counter: requests and connections that were refused for now (429, 503), by the reason code.
        self._refused = self._counter("vicino_refused", "Requests refused for now", "reason")
        self._refused_for: collections.Counter[str] = collections.Counter()  # since somebody last asked
        # Counter: what browsers reported of the console's content security policy. Each is a defect.
        self.csp_reports = Counter(
            "vicino_csp_reports", "Reports of the content security policy", registry=self.registry
        )
        # Gauge: fixes, events and others that wait in all lanes.
        self._waiting = Gauge("vicino_waiting", "Fixes and events that wait", registry=self.registry)
        # Gauge: records of Kafka that wait for this engine, by partition. Grows where engines are too few.
        self._lag = Gauge(
            "vicino_kafka_lag", "Records that wait in Kafka", ["partition"], registry=self.registry
        )
        # Gauge: lanes that refuse what is worth least, because they cannot keep up.
        self._closed = Gauge("vicino_valves_closed", "Lanes that cannot keep up", registry=self.registry)
        # Histogram: how late the event loop was, looked at every 50 ms. Everything waits at least that long.
        self.loop_lag = self._histogram("vicino_loop_lag_seconds", "How late the event loop is")

    def _went_out(self) -> None:
        # Counter: pushes by their terminal state and reason.
        self.pushes = self._counter("vicino_pushes", "Pushes in a terminal state", "state", "reason")
        # Histogram: from the fix's reception to FCM's acceptance of the push.
        self._fix_to_push = self._histogram(
            "vicino_fix_to_push_seconds", "From fix received to push accepted"
        )
        # Histogram: the same by its stages.
        stage = Histogram(
            "vicino_push_stage_seconds",
            "How long each stage of a push took",
            ["stage"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._stages = {name: stage.labels(name) for name in STAGES}

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        return Histogram(name, help_text, registry=self.registry, buckets=buckets)

    def watch(self, room: Room) -> None:
        """Lets the gauges tell of the room whenever somebody asks."""
        self._waiting.set_function(lambda: room.waiting)
        self._closed.set_function(lambda: room.closed)

    def lag(self, part: int, records: int) -> None:
        """Notes how much waits in a partition of Kafka."""
        self._lag.labels(str(part)).set(records)

    def refused_for(self, reason: str) -> None:
        """Counts a refusal. What it costs is taken from those who are not refused."""
        self._refused_for[reason] += 1

    def quarantined(self, kind: str, reason: str) -> None:
        """Counts an input that was put aside."""
        self._quarantined.labels(kind, reason).inc()

    def batch(self, inputs: int, took_s: float) -> None:
        """Notes a micro-batch."""
        self._batch_inputs.observe(inputs)
        self._batch_seconds.observe(took_s)

    def accepted(self, row: PushRow, at_us: int) -> None:
        """Notes the stages of a push that the provider has taken."""
        stages = stages_s(row, at_us)
        for name, seconds in stages.items():
            self._stages[name].observe(seconds)
        self._fix_to_push.observe(sum(stages.values()))

    def text(self) -> bytes:
        """What /metrics answers."""
        for reason, times in self._refused_for.items():
            self._refused.labels(reason).inc(times)
        self._refused_for.clear()
        return generate_latest(self.registry)
