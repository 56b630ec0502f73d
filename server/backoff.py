"""Patience with what fails again and again, so that nothing is asked in a busy loop."""

import asyncio


class Backoff:
    """Leaves alone what failed, for longer each time: 0.5 s at first, 10 s at the most."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._until_s: dict[str, float] = {}

    def ready(self, key: str) -> bool:
        return asyncio.get_running_loop().time() >= self._until_s.get(key, 0.0)

    def failed(self, key: str) -> float:
        """Notes a failure; the seconds to wait now."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay_s = min(0.5 * 2.0 ** min(self._failures[key] - 1, 10), 10.0)
        self._until_s[key] = asyncio.get_running_loop().time() + delay_s
        return delay_s

    def succeeded(self, key: str) -> None:
        self._failures.pop(key, None)
        self._until_s.pop(key, None)
