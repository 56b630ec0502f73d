"""What-ifs that somebody waits for in the console: in processes of their own, one at a time a retailer."""

import asyncio
from datetime import date
from typing import Final, Literal

import msgspec
import structlog

from server.errors import VicinoError
from server.ids import new_id
from server.whatif.apart import what_if_apart
from server.whatif.changes import Changes
from server.whatif.tally import Difference

log = structlog.get_logger("vicino.whatif")

#: So many run at once, whoever asks: each keeps a core busy, and phones are answered on the others.
AT_ONCE: Final = 1
LONGEST_S: Final = 900.0

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Job(msgspec.Struct, kw_only=True):
    """One what-if, as far as it has come."""

    id: str
    day: date
    state: State = "waiting"
    done: int = 0  #: micro-batches
    total: int = 0
    difference: Difference | None = None
    problem: str | None = None  #: why it failed


class Busy(VicinoError):  # noqa: N818 - it names what was found
    """The retailer has one under way."""


class Jobs:
    """The newest what-if of each retailer. A process keeps its own: they are views, and gone with it."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._newest: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    def newest(self, retailer_id: str) -> Job | None:
        return self._newest.get(retailer_id)

    def start(self, retailer_id: str, day: date, changes: Changes) -> Job:
        """Begins one. Raises Busy."""
        if (task := self._tasks.get(retailer_id)) is not None and not task.done():
            raise Busy("a what-if of yours is under way: wait for it to end")
        job = self._newest[retailer_id] = Job(id=new_id("wif"), day=day)
        self._tasks[retailer_id] = asyncio.create_task(self._run(retailer_id, job, changes), name="what-if")
        return job

    async def cancel(self, retailer_id: str) -> Job | None:
        """Ends the one that is under way, and its process; None where there is none."""
        task = self._tasks.get(retailer_id)
        if task is None or task.done():
            return None
        job = self._newest[retailer_id]
        task.cancel()
        await asyncio.wait([task])
        job.state = "stopped"
        return job

    async def stop(self, *_: object) -> None:
        """Ends all; what is under way is not told."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, retailer_id: str, job: Job, changes: Changes) -> None:
        def tell(done: int, total: int) -> None:
            job.done, job.total = done, total

        try:
            async with self._room, asyncio.timeout(LONGEST_S):
                job.state = "running"
                job.difference = await what_if_apart(self._url, retailer_id, job.day, changes, on_batch=tell)
            job.state = "done"
        except VicinoError as error:
            job.state, job.problem = "failed", str(error)
        except TimeoutError:
            job.state, job.problem = "failed", f"it was not done after {LONGEST_S / 60:.0f} minutes"
        except Exception:
            log.exception("what_if_failed", retailer=retailer_id)
            job.state, job.problem = "failed", "the replay broke off: the server's log says why"
