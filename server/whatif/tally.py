"""What a day's decisions come to, counted from their receipts, and how two such days differ. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

#: As many decisions that came out otherwise are listed, the first ones.
EXAMPLES_MOST = 20


class Reach(msgspec.Struct, kw_only=True):
    """How many moments, and how many shoppers they were of."""

    moments: int = 0
    shoppers: int = 0


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One day's decisions in numbers."""

    moments: int
    offers: int
    pushes: int  #: of the offers; the others were decided too late to push
    ghosts: int  #: offers that the holdout would have had
    silences: int
    shoppers: int  #: with a moment
    reached: int  #: shoppers with an offer
    spend_most: Decimal  #: what the coupons can cost at the most
    reasons: dict[str, Reach]  #: of silence, by reason code; a moment may have several
    by_offer: dict[str, int]
    reached_by_offer: dict[str, int]  #: shoppers
    by_store: dict[str, int]  #: offers
    by_hour: tuple[int, ...]  #: offers, of 24 hours (UTC)


class Counting:
    """A tally in the making."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._offers: Counter[str] = Counter()
        self._stores: Counter[str] = Counter()
        self._hours: Counter[int] = Counter()
        self._spend = Decimal(0)
        self._shoppers: set[str] = set()
        self._reached: set[str] = set()
        self._reached_by_offer: dict[str, set[str]] = {}
        self._silenced: dict[str, set[str]] = {}
        self._reasons: Counter[str] = Counter()

    def add(self, receipts: Iterable[Mapping[str, Any]]) -> None:
        for told in receipts:
            self._counts["moments"] += 1
            shopper = told["moment"]["shopper"]
            self._shoppers.add(shopper)
            self._counts["ghosts"] += "ghost" in told
            if told["outcome"] == "offer":
                self._offer(told, shopper)
                continue
            self._counts["silences"] += 1
            for reason in told["reasons"]:
                self._reasons[reason] += 1
                self._silenced.setdefault(reason, set()).add(shopper)

    def _offer(self, told: Mapping[str, Any], shopper: str) -> None:
        self._counts["offers"] += 1
        self._counts["pushes"] += told["delivery"] == "push"
        self._spend += Decimal(told["spend"])
        self._offers[told["offer"]] += 1
        self._stores[told["moment"]["store"]] += 1
        self._hours[int(told["decided_at"][11:13])] += 1
        self._reached.add(shopper)
        self._reached_by_offer.setdefault(told["offer"], set()).add(shopper)

    def tally(self) -> Tally:
        names = ("moments", "offers", "pushes", "ghosts", "silences")
        return Tally(
            **{name: self._counts[name] for name in names},
            shoppers=len(self._shoppers),
            reached=len(self._reached),
            spend_most=self._spend,
            reasons={
                code: Reach(moments=count, shoppers=len(self._silenced[code]))
                for code, count in sorted(self._reasons.items(), key=lambda one: (-one[1], one[0]))
            },
            by_offer=dict(sorted(self._offers.items())),
            reached_by_offer={
                offer: len(shoppers) for offer, shoppers in sorted(self._reached_by_offer.items())
            },
            by_store=dict(sorted(self._stores.items())),
            by_hour=tuple(self._hours[hour] for hour in range(24)),
        )


class Otherwise(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that came out otherwise; None where there was none."""

    decision: str
    before: str | None  #: the offer, or the reasons for silence
    after: str | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a what-if tells."""

    day: str
    batches: int
    same: int  #: decisions whose receipts are the same to the last character, but for timings
    different: int
    before: Tally
    after: Tally
    left_out: int  #: outcomes and redemptions of offers that were not made this time
    examples: tuple[Otherwise, ...]


def action(told: Mapping[str, Any] | None) -> str | None:
    """What a receipt's decision was, in a word."""
    if told is None:
        return None
    return str(told["offer"]) if told["outcome"] == "offer" else ", ".join(told["reasons"]) or "silence"
