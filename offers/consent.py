"""What a shopper has permitted, purpose by purpose. Everything is off until it is granted."""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from offers.checks import check_locale
from offers.hours import DAY_US, rfc3339
from offers.problem import BodyRejected, Problems, shaped

Purpose = Literal["nearby_offers", "background_location", "push", "personalisation", "insight"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

#: A consent that was not renewed for this long (12 months) no longer holds.
CONSENT_US = 365 * DAY_US

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Consent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A shopper's answer for one purpose."""

    granted: bool
    at_us: int  #: when it was given
    text_version: str | None = None  #: of the text that she was shown
    locale: str | None = None  #: of that text
    text_hash: str | None = None  #: of that text: SHA-256 in hexadecimal digits

    def holds(self, now_us: int) -> bool:
        """Whether it permits anything now."""
        return self.granted and now_us - self.at_us < CONSENT_US


class ConsentBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A consent as an app sends it."""

    granted: bool
    text_version: str | None = None
    locale: str | None = None
    text_hash: str | None = None


def consents_from_body(body: Any, *, at_us: int) -> dict[Purpose, Consent]:
    """The consents that the JSON body answers, given at `at_us`. Raises BodyRejected with every problem."""
    problems = Problems()
    wire: dict[str, ConsentBody] = {}
    for name, part in shaped(body, dict[str, Any]).items():
        if name not in PURPOSES:
            problems.add(name, "unknown_field", f"unknown purpose {name!r}; known are {', '.join(PURPOSES)}")
            continue
        try:
            consent = wire[name] = shaped(part, ConsentBody)
        except BodyRejected as error:
            for problem in error.problems:
                field = f"{name}.{problem.field}".rstrip(".")
                problems.add(field, problem.code, problem.detail)
            continue
        if consent.locale is not None:
            check_locale(problems, f"{name}.locale", consent.locale)
        if consent.text_version is not None:
            problems.text(f"{name}.text_version", consent.text_version)
        if consent.text_hash is not None:
            good = _SHA256.fullmatch(consent.text_hash) is not None
            field = f"{name}.text_hash"
            problems.check(good, field, "invalid", "must be a SHA-256 in 64 hexadecimal digits")
    problems.raise_if_any()
    return {
        purpose: Consent(
            granted=wire[purpose].granted,
            at_us=at_us,
            text_version=wire[purpose].text_version,
            locale=wire[purpose].locale,
            text_hash=wire[purpose].text_hash,
        )
        for purpose in PURPOSES
        if purpose in wire
    }


def consents_body(consents: Mapping[Purpose, Consent], now_us: int) -> dict[str, Any]:
    """Every purpose with what holds now; an expired consent is not granted."""
    return {purpose: _consent_body(consents.get(purpose), now_us) for purpose in PURPOSES}


def _consent_body(consent: Consent | None, now_us: int) -> dict[str, Any]:
    if consent is None:
        return {"granted": False}
    body: dict[str, Any] = {"granted": consent.holds(now_us), "at": rfc3339(consent.at_us)}
    told = {
        "expires_at": rfc3339(consent.at_us + CONSENT_US) if consent.granted else None,
        "text_version": consent.text_version,
        "text_hash": consent.text_hash,
        "locale": consent.locale,
    }
    return body | {name: value for name, value in told.items() if value is not None}
