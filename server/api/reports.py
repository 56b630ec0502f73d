"""Reports: lift, off-policy evaluation, funnels, journeys, a pilot's verdict."""

from datetime import datetime, timedelta

import msgspec
from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us
from server.errors import BadUse
from server.evidence.evaluate import evaluation
from server.evidence.funnel import funnel
from server.evidence.heat import heat
from server.evidence.journeys import journeys
from server.evidence.lift import lift_report
from server.evidence.log import DAYS_MOST, DAYS_USUAL, Period
from server.evidence.pilot import pilot_report
from server.evidence.wellbeing import opt_outs, speed
from server.problems import Problem


async def lift(request: web.Request, caller: Caller) -> web.Response:
    """What speaking changed, with an interval that is always valid."""
    database = request.app[SERVICES].database
    return json_answer(await lift_report(database, caller.retailer_id, period_of(request)))


async def evaluate(request: web.Request, caller: Caller) -> web.Response:
    """What other policies would have earned, or why that cannot be told."""
    database = request.app[SERVICES].database
    try:
        return json_answer(await evaluation(database, caller.retailer_id, period_of(request)))
    except BadUse as error:
        raise Problem(409, "nothing_logged", str(error)) from error


async def funnels(request: web.Request, caller: Caller) -> web.Response:
    """How far moments came, by store and offer."""
    database, store = request.app[SERVICES].database, request.query.get("store")
    return json_answer(await funnel(database, caller.retailer_id, period_of(request), store))


async def journey(request: web.Request, caller: Caller) -> web.Response:
    """The moments-of-truth map."""
    database = request.app[SERVICES].database
    return json_answer(await journeys(database, caller.retailer_id, period_of(request)))


async def pilot(request: web.Request, caller: Caller) -> web.Response:
    """Go, no-go, or wait."""
    stores = tuple(request.query.getall("store", [])) or None
    database = request.app[SERVICES].database
    return json_answer(await pilot_report(database, caller.retailer_id, period_of(request), stores))


async def heat_map(request: web.Request, caller: Caller) -> web.Response:
    """Where visits began, in parts of town with enough shoppers."""
    return json_answer(await heat(request.app[SERVICES].database, caller.retailer_id, period_of(request)))


async def opted_out(request: web.Request, caller: Caller) -> web.Response:
    """Opt-outs, mutes, and what other limits of shoppers' own kept away."""
    return json_answer(await opt_outs(request.app[SERVICES].database, caller.retailer_id, period_of(request)))


async def quickness(request: web.Request, caller: Caller) -> web.Response:
    """From the fix to the push, by day."""
    return json_answer(await speed(request.app[SERVICES].database, caller.retailer_id, period_of(request)))


def period_of(request: web.Request) -> Period:
    """`since` and `until` of the query; else the last 28 days until now. Raises Problem."""
    now = from_us(request.app[SERVICES].clock.now_us())
    until = _time(request, "until") or now
    since = _time(request, "since") or until - timedelta(days=DAYS_USUAL)
    if not since < until <= since + timedelta(days=DAYS_MOST):
        detail = f"since must be before until, by {DAYS_MOST} days at the most"
        raise Problem(400, "bad_query", detail, field="since")
    return Period(since=since, until=until)


def _time(request: web.Request, name: str) -> datetime | None:
    if (text := request.query.get(name)) is None:
        return None
    try:
        at = msgspec.convert(text, type=datetime)
    except msgspec.ValidationError as error:
        raise Problem(400, "bad_query", f"{name} must be an RFC 3339 time", field=name) from error
    if at.tzinfo is None:
        raise Problem(400, "bad_query", f"{name} needs a time zone, such as Z", field=name)
    return at
