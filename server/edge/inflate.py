"""Compressed bodies, inflated only for callers who are known, only up to the route's size, never at length
on the event loop: what is more than a piece goes on in a thread.
"""

import asyncio
import zlib

from aiohttp import web

from server.problems import Problem

ENCODINGS = ("gzip", "x-gzip", "deflate")
PIECE = 64 << 10  #: bytes of output that the loop makes itself


async def inflated(request: web.Request, most: int) -> web.Request:
    """The request with its body as it was before compression. Raises Problem 400, 413, 415.

    `most` is in bytes, of the body before and after.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return request
    if encoding not in ENCODINGS:
        raise Problem(415, "content_encoding", f"send the body as it is, or as {ENCODINGS[0]} or deflate")
    packed = await request.read()
    inflation = _Inflation(packed, encoding, most)
    if not inflation.go_on(PIECE):
        await asyncio.to_thread(inflation.go_on, most + 1)
    # aiohttp remembers here what it has read; it has no public way to give a request another body.
    request._read_bytes = inflation.result()  # noqa: SLF001
    return request


class _Inflation:
    """The inflating of one body; `go_on` until it is done or too much."""

    def __init__(self, packed: bytes, encoding: str, most: int) -> None:
        self._rest = packed
        self._most = most
        self._stream = zlib.decompressobj(_window(packed, encoding))
        self._out = bytearray()

    def go_on(self, room: int) -> bool:
        """Makes up to about so many bytes more; True when nothing is left to do."""
        end = len(self._out) + room
        while not self._stream.eof and len(self._out) < end and len(self._out) <= self._most:
            try:
                piece = self._stream.decompress(self._rest, PIECE)
            except zlib.error as error:
                raise Problem(400, "bad_encoding", f"the body is not what it says: {error}") from None
            self._rest = self._stream.unconsumed_tail
            self._out += piece
            if not piece and not self._rest:
                break  # it ends too early
        return self._stream.eof or not self._rest or len(self._out) > self._most

    def result(self) -> bytes:
        """Raises Problem 413 for too much, 400 for a body that ends early or goes on after its end."""
        if len(self._out) > self._most:
            raise Problem(413, "too_large", f"inflated the body has more than {self._most} bytes")
        if not self._stream.eof or self._stream.unused_data:
            raise Problem(400, "bad_encoding", "the compressed body is cut off, or goes on after its end")
        return bytes(self._out)


def _window(packed: bytes, encoding: str) -> int:
    """zlib's `wbits`. `deflate` has zlib's frame (RFC 9110, 8.4.1.2); some clients leave it out."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    framed = len(packed) > 1 and packed[0] & 15 == 8 and int.from_bytes(packed[:2]) % 31 == 0
    return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS
