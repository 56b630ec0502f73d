"""Off-policy evaluation: what another policy would have earned on logged moments, or a refusal.

With w = π(a|x) / p(a|x), the target's over the logged propensity of what was done (Horvitz & Thompson 1952;
Dudík, Langford & Li 2011):

    IPS    mean(w r)                       unbiased, wide
    SNIPS  Σ w r / Σ w                     a little biased, narrower
    DR     mean(q̂(π) + w (r − q̂(a)))        unbiased if either the propensities or q̂ are right

The direct method, mean(q̂(π)), is never told by itself: a policy that was chosen by q̂ looks best to q̂. One
shopper's moments are not independent, so intervals come from resampling shoppers. An estimate on few
effective moments, or of a policy that does what was never done, is refused. All this judges one step: what
a push today does to next week only the holdout tells.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats

#: Below this share of effective moments there is no estimate; nor above that share of unsupported ones.
ESS_LEAST, UNSUPPORTED_MOST = 0.05, 0.01
RESAMPLES, LEVEL = 1000, 0.95


class Log(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """n logged moments, as columns."""

    reward: Floats
    propensity: Floats  #: with which the log's policy did what it did, above 0
    target: Floats  #: with which the target would have
    shopper: NDArray[np.int64]  #: a number for each
    supported: Floats  #: the target's probability of all that the log's policy could have done
    predicted: Floats | None = None  #: q̂ of what was done
    predicted_target: Floats | None = None  #: q̂ averaged over what the target would do


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why there is no estimate."""

    reason: str  #: `effective_sample` or `support`
    detail: str


class Estimate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A policy's value per moment."""

    method: str  #: `ips`, `snips` or `dr`
    value: float
    low: float
    high: float
    effective_share: float  #: (Σ w)² / (n Σ w²)


def evaluate(log: Log, *, seed: int = 0) -> list[Estimate] | Refused:
    """Every method that the log allows; `seed` draws the resamples."""
    weight = log.target / log.propensity
    effective = effective_share(weight)
    unsupported = 1.0 - float(log.supported.mean())
    if unsupported > UNSUPPORTED_MOST:
        detail = (
            f"{unsupported:.1%} of what the policy would do was never possible, limit {UNSUPPORTED_MOST:.0%}"
        )
        return Refused(reason="support", detail=detail)
    if effective < ESS_LEAST:
        detail = f"the log is worth {effective:.1%} of its moments, limit {ESS_LEAST:.0%}"
        return Refused(reason="effective_sample", detail=detail)
    ones = np.ones_like(weight)
    parts = {"ips": (weight * log.reward, ones), "snips": (weight * log.reward, weight)}
    if log.predicted is not None and log.predicted_target is not None:
        parts["dr"] = (log.predicted_target + weight * (log.reward - log.predicted), ones)
    counts = _resampled(log.shopper, seed)
    return [_estimate(method, sums, log.shopper, counts, effective) for method, sums in parts.items()]


def effective_share(weight: Floats) -> float:
    """What share of the moments the weighted ones are worth (Kish)."""
    squares = float((weight**2).sum())
    return 0.0 if squares == 0.0 else float(weight.sum()) ** 2 / squares / len(weight)


def _estimate(
    method: str, sums: tuple[Floats, Floats], shopper: NDArray[np.int64], counts: Floats, effective: float
) -> Estimate:
    """A ratio of sums, and what 95 % of the resamples say."""
    above, below = (np.bincount(shopper, of, counts.shape[1]) for of in sums)
    value = float(above.sum() / below.sum())
    resampled = (counts @ above) / (counts @ below)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(method=method, value=value, low=float(low), high=float(high), effective_share=effective)


def _resampled(shopper: NDArray[np.int64], seed: int) -> Floats:
    """How often each shopper is in each resample, (RESAMPLES, shoppers)."""
    present = np.bincount(shopper) > 0
    chance = present / present.sum()
    random = np.random.default_rng(seed)
    return random.multinomial(int(present.sum()), chance, size=RESAMPLES).astype(np.float64)
