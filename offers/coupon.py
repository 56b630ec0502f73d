"""Coupon codes: unguessable, derived, made for reading aloud and typing.

A code has 16 characters of 5 bits from an HMAC of the decision's id (80 bits), and 2 check characters. The
alphabet is Crockford's base 32 (https://www.crockford.com/base32.html), which has no I, L, O and U. The check
is a Reed-Solomon code over GF(32) (Reed and Solomon 1960): the characters c0…c17 satisfy Σ c_i = 0 and
Σ α^i c_i = 0. Any one or two wrong characters, and any two that changed places, leave it unsatisfied.
"""

import hashlib
import hmac
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DATA_LENGTH, CHECK_LENGTH = 16, 2
LENGTH = DATA_LENGTH + CHECK_LENGTH
GROUP = 6

_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})
_SEPARATORS = str.maketrans(dict.fromkeys(" -\u2010\u2011\u2012\u2013\u2014\u2212\t\r\n._/", None))


def _powers() -> list[int]:
    """The powers of α = x in GF(32) = GF(2)[x] / (x⁵ + x² + 1), two rounds of them."""
    power, powers = 1, []
    for _ in range(2 * 31):
        powers.append(power)
        power = (power << 1) ^ (0b100101 if power & 0b10000 else 0)
    return powers


_EXP = _powers()
_LOG = {value: exponent for exponent, value in enumerate(_EXP[:31])}


def coupon_code(secret: bytes, decision_id: str) -> str:
    """The code of a decision's coupon, e.g. `7K3MQ9-0V2XWA-T5RBC4`: the same every time."""
    digest = hmac.digest(secret, b"coupon." + decision_id.encode(), hashlib.sha256)
    bits = int.from_bytes(digest[:10], "big")
    data = [bits >> (5 * position) & 31 for position in range(DATA_LENGTH)]
    code = "".join(ALPHABET[value] for value in data + _check_values(data))
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def normalise_code(text: str) -> str | None:
    """The 18 characters of a code as somebody typed it, or None where it can be no code.

    Letter case, spaces, dashes and look-alikes (O for 0, I and L for 1, U for V) do not matter.
    """
    if len(text) > 8 * LENGTH:
        return None
    typed = unicodedata.normalize("NFKC", text).upper().translate(_SEPARATORS).translate(_LOOK_ALIKES)
    values = [ALPHABET.find(character) for character in typed]
    if len(values) != LENGTH or min(values) < 0 or any(_syndromes(values)):
        return None
    return typed


def code_hash(secret: bytes, code: str) -> bytes:
    """What is stored instead of a code (normalised, or as `coupon_code` gives it): 32 bytes, keyed."""
    return hmac.digest(secret, b"coupon-code." + code.replace("-", "").encode(), hashlib.sha256)


def _check_values(data: list[int]) -> list[int]:
    """The two values that complete the data to a code word."""
    plain, weighted = _syndromes(data)
    first, second = _EXP[DATA_LENGTH], _EXP[DATA_LENGTH + 1]
    last = _divided(weighted ^ _times(first, plain), first ^ second)
    return [plain ^ last, last]


def _syndromes(values: list[int]) -> tuple[int, int]:
    plain = weighted = 0
    for position, value in enumerate(values):
        plain ^= value
        weighted ^= _times(_EXP[position], value)
    return plain, weighted


def _times(left: int, right: int) -> int:
    return _EXP[_LOG[left] + _LOG[right]] if left and right else 0


def _divided(left: int, right: int) -> int:
    return _EXP[_LOG[left] + 31 - _LOG[right]] if left else 0
