"""What a shopper is interested in: decayed evidence of her browsing, small and bounded.

Every event leaves a **trace** on what it was about: a product, a category, a search text or a store. A trace
holds the sum of its events' weights, each halved once per half-life of its kind:

    amount(t) = Σ weight · 2^(−(t − at) / half-life)

which needs no memory of the single events, since the sum of one kind decays as a whole. In which order events
arrive makes no difference (but for rounding). The weights and half-lives of view, search, cart, wishlist,
directions and store_locator are judgements that the learning policy will replace (docs/why); the others are
set in their likeness.

Interested is who has a level of `INTERESTED` or has viewed one product twice within a day. So one view
suffices for six hours (from the morning to noon), a cart for three days.
"""

import math

import msgspec

from offers.category import text_from_path
from offers.event import Event, Kind
from offers.hours import DAY_US, HOUR_US

#: The level from which a shopper counts as interested.
INTERESTED = 0.5
#: Two views of one product within this time are interest enough, whatever the level.
REPEATED_WITHIN_US = DAY_US

#: kind -> weight, half-life in hours
WEIGHTS: dict[Kind, tuple[float, float]] = {
    "view": (1.0, 6.0),
    "search": (2.0, 6.0),
    "cart": (4.0, 24.0),
    "wishlist": (3.0, 48.0),
    "directions": (6.0, 2.0),
    "store_locator": (2.5, 3.0),
    "how_to": (0.25, 6.0),  # she may own it already
    "review": (1.0, 12.0),
    "share": (1.0, 12.0),
    "purchase": (0.0, 1.0),  # ends the interest in what was bought
}

#: As many traces, purchases and names of events are kept for a shopper.
TRACES_MAX, BOUGHT_MAX, NAMES_MAX = 64, 32, 256
#: So many words of a search are kept.
QUERY_WORDS_MAX = 8
#: A trace weaker than this is forgotten.
FAINT = 0.01
#: A purchase is remembered for so long, against late events from before it.
BOUGHT_US = 7 * DAY_US


class Trace(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """The sum of one kind of event about one thing."""

    kind: Kind
    about: str  #: `sku`, `category`, `query` or `store`
    key: str  #: the sku, the category as `a > b`, the text, or the store's id
    amount: float  #: at `at_us`
    at_us: int  #: time of the newest event
    previous_us: int | None = None  #: time of the one before it
    category: str = ""  #: of a sku, as the event told it

    def level(self, now_us: int) -> float:
        """The amount that is left now. A time before the newest event counts as that event's."""
        return self.amount * _decay(self.kind, now_us - self.at_us)

    def repeated(self, now_us: int) -> bool:
        """Whether this is a product that was viewed twice within a day."""
        if self.kind != "view" or self.about != "sku" or self.previous_us is None:
            return False
        return self.previous_us > now_us - REPEATED_WITHIN_US


class Interests(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """All that is remembered of a shopper's browsing. `Interests()` is a shopper who has not browsed."""

    traces: tuple[Trace, ...] = ()
    bought: tuple[tuple[str, int], ...] = ()  #: sku or category, and when it was bought last
    names: tuple[tuple[int, int], ...] = ()  #: when and which events were noted in the last 24 hours

    def bought_since(self, key: str, at_us: int) -> bool:
        """Whether the thing was bought at `at_us` or later."""
        return any(name == key and bought_us >= at_us for name, bought_us in self.bought)


def noted(interests: Interests, event: Event, *, now_us: int) -> Interests:
    """The interests after an event. An event that was noted before changes nothing."""
    names = set(event.names)
    if any(name in names for _, name in interests.names):
        return interests
    kept = [entry for entry in interests.names if entry[0] > now_us - DAY_US]
    interests = msgspec.structs.replace(
        interests, names=tuple((kept + [(event.at_us, name) for name in sorted(names)])[-NAMES_MAX:])
    )
    if (subject := _subject(event)) is None:
        return interests
    about, key = subject
    if event.kind == "purchase":
        return bought(interests, key, at_us=event.at_us, now_us=now_us)
    if interests.bought_since(key, event.at_us):
        return interests
    return msgspec.structs.replace(interests, traces=_with_trace(interests.traces, event, about, key, now_us))


def bought(interests: Interests, key: str, *, at_us: int, now_us: int) -> Interests:
    """The interests after the product (or category) `key` was bought: what led to it is forgotten.

    Of a trace with events from before and after a purchase that is told late, only a single one after it can
    be told apart; with several, the trace stays as it is.
    """
    others = tuple(entry for entry in interests.bought if entry[0] != key and entry[1] > now_us - BOUGHT_US)
    last_us = max([at_us, *(when for name, when in interests.bought if name == key)])
    return msgspec.structs.replace(
        interests,
        traces=tuple(left for trace in interests.traces if (left := _after_purchase(trace, key, at_us))),
        bought=(*others, (key, last_us))[-BOUGHT_MAX:],
    )


def _after_purchase(trace: Trace, key: str, at_us: int) -> Trace | None:
    """What is left of the trace when `key` was bought at `at_us`."""
    if trace.key != key or trace.about not in ("sku", "category"):
        return trace
    if trace.at_us <= at_us:
        return None
    if trace.previous_us is not None and trace.previous_us <= at_us:
        return msgspec.structs.replace(trace, amount=WEIGHTS[trace.kind][0], previous_us=None)
    return trace


def _with_trace(
    traces: tuple[Trace, ...], event: Event, about: str, key: str, now_us: int
) -> tuple[Trace, ...]:
    """The traces with the event added to its own, the weakest dropped where there are too many."""
    kept: list[Trace] = []
    mine = Trace(kind=event.kind, about=about, key=key, amount=0.0, at_us=event.at_us)
    seen = False
    for trace in traces:
        if (trace.kind, trace.about, trace.key) == (mine.kind, mine.about, mine.key):
            mine, seen = trace, True
        elif trace.level(now_us) >= FAINT:
            kept.append(trace)
    kept.append(_added(mine, event, first=not seen))
    if len(kept) > TRACES_MAX:
        kept.remove(min(kept, key=lambda trace: (trace.level(now_us), trace.at_us, trace.key)))
    return tuple(kept)


def _added(trace: Trace, event: Event, *, first: bool) -> Trace:
    """The trace with one more event, which may be older than its newest."""
    weight, _ = WEIGHTS[event.kind]
    at_us = max(trace.at_us, event.at_us)
    times = [event.at_us] if first else [event.at_us, trace.at_us, trace.previous_us or 0]
    return Trace(
        kind=trace.kind,
        about=trace.about,
        key=trace.key,
        amount=trace.level(at_us) + weight * _decay(event.kind, at_us - event.at_us),
        at_us=at_us,
        previous_us=None if first else sorted(times)[-2],
        category=text_from_path(event.category) if event.category else trace.category,
    )


def _subject(event: Event) -> tuple[str, str] | None:
    """What the event is about: the narrowest thing that it names."""
    if event.kind in ("directions", "store_locator") and event.store is not None:
        return "store", event.store
    if event.sku is not None:
        return "sku", event.sku
    if event.category:
        return "category", text_from_path(event.category)
    if event.query is not None:
        return "query", " ".join(event.query.casefold().split()[:QUERY_WORDS_MAX])
    return None


def _decay(kind: Kind, age_us: int) -> float:
    """What is left of a weight after `age_us`."""
    _, half_life_h = WEIGHTS[kind]
    return math.exp2(-max(0, age_us) / (half_life_h * HOUR_US))
