"""A shopper at one retailer: all that a decision reads of her, and how it changes. Small, packed, pure.

Every function gives a new Shopper. What an app may not do without consent is decided here, not by callers:
an event is noted only while `personalisation` is granted, and withdrawing that forgets every interest.
"""

from collections.abc import Mapping

import msgspec

from offers.conditions import Traits
from offers.consent import Consent, Purpose
from offers.event import Event
from offers.hours import DAY_US, HOUR_US
from offers.interest import Interests, bought, noted
from offers.learn.hers import Hers
from offers.preferences import Preferences

#: Contacts are remembered for so long: the longest window that caps look at, a week whose clock was set back.
CONTACTS_US = 7 * DAY_US + 2 * HOUR_US
#: As many offers are remembered beyond that.
HISTORY_MAX = 128


class Contact(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """An offer that was decided for her."""

    decision_id: str
    at_us: int
    store: str
    offer: str
    sku: str | None = None
    outcome: str | None = None  #: the newest of `delivered`, `opened`, `dismissed`
    entered_at_us: int = 0  #: names the visit in which it was made
    cause_us: int = 0  #: when what caused it happened
    ahead: bool = False  #: made as she came near, before the visit


class OfferHistory(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What became of one offer with her, in all time."""

    offered: int = 0
    redeemed: int = 0
    redeemed_us: int | None = None  #: the last time


class Shopper(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A pseudonymous person. `Shopper(shopper_id=…)` is one who permits nothing."""

    shopper_id: str
    consents: dict[Purpose, Consent] = {}
    preferences: Preferences = Preferences()
    locale: str | None = None  #: of the text by which she consented last
    interests: Interests = Interests()
    contacts: tuple[Contact, ...] = ()  #: of the last 7 days, oldest first
    traits: Traits = Traits()  #: what the retailer's servers told of her
    history: dict[str, OfferHistory] = {}  #: by offer, the one touched last at the end
    hers: Hers = Hers()  #: what is learned of her, and from her

    def permits(self, purpose: Purpose, now_us: int) -> bool:
        """Whether she has granted the purpose, and not too long ago."""
        consent = self.consents.get(purpose)
        return consent is not None and consent.holds(now_us)

    def offered_since(self, since_us: int, *, offer: str | None = None) -> int:
        """How many offers (or how often the one) were decided after `since_us`, 7 days back at most."""
        return sum(1 for c in self.contacts if c.at_us > since_us and offer in (None, c.offer))


def with_consents(shopper: Shopper, answers: Mapping[Purpose, Consent]) -> Shopper:
    """After she answered these purposes; the others stand."""
    consents = {**shopper.consents, **answers}
    locales = [consent.locale for consent in answers.values() if consent.locale is not None]
    personal = consents.get("personalisation")
    granted = personal is not None and personal.granted
    insight = consents.get("insight")
    hers = shopper.hers if insight is not None and insight.granted else shopper.hers.without_habits()
    return msgspec.structs.replace(
        shopper,
        consents=consents,
        locale=locales[-1] if locales else shopper.locale,
        interests=shopper.interests if granted else Interests(),
        hers=hers if granted else Hers(),
    )


def with_preferences(shopper: Shopper, preferences: Preferences) -> Shopper:
    """With these preferences in the place of all earlier ones."""
    return msgspec.structs.replace(shopper, preferences=preferences)


def with_traits(shopper: Shopper, traits: Traits) -> Shopper:
    """With these in the place of all that was told before."""
    return msgspec.structs.replace(shopper, traits=traits)


def with_event(shopper: Shopper, event: Event, *, now_us: int) -> Shopper:
    """After a browse event; unchanged without consent to personalisation or when it was noted before."""
    if not shopper.permits("personalisation", now_us):
        return shopper
    return msgspec.structs.replace(shopper, interests=noted(shopper.interests, event, now_us=now_us))


def with_offer(shopper: Shopper, contact: Contact) -> Shopper:
    """After an offer was decided for her. Contacts older than the caps' longest window are forgotten."""
    recent = tuple(c for c in shopper.contacts if c.at_us > contact.at_us - CONTACTS_US)
    past = shopper.history.get(contact.offer, OfferHistory())
    return msgspec.structs.replace(
        shopper,
        contacts=(*recent, contact),
        history=_with_history(
            shopper, contact.offer, msgspec.structs.replace(past, offered=past.offered + 1)
        ),
    )


def with_redemption(shopper: Shopper, offer: str, *, at_us: int, sku: str | None = None) -> Shopper:
    """After she redeemed the offer at a till; the interest in what she bought by it ends."""
    past = shopper.history.get(offer, OfferHistory())
    history = msgspec.structs.replace(past, redeemed=past.redeemed + 1, redeemed_us=at_us)
    interests = shopper.interests
    if sku is not None:
        interests = bought(interests, sku, at_us=at_us, now_us=at_us)
    return msgspec.structs.replace(
        shopper, history=_with_history(shopper, offer, history), interests=interests
    )


def with_reversal(shopper: Shopper, offer: str) -> Shopper:
    """After a redemption of the offer was taken back: she has not redeemed it that time."""
    past = shopper.history.get(offer)
    if past is None or past.redeemed == 0:
        return shopper
    redeemed_us = past.redeemed_us if past.redeemed > 1 else None
    history = msgspec.structs.replace(past, redeemed=past.redeemed - 1, redeemed_us=redeemed_us)
    return msgspec.structs.replace(shopper, history=_with_history(shopper, offer, history))


def with_outcome(shopper: Shopper, decision_id: str, outcome: str) -> Shopper:
    """After the phone reported a push `delivered`, `opened` or `dismissed`; `delivered` undoes neither."""
    contacts = tuple(
        msgspec.structs.replace(contact, outcome=outcome)
        if contact.decision_id == decision_id and (outcome != "delivered" or contact.outcome is None)
        else contact
        for contact in shopper.contacts
    )
    return msgspec.structs.replace(shopper, contacts=contacts)


def _with_history(shopper: Shopper, offer: str, history: OfferHistory) -> dict[str, OfferHistory]:
    others = [(name, past) for name, past in shopper.history.items() if name != offer]
    return dict([*others, (offer, history)][-HISTORY_MAX:])
