"""What can be seen of a simulated shopper: noisy, with her history. Policies are told this alone."""

import numpy as np

from offers.learn.arms import Arms, Consents, Scene, arms_of
from offers.learn.blr import Floats
from offers.simulator.hidden import CATEGORIES, OFFERS, SHOPPERS, STORES, Outside, Town

DAY_H = 24.0


class Seen:
    """The records of all shoppers, as a retailer would have them."""

    def __init__(self, town: Town, random: np.random.Generator) -> None:
        """A year of purchases and visits goes before; two in five have declared what they like."""
        rates = np.exp(0.8 * town.taste)
        self.bought = random.poisson(1.2 * rates / rates.mean()).astype(float)
        own = np.exp(town.pull) * rates[:, town.category.astype(int)]
        self.visits = random.poisson(1.5 * own / own.mean()).astype(float)
        liked = np.argsort(-(town.taste + random.normal(0, 0.7, town.taste.shape)), axis=1)[:, :2]
        self.favourite = np.zeros((SHOPPERS, CATEGORIES))
        for shopper in np.flatnonzero(random.uniform(size=SHOPPERS) < 0.4):
            self.favourite[shopper, liked[shopper]] = 1.0
        self.pushed_at: list[list[float]] = [[] for _ in range(SHOPPERS)]
        self.opened = np.zeros(SHOPPERS, dtype=int)
        self.pushed = np.zeros(SHOPPERS, dtype=int)
        self.redeemed = np.zeros(SHOPPERS, dtype=int)
        self.reachable = np.ones(SHOPPERS, dtype=bool)

    def pressure(self, shopper: int, day: float) -> tuple[int, int]:
        """Pushes in the last 24 hours and 7 days."""
        times = [at for at in self.pushed_at[shopper] if day - at < 7.0]
        self.pushed_at[shopper] = times
        return sum(1 for at in times if day - at < 1.0), len(times)

    def scene(self, moment_id: str, now: Outside, consents: Consents) -> Scene:
        pushes_24h, pushes_7d = self.pressure(now.shopper, now.day)
        return Scene(
            moment_id=moment_id,
            shopper=f"s{now.shopper}",
            hour=(now.day % 1.0) * DAY_H,
            pushes_24h=pushes_24h,
            pushes_7d=pushes_7d,
            opened=int(self.opened[now.shopper]),
            pushed=int(self.pushed[now.shopper]),
            redeemed=int(self.redeemed[now.shopper]),
            consents=consents,
        )

    def arms(self, arms: Arms, town: Town, now: Outside, near: Floats) -> Arms:
        """The arms with what her history says of them."""
        stores = np.repeat(near.astype(int), 1 + OFFERS)
        category = town.category[stores].astype(int)
        return arms.otherwise(
            bought=self.bought[now.shopper, category],
            visits=self.visits[now.shopper, stores],
            favourite=self.favourite[now.shopper, category],
        )


def arms_near(town: Town, near: Floats, measured_m: Floats, interest: Floats) -> Arms:
    """Arms of the stores `near`, each with a reminder and its offers; `interest` is by category."""
    stores = np.repeat(near.astype(int), 1 + OFFERS)
    variant = np.tile(np.arange(1 + OFFERS), len(near))
    category = town.category[stores].astype(int)
    return arms_of(
        [OFFER_NAMES[store][one] for store, one in zip(stores, variant, strict=True)],
        [STORE_NAMES[store] for store in stores],
        [CATEGORY_NAMES[one] for one in category],
        depth=town.depth[stores, variant],
        price=town.price[stores],
        margin=town.margin[stores],
        interest=interest[category],
        distance_m=np.hypot(*(town.place_m[stores] - measured_m).T),
    )


STORE_NAMES = [f"store-{store}" for store in range(STORES)]
OFFER_NAMES = [[f"offer-{store}-{one}" for one in range(1 + OFFERS)] for store in range(STORES)]
CATEGORY_NAMES = [f"category-{one}" for one in range(CATEGORIES)]


def browsing(town: Town, now_shopper: int, need: int, random: np.random.Generator) -> Floats:
    """Levels of interest by category: evidence of a need in 65 % of cases, and idle looks by taste."""
    level = np.zeros(CATEGORIES)
    if need >= 0 and random.uniform() < 0.65:
        level[need] += random.choice([1.0, 2.0, 4.0]) * 2.0 ** -random.exponential(0.7)
    if random.uniform() < 0.15:
        chance = np.exp(town.taste[now_shopper])
        level[random.choice(CATEGORIES, p=chance / chance.sum())] += 2.0 ** -random.exponential(1.0)
    return level
