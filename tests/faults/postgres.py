"""The PostgreSQL of a run, as its processes: killed, paused, or reached by a slow wire."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from server.postgres import EmbeddedPostgres
from server.postgres.cluster import SUPERUSER
from tests.conftest import KILL_PROOF

SOCKET = ".s.PGSQL.5432"


class Postgres:
    """A PostgreSQL that is started again whenever it dies."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self.url = server.url
        self.socket = Path(server.url.partition("host=")[2].replace("%2F", "/")) / SOCKET

    def tree(self) -> list[int]:
        """The postmaster and all its children."""
        assert self._server.pid is not None
        return [self._server.pid, *children(self._server.pid)]

    def kill_tree(self) -> None:
        """`kill -9` of every process of it, as the out-of-memory killer or a crashed container would."""
        _signal(self.tree(), signal.SIGKILL)

    def kill_backend(self, chosen: random.Random) -> bool:
        """`kill -9` of one process that serves a client; all are started anew then. False: there is none."""
        backends = [pid for pid in self.tree() if _title(pid).startswith(f"postgres: {SUPERUSER} ")]
        if not backends:
            return False
        _signal([chosen.choice(backends)], signal.SIGKILL)
        return True

    async def pause(self, seconds: float) -> None:
        """Stops every process of it for so long (SIGSTOP), as a stalled disk would."""
        tree = self.tree()
        _signal(tree, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            _signal(tree, signal.SIGCONT)


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[Postgres]:
    """One on the data directory in `folder`. It withstands every kill, not a power cut."""
    async with EmbeddedPostgres(folder, settings=KILL_PROOF, say=lambda _: None) as server:
        yield Postgres(server)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class SlowWire:
    """A TCP proxy: every chunk may come late, none may come, and all connections may break."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]], chosen: random.Random) -> None:
        self._connect = connect
        self._random = chosen
        self._open: set[asyncio.StreamWriter] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self.delay_s = 0.0  #: of each chunk, on average

    def break_all(self) -> None:
        """Every connection is cut."""
        for writer in self._open:
            writer.transport.abort()

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told; as where a network falls apart."""
        self._whole.clear()

    def mend(self) -> None:
        """It comes through again, what was sent meanwhile too."""
        self._whole.set()

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection."""
        self._open.add(back)
        try:
            await self._whole.wait()
            far, forth = await self._connect()
        except OSError:
            back.transport.abort()
        else:
            await asyncio.gather(self._pump(near, forth), self._pump(far, back))
        finally:
            self._open.discard(back)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self._random.uniform(0, 2 * self.delay_s))
                await self._whole.wait()
                sink.write(chunk)
                await sink.drain()
        await self._whole.wait()
        sink.transport.abort()


@asynccontextmanager
async def slow_wire(
    server: Postgres, chosen: random.Random, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[SlowWire, str]]:
    """The proxy, not slow yet, and the URL of the same database through it, at an address of this machine."""
    wire = SlowWire(lambda: asyncio.open_unix_connection(server.socket), chosen)
    listening = await asyncio.start_server(wire.serve, host, 0)
    host, port = listening.sockets[0].getsockname()
    user, _, rest = server.url.removeprefix("postgresql://").partition("@/")
    try:
        yield wire, f"postgresql://{user}@{host}:{port}/{rest.partition('?')[0]}"
    finally:
        wire.break_all()
        listening.close()


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _title(pid: int) -> str:
    """What the process calls itself: `postgres: postgres vicino [local] idle`."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
