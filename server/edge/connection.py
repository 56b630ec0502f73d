"""Connections with deadlines and caps: whoever does not get on with it is cut off.

aiohttp waits for headers and bodies for as long as a peer likes. Here a request's headers are due 5 s after
its first byte (or after the connection was made), its body 10 s after its headers, however little of it
drips in. One watchdog looks at all connections; a request costs nothing but a note of when it is due.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from server.edge.framing import MOST, whole_request
from server.edge.turns import Turns

HEADER_S = 5.0  #: from a request's first byte to the end of its headers
BODY_S = 10.0  #: from there to the end of its body
IDLE_S = 75.0  #: between two requests
LINGER_S = 2.0  #: how long the rest of a body is read and thrown away after the answer
LOOK_S = 0.25  #: how often the watchdog looks, and so how late it may be

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s"
)


#: Given an answer's bytes, once.
Reply = Callable[[bytes], None]
#: Given the bytes of what may be one request, its peer's address, and whether it has waited for too long:
#: whether it is, or will be, answered so.
PlainRequests = Callable[[bytes, str, bool, Reply], bool]


class TooSlow(TimeoutError):  # noqa: N818 - it names what was found
    """The body was not there in time."""


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long a peer may take."""

    header_s: float = HEADER_S
    body_s: float = BODY_S
    idle_s: float = IDLE_S
    look_s: float = LOOK_S


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections may be open."""

    total: int = 10_000
    per_address: int = 500
    trusted: frozenset[str] = frozenset()  #: addresses of proxies, which bring many peers' connections


class Doorman:
    """Lets connections in, counts them, and cuts off those that are late. `watch` runs beside the server."""

    def __init__(
        self, caps: Caps, deadlines: Deadlines, *, on_refused: Callable[[str], None], plain: PlainRequests
    ) -> None:
        self._caps = caps
        self.deadlines = deadlines
        self._on_refused = on_refused
        self.plain = plain
        self._open: set[Connection] = set()
        self.turns = Turns()
        self._by_address: Counter[str] = Counter()

    def enter(self, connection: "Connection") -> bool:
        """Counts a connection; False where there is no room for it."""
        address = connection.address
        if len(self._open) >= self._caps.total:
            self._on_refused("connections")
            return False
        if address not in self._caps.trusted and self._by_address[address] >= self._caps.per_address:
            self._on_refused("connections_of_address")
            return False
        self._open.add(connection)
        self._by_address[address] += 1
        return True

    def leave(self, connection: "Connection") -> None:
        """Counts a connection no more."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._by_address[connection.address] -= 1
        if self._by_address[connection.address] <= 0:
            del self._by_address[connection.address]

    async def watch(self) -> None:
        """Cuts off what is late, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.deadlines.look_s)
            now_s = loop.time()
            for _ in range(2):  # what has come while the loop was busy is read first
                await asyncio.sleep(0)
            for connection in [one for one in self._open if one.due_s < now_s]:
                connection.cut()


class Connection(web.RequestHandler):
    """aiohttp's connection, with a note of what the peer owes and when that is due."""

    __slots__ = (
        *("_body", "_came_s", "_doorman", "_due_then_s", "_early", "_last", "_owes", "_replied"),
        *("address", "due_s"),
    )

    def __init__(self, manager: web.Server, doorman: Doorman, **settings: Any) -> None:
        idle_s = doorman.deadlines.idle_s
        super().__init__(manager, keepalive_timeout=idle_s, lingering_time=LINGER_S, **settings)
        self._doorman = doorman
        self._body: Any = None  #: the stream of the body that is owed; None: headers are, or nothing is
        #: What aiohttp's parser was given last, if it was not much; empty: nothing of it can be left there.
        self._last: bytes | None = b""
        self._owes = False  #: an answer to a request that aiohttp knows nothing of; …
        self._came_s = self._due_then_s = 0.0  #: … when that came, and what was due when before it
        self._early = b""  #: … what has come since; …
        self._replied: asyncio.Future[None] | None = None  #: … and who waits until it is given
        self.address = ""  #: the peer's
        self.due_s = math.inf  #: by the loop's clock; infinity: nothing is owed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self.due_s = self._loop.time() + self._doorman.deadlines.header_s
        if not self._doorman.enter(self):
            self._last_words(_FULL, 503, "busy", "too many connections are open: try again in a few seconds")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._doorman.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._owes:
            self._early += data
            if len(self._early) > MOST and self.transport is not None:
                self.transport.pause_reading()
            return
        if self._taken(data):
            return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Gives it to aiohttp."""
        self._last = data if len(data) <= MOST else None
        if data and self.due_s == math.inf:  # a new request begins
            self.due_s = self._loop.time() + self._doorman.deadlines.header_s
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests and self._messages:
            self._body = self._messages[-1][1]
            self.due_s = self._loop.time() + self._doorman.deadlines.body_s
        if self._body is not None and self._body.is_eof():
            self._body, self.due_s = None, math.inf

    def _taken(self, data: bytes) -> bool:
        """Whether `data` was one plain request, with nothing before it unanswered or unread, and is taken."""
        # aiohttp waits for a request; on a new connection it has yet to begin to.
        waits = not self._request_count if self._waiter is None else not self._waiter.done()
        if not waits or self._messages or self._last is None or self.transport is None:
            return False
        if self._close or self._force_close:
            return False
        # Of a chunk that held more than one request the parser may have kept a part; and of a peer that does
        # not read its answers no more is taken.
        if self._last and (self.due_s != math.inf or whole_request(self._last) is None):
            return False
        if self._paused:
            return False
        self._owes = True
        self._came_s = self._loop.time()
        self._due_then_s, self.due_s = self.due_s, math.inf  # from now on it is we who are waited for
        return self._doorman.turns.must_wait(self._go_on, data) or self._is_plain(data, late=False)

    def _is_plain(self, data: bytes, *, late: bool) -> bool:
        last, self._last = self._last, b""
        now_s = self._loop.time()
        self._next_keepalive_close_time = now_s + self._keepalive_timeout
        if self._doorman.plain(data, self.address, late, self._reply):
            return True
        self.due_s, self._last = self._due_then_s + now_s - self._came_s, last
        self._owes = False
        return False

    def _go_on(self, data: bytes, late: bool) -> None:
        """Its turn has come."""
        if self.transport is not None and not self._is_plain(data, late=late):
            self._settle(data)

    def _reply(self, answer: bytes) -> None:
        self._owes = False
        if self.transport is not None:
            self.transport.write(answer)
        self._settle(b"")

    def _settle(self, data: bytes) -> None:
        """Nothing is owed: on with what is there."""
        if self._replied is not None and not self._replied.done():
            self._replied.set_result(None)
        early, self._early = self._early, b""
        if self.transport is None:
            return
        if len(early) > MOST:
            self.transport.resume_reading()
        if data:
            self._parse(data + early)
        elif early:
            self.data_received(early)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """Ends the connection; what is under way may take so many seconds."""
        if self._owes:
            self._replied = self._loop.create_future()
            await asyncio.wait({self._replied}, timeout=timeout)
        await super().shutdown(timeout)

    def grant(self, seconds: float) -> None:
        """More time for the body that is owed, since its sender is known and may send a large one."""
        if self._body is not None:
            self.due_s += seconds

    def cut(self) -> None:
        """Ends what is late: the body's reader is told, a peer without headers is sent away."""
        self.due_s = math.inf
        if self._body is not None:
            self._body.set_exception(TooSlow("the body was not complete in time"))
            self._body = None
        else:
            self._last_words(_TOO_SLOW, 408, "too_slow", "the headers were not complete in time")

    def _last_words(self, form: bytes, status: int, code: str, detail: str) -> None:
        body = msgspec.json.encode(
            {"type": f"urn:vicino:{code}", "status": status, "code": code, "detail": detail}
        )
        if self.transport is not None:
            self.transport.write(form % (len(body), body))
        self.force_close()


class Listener:
    """A running server. `close` stops taking connections and ends the watchdog."""

    def __init__(self, server: asyncio.Server, watchdog: "asyncio.Task[None]") -> None:
        self._server = server
        self._watchdog = watchdog

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def close(self) -> None:
        self._server.close()
        self._watchdog.cancel()
        with suppress(asyncio.CancelledError):
            await self._watchdog


async def listen(manager: web.Server, doorman: Doorman, host: str, port: int) -> Listener:
    """Takes connections for `manager` (a runner's server). Raises OSError where the port is taken."""
    loop = asyncio.get_running_loop()

    def connection() -> Connection:
        # auto_decompress: a compressed body is inflated by nobody before its sender is known.
        return Connection(manager, doorman, loop=loop, access_log=None, auto_decompress=False)

    server = await loop.create_server(connection, host, port, backlog=1024)
    return Listener(server, asyncio.create_task(doorman.watch(), name="doorman"))
