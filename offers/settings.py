"""What a retailer decides once for all: clocks, caps, quiet hours, holdout, times to live."""

from typing import Any

import msgspec

from offers.checks import check_count, check_country, check_locale, check_quiet_hours, check_timezone, plain
from offers.hours import QuietHours
from offers.learn.setup import Learning, check_learning
from offers.problem import Problems, shaped

POLICIES = ("rules", "learn")
PUSH_MODES = ("at_least_once", "at_most_once")


class Settings(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A retailer's settings. The struct is its own JSON body; every field may be left out."""

    timezone: str = "UTC"  #: IANA name, for stores and shoppers that name none
    country: str | None = None  #: ISO 3166, two letters, for stores that name none
    locale: str = "en"  #: language of a message where the shopper's has none
    quiet_hours: QuietHours | None = QuietHours(from_="21:00", until="08:00")  #: None: no quiet hours
    shopper_per_day: int = 2  #: offers to one shopper in any 24 hours
    shopper_per_week: int = 5  #: offers to one shopper in any 7 days
    store_per_day: int | None = None  #: offers at one store in a day (UTC); None: no cap
    retailer_per_day: int | None = None  #: offers of the retailer in a day (UTC); None: no cap
    drive_by_mps: float = 4.0  #: above this speed a shopper drives by
    low_accuracy_m: float = 100.0  #: a fix less certain than this does not speak
    holdout: float = 0.0  #: share of the shoppers who are kept in silence, to measure what speaking changes
    coupon_ttl_s: int = 1800  #: how long a coupon can be used
    push_ttl_s: int = 900  #: how long a push is worth delivering: the expected time still near
    push_mode: str = "at_least_once"  #: `at_most_once`: what may have been sent is never sent again
    till_per_hour: int | None = None  #: redemptions of one till's key in a full hour (UTC); None: any number
    till_grace_s: int = 0  #: so long after a coupon's end may a till tell that it was used before
    speaking: bool = True  #: false: no offer is made to anybody
    approval_above: int | None = None  #: shoppers above whom an offer needs two approvals; None: none needed
    late_s: float = 3.0  #: a decision later than this after its fix goes to the inbox only; 3 s at the most
    policy: str = "rules"  #: `rules` or `learn`
    lateness_s: int = 600  #: a fix this much older than its device's newest still changes visits
    presence_timeout_s: int = 43_200  #: a visit ends after so long without a fix that supports it
    default_accuracy_m: float = 20.0  #: what an accuracy that a phone does not tell is taken for
    safe_region: bool = True  #: whether phones are told how far they may go without reporting
    plausible_at: float = 0.3  #: a moment of a device less plausible than this does not speak
    attestation: str = "none"  #: the verifier that is asked about an app that registers
    approach_s: int = 0  #: a moment this long before the fence is reached; 0: none before it
    model: str | None = None  #: the fitted model that learning goes on from; None: the priors
    learning: Learning = Learning()  #: of the policy `learn`


def settings_from_body(body: Any) -> Settings:
    """Settings from their JSON body. Raises BodyRejected."""
    settings = shaped(body, Settings)
    problems = Problems()
    check_timezone(problems, "timezone", settings.timezone)
    check_quiet_hours(problems, settings.quiet_hours)
    check_country(problems, "country", settings.country)
    check_locale(problems, "locale", settings.locale)
    for field in (
        "shopper_per_day",
        "shopper_per_week",
        "store_per_day",
        "retailer_per_day",
        "approval_above",
        "till_per_hour",
    ):
        check_count(problems, field, getattr(settings, field))
    for field, most in (("drive_by_mps", 1000.0), ("low_accuracy_m", 100_000.0), ("late_s", 3.0)):
        problems.check(
            0 < getattr(settings, field) <= most, field, "out_of_range", f"must be above 0, at most {most:g}"
        )
    for field in ("coupon_ttl_s", "push_ttl_s"):
        problems.check(
            60 <= getattr(settings, field) <= 31 * 86_400,
            field,
            "out_of_range",
            "must be from 60 s to 31 days",
        )
    for field in ("holdout", "plausible_at"):
        in_range = 0 <= getattr(settings, field) <= 1
        problems.check(in_range, field, "out_of_range", "must be from 0 to 1")
    problems.check(settings.policy in POLICIES, "policy", "unknown", f"must be one of {', '.join(POLICIES)}")
    detail = f"must be one of {', '.join(PUSH_MODES)}"
    problems.check(settings.push_mode in PUSH_MODES, "push_mode", "unknown", detail)
    problems.text("attestation", settings.attestation)
    check_learning(problems, settings.learning)
    _check_engine(problems, settings)
    problems.raise_if_any()
    return settings


def _check_engine(problems: Problems, settings: Settings) -> None:
    """What the fence engine is told."""
    for field, least, most, unit in (
        ("lateness_s", 0, 3600, "s"),
        ("presence_timeout_s", 60, 86_400, "s"),
        ("default_accuracy_m", 1, 1000, "m"),
        ("approach_s", 0, 600, "s"),
        ("till_grace_s", 0, 7 * 86_400, "s"),
    ):
        in_range = least <= getattr(settings, field) <= most
        problems.check(in_range, field, "out_of_range", f"must be from {least} to {most} {unit}")


def settings_body(settings: Settings) -> dict[str, Any]:
    """The normalised JSON body of settings, every field present."""
    return plain(settings)
