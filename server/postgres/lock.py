"""One process at a time owns a data directory; others learn from its lock file how to reach the server."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from server.postgres.errors import DataDirectoryInUse

_ATTEMPTS = 20
_ATTEMPT_S = 0.05  # a process that only asks (`read_owner`) holds the lock for less


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """What the lock file says."""

    pid: int
    url: str | None = None  #: of its server, once that is up
    socket_dir: str | None = None


class Lock:
    """The held lock of a data directory. The kernel frees it with the process, however that ends."""

    def __init__(self, file: int, previous: Owner | None) -> None:
        self._file = file
        #: What the last holder left behind, if it did not end properly.
        self.previous = previous

    def announce(self, *, url: str | None = None, socket_dir: Path | None = None) -> None:
        """Tells other processes, and whoever holds the lock next, about this one."""
        owner = Owner(pid=os.getpid(), url=url, socket_dir=str(socket_dir) if socket_dir else None)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(owner), 0)

    def forget(self) -> None:
        """Leaves nothing behind: this process ends properly."""
        os.ftruncate(self._file, 0)


@asynccontextmanager
async def locked(home: Path) -> AsyncIterator[Lock]:
    """Holds the lock of the directory `home` for the block. Raises DataDirectoryInUse."""
    file = os.open(_path(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        for _ in range(_ATTEMPTS):
            if _try_lock(file):
                break
            await asyncio.sleep(_ATTEMPT_S)
        else:
            owner = _read(file)
            who = f"process {owner.pid}" if owner else "another process"
            raise DataDirectoryInUse(f"{home} is in use by {who}: stop it, or choose another VICINO_DATA_DIR")
        yield Lock(file, _read(file))
    finally:
        os.close(file)


def read_owner(home: Path) -> Owner | None:
    """Who holds the lock of the directory `home` now; None where nobody does."""
    try:
        file = os.open(_path(home), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _try_lock(file) else _read(file)
    finally:
        os.close(file)


def _path(home: Path) -> Path:
    return home / "postgres.lock"


def _try_lock(file: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(file: int) -> Owner | None:
    text = os.pread(file, 4096, 0)
    return msgspec.json.decode(text, type=Owner) if text else None
