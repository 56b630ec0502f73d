"""Work that takes long, in a process of its own: for a server that has phones to answer meanwhile."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import Any, TypeVar

import structlog

from server import logs
from server.config import Config
from server.db import Database
from server.errors import VicinoError

log = structlog.get_logger("vicino.apart")
T = TypeVar("T")
Tell = Callable[[int, int], None]  #: how much is done, of how much


class BrokenOff(RuntimeError):  # noqa: N818 - it names what happened
    """The process ended without an answer; what it met is in its log."""


def with_database(url: str, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """What the work gives, with a database of its own: for a process that does nothing else."""

    async def whole() -> T:
        async with await Database.open(url) as database:
            return await work(database)

    return asyncio.run(whole())


async def apart(work: Callable[..., T], *arguments: Any, on_progress: Tell = lambda _done, _of: None) -> T:
    """What `work(*arguments, tell)` returns, all of which can be pickled. Raises the VicinoError that it
    raises, and BrokenOff. Who stops waiting ends the process.
    """
    context = get_context("spawn")  # a fork would take this process's sockets and threads along
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sending, work, arguments), daemon=True)
    process.start()
    sending.close()  # the process has its own: when that is gone, nothing more will come
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    loop.add_reader(receiving.fileno(), _hear, receiving, answer, on_progress)
    try:
        return await answer
    finally:
        loop.remove_reader(receiving.fileno())
        receiving.close()
        process.kill()
        await loop.run_in_executor(None, process.join)
        process.close()


def _hear(receiving: Pipe, answer: asyncio.Future[Any], on_progress: Tell) -> None:
    try:
        while not answer.done() and receiving.poll():
            kind, told = receiving.recv()
            if kind == "progress":
                on_progress(*told)
            elif kind == "failed":
                answer.set_exception(told)
            else:
                answer.set_result(told)
    except (EOFError, ConnectionError):
        answer.set_exception(BrokenOff("the process ended without an answer"))


def _run(sending: Pipe, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # What is said here goes where the server's log goes, and may say as little of who and where.
    config = Config.from_env(os.environ)
    logs.configure(config.log, level=logs.LEVELS[config.log_level])

    def tell(done: int, total: int) -> None:
        sending.send(("progress", (done, total)))

    try:
        result = work(*arguments, tell)
    except VicinoError as error:
        sending.send(("failed", error))
    except Exception:  # Python itself would print what the message quotes
        log.exception("broke_off", work=work.__qualname__)
        sys.exit(1)
    else:
        sending.send(("done", result))
