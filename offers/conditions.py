"""Whom an offer is for and what it must not cost: its published conditions, taken in and checked. Pure."""

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from offers.checks import check_categories, check_ids, check_money
from offers.problem import Problems

if TYPE_CHECKING:
    from offers.catalogue import Discount

#: As many tiers, lifecycles or categories may be named.
NAMED_MAX = 50
PIECES_MAX = 100

KINDS = ("percent", "amount", "price", "buy_get", "gift")


class Segments(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """Whom an offer is for. Each list that is given must fit; of a list one entry is enough."""

    tiers: tuple[str, ...] = ()  #: of the loyalty programme, as the retailer's servers told
    lifecycles: tuple[str, ...] = ()  #: `new`, `active`, `lapsed`, … likewise
    likes: tuple[str, ...] = ()  #: categories, of which she has declared one, or one above or below it


class Traits(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What the retailer's servers told of a shopper."""

    tier: str | None = None
    lifecycle: str | None = None


class Conditions(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """What must hold, beside where and when."""

    minimum_basket: Decimal | None = None  #: of what is bought with the coupon, in the currency of the prices
    segments: Segments = Segments()
    margin_floor_percent: Decimal | None = None  #: what must be left of the price paid, after the goods' cost
    exclusive_group: str | None = None  #: while one of a group is good for her, no other of it is made
    stacks: bool = True  #: whether its coupons may be used beside others in one sale


def check_conditions(problems: Problems, conditions: Conditions) -> None:
    """Notes what is wrong with published conditions."""
    if conditions.minimum_basket is not None:
        check_money(problems, "conditions.minimum_basket", conditions.minimum_basket)
    for field in ("tiers", "lifecycles", "likes"):
        names = getattr(conditions.segments, field)
        few = len(names) <= NAMED_MAX
        problems.check(
            few, f"conditions.segments.{field}", "too_many", f"must have at most {NAMED_MAX} entries"
        )
        check_ids(problems, f"conditions.segments.{field}", names)
    check_categories(problems, "conditions.segments.likes", conditions.segments.likes)
    floor = conditions.margin_floor_percent
    in_range = floor is None or (floor.is_finite() and -100 <= floor < 100)
    problems.check(
        in_range, "conditions.margin_floor_percent", "out_of_range", "must be from -100 to below 100"
    )
    if conditions.exclusive_group is not None:
        problems.text("conditions.exclusive_group", conditions.exclusive_group)


def check_discount(problems: Problems, discount: "Discount") -> None:
    """Notes what is wrong with a published discount."""
    kind, value = discount.kind, discount.value
    if kind not in KINDS:
        problems.add("discount.kind", "unknown", f"must be one of {', '.join(KINDS)}")
        return
    check_money(problems, "discount.value", value)
    if kind == "percent":
        problems.check(0 <= value <= 100, "discount.value", "out_of_range", "must be from 0 % to 100 %")
    if kind == "buy_get":
        problems.check(0 < value <= 100, "discount.value", "out_of_range", "must be above 0 %, at most 100 %")
    if kind in ("amount", "gift"):
        problems.check(value > 0, "discount.value", "out_of_range", "must be above 0")
    for field, of in (("buy", "buy_get"), ("get", "buy_get"), ("gift", "gift")):
        given = getattr(discount, field)
        if kind != of:
            problems.check(given is None, f"discount.{field}", "bad_use", f"is for the kind {of} alone")
        elif given is None:
            problems.add(f"discount.{field}", "missing", f"is required for the kind {of}")
        elif isinstance(given, int):
            in_range = 1 <= given <= PIECES_MAX
            problems.check(in_range, f"discount.{field}", "out_of_range", f"must be from 1 to {PIECES_MAX}")
        else:
            problems.text(f"discount.{field}", given)
