"""Stand-ins for what a test must control."""


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def set(self, now_us: int) -> None:
        self._now_us = now_us

    def advance(self, seconds: float) -> None:
        self._now_us += round(seconds * 1_000_000)
