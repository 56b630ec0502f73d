"""A lean HTTP/1.1 load generator: keep-alive connections, requests made beforehand or on the spot.

Closed loop: every connection sends its next request when it has its answer, which finds the greatest rate.
Paced: requests are due at a fixed rate, whatever became of those before; the latency is measured from when a
request was due, so that a server that stalls cannot hide it. Both are bounded in time and number.

It shares the machine with what it measures, so it works on bare sockets, in a thread of its own, and says how
much processor time it took.
"""

import asyncio
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

#: Gives the bytes of the next request.
Requests = Callable[[], bytes]
#: Is shown every answer.
Look = Callable[[bytes], None]

PATIENCE_S = 30.0  #: how long answers are awaited after the last request was sent
LOOK_S = 0.05  #: how often at least it is looked whether the time is over
CONNECT_S = 10.0
READ_MOST = 1 << 13  #: bytes of an answer that are read at once


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a run's requests."""

    latency_ms: npt.NDArray[np.float64]  #: of every request that was answered, in order of the answers
    answered_s: npt.NDArray[np.float64]  #: when, since the run began
    statuses: npt.NDArray[np.int16]  #: the status of each
    status: Counter[int]  #: 0: the connection broke
    elapsed_s: float
    cpu_s: float  #: processor time of the generator
    unanswered: int = 0
    unsent: int = 0  #: were due when no connection was idle, until the end

    @property
    def rate(self) -> float:
        """Answers with status 200 in a second, until the end."""
        return float(np.sum((self.statuses == 200) & (self.answered_s <= self.elapsed_s))) / self.elapsed_s

    def percentile_ms(self, share: float) -> float:
        """The latency that so many per cent of the requests stayed below."""
        return float(np.percentile(self.latency_ms, share))

    def accepted_ms(self, share: float) -> float:
        """The same of those that were answered with 200."""
        return float(np.percentile(self.latency_ms[self.statuses == 200], share))


