"""What the policy follows beside the heads: budgets' dual prices and stores' bonuses. Changed in place.

**Budgets.** The best way to spend a budget is to take what is worth more than its cost at one price λ, that
at which exactly the budget is spent (`offers.evaluate.pacing`). It is followed from decision to decision:

    λ ← max(0, λ + STEP · (cost − due) / unit)        due = budget left / decisions left

where cost is what was made, as expected, and `unit` a usual cost. How many decisions are left is the rate
until now, until the offer's end. Left is what is neither used nor expected of coupons that may still be.

**Shares.** A store that has spoken less often than its least share of all offers has a bonus of STEP for each
offer that it is behind: it grows by share · STEP with every offer, and falls by STEP with each of its own.
All counts are halved now and then, so that what was long ago counts for less.
"""

import msgspec

#: The first decisions tell nothing of their rate.
DECISIONS_LEAST = 20
STEP = 0.02
#: A bonus is at most so much money.
BONUS_MOST = 1.0
#: Counts of offers are halved when there are so many.
OFFERS_MOST = 1000


class Pace(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """One budget in the spending."""

    first_us: int  #: the first decision
    decisions: int = 0
    made: int = 0  #: offers
    expected: float = 0.0  #: cost of all offers made, as expected
    pending: float = 0.0  #: of these, of coupons of which nothing is known yet
    spent: float = 0.0  #: by coupons that were used
    price: float = 0.0  #: λ

    def due(self, budget: float, now_us: int, until_us: int) -> float:
        """What is to be spent by a decision now; infinite while nothing can be said."""
        elapsed_us = now_us - self.first_us
        if self.decisions < DECISIONS_LEAST or elapsed_us <= 0:
            return float("inf")
        left = max(1.0, self.decisions * max(0, until_us - now_us) / elapsed_us)
        return max(0.0, budget - self.spent - self.pending) / left


class Budgets(msgspec.Struct, array_like=True, gc=False):
    """All of them, by offer."""

    paces: dict[str, Pace] = {}

    def price(self, offer: str) -> float:
        pace = self.paces.get(offer)
        return 0.0 if pace is None else pace.price

    def due(self, offer: str, budget: float, now_us: int, until_us: int) -> float:
        pace = self.paces.get(offer)
        return float("inf") if pace is None else pace.due(budget, now_us, until_us)

    def decided(self, costs: dict[str, tuple[float, float]], at_us: int) -> None:
        """After a decision: what each offer that could have been made costs now (0 where it was not)."""
        for offer, (cost, due) in costs.items():
            pace = self.paces.setdefault(offer, Pace(first_us=at_us))
            pace.decisions += 1
            if cost > 0.0:
                pace.made += 1
                pace.expected += cost
                pace.pending += cost
            unit = pace.expected / pace.made if pace.made else 0.0
            if unit > 0.0 and due < float("inf"):
                pace.price = max(0.0, pace.price + STEP * (cost - due) / unit)

    def settled(self, offer: str, cost: float, spent: float) -> None:
        """After a coupon was used or has run out."""
        if (pace := self.paces.get(offer)) is not None:
            pace.pending = max(0.0, pace.pending - cost)
            pace.spent += spent


class Shares(msgspec.Struct, array_like=True, gc=False):
    """How often each store has spoken lately."""

    offers: int = 0  #: of all stores
    own: dict[str, int] = {}  #: by store

    def bonus(self, store: str, share: float) -> float:
        """The store's bonus, given the least share of the offers that it shall make."""
        behind = share * self.offers - self.own.get(store, 0)
        return min(BONUS_MOST, STEP * max(0.0, behind))

    def spoken(self, store: str | None) -> None:
        if store is None:
            return
        self.offers += 1
        self.own[store] = self.own.get(store, 0) + 1
        if self.offers >= OFFERS_MOST:
            self.offers //= 2
            self.own = {name: count // 2 for name, count in self.own.items() if count > 1}
