"""What holds of every decision, whatever the shopper, the moment and the offers are like."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offers.catalogue import Catalogue, Limits
from offers.decide import decide
from offers.decision import Decision
from offers.hours import DAY_US, HOUR_US, SECOND_US, QuietHours
from offers.preferences import Preferences
from offers.receipt import receipt, redecide, same_decision
from offers.shopper import Contact, Shopper, with_offer, with_preferences
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    SALT,
    STORE,
    TRAINERS,
    Granting,
    catalogue,
    changed,
    decided,
    shopper,
    stranger,
)

FLAWS: dict[str, str] = {
    "mock": "implausible",
    "sensitive": "sensitive_place",
    "stale": "stale",
    "coarse": "low_accuracy",
    "fast": "drive_by",
    "unasked": "no_consent",
    "unbrowsed": "no_interest",
    "asleep": "quiet_hours",
    "capped": "shopper_cap",
    "paused": "paused",
    "muted": "muted",
    "far": "too_far",
    "shut": "closed",
    "sold_out": "no_stock",
    "expired": "schedule",
    "cheap": "minimum_worth",
    "limited": "offer_cap",
}


def flawed(flaws: set[str]) -> tuple[Any, Shopper, Catalogue]:
    """The story with these flaws in it."""
    moment = changed(
        MOMENT,
        mock="mock" in flaws,
        sensitive="sensitive" in flaws,
        at_us=NOON_US - (HOUR_US if "stale" in flaws else SECOND_US),
        accuracy_m=500.0 if "coarse" in flaws else 10.0,
        speed_mps=14.0 if "fast" in flaws else 1.0,
    )
    near = "unasked" not in flaws
    known = stranger(nearby_offers=near) if "unbrowsed" in flaws else shopper(nearby_offers=near)
    for number in range(2 if "capped" in flaws else 0):
        known = with_offer(known, Contact(decision_id=str(number), at_us=NOON_US - 1, store="x", offer="x"))
    if "limited" in flaws:
        at_us = NOON_US - 2 * DAY_US
        known = with_offer(known, Contact(decision_id="l", at_us=at_us, store="x", offer="trainers-15"))
    wishes = Preferences(
        paused_until_us=NOON_US + 1 if "paused" in flaws else None,
        muted_categories=("shoes",) if "muted" in flaws else (),
        maximum_distance_m=10.0 if "far" in flaws else None,
        minimum_percent=50.0 if "cheap" in flaws else None,
    )
    published = catalogue(
        changed(
            OFFER,
            valid_until_us=NOON_US - ("expired" in flaws) + ("expired" not in flaws),
            limits=Limits(per_shopper=1),
        ),
        stores=(changed(STORE, opening_hours="off" if "shut" in flaws else None),),
        products=(changed(TRAINERS, stock=0 if "sold_out" in flaws else 1),),
        quiet_hours=QuietHours(from_="11:00", until="13:00") if "asleep" in flaws else None,
    )
    return moment, with_preferences(known, wishes), published


@given(st.sets(st.sampled_from(sorted(FLAWS))))
def test_no_offer_is_ever_made_against_a_gate_and_every_reason_is_told(flaws: set[str]) -> None:
    decision = decided(*flawed(flaws))
    assert (decision.outcome == "offer") == (not flaws)
    looked_at = {flaw for flaw in flaws if flaw not in UNSEEN or "unasked" not in flaws}
    assert set(decision.reasons) == {FLAWS[flaw] for flaw in looked_at}


#: What nobody looks at without consent.
UNSEEN = {"unbrowsed", "muted", "sold_out", "expired", "cheap", "limited"}


@given(st.sets(st.sampled_from(sorted(FLAWS))), st.integers(0, 10 * SECOND_US), st.floats(0, 1))
def test_deciding_again_gives_the_same_bytes(flaws: set[str], delay_us: int, holdout: float) -> None:
    moment, known, published = flawed(flaws)
    published = Catalogue.build(
        published.stores.values(),
        published.products.values(),
        published.offers.values(),
        changed(published.settings, holdout=holdout),
    )

    def once() -> Decision:
        return decide(moment, known, published, Granting(), salt=SALT, now_us=NOON_US + delay_us)

    stored = json.loads(json.dumps(receipt(once())))
    assert json.dumps(receipt(once())) == json.dumps(receipt(once()))
    assert same_decision(stored, redecide(stored, moment, known, published, salt=SALT))


PREFERENCES = st.builds(
    Preferences,
    max_per_day=st.none() | st.integers(0, 9),
    max_per_week=st.none() | st.integers(0, 9),
    quiet_hours=st.none()
    | st.builds(QuietHours, from_=st.just("11:00"), until=st.sampled_from(["11:30", "12:30"])),
    muted_categories=st.lists(st.sampled_from(["Shoes", "Shoes > Trainers", "Hats"])).map(tuple),
    muted_stores=st.lists(st.sampled_from(["mall", "other"])).map(tuple),
    minimum_percent=st.none() | st.floats(0, 100),
    maximum_distance_m=st.none() | st.floats(0, 100),
    paused_until_us=st.none() | st.integers(NOON_US - 5, NOON_US + 5),
)


@settings(max_examples=200)
@given(
    st.sets(st.sampled_from(["fast", "capped", "asleep", "unbrowsed", "expired"]), max_size=1), PREFERENCES
)
def test_preferences_tighten_and_never_widen(flaws: set[str], preferences: Preferences) -> None:
    moment, known, published = flawed(flaws)
    if decided(moment, with_preferences(known, preferences), published).outcome == "offer":
        assert decided(moment, with_preferences(known, Preferences()), published).outcome == "offer"
