"""All offers of a store at a moment, judged together: interest, gates and worth in columns.

The gates are those of `offers.candidate_gates`, which say of one offer whether it passes and why in words.
Here each is asked of all: of arrays where the answer follows from the offer, and of the gate itself where
only a few offers can fail it. A candidate with its words is made when somebody reads it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import overload

import numpy as np

from offers.candidate_gates import CANDIDATE_GATES, Prospect, candidate_results
from offers.catalogue import Catalogue, Product
from offers.decision import Candidate
from offers.discount import highest_cost
from offers.hours import is_open
from offers.interest import INTERESTED, Trace
from offers.learn.arms import Mask
from offers.learn.blr import Floats
from offers.learn.kinds import helps_only
from offers.rack import Rack, Shown, Spoken, rack_of
from offers.relevance import Evidence, Interest, named_product
from offers.situation import GateResult, Situation

_GATES = dict(CANDIDATE_GATES)
#: As much evidence is kept with a decision.
EVIDENCE_MAX = 20


class Prospects:
    """The offers of a moment's store, n of them in the order of their ids."""

    def __init__(self, at: Situation) -> None:
        self.at = at
        self.rack = rack_of(at.catalogue, at.moment.store) if at.store is not None else _NOWHERE
        self.every = np.ones(len(self.rack), dtype=np.bool_)  #: not to be changed
        self.levels = np.zeros(len(self.rack))  #: of her interest in each
        self.repeated = np.zeros(len(self.rack), dtype=np.bool_)
        self.traces: list[tuple[Trace, float, Spoken]] = []  #: what speaks for any, and the level left of it
        self.personal = at.shopper.permits("personalisation", at.now_us)
        if self.personal:
            self._look()
        self.products = self._products()
        self.shown: Shown = self.rack.shown
        if self.products:
            self.shown = self.shown.otherwise(self.rack.offers, self.products)
        self.masks: dict[str, Mask] = {}
        self.passed = np.zeros(0, dtype=np.intp)
        if len(self.rack):
            self._ask()

    def _ask(self) -> None:
        """Asks every gate."""
        self.masks = {code: mask(self) for code, mask in MASKS.items()}
        telling = [mask for mask in self.masks.values() if mask is not self.every]
        self.passed = np.flatnonzero(np.logical_and.reduce(telling))

    def __len__(self) -> int:
        return len(self.rack)

    def _look(self) -> None:
        interests, now_us = self.at.shopper.interests, self.at.now_us
        for trace in interests.traces:
            spoken = self.rack.spoken(trace, interests)
            if len(spoken.places):
                level = trace.level(now_us)
                if len(spoken.has) == 1:  # the usual case, and much quicker so
                    self.levels[spoken.places[0]] += level
                else:
                    self.levels[spoken.places] += level
                if trace.repeated(now_us):
                    self.repeated[spoken.places] = True
                self.traces.append((trace, level, spoken))

    def _products(self) -> dict[int, Product | None]:
        """What messages would name that name another product by what she looked at."""
        own = self.rack.products
        differing = {
            place
            for _, _, spoken in self.traces
            for place, sku in spoken.sku.items()
            if (product := own[place]) is None or product.sku != sku
        }
        catalogue, store = self.at.catalogue, self.at.moment.store
        return {
            place: named_product(self.rack.offers[place], self.interest(place), catalogue, store)
            for place in sorted(differing)
        }

    def interest(self, place: int) -> Interest:
        """Her interest in one offer, with its evidence."""
        parts = [
            Evidence(trace=trace, level=level, sku=spoken.sku.get(place))
            for trace, level, spoken in self.traces
            if place in spoken.has
        ]
        return Interest(
            level=float(self.levels[place]),
            repeated=bool(self.repeated[place]),
            evidence=tuple(sorted(parts, key=lambda one: (-one.level, one.trace.kind, one.trace.key))),
        )

    def prospect(self, place: int) -> Prospect:
        """One offer, as its gates look at it."""
        product = self.products.get(place, self.rack.products[place])
        return Prospect(offer=self.rack.offers[place], interest=self.interest(place), product=product)

    def sku(self, place: int) -> str:
        """The product that the message would name; empty: none."""
        product = self.products.get(place, self.rack.products[place])
        return product.sku if product is not None else ""

    def counted(self, habits: Mapping[str, int]) -> Floats:
        """For each offer, how often something is among habits that it is about: its product or category."""
        counts = np.array([float(habits.get(kind, 0)) for kind in self.shown.kinds])[self.shown.kind]
        for key, count in habits.items():
            for place in self.rack.by_sku.get(key, ()):
                if place not in self.products:
                    counts[place] += count
        for place, product in self.products.items():
            counts[place] += habits.get(product.sku, 0) if product is not None else 0
        return counts

    def candidate(self, place: int, score: float | None, answered: Iterable[GateResult] = ()) -> Candidate:
        """One offer with its gates and what became of it; `answered` are what was asked after the choice."""
        prospect = self.prospect(place)
        product, offer = prospect.product, prospect.offer
        dearest = prospect.price if product is not None else self.at.catalogue.highest_price(offer)
        return Candidate(
            offer=offer.external_id,
            sku=product.sku if product is not None else None,
            price=prospect.price,
            interest=prospect.interest,
            gates=(*candidate_results(self.at, prospect), *answered),
            score=score,
            spend=highest_cost(offer.discount, dearest),
        )

    def failing(self) -> list[str]:
        """The codes by which any was removed, in the order of the gates."""
        every = self.every
        return [code for code, mask in self.masks.items() if mask is not every and not mask.all()]

    def evidence(self) -> tuple[Evidence, ...]:
        """What speaks for any offer here, the strongest first."""
        found = sorted(self.traces, key=lambda one: (-one[1], one[0].key))[:EVIDENCE_MAX]
        return tuple([Evidence(trace=trace, level=level, sku=None) for trace, level, _ in found])


