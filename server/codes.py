"""Pools of a retailer's own codes: sealed while they are free, gone from here when they are given out."""

import hashlib
import hmac

from offers.codes import foreign_code, foreign_hash
from server.sealing import seal, unseal


def sealed(sealing_key: bytes, code: str) -> bytes:
    """A code as it is kept until somebody is given it: AES-256-GCM, under what follows from the key."""
    return seal(_key(sealing_key), code.encode())


def opened(sealing_key: bytes, packed: bytes) -> str:
    """The code again. Raises cryptography's InvalidTag where another key has sealed it."""
    return unseal(_key(sealing_key), packed).decode()


def read_codes(secret: bytes, text: str) -> tuple[dict[bytes, str], list[int]]:
    """One code a line: the codes as they were typed, by hash, and the numbers of the lines that are none.

    Empty lines are passed over, and a first line that says `code`.
    """
    found: dict[bytes, str] = {}
    wrong: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        typed = line.strip().strip('"').strip()
        if not typed or (number == 1 and typed.casefold() == "code"):
            continue
        code = foreign_code(typed)
        if code is None:
            wrong.append(number)
        else:
            found.setdefault(foreign_hash(secret, code), typed)
    return found, wrong


def _key(sealing_key: bytes) -> bytes:
    return hmac.digest(sealing_key, b"pool-codes", hashlib.sha256)
