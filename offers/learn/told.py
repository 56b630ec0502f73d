"""What the learning policy is told of a moment: the situation and its prospects as a scene and arms.

A block of features is looked at where the retailer's switch and her own consent allow it: `relational` asks
for `insight`, `personal` for `personalisation`, `realtime` for `nearby_offers`.
"""

from typing import Any

import numpy as np

from offers.hours import DAY_US, HOUR_US, MINUTE_US, SECOND_US, closes_in_us
from offers.learn.arms import Arms, Consents, Scene, made_of
from offers.learn.learner import Learner
from offers.learn.lesson import HER
from offers.prospects import Prospects
from offers.situation import Situation

#: The saving where no price is known; the price where none is.
UNKNOWN_DEPTH, UNKNOWN_PRICE = 0.1, 30.0
WALK_MPS = 1.3
#: So few pieces are short stock.
SCARCE_PIECES = 5


def scene_of(at: Situation) -> Scene:
    """What is the same for all arms."""
    moment, shopper, hers = at.moment, at.shopper, at.shopper.hers
    local, coming = at.store_local, _approach(at)
    return Scene(
        moment_id=moment.moment_id,
        shopper=HER,
        hour=local.hour + local.minute / 60,
        weekend=local.weekday() >= 5,
        closing_mps=coming.get("closing_mps", 0.0),
        speed_mps=moment.speed_mps or 0.0,
        dwell_s=max(0, moment.at_us - moment.entered_at_us) / SECOND_US,
        pushes_24h=shopper.offered_since(at.now_us - DAY_US),
        pushes_7d=shopper.offered_since(at.now_us - 7 * DAY_US),
        opened=hers.opened,
        pushed=hers.pushed,
        redeemed=sum(past.redeemed for past in shopper.history.values()),
        consents=consents_of(at),
    )


def consents_of(at: Situation) -> Consents:
    """Which blocks may be looked at."""
    setup, permits = at.catalogue.settings.learning, at.shopper.permits
    return Consents(
        relational=setup.relational and permits("insight", at.now_us),
        personal=setup.personal and permits("personalisation", at.now_us),
        realtime=setup.realtime and permits("nearby_offers", at.now_us),
    )


def arms_from(at: Situation, found: Prospects, learner: Learner) -> Arms:
    """One arm for each prospect that passed every gate, in order."""
    setup, hers, store = at.catalogue.settings.learning, at.shopper.hers, at.moment.store
    few, shown, rack = found.passed, found.shown, found.rack
    names = tuple(rack.names[place] for place in few.tolist())
    worth, price, stock = shown.worth[few], shown.price[few], shown.stock[few]
    off_deg = _approach(at).get("heading_off_deg")
    wished = {trace.key: 1 for trace in at.shopper.interests.traces if trace.kind == "wishlist"}
    more: dict[str, Any] = {}
    if hers.bought:
        more["bought"] = found.counted(hers.bought)[few]
    if wished:
        more["favourite"] = np.minimum(found.counted(wished)[few], 1.0)
    if learner.budgets.paces:
        more["budget_price"] = [learner.budgets.price(name) for name in names]
    if setup.store_share:
        more["fairness"] = learner.shares.bonus(store, setup.store_share)
    return made_of(
        names,
        (store,) * len(names),
        shown.kinds,
        shown.kind[few],
        depth=np.where(np.isnan(worth), UNKNOWN_DEPTH, worth / 100),
        price=np.where(np.isnan(price), UNKNOWN_PRICE, price),
        margin=setup.margin,
        prior_response=rack.prior[few],
        interest=found.levels[few],
        repeated=found.repeated[few].astype(np.float64),
        distance_m=at.moment.distance_m or 0.0,
        heading=0.0 if off_deg is None else float(np.cos(np.radians(off_deg))),
        minutes_left=_minutes_left(at),
        visits=hers.visits.get(store, 0),
        lever=rack.lever[few],
        scarce=np.maximum(0.0, 1.0 - np.minimum(stock, SCARCE_PIECES) / SCARCE_PIECES),
        **more,
    )


def _minutes_left(at: Situation) -> float:
    """Until the store closes, less the way there."""
    hours = at.store.opening_hours if at.store is not None else None
    closes_us = closes_in_us(hours, at.store_local)
    way_us = (at.moment.distance_m or 0.0) / WALK_MPS * SECOND_US
    return ((10 * HOUR_US if closes_us is None else closes_us) - way_us) / MINUTE_US


def _approach(at: Situation) -> dict[str, float]:
    """How she came nearer, as the moment's evidence tells it."""
    return next((one for one in at.moment.evidence if one.get("kind") == "approach"), {})
