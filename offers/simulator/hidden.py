"""The hidden truth of a simulated town: who wants what, and what an opened offer really does.

60 stores of 12 categories in a square of 1.2 km, each with three offers of 5 to 50 %; 800 shoppers with spiky
tastes, a quarter of them deal-prone and 15 % reactant (an offer puts them off). In 35 % of the moments a
shopper has a latent need of one category. She buys by a multinomial logit among the stores within 300 m and
walking on, so a store's gain is partly its neighbours' loss. An opened offer moves the utility of its store:

    δ = reminded + deal · ( near · √depth + far · depth² )      concave when near, convex when far

Sizes are judgements; that random pushes lose money and an oracle gains 7 to 10 % were
aimed at (over 20,000 moments it gains 6.7 to 7.0 %).
"""

from math import exp

import msgspec
import numpy as np

from offers.learn.blr import Floats

STORES, CATEGORIES, SHOPPERS, OFFERS = 60, 12, 800, 3
SIDE_M, REACH_M = 1200.0, 300.0


class Town(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What does not change, or only slowly."""

    category: Floats  #: of each store, a whole number
    place_m: Floats  #: (stores, 2)
    price: Floats
    margin: Floats  #: share of the price
    pull: Floats  #: of each store
    depth: Floats  #: (stores, 1 + OFFERS), the first a reminder
    taste: Floats  #: (shoppers, categories), mean 0
    activity: Floats  #: share of the moments
    reminded: Floats  #: what an opened message adds, per shopper
    deal: Floats  #: how much a discount counts
    opening: Floats  #: logit of opening
    leaving: Floats  #: how much likelier than others she opts out


def town(random: np.random.Generator) -> Town:
    """Draws a town."""
    depth = np.zeros((STORES, 1 + OFFERS))
    depth[:, 1:] = np.sort(
        random.choice([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5], size=(STORES, OFFERS)), axis=1
    )
    kind = random.uniform(size=SHOPPERS)
    prone, reactant = kind < 0.25, kind > 0.85
    taste = random.gamma(0.5, 1.6, size=(SHOPPERS, CATEGORIES))
    activity = random.gamma(2.0, size=SHOPPERS)
    return Town(
        category=random.permutation(np.arange(STORES) % CATEGORIES).astype(float),
        place_m=random.uniform(0, SIDE_M, size=(STORES, 2)),
        price=np.exp(random.normal(3.4, 0.4, size=STORES)),
        margin=random.uniform(0.3, 0.5, size=STORES),
        pull=random.normal(0, 0.4, size=STORES),
        depth=depth,
        taste=np.minimum(taste, 3.0) - 0.75,
        activity=activity / activity.sum(),
        reminded=np.where(reactant, -0.6, random.normal(0.2, 0.2, size=SHOPPERS)),
        deal=np.where(reactant, 0.2, np.where(prone, 2.4, 0.7)) * random.uniform(0.8, 1.2, size=SHOPPERS),
        opening=random.normal(0.0, 0.9, size=SHOPPERS),
        leaving=np.where(reactant, 3.0, 1.0),
    )


class Still(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is so at one moment whatever was pushed before, for the stores that are near and open."""

    near: Floats  #: numbers of the stores
    weight: Floats  #: exp of each store's utility; walking on weighs 1
    margin: Floats  #: money per purchase
    price: Floats
    boost: Floats  #: (near, 1 + OFFERS): by how much an opened offer multiplies the weight
    depth: Floats  #: the same shape
    opening: Floats  #: the same: logit of opening, of one who was not pushed lately
    leaving: float  #: the opt-out hazard of one who was not pushed lately


class Truth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is so at one moment."""

    still: Still
    opens: Floats  #: (near, 1 + OFFERS)
    opt_out: float  #: if one more is pushed


#: Logit of buying at one store without need or taste, and what a need adds.
NO_NEED, NEED = -5.4, 2.9
PUSH_COST, LIFETIME_VALUE = 0.02, 20.0


class Outside(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What drives a moment from outside: drawn beforehand, the same for every policy."""

    shopper: int
    day: float
    at_m: Floats  #: where she is
    need: int  #: a category, or -1
    uniforms: Floats  #: for opening, buying, opting out


def still(
    of: Town, now: Outside, *, effect: float = 1.0, turned: float = 0.0, closed: int | None = None
) -> Still:
    """`effect` 0: offers change nothing; `turned`: by what share of the categories tastes have moved on;
    `closed`: a store that is not there yet.
    """
    who, away_m = now.shopper, np.hypot(*(of.place_m - now.at_m).T)
    near = np.flatnonzero((away_m < REACH_M) & (np.arange(STORES) != closed))
    category, far = of.category[near].astype(int), away_m[near] / REACH_M
    wanted, depth = category == now.need, of.depth[near]
    taste = of.taste[who, (category + round(turned * CATEGORIES)) % CATEGORIES]
    utility = NO_NEED + of.pull[near] + 0.8 * taste + NEED * wanted - 1.2 * far
    deal = (1 - far)[:, None] * np.sqrt(depth) + 1.5 * far[:, None] * depth**2
    delta = effect * (of.reminded[who] + 0.3 * wanted[:, None] + of.deal[who] * deal)
    return Still(
        near=near.astype(float),
        weight=np.exp(utility),
        margin=of.margin[near] * of.price[near],
        price=of.price[near],
        boost=np.exp(delta),
        depth=depth,
        opening=of.opening[who] + 0.5 * wanted[:, None] + 0.6 * depth,
        leaving=0.0008 * float(of.leaving[who]),
    )


def truth(of: Still, pushes_24h: int, pushes_7d: int) -> Truth:
    """The truth for one who was pushed so often lately."""
    eta = of.opening - 0.35 * pushes_24h - 0.1 * pushes_7d
    hazard = of.leaving * exp(0.5 * pushes_24h + 0.12 * pushes_7d)
    return Truth(still=of, opens=1 / (1 + np.exp(-eta)), opt_out=min(hazard, 1.0))


def expected(told: Truth) -> tuple[float, Floats]:
    """The exact expected profit of nothing, and of pushing each offer, shape (near, 1 + OFFERS)."""
    of = told.still
    weight, total = of.weight[:, None], 1.0 + of.weight.sum()
    earned = float(of.weight @ of.margin)
    more = weight * (of.boost - 1.0)
    given = weight * of.boost * of.depth * of.price[:, None]
    opened = (earned + more * of.margin[:, None] - given) / (total + more)
    nothing = earned / total
    pushed = told.opens * opened + (1 - told.opens) * nothing - PUSH_COST - LIFETIME_VALUE * told.opt_out
    return nothing, pushed


def purchase(told: Truth, uniform: float, pushed: tuple[int, int] | None) -> int | None:
    """At which of the near stores she buys, given the offer that she has opened."""
    weight = told.still.weight.copy()
    if pushed is not None:
        weight[pushed[0]] *= told.still.boost[pushed]
    place = int(np.searchsorted(np.cumsum(weight) / (1.0 + weight.sum()), uniform))
    return place if place < len(weight) else None
