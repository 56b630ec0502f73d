"""The catalogue of metrics: one entry each, served at /metrics in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0)


class Metrics:
    """The counters and histograms of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Counter: fixes, by what became of them: accepted, or the reason code they were rejected with.
        self.fixes = Counter("vicino_fixes", "Fixes received", ["result"], registry=self.registry)
        # Counter: fixes that were taken and that the fence engine does not believe, by the reason code.
        self.doubted = Counter(
            "vicino_fixes_doubted", "Fixes not believed", ["reason"], registry=self.registry
        )
        # Counter: browse events, by what became of them.
        self.events = Counter("vicino_events", "Browse events received", ["result"], registry=self.registry)
        # Counter: pushes by their terminal state and reason.
        self.pushes = Counter(
            "vicino_pushes", "Pushes in a terminal state", ["state", "reason"], registry=self.registry
        )
        # Counter: requests and connections that were refused with a 429, by the reason code.
        self.refused = Counter(
            "vicino_refused", "Requests refused for now", ["reason"], registry=self.registry
        )
        # Histogram: how late the event loop was, looked at every 50 ms. Everything waits at least that long.
        self.loop_lag = Histogram(
            "vicino_loop_lag_seconds", "How late the event loop is", registry=self.registry, buckets=_SECONDS
        )
        # Histogram: from the fix's reception to FCM's acceptance of the push.
        self.fix_to_push = Histogram(
            "vicino_fix_to_push_seconds",
            "From fix received to push accepted",
            registry=self.registry,
            buckets=_SECONDS,
        )

    def refused_for(self, reason: str) -> None:
        """Counts a refusal."""
        self.refused.labels(reason).inc()

    def text(self) -> bytes:
        """What /metrics answers."""
        return generate_latest(self.registry)
