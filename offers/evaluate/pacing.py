"""Spreads a budget over a day of unknown demand: an online dual price.

The best way to spend a budget B on moments with gains v and expected costs c is to take what is worth more
than its cost at one price λ, that at which exactly B is spent. It is not known beforehand, so it is followed:
after each moment

    λ ← max(0, λ + step · (spent − due) / unit)        due = budget left / moments left

(stochastic dual descent with the rate of spending re-solved from what is left; Agrawal & Devanur 2014;
Balseiro, Lu & Mirrokni 2020). Coupons that could cost more than what is left are not made: a budget is
never overdrawn."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A budget in the spending. `price` is λ: what a unit of money of it is worth in gain."""

    left: float
    moments_left: float  #: expected until the budget's end
    price: float = 0.0
    step: float = 0.02
    unit: float = 1.0  #: a usual cost

    def affords(self, most: float) -> bool:
        """Whether a coupon that can cost this much may be made."""
        return most <= self.left

    def after(self, cost: float) -> "Pace":
        """After one more moment in which `cost` was spent, or is expected to be."""
        left, moments = self.left - cost, max(self.moments_left - 1.0, 1.0)
        due = self.left / max(self.moments_left, 1.0)
        price = max(0.0, self.price + self.step * (cost - due) / self.unit)
        return msgspec.structs.replace(self, left=left, moments_left=moments, price=price)