def request(path: str, credential: str, body: bytes) -> bytes:
    """A POST with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {credential}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection:
    """One keep-alive connection with at most one request under way."""

    __slots__ = ("buffer", "due", "socket", "under_way")

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.buffer = b""
        self.due = 0.0
        self.under_way = False


def _whole(data: bytes) -> bool:
    """Whether it is all of an answer."""
    end = data.find(b"\r\n\r\n")
    at = data.find(b"Content-Length: ", 0, end)
    return at >= 0 and len(data) >= end + 4 + int(data[at + 16 : data.find(b"\r\n", at)])


class _Run:
    def __init__(
        self,
        requests: Requests,
        *,
        seconds: float,
        most: int,
        rate: float | None,
        look: Look | None,
        over: threading.Event | None = None,
        drops: bool = False,
    ) -> None:
        self._requests, self._most, self._rate, self._look = requests, most, rate, look
        self._seconds, self._drops = seconds, drops
        self._ends = over or threading.Event()  # set: earlier than that
        self._sent = self._open = 0
        self._began = self._until = 0.0
        self._latency_ms: list[float] = []
        self._answered_s: list[float] = []
        self._statuses: list[int] = []
        self._broken = 0
        self._idle: deque[_Connection] = deque()
        self._late: deque[float] = deque()  # when requests were due that found no connection idle
        self._due = 0  # how many requests were, if they are paced
        self._dropped = 0  # how many of them never will be sent

    def over(self, url: str, connections: int) -> Outcome:
        address = urlsplit(url)
        assert address.hostname is not None
        place, began_cpu_s = (address.hostname, address.port or 80), time.thread_time()
        opened = {}
        try:
            for _ in range(connections):
                one = socket.create_connection(place, timeout=CONNECT_S)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.setblocking(False)
                opened[one.fileno()] = _Connection(one)
            with select.epoll() as poll:
                for number in opened:
                    poll.register(number, select.EPOLLIN)
                self._run(poll, opened)
        finally:
            for connection in opened.values():
                connection.socket.close()
        statuses = np.array(self._statuses, np.int16)
        status = Counter(self._statuses)
        status[0] += self._broken
        return Outcome(
            latency_ms=np.array(self._latency_ms),
            answered_s=np.array(self._answered_s),
            statuses=statuses,
            status=+status,
            elapsed_s=max(min(time.perf_counter(), self._until) - self._began, 1e-9),
            cpu_s=time.thread_time() - began_cpu_s,
            unanswered=self._sent - len(statuses),
            unsent=len(self._late) + self._dropped,
        )

    def _run(self, poll: select.epoll, opened: dict[int, _Connection]) -> None:
        self._open = len(opened)
        self._began = time.perf_counter()
        self._until = self._began + self._seconds
        self._idle.extend(opened.values())
        while (now := time.perf_counter()) < self._until + PATIENCE_S and self._open:
            wait_s = LOOK_S
            if self._ends.is_set():
                self._until = min(self._until, now)
            if now < self._until and self._sent < self._most:
                wait_s = self._send_due(now)
            elif len(self._statuses) + self._broken >= self._sent:
                break
            for number, _ in poll.poll(wait_s):
                self._receive(opened[number], poll)

    def _send_due(self, now: float) -> float:
        """Sends what is due; the seconds until more is."""
        if self._rate is None:
            while self._idle and self._sent < self._most:
                self._send(self._idle.popleft(), now)
            return LOOK_S
        while self._late and self._idle:
            self._send(self._idle.popleft(), self._late.popleft())
        while (at := self._began + self._due / self._rate) <= now:
            if self._due >= self._most:
                return LOOK_S
            self._due += 1
            if self._idle:
                self._send(self._idle.popleft(), at)
            elif self._drops:
                self._dropped += 1
            else:
                self._late.append(at)
        return min(at - now, LOOK_S)

    def _send(self, connection: _Connection, due: float) -> None:
        data = self._requests()
        self._sent += 1
        connection.due, connection.under_way = due, True
        try:
            sent = connection.socket.send(data)
        except ConnectionError:
            return  # it is told when the connection is read
        assert sent == len(data), "a request fits into an empty buffer"

    def _receive(self, connection: _Connection, poll: select.epoll) -> None:
        try:
            data = connection.socket.recv(READ_MOST)
        except ConnectionError:
            data = b""
        if not data:
            self._lost(connection, poll)
            return
        data = connection.buffer + data
        if not _whole(data):
            connection.buffer = data
            return
        connection.buffer, connection.under_way = b"", False
        now = time.perf_counter()
        self._latency_ms.append((now - connection.due) * 1000)
        self._answered_s.append(now - self._began)
        self._statuses.append(int(data[9:12]))
        if self._look is not None:
            self._look(data)
        self._idle.append(connection)

    def _lost(self, connection: _Connection, poll: select.epoll) -> None:
        poll.unregister(connection.socket)
        self._open -= 1
        self._broken += connection.under_way
        if not connection.under_way:
            self._idle.remove(connection)


async def closed(
    url: str, requests: Requests, *, connections: int, seconds: float, most: int = 10_000_000
) -> Outcome:
    """As fast as `connections` get their answers."""
    run = _Run(requests, seconds=seconds, most=most, rate=None, look=None)
    return await asyncio.to_thread(run.over, url, connections)


async def paced(
    url: str,
    requests: Requests,
    *,
    rate: float,
    connections: int,
    seconds: float,
    most: int = 10_000_000,
    look: Look | None = None,
    over: threading.Event | None = None,
    drops: bool = False,
) -> Outcome:
    """So many requests a second, for so long or until it is over. `drops`: one that is due while all
    connections wait for answers is never sent, rather than late.
    """
    run = _Run(requests, seconds=seconds, most=most, rate=rate, look=look, over=over, drops=drops)
    return await asyncio.to_thread(run.over, url, connections)
