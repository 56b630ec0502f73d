"""A decision over 200 offers. Processor time, one thread.

The store has 200 offers, all of which interest the shopper and pass their gates but for one in ten. Timed are

    nbo_latency        the policy's whole part: interest and gates of all offers as
                       columns, features, heads, objective, smallest discount, draw, and the record with the
                       whole propensity vector and the terms of the best 50
    nbo_latency whole  the same within `offers.decide.decide`, as the pipeline calls it: with the gates of the
                       moment in words, holdout, quotas, what the winner shows, when it ends, what is learned

The receipt's text is made later. The baseline is one product of a 200 x 48 matrix and a vector in the same
run, interleaved with the decisions.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from offers.catalogue import Catalogue, Discount, Offer, Product, Store
from offers.consent import PURPOSES, Consent
from offers.decide import decide
from offers.event import Event
from offers.hours import DAY_US, HOUR_US, microseconds
from offers.judge import judged
from offers.learn.arms import Arms, Scene, arms_of
from offers.learn.hers import Hers
from offers.learn.learner import Learner
from offers.moment import Moment
from offers.prospects import Prospects
from offers.settings import Settings
from offers.shopper import Shopper, with_consents, with_event
from offers.situation import Situation

OFFERS, ROUNDS, WARM = 200, 3000, 200
NOW_US = microseconds(datetime(2026, 11, 20, 10, 0, tzinfo=UTC))


def run() -> Iterator[dict[str, Any]]:
    """Medians and 99th percentiles in microseconds, and the ratio to the product."""
    learner, _, _ = scenario()
    catalogue, shopper, moments = town(), interested(), [moment(number) for number in range(ROUNDS + WARM)]
    random = np.random.default_rng(7)
    matrix, weights = random.normal(size=(OFFERS, 48)), random.normal(size=48)
    policy, whole, product = [], [], []

    def judge(at: Situation) -> None:
        found = judged(Prospects(at), learner, b"salt")
        assert found.told(found.drawn(), shadow=False)

    def one(at: Moment) -> None:
        decision = decide(at, shopper, catalogue, Granting(), salt=b"salt", now_us=NOW_US, learner=learner)
        assert decision.judgement is not None

    for at in moments:
        situation = Situation.of(at, shopper, catalogue, NOW_US)
        policy.append(took_us(lambda situation=situation: judge(situation)))
        whole.append(took_us(lambda at=at: one(at)))
        product.append(took_us(lambda: matrix @ weights))
    baseline = {"name": "X @ w, 200 x 48", "value": round(float(np.median(product[WARM:])), 2)}
    for name, times in (("nbo_latency", policy), ("nbo_latency whole", whole)):
        yield figure(name, float(np.median(times[WARM:])), "us p50") | {"baseline": baseline}
        yield figure(f"{name} p99", float(np.quantile(times[WARM:], 0.99)), "us p99")


class Granting:
    """Whatever is asked is granted."""

    def quota(self, moment_id: str, scope: str) -> bool:
        del moment_id, scope
        return True

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        del moment_id, offer, spend
        return True


def town() -> Catalogue:
    """A store with 200 products and an offer on each; one in ten is sold out."""
    random = np.random.default_rng(5)
    products = [
        Product(
            sku=f"product-{number}",
            name=f"Product {number}",
            category=("All", f"Category {number % 12}"),
            price=Decimal(5 + number % 90),
            currency="EUR",
            stock=0 if number % 10 == 9 else 3 + number % 20,
        )
        for number in range(OFFERS)
    ]
    offers = [
        Offer(
            external_id=f"offer-{number:03}",
            name=f"Offer {number}",
            discount=Discount(kind="percent", value=Decimal(int(random.choice([0, 10, 20, 30])))),
            skus=(f"product-{number}",),
            valid_from_us=NOW_US - DAY_US,
            valid_until_us=NOW_US + DAY_US,
        )
        for number in range(OFFERS)
    ]
    store = Store(
        external_id="store-1",
        name="Store",
        lat_deg=60.17,
        lon_deg=24.94,
        timezone="Europe/Helsinki",
        opening_hours="Mo-Sa 09:00-21:00",
    )
    return Catalogue.build([store], products, offers, Settings(policy="learn"), 1)


def interested() -> Shopper:
    """She asked for directions to the store, and looked at 20 of its products and two categories."""
    consents = {purpose: Consent(granted=True, at_us=NOW_US - DAY_US) for purpose in PURPOSES}
    shopper = with_consents(Shopper(shopper_id="shp_1"), consents)
    events = [Event(kind="directions", at_us=NOW_US - HOUR_US, store="store-1")]
    events += [Event(kind="view", at_us=NOW_US - HOUR_US, sku=f"product-{n * 7}") for n in range(20)]
    events += [Event(kind="cart", at_us=NOW_US - HOUR_US, category=("All", f"Category {n}")) for n in (2, 5)]
    for event in events:
        shopper = with_event(shopper, event, now_us=NOW_US)
    hers = Hers(
        effects={"open": (0.2, 0.3), "uplift": (0.1, 0.02), "taste All > Category 2": (0.3, 0.1)},
        visits={"store-1": 3},
        bought={"All > Category 2": 2, "product-7": 1},
        pushed=4,
        opened=2,
    )
    return msgspec.structs.replace(shopper, hers=hers)


def moment(number: int) -> Moment:
    return Moment(
        moment_id=f"mom_{number}",
        shopper_id="shp_1",
        device_id="dev_1",
        store="store-1",
        geofence="door",
        trigger="enter",
        at_us=NOW_US - 1_000_000,
        received_at_us=NOW_US,
        entered_at_us=NOW_US - 1_000_000,
        distance_m=60.0,
        speed_mps=1.2,
        accuracy_m=12.0,
    )


def scenario() -> tuple[Learner, Arms, np.ndarray]:
    """A learner with effects of all kinds, 200 arms with most columns set, and one in ten gated off."""
    random = np.random.default_rng(5)
    names = [f"offer-{number:03}" for number in range(OFFERS)]
    arms = arms_of(
        names,
        ["store-1"] * OFFERS,
        [f"category-{number % 12}" for number in range(OFFERS)],
        depth=random.choice([0.0, 0.1, 0.2, 0.3], OFFERS),
        price=random.uniform(5, 100, OFFERS),
        interest=random.exponential(0.4, OFFERS),
        distance_m=60.0,
        bought=random.poisson(1.0, OFFERS),
        visits=2.0,
    )
    learner = Learner()
    for number in range(OFFERS):
        scene = Scene(moment_id=f"warm{number}", shopper=f"s{number % 50}", hour=12.0)
        option = learner.decide(scene, arms).option(number)
        learner.learn_open(option, number % 2 == 0)
        learner.learn_offer(option, number % 20 == 0)
        learner.learn_organic([option], [number % 30 == 0])
    return learner, arms, random.uniform(size=OFFERS) > 0.1


def took_us(what: Callable[[], Any]) -> float:
    began = time.thread_time_ns()
    what()
    return (time.thread_time_ns() - began) / 1000


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit}
