"""What several bodies share: their base, and checks that note a problem under the field they are given."""

import re
from decimal import Decimal
from typing import Any

import msgspec

from offers.category import path_from_text
from offers.hours import QuietHours, is_clock, is_country, is_opening_hours, is_timezone
from offers.problem import TEXT_MAX, Problems

#: The largest sum of money, and the finest, that is taken.
MONEY_MAX, MONEY_PLACES = Decimal(1_000_000_000), 4

#: The largest number of pieces, offers or coupons that is taken.
COUNT_MAX = 1_000_000_000

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


class Wire(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A body as it is published."""


def plain(value: Any) -> dict[str, Any]:
    """A struct or dict as a JSON document has it when read: lists, and decimals and times as texts."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return document


def check_timezone(problems: Problems, field: str, name: str) -> None:
    """Notes a problem unless the IANA database knows the zone."""
    problems.check(is_timezone(name), field, "unknown_timezone", f"{name!r} is no IANA time zone")


def check_quiet_hours(problems: Problems, quiet_hours: QuietHours | None) -> None:
    """Notes a problem for each end that is no HH:MM."""
    if quiet_hours is None:
        return
    for field, text in (("from", quiet_hours.from_), ("until", quiet_hours.until)):
        problems.check(
            is_clock(text), f"quiet_hours.{field}", "bad_time", f"{text!r} is no time of day HH:MM"
        )


def check_count(problems: Problems, field: str, count: int | None) -> None:
    """Notes a problem unless the count is absent or from 0 to a billion."""
    in_range = count is None or 0 <= count <= COUNT_MAX
    problems.check(in_range, field, "out_of_range", "must be from 0 to 1,000,000,000")


def check_money(problems: Problems, field: str, value: Decimal) -> None:
    """Finite, not negative, and neither larger nor finer than money is."""
    if not value.is_finite():
        problems.add(field, "out_of_range", "must be a number")
        return
    problems.check(0 <= value <= MONEY_MAX, field, "out_of_range", f"must be from 0 to {MONEY_MAX}")
    exponent = value.normalize().as_tuple().exponent
    fine = isinstance(exponent, int) and exponent >= -MONEY_PLACES
    problems.check(fine, field, "too_fine", f"must have at most {MONEY_PLACES} decimal places")


def check_hours(problems: Problems, field: str, text: str | None) -> None:
    parses = text is None or is_opening_hours(text)
    problems.check(
        parses, field, "bad_opening_hours", f"{text!r} is not in OpenStreetMap's opening_hours syntax"
    )


def check_categories(problems: Problems, field: str, categories: tuple[str, ...]) -> None:
    for category in categories:
        problems.check(bool(path_from_text(category)), field, "empty", "must name a category, as `a > b > c`")
        problems.check(
            len(category) <= 2 * TEXT_MAX, field, "too_long", f"must have at most {2 * TEXT_MAX} characters"
        )


def check_ids(problems: Problems, field: str, ids: tuple[str, ...] | None) -> None:
    for position, external_id in enumerate(ids or ()):
        problems.text(f"{field}[{position}]", external_id)


def check_country(problems: Problems, field: str, code: str | None) -> None:
    """Notes a problem unless the code is absent or that of a country whose public holidays are known."""
    known = code is None or is_country(code)
    problems.check(known, field, "unknown_country", f"{code!r} is no country (ISO 3166, two letters)")


def check_locale(problems: Problems, field: str, tag: str) -> None:
    """Notes a problem unless `tag` looks like a language tag (BCP 47, `_` also taken)."""
    is_tag = len(tag) <= 35 and _LOCALE.fullmatch(tag) is not None
    problems.check(is_tag, field, "bad_locale", f"{tag!r} is no language tag")
