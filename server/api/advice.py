"""The fence doctor's advice over HTTP, in numbers that are about nobody: of `K` shoppers or more."""

from typing import Any, Final

from aiohttp import web

from server.api.headcount import K, told
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.doctor.advice import Advice, UnknownFence
from server.doctor.findings import IN_SHORT, REMEDIES
from server.doctor.report import EFFECTS
from server.imports import get_one
from server.problems import Problem

#: What is said of a fence by its shape alone.
BY_SHAPE: Final = {"overlaps"}


async def advise(request: web.Request, caller: Caller) -> web.Response:
    """What would do better than the fence as it is, by the last days' positions."""
    services, external_id = request.app[SERVICES], request.match_info["external_id"]
    body = await get_one(
        services.database, caller.retailer_id, "geofences", external_id, stores=caller.stores
    )
    if body is None:
        raise Problem(404, "unknown_id", "nothing of that id among the geofences")
    try:
        advice = await services.adviser.advice(caller.retailer_id, external_id)
    except UnknownFence as error:
        raise Problem(409, "not_enabled", "only fences that are on are examined", field="enabled") from error
    except TimeoutError as error:
        raise Problem(503, "try_again", "examining it takes longer than a request may") from error
    return json_answer(blurred(advice))


def blurred(advice: Advice) -> dict[str, Any]:
    """An advice in which nobody shows."""
    enough = min(advice.shoppers, advice.measures.devices) >= K
    codes = [code for code in advice.findings if code in IN_SHORT and (enough or code in BY_SHAPE)]
    proposal = None
    if enough and advice.effect is not None:
        proposal = {"told": advice.told, "feature": advice.feature, "effect": _effect(advice)}
    return {
        "days": [day.isoformat() for day in advice.days],
        "k": K,
        "enough": enough,
        "findings": [{"code": code, "told": IN_SHORT[code], "remedy": REMEDIES[code]} for code in codes],
        "proposal": proposal,
    }


def _effect(advice: Advice) -> list[dict[str, Any]]:
    """The measures that the change would change: about how many before and after; None: fewer than k."""
    assert advice.effect is not None
    both = [
        (words, getattr(advice.measures, name), getattr(advice.effect, name))
        for name, words in EFFECTS.items()
    ]
    return [
        {"what": words, "before": told(before), "after": told(after)}
        for words, before, after in both
        if before != after and max(before, after) >= K
    ]
