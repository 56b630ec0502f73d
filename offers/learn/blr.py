"""Online Bayesian logistic regression: what one head of the learning policy is.

    P(y | x, g) = σ(offset + xᵀw + Σ_g u_g)        w ~ N(mean, cov)        u_g ~ N(m_g, v_g), independent

Dense weights `w` have a full covariance; the effects `u_g` of single shoppers, offers and stores, of which
there are many and each is rare, have one variance each. An outcome moves both at once. What one outcome
tells goes through the single number η = xᵀw + Σ u_g, so its Laplace approximation needs no more than a
one-dimensional Newton iteration (the assumed-density filter; Bishop, *Pattern Recognition and Machine
Learning*, sections 4.4 and 4.5):

    s² = xᵀ cov x + Σ v_g          the variance of η before the outcome
    η* = argmax N(η; m, s²) · σ(η + offset)^y · (1 − σ(η + offset))^(1 − y)
    w  += cov x · (η* − m) / s²    cov −= (cov x)(cov x)ᵀ · h / (1 + h s²)       h = p*(1 − p*)

and the same for each effect with v_g in the place of cov x. Adding the parts of η in one order makes a
replay exact to the last bit.
"""

from collections.abc import Mapping, Sequence
from math import exp
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
#: kind of effect -> whose effect, for one row
Keys: TypeAlias = Mapping[str, str]

#: Mean and variance of an effect.
Moments: TypeAlias = tuple[float, float]

NEWTON_STEPS = 4
#: The places of so many groups of effects are kept.
TOGETHER_MOST = 512


def sigmoid(eta: Floats) -> Floats:
    """σ(η) for an array, safe for any size of η."""
    positive: Floats = 1.0 / (1.0 + np.exp(-np.abs(eta)))
    return np.where(eta >= 0, positive, 1.0 - positive)


class Effects:
    """The effects of one kind (say, of shoppers): mean and variance of each that was learned of."""

    def __init__(self, prior_sd: float) -> None:
        self.prior_variance = prior_sd**2
        self.learned: dict[str, Moments] = {}
        self._place: dict[str, int] = {}  #: of the means that are asked for together
        self._mean = np.zeros(64)
        self._together: dict[tuple[str, ...], NDArray[np.intp]] = {}

    def mean(self, key: str) -> float:
        """The effect as it is believed; 0 of one never seen."""
        return self.learned.get(key, (0.0, 0.0))[0]

    def means(self, keys: tuple[str, ...]) -> Floats:
        """Of each of some that are asked for again and again, such as all offers of a store."""
        if (places := self._together.get(keys)) is None:
            if len(self._together) >= TOGETHER_MOST:
                self._together.clear()
            places = self._together[keys] = np.array([self._placed(key) for key in keys], dtype=np.intp)
        return self._mean[places]

    def moments(self, key: str) -> Moments:
        """Mean and variance."""
        return self.learned.get(key, (0.0, self.prior_variance))

    def put(self, key: str, moments: Moments) -> None:
        """Says what is believed of one."""
        self.learned[key] = moments
        if (place := self._place.get(key)) is not None:
            self._mean[place] = moments[0]

    def take(self, key: str) -> Moments | None:
        """Forgets one, and tells what was believed of it."""
        if (place := self._place.get(key)) is not None:
            self._mean[place] = 0.0
        return self.learned.pop(key, None)

    def _placed(self, key: str) -> int:
        place = self._place.setdefault(key, len(self._place))
        if place == len(self._mean):
            self._mean = np.concatenate([self._mean, np.zeros(place)])
        self._mean[place] = self.mean(key)
        return place


class Head:
    """One probability, learned online. Changed in place by `learn` alone."""

    def __init__(self, mean: Floats, sd: Floats, effects_sd: Mapping[str, float]) -> None:
        """`mean` and `sd` are of the dense weights' prior; a weight whose sd is 0 stays as it is."""
        self.mean = np.array(mean, dtype=np.float64)
        self.cov = np.diag(np.square(np.asarray(sd, dtype=np.float64)))
        self.effects = {kind: Effects(effect_sd) for kind, effect_sd in effects_sd.items()}

    def eta(self, row: Floats, keys: Keys) -> float:
        """The logit of one row, without any offset."""
        dense = float(row @ self.mean)
        return dense + sum(effects.mean(keys[kind]) for kind, effects in self.effects.items())

    def variances(self, rows: Floats, keys: Sequence[Keys]) -> Floats:
        """The variance of each row's logit, shape (n,)."""
        dense: Floats = np.einsum("ij,ij->i", rows @ self.cov, rows)
        sparse = [sum(e.moments(of[kind])[1] for kind, e in self.effects.items()) for of in keys]
        total: Floats = dense + np.array(sparse)
        return total

    def learn(self, row: Floats, keys: Keys, happened: bool, *, offset: float = 0.0) -> None:
        """Learns from one outcome of a row; `offset` is a logit that others account for."""
        along = self.cov @ row
        effects = [(e, keys[kind], *e.moments(keys[kind])) for kind, e in self.effects.items()]
        variance, mean = float(along @ row), float(row @ self.mean)
        for _, _, effect_mean, effect_variance in effects:
            mean += effect_mean
            variance += effect_variance
        if variance <= 0.0:
            return
        eta, certainty = _mode(mean, variance, float(happened), offset)
        gain, shrink = (eta - mean) / variance, certainty / (1.0 + certainty * variance)
        self.mean += gain * along
        scaled = shrink**0.5 * along  # a product with itself: the covariance stays symmetric to the last bit
        self.cov -= scaled[:, None] * scaled
        for one, key, effect_mean, effect_variance in effects:
            after = effect_variance - shrink * effect_variance**2
            one.put(key, (effect_mean + gain * effect_variance, after))


def _mode(mean: float, variance: float, happened: float, offset: float) -> tuple[float, float]:
    """The η after the outcome that is most likely, and the curvature of the likelihood there."""
    eta, p = mean, sigmoid_of(mean + offset)
    for _ in range(NEWTON_STEPS):
        eta += ((happened - p) * variance + mean - eta) / (1.0 + variance * p * (1.0 - p))
        p = sigmoid_of(eta + offset)
    return eta, p * (1.0 - p)


def sigmoid_of(eta: float) -> float:
    """σ(η) of one number."""
    return 1.0 / (1.0 + exp(-eta)) if eta > -30.0 else exp(eta)
