"""The published JSON body of an offer: taken in, checked, and given back normalised.

`offer_from_body(offer_body(offer)) == offer`.
"""

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from offers.budget import Budget, check_budget
from offers.catalogue import Discount, Limits, Message, Offer
from offers.category import path_from_text, text_from_path
from offers.checks import (
    Wire,
    check_categories,
    check_count,
    check_hours,
    check_ids,
    check_locale,
    plain,
)
from offers.codes import Code, check_code
from offers.conditions import Conditions, check_conditions, check_discount
from offers.hours import aware, microseconds
from offers.lifecycle import STATUSES
from offers.problem import Problems, shaped

#: What a message may ask to be filled in.
PLACEHOLDERS = ("product", "discount", "distance_m", "store", "until")

#: The longest title and body of a message: the whole push must fit in 4 kB.
TITLE_MAX, BODY_MAX = 200, 1000

_BRACED = re.compile(r"\{([^{}]*)\}")
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ScopeBody(Wire, frozen=True, kw_only=True):
    skus: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None


class ValidBody(Wire, frozen=True, kw_only=True):
    from_: _Time = msgspec.field(name="from")
    until: _Time


class OfferBody(Wire, frozen=True, kw_only=True):
    external_id: str
    name: str
    discount: Discount
    applies_to: ScopeBody | None = None
    stores: tuple[str, ...] | None = None
    valid: ValidBody
    schedule: str | None = None
    limits: Limits | None = None
    budget: Budget | None = None
    prior_response: float | None = None
    conditions: Conditions | None = None
    status: str = "live"
    lever: float | None = None
    code: Code | None = None
    message: dict[str, Message]


def offer_from_body(body: Any) -> Offer:
    """An offer from its JSON body. Raises BodyRejected with every problem."""
    wire = shaped(body, OfferBody)
    problems = Problems()
    _check_offer(problems, wire)
    problems.raise_if_any()
    scope = wire.applies_to or ScopeBody()
    return Offer(
        external_id=wire.external_id,
        name=wire.name,
        discount=wire.discount,
        skus=_unique(scope.skus),
        categories=tuple(path_from_text(text) for text in scope.categories) if scope.categories else None,
        stores=_unique(wire.stores),
        valid_from_us=microseconds(wire.valid.from_),
        valid_until_us=microseconds(wire.valid.until),
        schedule=wire.schedule,
        limits=wire.limits or Limits(),
        budget=wire.budget or Budget(),
        prior_response=wire.prior_response,
        conditions=wire.conditions or Conditions(),
        status=wire.status,
        lever=wire.lever,
        code=wire.code or Code(),
        messages=dict(sorted(wire.message.items())),
    )


def offer_body(offer: Offer) -> dict[str, Any]:
    """The normalised JSON body of an offer; money as decimal texts, times in UTC."""
    categories = tuple(text_from_path(path) for path in offer.categories) if offer.categories else None
    body = OfferBody(
        external_id=offer.external_id,
        name=offer.name,
        discount=offer.discount,
        applies_to=ScopeBody(skus=offer.skus, categories=categories),
        stores=offer.stores,
        valid=ValidBody(from_=aware(offer.valid_from_us), until=aware(offer.valid_until_us)),
        schedule=offer.schedule,
        limits=offer.limits if offer.limits != Limits() else None,
        budget=offer.budget if offer.budget != Budget() else None,
        prior_response=offer.prior_response,
        conditions=offer.conditions if offer.conditions != Conditions() else None,
        status=offer.status,
        lever=offer.lever,
        code=offer.code if offer.code != Code() else None,
        message=offer.messages,
    )
    return plain(body)


def _check_offer(problems: Problems, wire: OfferBody) -> None:
    problems.text("external_id", wire.external_id)
    problems.text("name", wire.name)
    check_discount(problems, wire.discount)
    check_conditions(problems, wire.conditions or Conditions())
    scope = wire.applies_to or ScopeBody()
    for field, names in (
        ("applies_to.skus", scope.skus),
        ("applies_to.categories", scope.categories),
        ("stores", wire.stores),
    ):
        problems.check(names is None or bool(names), field, "empty", "must name something, or be left out")
    check_ids(problems, "applies_to.skus", scope.skus)
    check_ids(problems, "stores", wire.stores)
    check_categories(problems, "applies_to.categories", scope.categories or ())
    in_order = wire.valid.from_ < wire.valid.until
    problems.check(in_order, "valid", "bad_interval", "`from` must be before `until`")
    check_hours(problems, "schedule", wire.schedule)
    limits, budget = wire.limits or Limits(), wire.budget or Budget()
    check_count(problems, "limits.per_shopper_per_day", limits.per_shopper_per_day)
    check_count(problems, "limits.per_shopper", limits.per_shopper)
    check_budget(problems, budget)
    likely = wire.prior_response is None or 0 < wire.prior_response <= 1
    problems.check(likely, "prior_response", "out_of_range", "must be above 0, at most 1")
    known = wire.status in STATUSES
    problems.check(known, "status", "unknown", f"must be one of {', '.join(STATUSES)}")
    bounded = wire.lever is None or 0.5 <= wire.lever <= 2
    problems.check(bounded, "lever", "out_of_range", "must be from 0.5 to 2")
    if wire.code is not None:
        check_code(problems, wire.code)
    _check_messages(problems, wire.message)


def _check_messages(problems: Problems, messages: dict[str, Message]) -> None:
    problems.check(bool(messages), "message", "empty", "must have a text in one language at least")
    for locale, message in messages.items():
        check_locale(problems, f"message.{locale}", locale)
        for part, text, longest in (("title", message.title, TITLE_MAX), ("body", message.body, BODY_MAX)):
            field = f"message.{locale}.{part}"
            problems.text(field, text, longest=longest)
            for name in _BRACED.findall(text):
                detail = f"unknown placeholder {{{name}}}; known are {', '.join(PLACEHOLDERS)}"
                problems.check(name in PLACEHOLDERS, field, "unknown_placeholder", detail)
            paired = not {"{", "}"} & set(_BRACED.sub("", text))
            problems.check(paired, field, "unbalanced_brace", "has a brace without its other")


def _unique(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(names)) if names else None
