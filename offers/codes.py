"""A retailer's own codes: the next of a list (a *pool*), or one for all (*static*). Pure."""

import hashlib
import hmac
import unicodedata

import msgspec

from offers.coupon import normalise_code
from offers.problem import Problems

CODE_MAX = 40


class Code(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """Which codes an offer's coupons have. Neither: Vicino's own. It is its own JSON body."""

    pool: str | None = None  #: the next one of that pool, good once
    static: str | None = None  #: this one: good as often as it was given and not used yet


def foreign_code(text: str) -> str | None:
    """A retailer's code as somebody typed it, in one form; None where it can be none.

    Letter case and spaces do not matter. It is 1 to 40 printable characters of ASCII, which bar codes can
    show, and nothing that may be a code of Vicino's own.
    """
    if len(text) > 2 * CODE_MAX:
        return None
    typed = "".join(unicodedata.normalize("NFKC", text).upper().split())
    fits = 0 < len(typed) <= CODE_MAX and typed.isascii() and typed.isprintable()
    return typed if fits and normalise_code(typed) is None else None


def foreign_hash(secret: bytes, code: str) -> bytes:
    """What a retailer's code is found by: 32 bytes, keyed; never those of one of Vicino's own."""
    return hmac.digest(secret, b"foreign-code." + code.encode(), hashlib.sha256)


def check_code(problems: Problems, code: Code) -> None:
    """Notes what is wrong with a published choice of codes."""
    one = (code.pool is None) != (code.static is None)
    problems.check(one, "code", "bad_use", "names either a `pool` or a `static` code")
    if code.pool is not None:
        problems.text("code.pool", code.pool)
    if code.static is not None:
        detail = f"must be 1 to {CODE_MAX} printable characters of ASCII, and unlike Vicino's own codes"
        problems.check(foreign_code(code.static) is not None, "code.static", "bad_code", detail)
