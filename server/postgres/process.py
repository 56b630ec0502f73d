"""The server's process: started until it accepts connections, stopped until it is gone."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from server.postgres.cluster import Place, spawn
from server.postgres.errors import PostgresUnavailable

_POLL_S = 0.01
_STARTUP_S = 300  # recovery after a crash can take long; it is waited for while the process lives
_RETRY_S = 10
_RETRY_PAUSE_S = 0.1
_STOP_STAGES = ((signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, None))
_LOG_BYTES = 10_000_000

# What a killed server leaves for a moment: its children, which hold the memory and the socket.
_PASSING = ("pre-existing shared memory block", "lock file", "could not bind Unix address")


class ServerProcess:
    """One server on one data directory, run by `command`; started again after it died."""

    def __init__(self, place: Place, command: Sequence[str]) -> None:
        self._place = place
        self._command = command
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process started last."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Returns when the server accepts connections. Raises PostgresUnavailable.

        Tries again while the children of a killed server still linger.
        """
        deadline = asyncio.get_running_loop().time() + _RETRY_S
        while (last_words := await self._try_start()) is not None:
            passing = any(reason in last_words for reason in _PASSING)
            if not passing or asyncio.get_running_loop().time() > deadline:
                raise PostgresUnavailable(f"PostgreSQL does not start: {last_words} (see {self._place.log})")
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def wait(self) -> int | None:
        """Returns when the process has ended, with its status."""
        return await self._process.wait() if self._process else None

    async def stop(self) -> None:
        """Stops the server: politely, then firmly, then for good; recovery makes up for the last two."""
        for stage, patience_s in _STOP_STAGES:
            if self._process is not None and self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(stage)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self.wait()
                return

    async def _try_start(self) -> str | None:
        """None once the server accepts connections, or the reason it gave for ending instead."""
        with _opened(self._place.log) as log:
            begins_at = log.tell()
            process = self._process = await spawn(self._place.account, self._command, stdout=log.fileno())
        try:
            async with asyncio.timeout(_STARTUP_S):
                while not is_ready(self._place.data, process.pid):
                    if process.returncode is not None:
                        return _last_words(self._place.log, begins_at)
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            message = f"PostgreSQL is not ready after {_STARTUP_S} s (see {self._place.log})"
            raise PostgresUnavailable(message) from None
        return None


def _opened(log: Path) -> BinaryIO:
    """The server's log, to be appended to; begun anew when it has grown long."""
    file = log.open("ab")
    if file.tell() > _LOG_BYTES:
        file.truncate(0)
        file.seek(0, os.SEEK_END)
    return file


def is_ready(data: Path, pid: int) -> bool:
    """Whether the server's own status file says that process `pid` accepts connections."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _last_words(log: Path, begins_at: int) -> str:
    with log.open("rb") as file:
        file.seek(begins_at)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return next((line for line in lines if "FATAL:" in line), lines[-1] if lines else "it said nothing")
