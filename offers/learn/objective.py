"""What an arm is worth: incremental profit, in money, every term of it kept.

    Δ      = open · [ q · (m − d) − p0 · m ] · price        q = P(buy | opened), p0 = organic, per price: m, d
    score  = L · C · κ · Δ + α · saving − push − LTV · P(opt-out) − λ · spend + μ        nothing scores 0

`L` is the owner's lever and `C` the context (stock, how full the store is): both bounded to 0.5 … 2. `κ` is
what a nightly comparison with the holdout says of Δ (who opens a push is not as those who do not). `saving`
is what the shopper is expected to save; `spend` what the coupon is expected to cost, at the budget's dual
price λ; `μ` is the store's bonus for fairness. A reminder gives nothing away, so its d is 0.
"""

from collections.abc import Mapping
from math import exp

import msgspec
import numpy as np

from geo.compiled import compiled
from offers.learn.arms import ROW, Arms, Places
from offers.learn.blr import Floats

LEVER_LEAST, LEVER_MOST = 0.5, 2.0


class Economics(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What a retailer says of money, in the currency of the prices."""

    push_cost: float = 0.02  #: of a message: what it costs, and her attention
    lifetime_value: float = 20.0  #: of a shopper who can be reached
    saving_weight: float = 0.0  #: how much of the shopper's saving counts as gain: 0 to 1
    rescale: float = 1.0  #: κ


#: The terms of an arm's worth, in the order in which `Worth` has them.
TERMS = (
    "opens",  # P(she opens it)
    "buys",  # P(she buys | opened)
    "organic",  # P(she buys | nothing is said)
    "gain",  # Δ
    "lever",
    "context",
    "saving",
    "push",
    "opt_out",
    "budget",
    "fairness",
    "score",
)
_DEPTH, _PRICE, _MARGIN, _LEVER = ROW["depth"], ROW["price"], ROW["margin"], ROW["lever"]
_BUSY, _SCARCE, _BUDGET, _FAIRNESS = ROW["busy"], ROW["scarce"], ROW["budget_price"], ROW["fairness"]


class Worth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What n arms are worth."""

    table: Floats  #: a row for each of `TERMS`

    @property
    def score(self) -> Floats:
        return self.term("score")

    def term(self, name: str) -> Floats:
        """One term of every arm."""
        term: Floats = self.table[TERMS.index(name)]
        return term

    def columns(self, few: Places) -> dict[str, tuple[float, ...]]:
        """The terms of some arms, by name."""
        return dict(zip(TERMS, map(tuple, self.table[:, few].tolist()), strict=True))

    def terms(self, index: int) -> dict[str, float]:
        """One arm's terms, for the receipt."""
        return dict(zip(TERMS, self.table[:, index].tolist(), strict=True))


def worth(arms: Arms, eta: Floats, opt_out: float, money: Economics) -> Worth:
    """The worth of every arm.

    `eta` has three rows, the logits of opening, of buying anyway, and of buying if opened; `opt_out` is the
    probability of an opt-out after one more push.
    """
    table = np.empty((len(TERMS), len(arms)))
    opt_out_cost = money.lifetime_value * opt_out
    _weigh(arms.table, eta, money.push_cost, opt_out_cost, money.saving_weight, money.rescale, table)
    return Worth(table=table)


@compiled
def _weigh(  # noqa: PLR0917 - columns of the arms, and what is the same for all
    arms: Floats,
    eta: Floats,
    push: float,
    opt_out: float,
    saving_weight: float,
    rescale: float,
    table: Floats,
) -> None:
    for arm in range(arms.shape[1]):
        depth, price, margin = arms[_DEPTH, arm], arms[_PRICE, arm], arms[_MARGIN, arm]
        opens, organic, buys = _chance(eta[0, arm]), _chance(eta[1, arm]), _chance(eta[2, arm])
        given = opens * buys * depth * price
        scarce = arms[_SCARCE, arm] if depth > 0 else 0.0
        softened = 1.0 - 0.5 * max(arms[_BUSY, arm], scarce)
        terms = (
            opens,
            buys,
            organic,
            opens * (buys * (margin - depth) - organic * margin) * price,
            min(max(arms[_LEVER, arm], LEVER_LEAST), LEVER_MOST),
            min(max(softened, LEVER_LEAST), LEVER_MOST),
            saving_weight * given,
            push,
            opt_out,
            arms[_BUDGET, arm] * given,
            arms[_FAIRNESS, arm],
        )
        for term in range(len(terms)):
            table[term, arm] = terms[term]
        table[len(terms), arm] = _total(rescale, terms[3:])


@compiled
def _chance(eta: float) -> float:
    """σ(η), safe for any η."""
    positive = 1.0 / (1.0 + exp(-abs(eta)))
    return positive if eta >= 0.0 else 1.0 - positive


@compiled
def _total(rescale: float, terms: tuple[float, ...]) -> float:
    """The score from its terms, from `gain` on as in `TERMS`."""
    gain, lever, context, saving, push, opt_out, budget, fairness = terms
    return lever * context * rescale * gain + saving - (push + opt_out + budget) + fairness


def total(terms: Mapping[str, float], rescale: float) -> float:
    """The score from its terms as a receipt has them: to the last bit what the decision found."""
    return _total(float(rescale), tuple(float(terms[name]) for name in TERMS[3:-1]))