class Candidates(Sequence[Candidate]):
    """Candidates, each made when it is asked for: the best score first, ties by id, then those removed."""

    def __init__(self, found: Prospects, scores: Floats, answered: Mapping[int, GateResult]) -> None:
        """`scores` are of those that passed; `answered` is what was asked after the choice, by place."""
        self._found, self._scores, self._answered = found, scores, answered
        self._order: list[tuple[int, float | None]] | None = None

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        if isinstance(index, slice):
            return [self._made(*one) for one in self.order[index]]
        return self._made(*self.order[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Candidates) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self.order))

    @property
    def order(self) -> list[tuple[int, float | None]]:
        """Places, each with its score."""
        if self._order is None:
            best = np.argsort(-self._scores, kind="stable")
            scored = zip(self._found.passed[best].tolist(), self._scores[best].tolist(), strict=True)
            passed = set(self._found.passed.tolist())
            self._order = [*scored, *((place, None) for place in range(len(self)) if place not in passed)]
        return self._order

    def _made(self, place: int, score: float | None) -> Candidate:
        answered = [self._answered[place]] if place in self._answered else []
        return self._found.candidate(place, score, answered)


def _asked(of: Prospects, code: str, places: Iterable[int]) -> Mask:
    """A gate asked of some offers; the others pass it."""
    if not (places := [*places]):
        return of.every
    mask, gate = of.every.copy(), _GATES[code]
    for place in places:
        mask[place] = gate(of.at, of.prospect(place))[0]
    return mask


def _live(of: Prospects) -> Mask:
    return _asked(of, "not_live", of.rack.unlive)


def _conditions(code: str) -> Callable[[Prospects], Mask]:
    """A gate that only offers with conditions can fail."""
    return lambda of: _asked(of, code, of.rack.conditional)


def _schedule(of: Prospects) -> Mask:
    rack, now_us = of.rack, of.at.now_us
    mask = (rack.valid_from_us <= now_us) & (now_us < rack.valid_until_us)
    for place in rack.scheduled:
        mask[place] &= is_open(rack.offers[place].schedule or "", of.at.store_local, country=of.at.country)
    return mask


def _interest(of: Prospects) -> Mask:
    if not of.personal:
        return np.zeros(len(of), dtype=np.bool_)
    return np.asarray(of.repeated | (of.levels >= INTERESTED))


def _muted(of: Prospects) -> Mask:
    return _asked(of, "muted", range(len(of)) if of.at.shopper.preferences.muted_categories else ())


def _stock(of: Prospects) -> Mask:
    return np.asarray(of.shown.column("stock") > 0)


def _worth(of: Prospects) -> Mask:
    if of.at.shopper.preferences.minimum_percent:
        return _asked(of, "minimum_worth", range(len(of)))
    return ~(of.shown.column("worth") <= 0) | of.rack.reminds


def _kind(of: Prospects) -> Mask:
    if helps_only(of.at.moment.trigger):
        return np.asarray(of.shown.column("worth") == 0)
    return of.every


def _limits(of: Prospects) -> Mask:
    return _asked(of, "offer_cap", of.rack.limited)


def _redeemed(of: Prospects) -> Mask:
    names = [name for name, past in of.at.shopper.history.items() if past.redeemed_us is not None]
    return _asked(of, "already_redeemed", _places(of, names))


def _offered(of: Prospects) -> Mask:
    return _asked(of, "already_offered", _places(of, {contact.offer for contact in of.at.shopper.contacts}))


def _places(of: Prospects, names: Iterable[str]) -> list[int]:
    return [of.rack.place[name] for name in names if name in of.rack.place]


#: Each gate, asked of all offers at once.
MASKS: dict[str, Callable[[Prospects], Mask]] = {
    "not_live": _live,
    "schedule": _schedule,
    "segment": _conditions("segment"),
    "no_interest": _interest,
    "muted": _muted,
    "no_stock": _stock,
    "minimum_worth": _worth,
    "margin": _conditions("margin"),
    "exclusive": _conditions("exclusive"),
    "moment_kind": _kind,
    "offer_cap": _limits,
    "already_redeemed": _redeemed,
    "already_offered": _offered,
}
_NOWHERE = Rack(Catalogue.build(), "")
