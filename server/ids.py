"""The ids that Vicino makes: a prefix that names the kind, then 128 bits in Crockford's base 32."""

import hashlib
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_BITS = 128
_CHARACTERS = 26  # 26 characters of 5 bits hold 128 bits


def new_id(prefix: str) -> str:
    """An id nobody can guess: `new_id("dev")` is "dev_" and 26 characters of 128 random bits."""
    return f"{prefix}_{_encode(secrets.randbits(_BITS))}"


def derived_id(prefix: str, *parts: str | int) -> str:
    """The id that the same `parts` always give, whoever computes it and however often (SHA-256, 128 bits)."""
    digest = hashlib.sha256()
    for part in (prefix, *parts):
        encoded = str(part).encode()
        # Each part goes in with its length: ("ab", "c") and ("a", "bc") are different things.
        digest.update(len(encoded).to_bytes(4) + encoded)
    return f"{prefix}_{_encode(int.from_bytes(digest.digest()[: _BITS // 8]))}"


def _encode(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_CHARACTERS - 1), -1, -5))
