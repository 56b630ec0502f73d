import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.consent import PURPOSES, Consent
from offers.event import Event, refuse_event
from offers.hours import DAY_US, MINUTE_US, SECOND_US, QuietHours
from offers.interest import Interests
from offers.preferences import Preferences
from offers.shopper import (
    HISTORY_MAX,
    Contact,
    Shopper,
    with_consents,
    with_event,
    with_offer,
    with_outcome,
    with_preferences,
    with_redemption,
)
from tests.unit.offers.scene import NOON_US, shopper, stranger, view


def contact(number: int = 1, days_ago: float = 0.0, offer: str = "o") -> Contact:
    return Contact(
        decision_id=f"dec_{number}", at_us=NOON_US - round(days_ago * DAY_US), store="mall", offer=offer
    )


def test_everything_is_off_until_it_is_granted() -> None:
    assert not any(Shopper(shopper_id="s").permits(purpose, NOON_US) for purpose in PURPOSES)


def test_a_consent_holds_for_twelve_months() -> None:
    known = stranger()
    assert known.permits("push", NOON_US + 363 * DAY_US)
    assert not known.permits("push", NOON_US + 364 * DAY_US)


def test_an_answer_for_one_purpose_leaves_the_others() -> None:
    known = with_consents(stranger(), {"push": Consent(granted=False, at_us=NOON_US)})
    assert [purpose for purpose in PURPOSES if not known.permits(purpose, NOON_US)] == ["push"]


def test_browsing_is_noted_only_while_personalisation_is_granted() -> None:
    assert shopper(personalisation=False).interests == Interests()
    assert with_event(stranger(), view(), now_us=NOON_US + 364 * DAY_US).interests == Interests()


def test_withdrawing_personalisation_forgets_every_interest() -> None:
    withdrawn = with_consents(shopper(), {"personalisation": Consent(granted=False, at_us=NOON_US)})
    granted = with_consents(withdrawn, {"personalisation": Consent(granted=True, at_us=NOON_US)})
    assert withdrawn.interests == granted.interests == Interests()


def test_other_answers_leave_her_interests() -> None:
    known = shopper()
    assert (
        with_consents(known, {"insight": Consent(granted=False, at_us=NOON_US)}).interests == known.interests
    )


def test_she_reads_the_language_in_which_she_consented_last() -> None:
    known = with_consents(stranger(), {"insight": Consent(granted=False, at_us=NOON_US, locale="fi")})
    assert known.locale == "fi"


def test_preferences_take_the_place_of_earlier_ones() -> None:
    known = with_preferences(stranger(), Preferences(max_per_day=1))
    assert with_preferences(known, Preferences(max_per_week=2)).preferences == Preferences(max_per_week=2)


def test_contacts_are_kept_for_seven_days_whose_clock_was_set_back() -> None:
    known = with_offer(with_offer(stranger(), contact(1, 7.1)), contact(2))
    assert [c.decision_id for c in known.contacts] == ["dec_2"]
    assert known.history["o"].offered == 2


def test_the_newest_offers_are_remembered_for_long() -> None:
    known = stranger()
    for number in range(HISTORY_MAX + 1):
        known = with_offer(known, contact(number, offer=f"o{number}"))
    assert len(known.history) == HISTORY_MAX
    assert "o0" not in known.history


def test_a_redemption_ends_the_interest_in_what_was_bought() -> None:
    known = with_redemption(shopper(), "o", at_us=NOON_US, sku="trainers")
    assert known.history["o"].redeemed == 1
    assert known.interests.traces == ()


def test_what_became_of_a_push_is_kept_with_its_contact() -> None:
    known = with_offer(stranger(), contact())
    for outcome in ("delivered", "opened", "delivered"):
        known = with_outcome(known, "dec_1", outcome)
    assert known.contacts[0].outcome == "opened"
    assert with_outcome(known, "dec_9", "opened") == known


def test_her_state_survives_packing() -> None:
    preferences = Preferences(quiet_hours=QuietHours(from_="20:00", until="08:00"), muted_stores=("a",))
    known = with_preferences(
        with_offer(with_redemption(shopper(), "o", at_us=NOON_US), contact()), preferences
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(known), type=Shopper) == known


def test_a_shopper_of_whom_nothing_is_known_takes_no_room() -> None:
    assert len(msgspec.msgpack.encode(Shopper(shopper_id="shp_1"))) < 30


@given(
    st.lists(st.sampled_from(["view", "cart", "withdraw", "grant", "offer", "redeem", "prefer"]), max_size=12)
)
def test_any_history_survives_packing_and_no_step_changes_what_was(steps: list[str]) -> None:
    known = stranger()
    for number, step in enumerate(steps):
        before = msgspec.msgpack.encode(known)
        at_us = NOON_US + number * MINUTE_US
        after = {
            "view": lambda s, t: with_event(s, Event(kind="view", at_us=t, sku="a"), now_us=t),
            "cart": lambda s, t: with_event(s, Event(kind="cart", at_us=t, category=("A", "B")), now_us=t),
            "withdraw": lambda s, t: with_consents(s, {"personalisation": Consent(granted=False, at_us=t)}),
            "grant": lambda s, t: with_consents(s, {"personalisation": Consent(granted=True, at_us=t)}),
            "offer": lambda s, t: with_offer(s, Contact(decision_id=f"d{t}", at_us=t, store="m", offer="o")),
            "redeem": lambda s, t: with_redemption(s, "o", at_us=t, sku="a"),
            "prefer": lambda s, t: with_preferences(s, Preferences(paused_until_us=t)),
        }[step](known, at_us)
        assert msgspec.msgpack.encode(known) == before
        known = msgspec.msgpack.decode(msgspec.msgpack.encode(after), type=Shopper)
        assert known == after


@pytest.mark.parametrize(
    ("age_us", "reason"),
    [
        (0, None),
        (-60 * SECOND_US, None),
        (-61 * SECOND_US, "in_future"),
        (DAY_US, None),
        (DAY_US + 1, "too_old"),
    ],
)
def test_events_are_refused_from_too_far_away_in_time(age_us: int, reason: str | None) -> None:
    assert refuse_event(Event(kind="view", at_us=NOON_US - age_us, sku="a"), NOON_US) == reason
