"""The racers' processes as their parent sees them: started, listened to, killed and started again."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults.processes import Died, clean_environment
from tests.faults.races.lanes import Line, Start
from tests.faults.races.visit import Told
from tests.support import REPOSITORY

LINE_MOST = 1 << 20


class Racers:
    """One process with some of the parts, which goes on where it was when it is killed."""

    def __init__(self, start: Start, log: Path, told: Told, on_told: Callable[[], None]) -> None:
        self._start = start
        self._log = log
        self._told = told
        self._on_told = on_told
        self._next = dict(start.next)
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False

    async def run(self) -> None:
        """Until every shopper has been there. Raises Died where it ends otherwise than killed."""
        while True:
            self._killed = False
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(str(REPOSITORY / ".venv" / "bin" / "python"), "-m", "tests.faults.races.lanes"),
                    msgspec.json.encode(msgspec.structs.replace(self._start, next=self._next)).decode(),
                    cwd=REPOSITORY,
                    env=clean_environment(),
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    limit=LINE_MOST,
                )
            try:
                await self._listen(self._process)
                status = await self._process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            if status == 0:
                return
            if not self._killed:
                raise Died(f"racers ended with {status}: {self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """`kill -9`, wherever it is just now."""
        if self._process is not None and self._process.returncode is None:
            self._killed = True
            self._process.kill()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for text in process.stdout:
            with contextlib.suppress(msgspec.DecodeError):  # the half of a line that it was killed in
                line = msgspec.json.decode(text, type=Line)
                self._told.add(line.told)
                part = line.shopper % self._start.parts
                self._next[part] = max(self._next[part], line.shopper + self._start.parts)
                self._on_told()
