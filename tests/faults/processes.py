"""The processes of a run, started and ended from outside: `./vicino serve` and the stand-in FCM."""

import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests import logbook
from tests.support import REPOSITORY

START_S = 180.0  #: a start may take as long on a machine that does ten other things
STOP_S = 60.0


class Died(Exception):  # noqa: N818 - it names what happened
    """A process ended that should have been running."""


class Server:
    """`./vicino serve` on one port. It may be killed and started again; its log goes on in one file."""

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        role: str = "all",
        checkout: Path = REPOSITORY,
        *,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self._role = role
        self._checkout = checkout  #: of which version
        self._prefix = prefix  #: of the command: where it runs
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self.log = folder / f"serve-{role}-{self.port}.log"
        self._environment = {**environment, "VICINO_HOST": host, "VICINO_PORT": str(self.port)}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    async def start(self, *, fault: str = "", ready: bool = True) -> None:
        """Returns when the server is ready, or at once. Raises Died where it ends instead."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*self._prefix, self._checkout / "vicino", "serve", "--role", self._role),
                env={
                    **clean_environment(),
                    **self._environment,
                    "VICINO_FAULT": fault,
                    "PYTHONFAULTHANDLER": "1",
                    "VICINO_LOG_LEVEL": "debug",
                },
                stdout=log,
                stderr=log,
            )
        if ready:
            await self._until_ready(self._process)

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
                while not await _answers(session, f"{self.url}/readyz"):
                    if process.returncode is not None:
                        raise Died(f"the server ended with {process.returncode}: {self.last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise Died(f"the server is not ready after {START_S} s; {await self.abort()}") from None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, within_s: float) -> int:
        """Waits until the process has ended; its status, -9 where it was killed. Raises TimeoutError."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)

    def terminate(self) -> None:
        """Tells it to stop."""
        assert self._process is not None
        self._process.terminate()

    async def kill(self) -> None:
        """`kill -9`, wherever it is just now."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """Ends it in good order. Raises Died if it has ended already, or does not end so."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise Died(f"the server had ended with {self._process.returncode}: {self.last_words()}")
        self._process.terminate()
        if (status := await self.ended(STOP_S)) != 0:
            raise Died(f"the server, told to stop, ended with {status}: {self.last_words()}")

    async def abort(self) -> str:
        """Ends it in the midst of what it does; its log's end, in which it says where it was."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGABRT)
            await self._process.wait()
        return f"its log ends so:\n{self.last_words(60)}"

    async def end(self) -> None:
        """Whatever it does now, it is gone afterwards; its log is kept."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()
        logbook.take(self.log)

    def last_words(self, most: int = 3) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-most:])


class Fcm:
    """The stand-in FCM as a process of its own, asked and told over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.credentials = folder / "service-account.json"
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(str(REPOSITORY / ".venv" / "bin" / "python"), "-m", "server.standin"),
            *("--credentials", str(self.credentials), *arguments),
            cwd=REPOSITORY,
            env=clean_environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = (await asyncio.wait_for(self._process.stdout.readline(), START_S)).decode()
        self.url = line.strip().partition("VICINO_FCM_ENDPOINT=")[2]
        if not self.url:
            raise Died(f"the stand-in FCM did not start: {line!r}")
        for _ in range(2):  # what else it says to people
            await self._process.stdout.readline()

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def fail_next(self, kind: str, *, times: int = 1, retry_after_s: int | None = None) -> None:
        await self._post("/faults", {"kind": kind, "times": times, "retry_after_s": retry_after_s})

    async def revoke_tokens(self) -> None:
        await self._post("/tokens/revoke", None)

    async def phones(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """By address: what FCM accepted for the phone, and what appeared on its screen."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/phones") as answer:
            told: dict[str, dict[str, list[dict[str, Any]]]] = await answer.json()
            return told

    async def _post(self, path: str, body: Any) -> None:
        async with aiohttp.ClientSession() as session, session.post(self.url + path, json=body) as answer:
            assert answer.status == 204, await answer.text()


def clean_environment() -> dict[str, str]:
    """Ours without its own settings of Vicino: those are given by name."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VICINO_")}


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of loopback that nobody has now, and that was given to nobody here before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
