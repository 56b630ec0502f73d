"""The catalogue of metrics: one entry each, served at /metrics in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0)


class Metrics:
    """The counters and histograms of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Counter: fixes, by what became of them: accepted, or the reason code they were rejected with.
        self.fixes = Counter("vicino_fixes", "Fixes received", ["result"], registry=self.registry)
        self.fixes_accepted = self.fixes.labels("accepted")  # looked up once: it counts with every ping
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
        # Counter: inputs that could not be processed and were put aside. Any growth is for an operator.
        self.quarantined = Counter(
            "vicino_quarantined", "Inputs put aside", ["input", "reason"], registry=self.registry
        )
        # Histogram: from the fix's reception to FCM's acceptance of the push.
        self.fix_to_push = Histogram(
            "vicino_fix_to_push_seconds",
            "From fix received to push accepted",
            registry=self.registry,
            buckets=_SECONDS,
        )

    def text(self) -> bytes:
        """What /metrics answers."""
        return generate_latest(self.registry)
