"""Off-policy evaluation of the decision log: what another policy would have earned in the same moments.

The chances with which the log's policy did what it did: the holdout is drawn by shopper, so with a share h
silence has the chance h and speaking 1 - h; the policy `rules` draws nothing else, `learn` draws among a
shortlist. So of a log by `rules` only "always silent" and "as it was, to everybody" can be told; anything
else is refused, since it was never tried (`offers.evaluate.ope`).
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from offers.evaluate.ope import Estimate, Log, Refused, evaluate
from offers.learn.blr import Floats
from server.db import Database
from server.errors import BadUse
from server.evidence.log import WITHIN, Moments, Period, moments_of, snapshot

#: What can be earned.
REWARDS = ("visited", "redeemed", "spend")
#: What is done in a moment with which chance: the offer, or None for silence.
Chances = Mapping[str | None, float]
Target = Callable[[Moments, int], Chances]


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy would have earned per moment."""

    target: str
    reward: str
    moments: int
    shoppers: int
    estimates: tuple[Estimate, ...] = ()
    refused: Refused | None = None  #: why there is no estimate


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Several policies on one log."""

    since: datetime
    until: datetime
    logged: dict[str, float]  #: mean reward as it was, by reward
    policies: tuple[Evaluated, ...]


def logged_chances(moments: Moments, row: int) -> Chances:
    """With which chance the log's policy would have done what."""
    share, judgement = float(moments.share[row]), moments.judgement[row]
    chances: dict[str | None, float] = {None: share}
    if judgement is None or judgement["shadow"]:
        chances[moments.best[row]] = chances.get(moments.best[row], 0.0) + 1.0 - share
        return chances
    for arm in judgement["propensities"]:
        name = arm["offer"]
        chances[name] = chances.get(name, 0.0) + (1.0 - share) * arm["propensity"]
    return chances


def silent(moments: Moments, row: int) -> Chances:
    """Never says anything."""
    del moments, row
    return {None: 1.0}


def to_everybody(moments: Moments, row: int) -> Chances:
    """Does what the log's policy does, without a holdout."""
    share = float(moments.share[row])
    if share >= 1.0:
        return {None: 1.0}
    chances = dict(logged_chances(moments, row))
    chances[None] -= share
    return {name: chance / (1.0 - share) for name, chance in chances.items()}


def greedy(moments: Moments, row: int) -> Chances:
    """Always the arm that was likeliest: the learning policy without trying out."""
    chances = to_everybody(moments, row)
    return {max(chances, key=lambda name: chances[name]): 1.0}


TARGETS: dict[str, Target] = {"silent": silent, "everybody": to_everybody, "greedy": greedy}


async def evaluation(
    database: Database,
    retailer_id: str,
    period: Period,
    targets: Mapping[str, Target] = MappingProxyType(TARGETS),
    rewards: tuple[str, ...] = REWARDS,
) -> Evaluation:
    """What the targets would have earned; decisions of the period's last 24 hours are left out.

    Raises UnknownRetailer; BadUse where nothing was logged.
    """
    counted = Period(since=period.since, until=period.until - WITHIN)
    async with snapshot(database, retailer_id) as connection:
        moments = await moments_of(connection, retailer_id, counted)
    return await asyncio.to_thread(evaluated, moments, counted, targets, rewards)


def evaluated(
    moments: Moments, period: Period, targets: Mapping[str, Target], rewards: tuple[str, ...]
) -> Evaluation:
    """The same of moments that have had their time."""
    # A quota or budget leaves nothing to choose.
    moments = moments.take(~moments.refused)
    if not len(moments):
        raise BadUse(
            f"from {period.since:%Y-%m-%d %H:%M} to {period.until:%Y-%m-%d %H:%M} UTC no decision had "
            "anything to choose from: name a longer time with --since"
        )
    return Evaluation(
        since=period.since,
        until=period.until,
        logged={name: float(getattr(moments, name).mean()) for name in rewards},
        policies=tuple(
            _evaluated(moments, name, target, reward)
            for name, target in targets.items()
            for reward in rewards
        ),
    )


def _evaluated(moments: Moments, name: str, target: Target, reward: str) -> Evaluated:
    told = evaluate(log_of(moments, target, getattr(moments, reward)))
    known = {"refused": told} if isinstance(told, Refused) else {"estimates": tuple(told)}
    shoppers = len(np.unique(moments.shopper))
    return Evaluated(target=name, reward=reward, moments=len(moments), shoppers=shoppers, **known)


def log_of(moments: Moments, target: Target, reward: Floats) -> Log:
    """The log as the estimators take it; q̂ is of half of the shoppers for the other half."""
    rows = range(len(moments))
    logged, wanted = ([policy(moments, row) for row in rows] for policy in (logged_chances, target))
    done = moments.offer
    spoken = np.array([offer is not None for offer in done], np.float64)
    speaks = np.array([1.0 - chances.get(None, 0.0) for chances in wanted], np.float64)
    by_speaking = _predicted(moments.shopper, spoken, reward)
    return Log(
        reward=reward,
        propensity=np.array([chances[of] for chances, of in zip(logged, done, strict=True)], np.float64),
        target=np.array([chances.get(of, 0.0) for chances, of in zip(wanted, done, strict=True)], np.float64),
        shopper=moments.shopper,
        supported=np.array(
            [
                sum(chance for name, chance in wants.items() if has.get(name, 0.0) > 0.0)
                for wants, has in zip(wanted, logged, strict=True)
            ],
            np.float64,
        ),
        predicted=np.where(spoken > 0, by_speaking[1], by_speaking[0]),
        predicted_target=speaks * by_speaking[1] + (1.0 - speaks) * by_speaking[0],
    )


def _predicted(shopper: Any, spoken: Floats, reward: Floats) -> tuple[Floats, Floats]:
    """What is earned in silence and by speaking, as the other half of the shoppers says."""
    half = shopper % 2
    means = np.zeros((2, 2))
    for side in (0, 1):
        for said in (0, 1):
            rows = (half != side) & (spoken == said)
            means[said, side] = reward[rows].mean() if rows.any() else 0.0
    return means[0][half], means[1][half]
