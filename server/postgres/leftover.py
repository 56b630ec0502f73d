"""Stops the server that a killed process left running, where the kernel did not (any system but Linux)."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from server.postgres.errors import PostgresUnavailable

_POLL_S = 0.02
_STAGES = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))


async def stop_leftover(data: Path, say: Callable[[str], None]) -> None:
    """Stops a server that still runs on the directory `data`. The caller holds its lock.

    Raises PostgresUnavailable if the server will not stop.
    """
    pid = _recorded_pid(data)
    if pid is None or not _serves(pid, data):
        return
    say(f"Stopping the PostgreSQL that an earlier run left behind (process {pid}) …")
    for stage, patience_s in _STAGES:
        os.kill(pid, stage)
        for _ in range(round(patience_s / _POLL_S)):
            if not _serves(pid, data):
                return
            await asyncio.sleep(_POLL_S)
    raise PostgresUnavailable(f"the PostgreSQL of an earlier run does not stop: kill process {pid}")


def _recorded_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether process `pid` is the server of `data`: the number may have gone to some other process since."""
    command = _command_line(pid)
    return "postgres" in command and str(data) in command


def _command_line(pid: int) -> str:
    """Empty for a process that has ended, reaped or not."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listing = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed
