"""Browse events: what a shopper does in the retailer's app, as she does it."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from offers.category import Path, path_from_text
from offers.hours import DAY_US, MINUTE_US, microseconds
from offers.problem import TEXT_MAX, Problems, shaped

Kind = Literal[
    "view",
    "search",
    "cart",
    "wishlist",
    "purchase",
    "store_locator",
    "directions",
    "how_to",
    "review",
    "share",
]

#: An event may be this far ahead of the server's clock.
FUTURE_US = MINUTE_US
#: An older event is refused.
MAX_AGE_US = DAY_US


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that a shopper did in the app, and what it was about."""

    kind: Kind
    at_us: int
    sku: str | None = None
    category: Path | None = None
    query: str | None = None  #: what she searched for
    store: str | None = None
    id: str | None = None  #: the app's own name for it, for de-duplication

    @property
    def content(self) -> str:
        """All but its id, as one text."""
        return repr((self.kind, self.at_us, self.sku, self.category, self.query, self.store))

    @property
    def names(self) -> tuple[int, ...]:
        """What makes two events the same: equal content, or an equal id; as 40-bit numbers."""
        own = () if self.id is None else (f"id {self.id}",)
        return tuple(_number(text) for text in (self.content, *own))


class EventBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A browse event as an app sends it."""

    kind: Kind
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    sku: str | None = None
    category: str | None = None
    query: str | None = None
    store: str | None = None
    id: str | None = None


def event_from_body(body: Any) -> Event:
    """A browse event from its JSON body. Raises BodyRejected with every problem."""
    wire = shaped(body, EventBody)
    problems = Problems()
    for field in ("sku", "category", "query", "store", "id"):
        if (text := getattr(wire, field)) is not None:
            problems.text(field, text, longest=2 * TEXT_MAX)
    problems.raise_if_any()
    return Event(
        kind=wire.kind,
        at_us=microseconds(wire.at),
        sku=wire.sku,
        category=path_from_text(wire.category) if wire.category else None,
        query=wire.query,
        store=wire.store,
        id=wire.id,
    )


def refuse_event(event: Event, now_us: int) -> str | None:
    """The reason code for which an event is refused, or None: `in_future` (> 60 s) or `too_old` (> 24 h)."""
    if event.at_us > now_us + FUTURE_US:
        return "in_future"
    if event.at_us < now_us - MAX_AGE_US:
        return "too_old"
    return None


def _number(text: str) -> int:
    """40 bits: enough to tell apart the few hundred events that a shopper has in a day."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")
