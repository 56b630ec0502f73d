"""A what-if in a process of its own."""

from collections.abc import Callable
from datetime import date

from server.apart import Tell, apart, with_database
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
    return await apart(_run, url, retailer_id, day, changes, on_progress=on_batch)


def _run(url: str, retailer_id: str, day: date, changes: Changes, tell: Tell) -> Difference:
    def tell_steps(done: int, total: int) -> None:
        if done * STEPS // total != (done - 1) * STEPS // total:
            tell(done, total)

    return with_database(
        url, lambda database: what_if(database, retailer_id, day, changes, on_batch=tell_steps)
    )
