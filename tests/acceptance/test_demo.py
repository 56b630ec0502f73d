"""The demo as a newcomer meets it: `./vicino demo`, a push, the printed commands, Ctrl-C, and once more."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.demo.welcome import WIDTH
from tests import logbook
from tests.conftest import data_folder
from tests.support import REPOSITORY, skip_or_fail

FIRST_PUSH_S = 60.0
STOP_S = 30.0


class Demo:
    """A running demo and what it has printed so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, wanted: Callable[[str], bool], timeout_s: float) -> str:
        """The next line that is wanted. Raises TimeoutError, or EOFError where the demo has ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if wanted(self.lines[-1]):
                    return self.lines[-1]
        raise EOFError("\n".join(self.lines))

    async def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        with pytest.raises(EOFError):
            await self.until(lambda _: False, STOP_S)
        return await asyncio.wait_for(self.process.wait(), STOP_S)


@asynccontextmanager
async def started_demo(folder: Path, *arguments: str) -> AsyncIterator[Demo]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "VICINO_DATA_DIR": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "server", "demo", "--port", "0", *arguments),
        env=environment,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield Demo(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of two runs on the same data."""

    first: list[str]
    first_push_s: float
    inbox: dict[str, Any]
    first_status: int
    second: list[str]
    second_start_s: float
    second_status: int


@pytest.fixture(scope="module")
async def record() -> AsyncIterator[Record]:
    with data_folder() as folder:
        begun = time.monotonic()
        async with started_demo(folder, "--shoppers", "4") as first:
            await first.until(lambda line: " PUSH " in line, FIRST_PUSH_S)
            first_push_s = time.monotonic() - begun
            inbox = await pasted(first.lines)
            first_status = await first.interrupt()
        begun = time.monotonic()
        async with started_demo(folder, "--shoppers", "1", "--for", "2") as second:
            await second.until(lambda line: "Ctrl-C" in line, FIRST_PUSH_S)
            second_start_s = time.monotonic() - begun
            with pytest.raises(EOFError):
                await second.until(lambda _: False, STOP_S)
            second_status = await second.process.wait()
        logbook.take(folder / "demo.log")
        yield Record(
            first=first.lines,
            first_push_s=first_push_s,
            inbox=inbox,
            first_status=first_status,
            second=second.lines,
            second_start_s=second_start_s,
            second_status=second_status,
        )


async def pasted(lines: list[str]) -> dict[str, Any]:
    """The answer to the last of the printed commands, run as they are."""
    if shutil.which("curl") is None:
        skip_or_fail("curl is not installed")
    start = next(number for number, line in enumerate(lines) if line.startswith("URL="))
    end = lines.index("", start)
    shell = await asyncio.create_subprocess_exec("sh", "-c", "\n".join(lines[start:end]), stdout=PIPE)
    output, _ = await asyncio.wait_for(shell.communicate(), STOP_S)
    decoder, text, answer = json.JSONDecoder(), output.decode(), None
    while text := text.lstrip():
        answer, length = decoder.raw_decode(text)
        text = text[length:]
    assert isinstance(answer, dict)
    return answer


def keys_in(lines: list[str]) -> list[str]:
    return [line.split()[-1] for line in lines if " key  " in line]


def test_the_first_push_comes_within_a_minute_of_the_start(record: Record) -> None:
    assert record.first_push_s < FIRST_PUSH_S


def test_the_printed_commands_bring_the_printed_offer(record: Record) -> None:
    [item] = record.inbox["items"]
    assert item["store"] == "stadium"
    assert "Running trainers" in item["title"]


def test_ctrl_c_ends_it_in_good_order(record: Record) -> None:
    assert record.first_status == 0
    assert record.first[-1] == "stopped"
    assert not any("Traceback" in line for line in record.first)


def test_it_ends_by_itself_when_its_time_is_over(record: Record) -> None:
    assert record.second_status == 0


def test_the_second_start_has_the_same_keys(record: Record) -> None:
    assert keys_in(record.second) == keys_in(record.first)
    assert len(keys_in(record.first)) == 3


def test_the_second_start_is_quick(record: Record) -> None:
    # 5 s where nothing else runs; a test machine may be busy with much else.
    assert record.second_start_s < 30.0


def test_every_line_fits_the_width(record: Record) -> None:
    assert max(len(line) for line in record.first if "PostgreSQL" not in line) <= WIDTH
