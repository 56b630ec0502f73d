"""What offers have given out and what went out today, locked for one micro-batch.

These are the answers a decision gets from outside its shopper's own state. They are locked rows, so they are
exact under any race, and they are recorded in the receipt, so a replay gets the same ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from offers.catalogue import Budget, Catalogue
from offers.decision import Decision
from server.db import Connection
from server.sql import queries

SQL = queries("engine")


class Ledgers:
    """The live `Answers` of a batch. Not for replay: that has the answers that were recorded."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._offers: dict[str, dict[str, Any]] = {}
        self._sent: Counter[str] = Counter()
        self.coupons: Counter[str] = Counter()  #: offer -> coupons this batch issues
        self.spend: dict[str, Decimal] = {}  #: offer -> the most they can cost
        self.counted: Counter[str] = Counter()  #: scope -> offers this batch decides

    @classmethod
    def of(
        cls, catalogue: Catalogue, offers: dict[str, dict[str, Any]], sent: Mapping[str, int]
    ) -> "Ledgers":
        """Given what the offers have given out, by their columns, and what went out today by scope."""
        ledgers = cls(catalogue)
        ledgers._offers, ledgers._sent = offers, Counter(sent)
        return ledgers

    @classmethod
    async def lock(
        cls, connection: Connection, retailer_id: str, catalogue: Catalogue, stores: Iterable[str], day: date
    ) -> "Ledgers":
        """Locks the rows that decisions at these stores may ask for, in one order, until the commit."""
        ledgers = cls(catalogue)
        stores = sorted(set(stores))
        offers = sorted(
            {o.external_id for store in stores for o in catalogue.offers_at(store) if o.budget != Budget()}
        )
        if offers:
            await connection.execute(SQL["open_ledgers"], retailer_id, offers)
            rows = await connection.fetch(SQL["lock_ledgers"], retailer_id, offers)
            ledgers._offers = {row["offer"]: dict(row) for row in rows}
        scopes = sorted(scope for store in (*stores, None) if (scope := scope_of(store, catalogue)))
        if stores and scopes:
            await connection.execute(SQL["open_quotas"], retailer_id, day, scopes)
            rows = await connection.fetch(SQL["lock_quotas"], retailer_id, day, scopes)
            ledgers._sent = Counter({row["scope"]: row["sent"] for row in rows})
        return ledgers

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:  # noqa: ARG002 - the replay's twin asks by moment
        """Whether the offer's budget bears one more coupon that can cost `spend`."""
        budget = self._catalogue.offers[offer].budget
        if budget == Budget():
            return True
        row, issued = self._offers[offer], self.coupons[offer]
        if budget.issued is not None and row["issued"] + issued >= budget.issued:
            return False
        if budget.redemptions is not None:
            held = row["redeemed"] + row["outstanding"] + issued
            if held >= budget.redemptions:
                return False
        if budget.spend is not None:
            held_spend = row["spend_committed"] + row["spend_reserved"] + self.spend.get(offer, Decimal(0))
            return bool(held_spend + spend <= budget.spend)
        return True

    def quota(self, moment_id: str, scope: str) -> bool:  # noqa: ARG002
        """Whether one more offer may go out today in this scope ('retailer' or 'store:' and its id)."""
        settings = self._catalogue.settings
        limit = settings.retailer_per_day if scope == "retailer" else settings.store_per_day
        return limit is None or self._sent[scope] + self.counted[scope] < limit

    def take(self, decision: Decision) -> None:
        """Notes what an offer takes, for the decisions after it in this batch and for `write`."""
        if decision.offer is None:
            return
        self.coupons[decision.offer] += 1
        self.spend[decision.offer] = self.spend.get(decision.offer, Decimal(0)) + decision.spend
        for store in (decision.moment.store, None):
            if scope := scope_of(store, self._catalogue):
                self.counted[scope] += 1

    async def write(self, connection: Connection, retailer_id: str, day: date) -> None:
        """Writes what the batch took."""
        if self.coupons:
            offers = list(self.coupons)
            await connection.execute(
                SQL["reserve_ledgers"],
                retailer_id,
                offers,
                [self.coupons[offer] for offer in offers],
                [self.spend[offer] for offer in offers],
            )
        if self.counted:
            scopes = list(self.counted)
            counts = [self.counted[scope] for scope in scopes]
            await connection.execute(SQL["count_quotas"], retailer_id, day, scopes, counts)


def scope_of(store: str | None, catalogue: Catalogue) -> str | None:
    """The quota's scope for a store (None: the whole retailer), or None where no limit is set."""
    settings = catalogue.settings
    if store is None:
        return "retailer" if settings.retailer_per_day is not None else None
    return f"store:{store}" if settings.store_per_day is not None else None
