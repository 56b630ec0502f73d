"""Two shoppers who turn out to be one: an anonymous one who logs in as somebody known.

What she decided last counts (consents), what she has had adds up (offers, for every cap), and what she looked
at is remembered together. The known shopper's own limits stand; where there are none, those of the other.
"""

import msgspec

from offers.conditions import Traits
from offers.interest import NAMES_MAX, TRACES_MAX, Interests, Trace
from offers.learn.hers import Hers, joined
from offers.preferences import Preferences
from offers.shopper import HISTORY_MAX, OfferHistory, Shopper


def merged(known: Shopper, other: Shopper) -> Shopper:
    """`known` after it turned out that `other` was the same person."""
    consents = dict(known.consents)
    for purpose, consent in other.consents.items():
        if purpose not in consents or consents[purpose].at_us < consent.at_us:
            consents[purpose] = consent
    personal = consents.get("personalisation")
    contacts = {contact.decision_id: contact for contact in (*other.contacts, *known.contacts)}
    return msgspec.structs.replace(
        known,
        consents=consents,
        preferences=other.preferences if known.preferences == Preferences() else known.preferences,
        locale=known.locale or other.locale,
        traits=other.traits if known.traits == Traits() else known.traits,
        interests=(
            _interests(known.interests, other.interests)
            if personal is not None and personal.granted
            else Interests()
        ),
        contacts=tuple(sorted(contacts.values(), key=lambda contact: (contact.at_us, contact.decision_id))),
        history=_history(known.history, other.history),
        hers=joined(known.hers, other.hers) if personal is not None and personal.granted else Hers(),
    )


def _interests(mine: Interests, others: Interests) -> Interests:
    """Of a thing that both looked at the newer trace stands: nobody wanted it twice as much."""
    traces: dict[tuple[str, str, str], Trace] = {}
    for trace in sorted((*mine.traces, *others.traces), key=lambda one: one.at_us):
        traces[trace.kind, trace.about, trace.key] = trace
    bought = dict(sorted((*mine.bought, *others.bought), key=lambda one: one[1]))
    return Interests(
        traces=tuple(sorted(traces.values(), key=lambda one: one.at_us))[-TRACES_MAX:],
        bought=tuple(bought.items()),
        names=tuple(sorted({*mine.names, *others.names}))[-NAMES_MAX:],
    )


def _history(mine: dict[str, OfferHistory], others: dict[str, OfferHistory]) -> dict[str, OfferHistory]:
    both = {name: _added(mine.get(name), past) for name, past in others.items()}
    return dict(list((mine | both).items())[-HISTORY_MAX:])


def _added(mine: OfferHistory | None, other: OfferHistory) -> OfferHistory:
    if mine is None:
        return other
    times = [at_us for at_us in (mine.redeemed_us, other.redeemed_us) if at_us is not None]
    return OfferHistory(
        offered=mine.offered + other.offered,
        redeemed=mine.redeemed + other.redeemed,
        redeemed_us=max(times, default=None),
    )
