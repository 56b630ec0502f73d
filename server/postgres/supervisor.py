"""Runs a PostgreSQL server for as long as a block lasts, and starts it again if it dies."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

import structlog

from server.postgres.binaries import Binaries, find_binaries
from server.postgres.cluster import DATABASE, SUPERUSER, Place, ensure_cluster, place_of
from server.postgres.errors import PostgresUnavailable
from server.postgres.leftover import stop_leftover
from server.postgres.lock import Lock, locked
from server.postgres.process import ServerProcess

_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # part of the socket's name only
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # a violated constraint would put the whole row in the log
}

_SOCKET_PREFIX = "vicino-"
_FIRST_RESTART_PAUSE_S = 0.5
_LONGEST_RESTART_PAUSE_S = 5.0

_log = structlog.get_logger(__name__)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class EmbeddedPostgres:
    """A PostgreSQL server that lives in a data directory, on a private Unix socket.

        async with EmbeddedPostgres(Path(".vicino")) as server:
            database = await Database.open(server.url)

    Root gives the server to another account (see `cluster.place_of`). If the server dies it is started again,
    with the same `url`; if this process dies the server stops.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str] | None = None,
        pg_bin: Path | None = None,
        say: Callable[[str], None] = _say,
    ) -> None:
        """`settings` are added to the server's; `say` is told, in lines, what takes long or surprises."""
        self._data_dir = data_dir
        self._settings = dict(settings or {})
        self._pg_bin = pg_bin
        self._say = say
        self._cleanup = AsyncExitStack()
        self._socket_dir: Path
        self._process: ServerProcess

    @property
    def url(self) -> str:
        """Of the database to use, as its superuser."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self._socket_dir))}"

    @property
    def pid(self) -> int | None:
        """The process id of the server; another one after a restart."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Makes the data directory if need be and starts the server; returns when it accepts connections.

        Raises DataDirectoryInUse and PostgresUnavailable.
        """
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                self._cleanup = stack.pop_all()
        except PermissionError as error:
            message = f"no permission for {error.filename}: choose another VICINO_DATA_DIR"
            raise PostgresUnavailable(message) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cleanup.aclose()

    async def _open(self, stack: AsyncExitStack) -> None:
        place = place_of(self._data_dir)
        if not place.is_as_asked:
            self._say(
                f"PostgreSQL runs as {place.account.name!r}, who cannot enter {self._data_dir}: "
                f"the data is in {place.home}"
            )
        binaries = find_binaries(place.account, self._pg_bin)
        lock = await stack.enter_async_context(locked(place.home))
        await stop_leftover(place.data, self._say)
        _remove_leftover_socket(lock, place)
        durable = self._settings.get("fsync") != "off"
        await ensure_cluster(place, binaries, self._say, durable=durable)
        self._socket_dir = _make_socket_dir(place, stack)
        lock.announce(socket_dir=self._socket_dir)
        stack.callback(lock.forget)
        self._process = ServerProcess(place, self._command(place, binaries))
        stack.push_async_callback(self._process.stop)
        await self._process.start()
        lock.announce(url=self.url, socket_dir=self._socket_dir)
        stack.push_async_callback(_cancel, asyncio.create_task(_keep_running(self._process)))

    def _command(self, place: Place, binaries: Binaries) -> list[str]:
        settings = _SETTINGS | self._settings | {"unix_socket_directories": str(self._socket_dir)}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [binaries.program("postgres"), "-D", str(place.data), *options]


async def _keep_running(process: ServerProcess) -> None:
    """Starts the server again whenever it has died, for as long as it takes."""
    while True:
        status = await process.wait()
        _log.warning("PostgreSQL died; starting it again", status=status)
        pause_s = _FIRST_RESTART_PAUSE_S
        while not await _is_back(process):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_RESTART_PAUSE_S)
        _log.info("PostgreSQL is back")


async def _is_back(process: ServerProcess) -> bool:
    try:
        await process.start()
    except (PostgresUnavailable, OSError) as error:
        _log.warning("PostgreSQL does not come back yet", reason=str(error))
        return False
    return True


def _remove_leftover_socket(lock: Lock, place: Place) -> None:
    """Removes the folder of the socket of a process that was killed."""
    if lock.previous is None or lock.previous.socket_dir is None:
        return
    left = Path(lock.previous.socket_dir)
    if left.name.startswith(_SOCKET_PREFIX) and left.exists() and left.stat().st_uid == place.account.uid:
        shutil.rmtree(left)


def _make_socket_dir(place: Place, stack: AsyncExitStack) -> Path:
    """A private folder for the socket, below /tmp: the path of a socket may not exceed 103 bytes."""
    folder = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir="/tmp"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    place.account.give(folder)
    return folder


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
