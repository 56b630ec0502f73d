"""An anonymous shopper who turns out to be a known one."""

from hypothesis import given
from hypothesis import strategies as st

from offers.consent import Consent
from offers.event import Event
from offers.hours import DAY_US
from offers.merge import merged
from offers.preferences import Preferences
from offers.shopper import Contact, OfferHistory, Shopper, with_consents, with_event

NOW_US = 1_795_000_000_000_000
YES = Consent(granted=True, at_us=NOW_US - DAY_US)


def shopper(name: str, **more: object) -> Shopper:
    return with_consents(Shopper(shopper_id=name, **more), {"personalisation": YES})  # type: ignore[arg-type]


def looked(one: Shopper, sku: str, ago_us: int = 0) -> Shopper:
    event = Event(kind="view", sku=sku, at_us=NOW_US - ago_us)
    return with_event(one, event, now_us=NOW_US)


def test_what_both_looked_at_is_remembered_together() -> None:
    known, other = looked(shopper("known"), "a", 50), looked(looked(shopper("other"), "b"), "a")

    both = merged(known, other)

    assert both.shopper_id == "known"
    assert {(trace.key, trace.at_us) for trace in both.interests.traces} == {("a", NOW_US), ("b", NOW_US)}


def test_of_consents_the_newest_answer_counts() -> None:
    withdrawn = Consent(granted=False, at_us=NOW_US)
    known = with_consents(looked(shopper("known"), "a"), {"push": YES})
    other = with_consents(shopper("other"), {"push": withdrawn})

    assert not merged(known, other).permits("push", NOW_US)
    assert not merged(other, known).permits("push", NOW_US)


def test_interests_go_where_personalisation_was_withdrawn_last() -> None:
    other = with_consents(shopper("other"), {"personalisation": Consent(granted=False, at_us=NOW_US)})

    assert merged(looked(shopper("known"), "a"), other).interests.traces == ()


def test_her_own_limits_stand_and_those_of_the_other_fill_the_gap() -> None:
    strict = Preferences(max_per_day=0)

    assert merged(shopper("known", preferences=strict), shopper("other")).preferences == strict
    assert merged(shopper("known"), shopper("other", preferences=strict)).preferences == strict


CONTACTS = st.lists(
    st.builds(
        Contact,
        decision_id=st.sampled_from(["d1", "d2", "d3", "d4"]),
        at_us=st.integers(NOW_US - DAY_US, NOW_US),
        store=st.just("s"),
        offer=st.sampled_from(["o1", "o2"]),
    ),
    max_size=4,
    unique_by=lambda contact: contact.decision_id,
).map(tuple)


@given(CONTACTS, CONTACTS)
def test_no_cap_is_looser_after_a_merge(mine: tuple[Contact, ...], others: tuple[Contact, ...]) -> None:
    known, other = shopper("known", contacts=mine), shopper("other", contacts=others)

    both = merged(known, other)

    for one in (known, other):
        assert both.offered_since(NOW_US - 7 * DAY_US) >= one.offered_since(NOW_US - 7 * DAY_US)
    assert [contact.at_us for contact in both.contacts] == sorted(contact.at_us for contact in both.contacts)


def test_what_became_of_offers_adds_up() -> None:
    known = shopper("known", history={"o": OfferHistory(offered=1, redeemed=1, redeemed_us=5)})
    other = shopper("other", history={"o": OfferHistory(offered=2), "p": OfferHistory(offered=1)})

    both = merged(known, other)

    assert both.history["o"] == OfferHistory(offered=3, redeemed=1, redeemed_us=5)
    assert both.history["p"].offered == 1
