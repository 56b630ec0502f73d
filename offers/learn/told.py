"""What the learning policy is told of a moment: the situation and its prospects as a scene and arms.

A block of features is looked at where the retailer's switch and her own consent allow it: `relational` asks
for `insight`, `personal` for `personalisation`, `realtime` for `nearby_offers`.
"""

from math import cos, radians
from typing import Any

import numpy as np

from offers.hours import DAY_US, HOUR_US, MINUTE_US, SECOND_US, closes_in_us
from offers.learn.arms import Arms, Consents, Scene, table_of
from offers.learn.learner import Learner
from offers.learn.lesson import HER
from offers.prospects import Prospects
from offers.situation import Situation

WALK_MPS = 1.3


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
    off_deg = _approach(at).get("heading_off_deg")
    wished = {trace.key: 1 for trace in at.shopper.interests.traces if trace.kind == "wishlist"}
    more: dict[str, Any] = {}
    if hers.bought:
        more["bought"] = found.counted(hers.bought)[few]
    if wished:
        more["favourite"] = np.minimum(found.counted(wished)[few], 1.0)
    if learner.budgets.paces:
        prices = [learner.budgets.price(rack.names[place]) for place in few.tolist()]
        more["budget_price"] = np.array(prices)
    if setup.store_share:
        more["fairness"] = learner.shares.bonus(store, setup.store_share)
    table = table_of(
        len(few),
        depth=shown.column("depth")[few],
        price=shown.column("price")[few],
        margin=setup.margin,
        prior_response=rack.prior[few],
        interest=found.levels[few],
        repeated=found.repeated[few],
        distance_m=at.moment.distance_m or 0.0,
        heading=0.0 if off_deg is None else cos(radians(off_deg)),
        minutes_left=_minutes_left(at),
        visits=hers.visits.get(store, 0),
        lever=rack.lever[few],
        scarce=shown.column("scarce")[few],
        **more,
    )
    return Arms(
        offers=rack.names,
        offer=few,
        stores=(store,),
        store=np.zeros(len(few), dtype=np.intp),
        kinds=shown.kinds,
        kind=shown.kind[few],
        table=table,
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
