"""Work in a process of its own: its answer, its progress, its refusals, and its end."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from server.apart import BrokenOff, Tell, apart
from server.errors import BadUse

WHERE, WHO = 24.941923, "dev_0jx3m8rq4t6v9w2y5z7abcdefg"


def count(most: int, tell: Tell) -> int:
    for done in range(most):
        tell(done + 1, most)
    return most


def refuse(tell: Tell) -> None:
    raise BadUse("geofences.door: too small")


def die(tell: Tell) -> None:
    os._exit(3)


def meet_a_defect(tell: Tell) -> None:
    raise ValueError(f"no place for {WHERE} of {WHO}")


def say_who_and_stay(file: Path, tell: Tell) -> None:
    file.write_text(str(os.getpid()))
    tell(1, 2)
    time.sleep(600)


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


async def test_the_answer_comes_with_all_progress_before_it() -> None:
    told: list[tuple[int, int]] = []
    answer = await apart(count, 3, on_progress=lambda done, total: told.append((done, total)))
    assert (answer, told) == (3, [(1, 3), (2, 3), (3, 3)])


async def test_what_it_refuses_is_refused_here() -> None:
    with pytest.raises(BadUse, match="too small"):
        await apart(refuse, on_progress=quiet)


async def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(BrokenOff):
        await apart(die, on_progress=quiet)


async def test_what_it_meets_is_logged_without_who_or_where(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrokenOff):
        await apart(meet_a_defect, on_progress=quiet)

    told = capfd.readouterr().err
    assert "broke_off" in told
    assert "no place for (withheld) of (withheld)" in told
    assert str(WHERE) not in told
    assert WHO not in told


async def test_who_stops_waiting_ends_the_process(tmp_path: Path) -> None:
    begun = asyncio.Event()
    work = apart(say_who_and_stay, tmp_path / "pid", on_progress=lambda _done, _total: begun.set())
    task = asyncio.create_task(work)
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
