"""What an arm is worth: incremental profit, in money, every term of it kept.

    Δ      = open · [ q · (m − d) − p0 · m ] · price        q = P(buy | opened), p0 = organic, per price: m, d
    score  = L · C · κ · Δ + α · saving − push − LTV · P(opt-out) − λ · spend + μ        nothing scores 0

`L` is the owner's lever and `C` the context (stock, how full the store is): both bounded to 0.5 … 2. `κ` is
what a nightly comparison with the holdout says of Δ (who opens a push is not as those who do not). `saving`
is what the shopper is expected to save; `spend` what the coupon is expected to cost, at the budget's dual
price λ; `μ` is the store's bonus for fairness. A reminder gives nothing away, so its d is 0.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from offers.learn.arms import Arms
from offers.learn.blr import Floats

LEVER_LEAST, LEVER_MOST = 0.5, 2.0


class Economics(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What a retailer says of money, in the currency of the prices."""

    push_cost: float = 0.02  #: of a message: what it costs, and her attention
    lifetime_value: float = 20.0  #: of a shopper who can be reached
    saving_weight: float = 0.0  #: how much of the shopper's saving counts as gain: 0 to 1
    rescale: float = 1.0  #: κ


class Worth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The terms of n arms, each of shape (n,)."""

    opens: Floats
    buys: Floats  #: if opened
    organic: Floats
    gain: Floats  #: Δ
    lever: Floats
    context: Floats
    saving: Floats
    push: Floats
    opt_out: Floats
    budget: Floats
    fairness: Floats
    score: Floats

    def columns(self, few: Sequence[int]) -> dict[str, tuple[float, ...]]:
        """The terms of some arms, by name."""
        columns = np.array([getattr(self, name) for name in self.__struct_fields__])[:, list(few)].tolist()
        return dict(zip(self.__struct_fields__, map(tuple, columns), strict=True))

    def terms(self, index: int) -> dict[str, float]:
        """One arm's terms, for the receipt."""
        return {name: float(getattr(self, name)[index]) for name in self.__struct_fields__}


def worth(arms: Arms, chances: tuple[Floats, Floats, Floats], opt_out: float, money: Economics) -> Worth:
    """The worth of every arm.

    `chances` are those of opening, of buying if opened, and of buying anyway; `opt_out` is that of an opt-out
    after one more push.
    """
    opens, buys, organic = chances
    gain = opens * (buys * (arms.margin - arms.depth) - organic * arms.margin) * arms.price
    given = opens * buys * arms.depth * arms.price
    softened = 1.0 - 0.5 * np.maximum(arms.busy, arms.scarce * (arms.depth > 0))
    parts: dict[str, Any] = {
        "gain": gain,
        "lever": np.minimum(np.maximum(arms.lever, LEVER_LEAST), LEVER_MOST),
        "context": np.minimum(np.maximum(softened, LEVER_LEAST), LEVER_MOST),
        "saving": money.saving_weight * given,
        "push": np.full(len(arms), money.push_cost),
        "opt_out": np.full(len(arms), money.lifetime_value * opt_out),
        "budget": arms.budget_price * given,
        "fairness": arms.fairness,
    }
    return Worth(opens=opens, buys=buys, organic=organic, score=total(parts, money.rescale), **parts)


def total(terms: dict[str, Any], rescale: float) -> Any:
    """The score from its terms: arrays when a decision is made, numbers when a receipt is judged again."""
    weighted = terms["lever"] * terms["context"] * rescale * terms["gain"]
    costs = terms["push"] + terms["opt_out"] + terms["budget"]
    return weighted + terms["saving"] - costs + terms["fairness"]
