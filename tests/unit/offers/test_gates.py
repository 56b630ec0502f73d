"""The gates as a decision table: each of them alone silences an offer that would otherwise be made."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from offers.candidate_gates import CANDIDATE_GATES
from offers.catalogue import Discount, Limits
from offers.conditions import Conditions, Segments, Traits
from offers.decision import Decision
from offers.gates import MOMENT_GATES, shopper_cap
from offers.hours import DAY_US, HOUR_US, MINUTE_US, SECOND_US, QuietHours, microseconds
from offers.preferences import Preferences
from offers.remember import remembered
from offers.shopper import (
    Contact,
    Shopper,
    with_event,
    with_offer,
    with_preferences,
    with_redemption,
    with_traits,
)
from offers.situation import Situation
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    STORE,
    TRAINERS,
    Granting,
    catalogue,
    changed,
    decided,
    shopper,
    stranger,
    view,
)


def moment(**changes: Any) -> dict[str, Any]:
    return {"moment": changed(MOMENT, **changes)}


def wishing(**preferences: Any) -> dict[str, Any]:
    return {"who": with_preferences(shopper(), Preferences(**preferences))}


def offering(**changes: Any) -> dict[str, Any]:
    return {"published": catalogue(changed(OFFER, **changes))}


def contacted(*hours_ago: float, store: str = "elsewhere", offer: str = "another") -> Shopper:
    known = shopper()
    for number, hours in enumerate(sorted(hours_ago, reverse=True)):
        at_us = NOON_US - round(hours * HOUR_US)
        known = with_offer(known, Contact(decision_id=f"dec_{number}", at_us=at_us, store=store, offer=offer))
    return known


#: At 15 % off, 76.41 is paid: with a cost of 60 there are 21.5 % of it left.
FLOOR = changed(OFFER, conditions=Conditions(margin_floor_percent=Decimal(25)))

ALONE = {
    "made-up position": ("implausible", moment(mock=True)),
    "fix of three minutes ago": ("stale", moment(at_us=NOON_US - 180 * SECOND_US)),
    "gone again": ("left", moment(left=True)),
    "hospital car park": ("sensitive_place", moment(sensitive=True)),
    "coarse fix": ("low_accuracy", moment(accuracy_m=101.0)),
    "no push consent": ("no_consent", {"who": shopper(push=False)}),
    "no consent to nearby offers": ("no_consent", {"who": shopper(nearby_offers=False)}),
    "paused": ("paused", wishing(paused_until_us=NOON_US + 1)),
    "muted store": ("muted", wishing(muted_stores=("mall",))),
    "muted category": ("muted", wishing(muted_categories=("shoes",))),
    "too far for her": ("too_far", wishing(maximum_distance_m=40.0)),
    "driving past": ("drive_by", moment(speed_mps=50 / 3.6)),
    "closed store": (
        "closed",
        {"published": catalogue(stores=(changed(STORE, opening_hours="Mo-Th 10:00-20:00"),))},
    ),
    "retailer's quiet hours": (
        "quiet_hours",
        {"published": catalogue(quiet_hours=QuietHours(from_="12:00", until="13:00"))},
    ),
    "her quiet hours": ("quiet_hours", wishing(quiet_hours=QuietHours(from_="11:00", until="12:01"))),
    "two offers today": ("shopper_cap", {"who": contacted(2, 23.9)}),
    "five offers this week": ("shopper_cap", {"who": contacted(1, 30, 50, 70, 167.9)}),
    "she wants one a day": (
        "shopper_cap",
        {"who": with_preferences(contacted(1), Preferences(max_per_day=1))},
    ),
    "a shop within the mall has spoken": ("overlapped", moment(overlapped_by="shop")),
    "no offer at the store": (
        "no_candidate",
        {"published": catalogue(changed(OFFER, stores=("elsewhere",)))},
    ),
    "unknown store": ("no_candidate", moment(store="nowhere")),
    "not yet valid": ("schedule", offering(valid_from_us=NOON_US + 1)),
    "no longer valid": ("schedule", offering(valid_until_us=NOON_US)),
    "outside its happy hour": ("schedule", offering(schedule="Mo-Su 16:00-18:00")),
    "never browsed": ("no_interest", {"who": stranger()}),
    "browsed something else": ("no_interest", {"who": shopper(view("hat"))}),
    "out of stock": ("no_stock", {"published": catalogue(products=(changed(TRAINERS, stock=0),))}),
    "worth too little": ("minimum_worth", wishing(minimum_percent=15.5)),
    "worth nothing": (
        "minimum_worth",
        offering(discount=Discount(kind="price", value=Decimal("89.90"))),
    ),
    "once a day": (
        "offer_cap",
        {"who": contacted(1, offer="trainers-15"), **offering(limits=Limits(per_shopper_per_day=1))},
    ),
    "once at all": (
        "offer_cap",
        {"who": contacted(30, offer="trainers-15"), **offering(limits=Limits(per_shopper=1))},
    ),
    "redeemed before": (
        "already_redeemed",
        {"who": with_redemption(shopper(), "trainers-15", at_us=NOON_US - DAY_US)},
    ),
    "wants to know how": ("moment_kind", {"moment": changed(MOMENT, trigger="how_to")}),
    "retailer's quota": (
        "retailer_cap",
        {"published": catalogue(retailer_per_day=9), "answers": Granting("retailer")},
    ),
    "store's quota": (
        "store_cap",
        {"published": catalogue(store_per_day=9), "answers": Granting("store:mall")},
    ),
    "the kill switch": ("stopped", {"published": catalogue(speaking=False)}),
    "a draft": ("not_live", offering(status="draft")),
    "paused by its marketer": ("not_live", offering(status="paused")),
    "for gold members": ("segment", offering(conditions=Conditions(segments=Segments(tiers=("gold",))))),
    "for who has lapsed": (
        "segment",
        {
            "who": with_traits(shopper(), Traits(tier="gold", lifecycle="active")),
            **offering(conditions=Conditions(segments=Segments(tiers=("gold",), lifecycles=("lapsed",)))),
        },
    ),
    "for who likes hats": (
        "segment",
        {
            "who": with_preferences(shopper(), Preferences(liked_categories=("Shoes",))),
            **offering(conditions=Conditions(segments=Segments(likes=("Hats",)))),
        },
    ),
    "below the margin floor": (
        "margin",
        {"published": catalogue(FLOOR, products=(changed(TRAINERS, cost=Decimal(60)),))},
    ),
    "cost not known": ("margin", {"published": catalogue(FLOOR)}),
    "another of its group is good": (
        "exclusive",
        {
            "who": contacted(0.4, offer="boots-20"),
            "published": catalogue(
                changed(OFFER, conditions=Conditions(exclusive_group="shoes")),
                changed(
                    OFFER,
                    external_id="boots-20",
                    stores=("elsewhere",),
                    conditions=Conditions(exclusive_group="shoes"),
                ),
            ),
        },
    ),
    "sold out here, not elsewhere": (
        "no_stock",
        {"published": catalogue(products=(changed(TRAINERS, stock=9, stock_at={"mall": 0}),))},
    ),
    "closed on this very day": (
        "closed",
        {"published": catalogue(stores=(changed(STORE, closed_on=("2026-11-20",)),))},
    ),
    "spent budget": ("budget", {"answers": Granting("trainers-15")}),
    "control group": ("holdout", {"published": catalogue(holdout=1.0)}),
}


def test_without_any_hindrance_the_offer_is_made() -> None:
    decision = decided()
    assert (decision.outcome, decision.offer, decision.reasons) == ("offer", "trainers-15", ())


@pytest.mark.parametrize(("code", "changes"), ALONE.values(), ids=ALONE.keys())
def test_each_gate_alone_silences_with_its_code(code: str, changes: dict[str, Any]) -> None:
    decision = decided(**changes)
    assert (decision.outcome, decision.delivery, decision.reasons) == ("silence", "none", (code,))


@pytest.mark.parametrize(
    "changes",
    [
        {
            "who": with_traits(shopper(), Traits(tier="gold")),
            **offering(conditions=Conditions(segments=Segments(tiers=("silver", "gold")))),
        },
        {
            "who": with_preferences(shopper(), Preferences(liked_categories=("Shoes > Trainers > Trail",))),
            **offering(conditions=Conditions(segments=Segments(likes=("shoes",)))),
        },
        {"published": catalogue(FLOOR, products=(changed(TRAINERS, cost=Decimal(57)),))},
        {"published": catalogue(products=(changed(TRAINERS, stock=0, stock_at={"mall": 1}),))},
    ],
    ids=["gold is one of the tiers", "she likes what lies within it", "enough is left", "on the shelf here"],
)
def test_a_condition_that_holds_lets_pass(changes: dict[str, Any]) -> None:
    assert decided(**changes).outcome == "offer"


@pytest.mark.parametrize(("country", "reasons"), [("FI", ("closed",)), ("SE", ()), (None, ())])
def test_public_holidays_are_those_of_the_stores_country(
    country: str | None, reasons: tuple[str, ...]
) -> None:
    store = changed(STORE, opening_hours="Mo-Su 10:00-20:00; PH off", country=country)
    independence_day = NOON_US + 16 * DAY_US  # the 6th of December, in Finland alone
    known = with_event(shopper(), changed(view(), at_us=independence_day - HOUR_US), now_us=independence_day)
    decision = decided(
        changed(MOMENT, at_us=independence_day, received_at_us=independence_day),
        known,
        catalogue(changed(OFFER, valid_until_us=NOON_US + 20 * DAY_US), stores=(store,)),
        now_us=independence_day,
    )
    assert decision.reasons == reasons


def test_a_reminder_answers_who_wants_to_know_in_the_inbox_alone() -> None:
    reminder = catalogue(changed(OFFER, discount=Discount(kind="percent", value=Decimal(0))))
    decision = decided(changed(MOMENT, trigger="how_to"), published=reminder)
    assert (decision.outcome, decision.delivery, decision.reasons) == (
        "offer",
        "inbox_only",
        ("moment_kind",),
    )


def test_the_table_tries_every_gate() -> None:
    codes = {code for code, _ in (*MOMENT_GATES, *CANDIDATE_GATES)} | {
        "holdout",
        "budget",
        "retailer_cap",
        "store_cap",
    }
    tried = {code for code, _ in ALONE.values()}
    assert codes - tried == {"already_offered"}  # it takes an earlier decision: see below


def detail_of(decision: Decision, code: str) -> str:
    gates = (*decision.gates, *(gate for candidate in decision.candidates for gate in candidate.gates))
    return next(gate.detail for gate in gates if gate.code == code)


def test_a_gate_says_what_is_missing() -> None:
    assert detail_of(decided(who=shopper(push=False)), "no_consent") == "not granted: push"


def test_a_cap_says_how_many_of_how_many() -> None:
    detail = detail_of(decided(who=contacted(2, 20)), "shopper_cap")
    assert detail == "2 of 2 in the last 24 h, 2 of 5 in the last 7 days"


def test_all_gates_are_recorded_even_after_one_has_failed() -> None:
    decision = decided(**moment(mock=True, sensitive=True, speed_mps=30.0))
    assert decision.reasons == ("implausible", "sensitive_place", "drive_by")
    assert [gate.code for gate in decision.gates] == [code for code, _ in MOMENT_GATES]


def test_caps_roll_instead_of_starting_anew_at_midnight() -> None:
    assert decided(who=contacted(2, 23.99)).outcome == "silence"
    assert decided(who=contacted(2, 24)).outcome == "offer"


def test_a_consent_of_over_a_year_ago_no_longer_holds() -> None:
    later_us = NOON_US + 364 * DAY_US
    assert detail_of(decided(now_us=later_us), "no_consent") == "not granted: nearby_offers, push"


def test_personalisation_is_what_interest_rests_on() -> None:
    decision = decided(who=shopper(personalisation=False))
    assert decision.reasons == ("no_interest",)
    assert detail_of(decision, "no_interest") == "not granted: personalisation"


def test_without_consent_nobody_looks_at_interests() -> None:
    assert decided(who=shopper(nearby_offers=False)).candidates == ()


def test_a_limit_on_the_offer_itself_allows_further_redemptions() -> None:
    redeemed = with_redemption(shopper(), "trainers-15", at_us=NOON_US - DAY_US)
    assert decided(who=redeemed, **offering(limits=Limits(per_shopper=2))).outcome == "offer"


def test_a_redemption_before_the_present_validity_does_not_count() -> None:
    redeemed = with_redemption(shopper(), "trainers-15", at_us=OFFER.valid_from_us - 1)
    assert decided(who=redeemed).outcome == "offer"


def test_a_dwell_after_an_offer_in_the_same_visit_is_silent() -> None:
    after = remembered(shopper(), decided())
    dwell = changed(MOMENT, moment_id="mom_2", trigger="dwell", at_us=NOON_US + MINUTE_US)
    decision = decided(changed(dwell, received_at_us=NOON_US + MINUTE_US), after, now_us=NOON_US + MINUTE_US)
    assert decision.reasons == ("already_offered",)


def test_a_dwell_after_a_silent_enter_is_a_second_chance() -> None:
    silent = decided(who=stranger())
    browsed = remembered(shopper(), silent)
    assert decided(changed(MOMENT, trigger="dwell"), browsed).outcome == "offer"


def test_a_new_visit_may_bring_an_offer_again() -> None:
    after, later_us = remembered(shopper(), decided()), NOON_US + HOUR_US
    enter = changed(MOMENT, at_us=later_us, received_at_us=later_us, entered_at_us=later_us)
    assert decided(enter, after, now_us=later_us).outcome == "offer"


def test_browsing_on_in_a_visit_never_brings_the_same_offer_again() -> None:
    after = remembered(shopper(), decided())
    look = changed(MOMENT, moment_id="mom_2", trigger="view")
    assert decided(look, after).reasons == ("already_offered",)


def test_browsing_on_in_a_visit_may_bring_another_offer() -> None:
    hats = changed(OFFER, external_id="hats-10", skus=("hat",))
    published = catalogue(OFFER, hats, products=(TRAINERS, changed(TRAINERS, sku="hat", name="Hat")))
    first = decided(published=published)
    look = changed(MOMENT, moment_id="mom_2", trigger="view")
    after = remembered(shopper(view(), view("hat", hours_ago=0.01)), first)
    assert decided(look, after, published).offer == "hats-10"


def test_minimum_worth_of_an_amount_needs_a_price() -> None:
    unpriced = changed(TRAINERS, price=None)
    published = catalogue(
        changed(OFFER, discount=Discount(kind="amount", value=Decimal(20))), products=(unpriced,)
    )
    assert decided(published=published).outcome == "offer"
    assert decided(published=published, **wishing(minimum_percent=10)).reasons == ("minimum_worth",)


def test_a_store_is_closed_by_its_own_clock() -> None:
    open_now = changed(STORE, opening_hours="Fr 12:00-12:30")  # by the clock in Helsinki
    for zone, reasons in (("Europe/Helsinki", ()), ("Europe/Lisbon", ("closed",)), ("UTC", ("closed",))):
        moved = changed(open_now, timezone=zone)
        assert decided(published=catalogue(stores=(moved,), timezone="Asia/Tokyo")).reasons == reasons


def test_a_store_without_a_clock_of_its_own_goes_by_the_retailers() -> None:
    bare = changed(STORE, timezone=None, opening_hours="Fr 12:00-12:30")
    assert decided(published=catalogue(stores=(bare,), timezone="Europe/Helsinki")).outcome == "offer"
    assert decided(published=catalogue(stores=(bare,))).reasons == ("closed",)


def test_a_shopper_in_another_time_zone_keeps_her_own_clock() -> None:
    assert decided(**wishing(timezone="Asia/Tokyo")).outcome == "offer"  # 19:00
    assert decided(**wishing(timezone="Pacific/Auckland")).reasons == ("quiet_hours",)  # 23:00


@pytest.mark.parametrize("unknown", [{"accuracy_m": None}, {"speed_mps": None}, {"distance_m": None}])
def test_what_is_not_known_of_a_fix_does_not_silence(unknown: dict[str, Any]) -> None:
    assert decided(**moment(**unknown)).outcome == "offer"


def test_a_limit_of_distance_fails_closed_where_the_distance_is_not_known() -> None:
    assert decided(changed(MOMENT, distance_m=None), **wishing(maximum_distance_m=500.0)).reasons == (
        "too_far",
    )


def test_a_day_of_25_hours_has_no_room_for_one_more_offer() -> None:
    just_after_midnight, before_the_next = (
        microseconds(datetime.fromisoformat(text))
        for text in ("2026-10-24T21:10:00Z", "2026-10-25T21:50:00Z")
    )
    assert before_the_next - just_after_midnight > DAY_US
    contact = Contact(decision_id="dec_1", at_us=just_after_midnight, store="mall", offer="o")
    wishes = Preferences(max_per_day=1, timezone="Europe/Helsinki")
    who = with_preferences(with_offer(stranger(), contact), wishes)

    passed = [
        shopper_cap(Situation.of(MOMENT, who, catalogue(), before_the_next + later_us))[0]
        for later_us in (0, HOUR_US)
    ]

    assert passed == [False, True]


def test_a_push_ends_where_quiet_hours_begin_and_is_not_put_off() -> None:
    soon = decided(**wishing(quiet_hours=QuietHours(from_="12:05", until="13:00")))
    assert (soon.delivery, soon.push_expires_at_us) == ("push", NOON_US + 5 * MINUTE_US)
