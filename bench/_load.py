"""A lean HTTP/1.1 load generator: keep-alive connections, requests made beforehand or on the spot.

Closed loop: every connection sends its next request when it has its answer, which finds the greatest rate.
Paced: requests are due at a fixed rate, whatever became of those before; the latency is measured from when a
request was due, so that a server that stalls cannot hide it. Both are bounded in time and number.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

#: Gives the bytes of the next request.
Requests = Callable[[], bytes]
#: Is shown every answer.
Look = Callable[[bytes], None]

PATIENCE_S = 30.0  #: how long answers are awaited after the last request was sent


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a run's requests."""

    latency_ms: npt.NDArray[np.float64]  #: of every request that was answered, in order of the answers
    answered_s: npt.NDArray[np.float64]  #: when, since the run began
    status: Counter[int]
    elapsed_s: float
    unanswered: int = 0

    @property
    def rate(self) -> float:
        """Answers with status 200 in a second."""
        return self.status[200] / self.elapsed_s

    def percentile_ms(self, share: float) -> float:
        """The latency that so many per cent of the requests stayed below."""
        return float(np.percentile(self.latency_ms, share))


def request(path: str, credential: str, body: bytes) -> bytes:
    """A POST with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {credential}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = b""
        self._due = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, data: bytes, due: float) -> None:
        self._due = due
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        at = data[:end].lower().find(b"content-length:") if end > 0 else -1
        if at < 0 or len(data) < end + 4 + int(data[at + 15 : data.find(b"\r\n", at)]):
            self._buffer = data
            return
        self._buffer = b""
        if self._run.look is not None:
            self._run.look(data)
        self._run.answered(self, int(data[9:12]), self._due)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._run.lost()

    def close(self) -> None:
        self._transport.abort()


class _Run:
    def __init__(
        self, requests: Requests, *, seconds: float, most: int, rate: float | None, look: Look | None
    ) -> None:
        self.look = look
        self._requests, self._most, self._rate = requests, most, rate
        self._seconds = seconds
        self._sent = 0
        self._began = self._until = 0.0
        self._latency_ms: list[float] = []
        self._answered_s: list[float] = []
        self._status: Counter[int] = Counter()
        self._idle: deque[_Connection] = deque()
        self._late: deque[float] = deque()  # when requests were due that found no connection idle
        self._done = asyncio.Event()
        self._over = False

    async def over(self, url: str, connections: int) -> Outcome:
        loop, address = asyncio.get_running_loop(), urlsplit(url)
        opened = [
            (await loop.create_connection(lambda: _Connection(self), address.hostname, address.port))[1]
            for _ in range(connections)
        ]
        self._began = time.perf_counter()
        self._until = self._began + self._seconds
        if self._rate is None:
            for one in opened:
                self._send(one, time.perf_counter())
        else:
            self._idle.extend(opened)
            await self._pace(self._rate)
        try:
            async with asyncio.timeout(self._until - time.perf_counter() + PATIENCE_S):
                await self._done.wait()
        except TimeoutError:
            pass  # what is unanswered is told
        elapsed_s = min(time.perf_counter(), max(self._until, self._began + 1e-9)) - self._began
        self._over = True
        for one in opened:
            one.close()
        return Outcome(
            latency_ms=np.array(self._latency_ms),
            answered_s=np.array(self._answered_s),
            status=self._status,
            elapsed_s=elapsed_s,
            unanswered=self._sent - len(self._latency_ms) + len(self._late),
        )

    async def _pace(self, rate: float) -> None:
        due = 0
        while (now := time.perf_counter()) < self._until and due < self._most:
            while due < self._most and (at := self._began + due / rate) <= now:
                due += 1
                if self._idle:
                    self._send(self._idle.popleft(), at)
                else:
                    self._late.append(at)
            await asyncio.sleep(0.0005)
        self._most = self._sent + len(self._late)
        self._check()

    def _send(self, connection: _Connection, due: float) -> None:
        self._sent += 1
        connection.send(self._requests(), due)

    def answered(self, connection: _Connection, status: int, due: float) -> None:
        now = time.perf_counter()
        self._latency_ms.append((now - due) * 1000)
        self._answered_s.append(now - self._began)
        self._status[status] += 1
        if self._rate is not None:
            if self._late:
                self._send(connection, self._late.popleft())
            else:
                self._idle.append(connection)
                self._check()
        elif now < self._until and self._sent < self._most:
            self._send(connection, now)
        else:
            self._check()

    def lost(self) -> None:
        if not self._over:
            self._status[0] += 1

    def _check(self) -> None:
        paced_out = self._rate is None or self._sent >= self._most
        if paced_out and not self._late and len(self._latency_ms) >= self._sent:
            self._done.set()


async def closed(
    url: str, requests: Requests, *, connections: int, seconds: float, most: int = 10_000_000
) -> Outcome:
    """As fast as `connections` get their answers."""
    return await _Run(requests, seconds=seconds, most=most, rate=None, look=None).over(url, connections)


async def paced(
    url: str,
    requests: Requests,
    *,
    rate: float,
    connections: int,
    seconds: float,
    most: int = 10_000_000,
    look: Look | None = None,
) -> Outcome:
    """So many requests a second."""
    return await _Run(requests, seconds=seconds, most=most, rate=rate, look=look).over(url, connections)
