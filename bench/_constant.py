"""A server that answers every piece of bytes with the same refusal: what one costs at the very least here."""

import asyncio
import sys
from typing import cast

import uvloop

_REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 3\r\n"
    b"Content-Length: 160\r\n\r\n" + b" " * 160
)


class _Refusing(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        self._transport.write(_REFUSAL)


async def main() -> None:
    """Serves until it is stopped; says where."""
    server = await asyncio.get_running_loop().create_server(_Refusing, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"constant listens on http://{host}:{port} (it is no server to use)", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
