"""A what-if in a process of its own, for a server that has phones to answer meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe

from server.db import Database
from server.whatif.changes import Changes
from server.whatif.run import what_if
from server.whatif.tally import Difference

#: Progress is told at most so many times.
STEPS = 100


async def what_if_apart(
    url: str,
    retailer_id: str,
    day: date,
    changes: Changes,
    *,
    on_batch: Callable[[int, int], None] = lambda _done, _total: None,
) -> Difference:
    """As `what_if`, of the database at `url`, off this process's event loop. Raises the same."""
    context = get_context("spawn")  # a fork would take this process's sockets and threads along
    receiving, sending = context.Pipe(duplex=False)
    loop = asyncio.get_running_loop()

    def hear() -> None:
        while receiving.poll():
            on_batch(*receiving.recv())

    loop.add_reader(receiving.fileno(), hear)
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_connect, initargs=(sending,))
    try:
        difference = await loop.run_in_executor(pool, _run, url, retailer_id, day, changes)
        hear()
        return difference
    finally:
        loop.remove_reader(receiving.fileno())
        pool.shutdown(wait=False, cancel_futures=True)
        sending.close()
        receiving.close()


_progress: list[Pipe] = []


def _connect(pipe: Pipe) -> None:
    """A pipe is handed over only while a process begins."""
    _progress.append(pipe)


def _run(url: str, retailer_id: str, day: date, changes: Changes) -> Difference:
    return asyncio.run(_alone(url, retailer_id, day, changes))


async def _alone(url: str, retailer_id: str, day: date, changes: Changes) -> Difference:
    def tell(done: int, total: int) -> None:
        if done * STEPS // total != (done - 1) * STEPS // total:
            _progress[0].send((done, total))

    async with await Database.open(url) as database:
        return await what_if(database, retailer_id, day, changes, on_batch=tell)
