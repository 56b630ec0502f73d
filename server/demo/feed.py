"""What the demo tells its viewer: the newest happenings, and the counts of everything. No I/O."""

import statistics
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

#: How many happenings are kept for the screen.
KEPT = 200
#: A shopper's silences for one reason make one row in so many seconds; all of them are counted.
QUIET_ROW_EVERY_US: Final = 30 * 1_000_000
#: Silences that come before all other reasons: there was nothing for her here. The normal case.
NOTHING_FOR_HER: Final = ("no_candidate", "no_interest")
#: Silences that are counted only; the last two follow every push: of the store itself and of those around.
COUNTED_ONLY: Final = frozenset({*NOTHING_FOR_HER, "already_offered", "overlapped"})

Kind = Literal["looks", "push", "inbox", "silence", "redeemed", "trouble"]

_REASONS: Final = {
    "no_consent": "pushes are not agreed to",
    "quiet_hours": "these are quiet hours",
    "shopper_cap": "enough offers for now",
    "offer_cap": "has had this offer",
    "store_cap": "the store's share is sent",
    "retailer_cap": "the retailer's share is sent",
    "schedule": "the offer does not hold now",
    "closed": "the store is closed",
    "budget": "the offer is used up",
    "no_stock": "out of stock",
    "drive_by": "only drives past",
    "already_redeemed": "has used this offer",
    "already_offered": "has had an offer this visit",
    "overlapped": "another store here has spoken",
    "holdout": "is in the control group",
    "muted": "has muted this",
    "minimum_worth": "the discount is too small",
    "too_far": "it is too far",
    "paused": "has paused offers",
    "sensitive_place": "is in a sensitive place",
    "stale": "the fix is too old",
    "low_accuracy": "the position is uncertain",
    "implausible": "the position is made up",
    "no_interest": "nothing here interests her",
    "no_candidate": "nothing is on offer here",
    "late": "it would come too late",
}


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the demo."""

    at_us: int
    kind: Kind
    shopper: str
    store: str
    text: str
    detail: str = ""  #: a second line
    latency_ms: float | None = None  #: of a push: from sending the fix or look to FCM's having it


class Feed:
    """Collects what happens; `on_row` hears of each row as it comes."""

    def __init__(self, on_row: Callable[[Happening], None] | None = None) -> None:
        self.rows: deque[Happening] = deque(maxlen=KEPT)
        self.fixes = self.moments = self.pushes = self.redeemed = 0
        self.silences: Counter[str] = Counter()
        #: Of every push that a phone caused, in order.
        self.latencies_ms: list[float] = []
        self._on_row = on_row
        self._last_row_us: dict[tuple[str, str], int] = {}

    def fixed(self, count: int) -> None:
        """The server has taken so many fixes."""
        self.fixes += count

    def looked(self, at_us: int, shopper: str, store: str, product: str) -> None:
        """A shopper has looked a product up."""
        self._add(Happening(at_us=at_us, kind="looks", shopper=shopper, store=store, text=product))

    def pushed(
        self, at_us: int, shopper: str, store: str, *, title: str, body: str, latency_ms: float | None
    ) -> None:
        """A push has appeared on a phone; `latency_ms` since the phone sent what caused it, if it did."""
        self.pushes += 1
        if latency_ms is not None:
            self.latencies_ms.append(latency_ms)
        self._add(
            Happening(
                at_us=at_us,
                kind="push",
                shopper=shopper,
                store=store,
                text=title,
                detail=body,
                latency_ms=latency_ms,
            )
        )

    def found(self, at_us: int, shopper: str, store: str, *, title: str, body: str) -> None:
        """A shopper has found an offer in her app's inbox of which no push had told her."""
        self._add(Happening(at_us=at_us, kind="inbox", shopper=shopper, store=store, text=title, detail=body))

    def used(self, at_us: int, shopper: str, store: str, offer: str) -> None:
        """A till has taken a code."""
        self.redeemed += 1
        self._add(Happening(at_us=at_us, kind="redeemed", shopper=shopper, store=store, text=offer))

    def decided(self, at_us: int, shopper: str, store: str, receipt: dict[str, Any]) -> None:
        """There is a new receipt. Offers get their row when they arrive; silences get one here."""
        self.moments += 1
        if receipt["outcome"] != "silence":
            return
        reason = _main_reason(receipt["reasons"])
        self.silences[reason] += 1
        last_us = self._last_row_us.get((shopper, reason))
        if reason in COUNTED_ONLY or (last_us is not None and at_us - last_us < QUIET_ROW_EVERY_US):
            return
        self._last_row_us[shopper, reason] = at_us
        self._add(
            Happening(at_us=at_us, kind="silence", shopper=shopper, store=store, text=reason_text(reason))
        )

    def troubled(self, at_us: int, shopper: str, store: str, text: str) -> None:
        """A request has failed."""
        self._add(Happening(at_us=at_us, kind="trouble", shopper=shopper, store=store, text=text))

    def left(self, shopper: str) -> None:
        """A shopper has gone: nothing needs to be remembered about her."""
        for key in [key for key in self._last_row_us if key[0] == shopper]:
            del self._last_row_us[key]

    @property
    def median_latency_ms(self) -> float | None:
        """Of all pushes so far; None before the first."""
        return statistics.median(self.latencies_ms) if self.latencies_ms else None

    def _add(self, row: Happening) -> None:
        self.rows.append(row)
        if self._on_row is not None:
            self._on_row(row)


def _main_reason(reasons: list[str]) -> str:
    """The one to tell: that nothing here was for her, else the first gate that stopped the offer."""
    return next((reason for reason in NOTHING_FOR_HER if reason in reasons), reasons[0])


def reason_text(reason: str) -> str:
    """A reason code with what it means."""
    meaning = _REASONS.get(reason)
    return f"{reason}: {meaning}" if meaning else reason
