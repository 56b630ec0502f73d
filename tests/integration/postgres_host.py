"""A process that owns an embedded PostgreSQL, for the tests to kill: `postgres_host.py DATA_DIR`.

Prints its server's URL and process id as JSON, then waits for ever.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from server.postgres import EmbeddedPostgres


async def main(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, settings={"fsync": "off"}, say=lambda _: None) as server:
        print(json.dumps({"url": server.url, "pid": server.pid}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    # As a background job of a script it would have been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main(Path(sys.argv[1])))
