"""The bare handler that ingestion is compared with: aiohttp, uvloop, and msgspec decoding the same bodies.

It checks no credential, keeps nothing and judges nothing.
"""

import asyncio
import sys

import msgspec
import uvloop
from aiohttp import web

from server.wire import Ping

_decoder = msgspec.json.Decoder(Ping)


async def ping(request: web.Request) -> web.Response:
    """Decodes the fixes and counts them."""
    body = _decoder.decode(await request.read())
    answer = {"accepted": len(body.fixes), "rejected": []}
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


async def main() -> None:
    """Serves until it is stopped; says where."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/pings", ping)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"bare listens on http://{host}:{port} (it is no server to use)", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
