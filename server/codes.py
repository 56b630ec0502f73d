"""Pools of a retailer's own codes: sealed while they are free, gone from here when they are given out."""

import hashlib
import hmac

from offers.codes import foreign_code, foreign_hash
from server.sealing import seal, unseal


def sealed(secret: bytes, code: str) -> bytes:
    """A code as it is kept until somebody is given it (AES-256-GCM; the key follows from the retailer's)."""
    return seal(_key(secret), code.encode())


def opened(secret: bytes, packed: bytes) -> str:
    """The code again."""
    return unseal(_key(secret), packed).decode()


def read_codes(secret: bytes, text: str) -> tuple[dict[bytes, bytes], list[int]]:
    """One code a line: the codes, by hash and sealed, and the numbers of the lines that are none.

    Empty lines are passed over, and a first line that says `code`.
    """
    found: dict[bytes, bytes] = {}
    wrong: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        typed = line.strip().strip('"').strip()
        if not typed or (number == 1 and typed.casefold() == "code"):
            continue
        code = foreign_code(typed)
        if code is None:
            wrong.append(number)
        else:
            found.setdefault(foreign_hash(secret, code), sealed(secret, typed))
    return found, wrong


def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"pool-codes", hashlib.sha256)
