"""Ids that follow from what they name, so that the same thing is never named twice."""

import hashlib

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_SHIFTS = range(120, -1, -10)  # 13 pairs, 26 characters of 5 bits, hold 128 bits


def derived_id(prefix: str, *parts: str | int) -> str:
    """The id that the same `parts` always give, whoever computes it and however often (SHA-256, 128 bits)."""
    encoded = [str(part).encode("utf-8", "surrogatepass") for part in (prefix, *parts)]
    # Each part goes in with its length: ("ab", "c") and ("a", "bc") are different things.
    said = b"".join([len(part).to_bytes(4, "big") + part for part in encoded])
    return named(prefix, int.from_bytes(hashlib.sha256(said).digest()[:16], "big"))


def named(prefix: str, number: int) -> str:
    """`prefix_` and the 128 bits of `number` in Crockford's base 32."""
    pairs = [_PAIRS[number >> shift & 1023] for shift in _SHIFTS]
    return f"{prefix}_{''.join(pairs)}"
