"""Keep-alive HTTP/1.1 connections to one server, one request at a time on each.

A general client asks of every request where it may be led on to, which cookies it takes and how its body is
encoded. Here all requests are short, go to one address, and are a thousand and more a second.
"""

import asyncio
import ssl
from base64 import b64encode
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httptools
from msgspec import Struct

#: A connection that nobody has used for so long may have been closed at the other end meanwhile.
IDLE_S = 15.0
#: No answer that means anything is longer.
ANSWER_BYTES = 256 * 1024


class Unreachable(Exception):  # noqa: N818 - named for the next move: nothing was sent, try again
    """No connection came about."""


class ConnectionLost(Exception):  # noqa: N818 - it may have been taken over
    """The connection broke, or what came was no HTTP, before the answer was complete."""


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """An answer."""

    status: int
    retry_after: str | None
    body: bytes


class Connections:
    """Connections to the server at `url`, opened as they are needed. Made in the event loop that uses them.

    `https` honours the environment's proxy, as `http` (a stand-in on this machine) does not.
    """

    def __init__(self, url: str, *, connect_timeout_s: float) -> None:
        self._server = urlsplit(url)
        self._connect_timeout_s = connect_timeout_s
        self._tls = ssl.create_default_context() if self._server.scheme == "https" else None
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self.closed = False

    @property
    def host(self) -> str:
        """As the Host header names it."""
        return self._server.netloc.rpartition("@")[2]

    async def request(self, message: bytes) -> Reply:
        """Sends one request, head and body, and returns its answer.

        Raises Unreachable and ConnectionLost. Cancelling it closes the connection: whether the request was
        heard is open then.
        """
        connection = self._take() or await self._connect()
        self._busy.add(connection)
        try:
            reply = await connection.ask(message)
        except BaseException:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        if connection.usable and not self.closed:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def close(self) -> None:
        """Closes all of them; requests under way end as ConnectionLost. May be called twice."""
        self.closed = True
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._idle.clear()

    def _take(self) -> "_Connection | None":
        """The connection that was used last, so that those beyond need grow old and are let go."""
        fresh_s = asyncio.get_running_loop().time() - IDLE_S
        if self._idle and self._idle[0].used_s < fresh_s:
            for old in [one for one in self._idle if one.used_s < fresh_s]:
                old.close()
            self._idle = [one for one in self._idle if one.used_s >= fresh_s]
        while self._idle:
            if (connection := self._idle.pop()).usable:
                return connection
        return None

    async def _connect(self) -> "_Connection":
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._open()
        except (OSError, TimeoutError, ConnectionLost) as error:
            raise Unreachable from error
        if self.closed:
            connection.close()
            raise Unreachable
        return connection

    async def _open(self) -> "_Connection":
        loop, server = asyncio.get_running_loop(), self._server
        host, port = server.hostname or "", server.port or (443 if self._tls else 80)
        proxy = self._proxy(host)
        if proxy is None:
            return (await loop.create_connection(_Connection, host, port, ssl=self._tls))[1]
        there = (proxy.hostname or "", proxy.port or 80)
        transport, connection = await loop.create_connection(_Connection, *there)
        try:
            await connection.tunnel(_connect_request(f"{host}:{port}", proxy))
            assert self._tls is not None, "only https goes through a proxy"
            secure = await loop.start_tls(transport, connection, self._tls, server_hostname=host)
        except BaseException:
            connection.close()
            raise
        connection.connection_made(cast("asyncio.Transport", secure))
        return connection

    def _proxy(self, host: str) -> SplitResult | None:
        if self._tls is None or proxy_bypass(host):
            return None
        found = getproxies().get("https")
        return urlsplit(found if "//" in found else f"//{found}") if found else None


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is coming in on it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._tunnelling = False
        self._body: list[bytes] = []
        self._size = 0
        self._retry_after: str | None = None
        self._measured = False  #: whether the head says where the answer ends; else with the connection
        self._headed = False  #: whether the head is complete
        self.usable = False
        self.used_s = 0.0

    async def ask(self, message: bytes) -> Reply:
        """Writes a request; its answer. Raises ConnectionLost."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost
        self._answer = self._loop.create_future()
        self._transport.write(message)
        return await self._answer

    async def tunnel(self, message: bytes) -> None:
        """Asks a proxy for a way through. Raises ConnectionLost where it refuses."""
        self._tunnelling = True
        reply = await self.ask(message)
        self._tunnelling = False
        if reply.status // 100 != 2:
            raise ConnectionLost
        self._parser = httptools.HttpResponseParser(self)  # that answer had no body, which it cannot know

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked: what comes next on it could be taken for another's answer
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._lose()

    def eof_received(self) -> None:
        self.usable = False
        if self._headed and not self._measured:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the caller needs no more
        self._lose()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self.usable = False  # more than was asked for
        self._body, self._size, self._retry_after = [], 0, None
        self._measured = self._headed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif lower in {b"content-length", b"transfer-encoding"}:
            self._measured = True

    def on_headers_complete(self) -> None:
        self._headed = True
        if self._tunnelling:
            self._finish()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > ANSWER_BYTES:
            self._lose()
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:  # else "103 early hints" and the like: the answer follows
            self.usable = self.usable and self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self.used_s = self._loop.time()
            status, body = self._parser.get_status_code(), b"".join(self._body)
            self._answer.set_result(Reply(status=status, retry_after=self._retry_after, body=body))

    def _lose(self) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost())


def _connect_request(authority: str, proxy: SplitResult) -> bytes:
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    if proxy.username is not None:
        user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        head += f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}\r\n"
    return f"{head}\r\n".encode()
