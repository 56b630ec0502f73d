"""What-ifs over HTTP: a stored day with other fences, offers or caps, in numbers that are about nobody.

Whoever may draw a small fence on a past day could ask who was there. So counts are of `K` shoppers or more,
and in steps of 5, as those of presence are.
"""

from datetime import date, timedelta
from typing import Any

import msgspec
from aiohttp import web

from server.api.headcount import K, told
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us
from server.problems import Problem
from server.sql import queries
from server.whatif.changes import Changes
from server.whatif.jobs import Busy, Job
from server.whatif.tally import Difference, Tally
from server.wire import decode

SQL = queries("evidence")
#: No journal is kept for longer.
DAYS_MOST = 31


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which day is to be lived through again, and what is to be otherwise."""

    day: date
    changes: Changes


async def newest(request: web.Request, caller: Caller) -> web.Response:
    """The days that can be replayed, newest first, and the newest what-if."""
    services = request.app[SERVICES]
    today = from_us(services.clock.now_us()).date()
    async with services.database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(
            SQL["journal_days_of"], caller.retailer_id, today - timedelta(days=DAYS_MOST), today
        )
    job = services.what_ifs.newest(caller.retailer_id)
    days = sorted((row["day"].isoformat() for row in rows), reverse=True)
    return json_answer({"days": days, "job": None if job is None else shown(job)})


async def ask(request: web.Request, caller: Caller) -> web.Response:
    """Begins one, in a process of its own."""
    wanted = decode(await request.read(), Ask)
    try:
        job = request.app[SERVICES].what_ifs.start(caller.retailer_id, wanted.day, wanted.changes)
    except Busy as error:
        raise Problem(409, "whatif_running", str(error)) from error
    return json_answer(shown(job), status=202)


async def cancel(request: web.Request, caller: Caller) -> web.Response:
    """Ends the one that is under way. Raises Problem 404 where there is none."""
    job = await request.app[SERVICES].what_ifs.cancel(caller.retailer_id)
    if job is None:
        raise Problem(404, "not_found", "no what-if of yours is under way")
    return json_answer(shown(job))


def shown(job: Job) -> dict[str, Any]:
    """A job as it is told."""
    fields = ("id", "state", "day", "done", "total", "problem")
    difference = None if job.difference is None else blurred(job.difference)
    return {name: getattr(job, name) for name in fields} | {"difference": difference}


def blurred(difference: Difference) -> dict[str, Any]:
    """A difference in which one shopper hardly shows."""
    return {"before": _tally(difference.before), "after": _tally(difference.after)}


def _tally(tally: Tally) -> dict[str, Any]:
    enough, reached = tally.shoppers >= K, tally.reached >= K
    of_all = {name: _count(getattr(tally, name), enough) for name in ("moments", "silences", "shoppers")}
    of_reached = {name: _count(getattr(tally, name), reached) for name in ("offers", "pushes", "reached")}
    spend = told(int(tally.spend_most)) if reached else None
    return {
        **of_all,
        **of_reached,
        "spend_most": spend,
        "reasons": {
            code: _count(reach.moments, reach.shoppers >= K) for code, reach in tally.reasons.items()
        },
        "by_offer": {
            offer: {"offers": _count(tally.by_offer[offer], shoppers >= K), "shoppers": told(shoppers)}
            for offer, shoppers in tally.reached_by_offer.items()
        },
    }


def _count(count: int, enough: bool) -> int | None:
    """A count of enough shoppers, to 5; 0 is told, since nobody is in it."""
    return count if count == 0 else told(count) if enough else None
