"""Passwords: Argon2id off the event loop, few at a time."""

import asyncio
import secrets
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import BadUse

LEAST, MOST = 12, 200  #: characters
#: RFC 9106's second recommendation in memory (64 MiB), which argon2-cffi takes by default.
_HASHER: Final = PasswordHasher()
#: Each takes 64 MiB and a core for some 50 ms: whoever guesses waits in line.
_TURNS: Final = asyncio.Semaphore(2)


def new_password() -> str:
    """A password to be told once: 20 letters and digits in groups, 99 bits, none that look alike."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def require_good(password: str) -> None:
    """Raises BadUse for a password that is too short or too long."""
    if not LEAST <= len(password) <= MOST:
        raise BadUse(f"password: from {LEAST} to {MOST} characters")


async def hashed(password: str) -> str:
    """What is kept of a password."""
    async with _TURNS:
        return await asyncio.to_thread(_HASHER.hash, password)


async def is_right(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; None takes as long, and is never right."""
    async with _TURNS:
        right = await asyncio.to_thread(_verify, password_hash, password)
    return right and password_hash is not None


@cache
def _nobodys() -> str:
    """What nobody's password is compared with, so that an unknown address takes as long as a known one."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def _verify(password_hash: str | None, password: str) -> bool:
    nobodys = _nobodys()  # made by whichever is first, so that its time says nothing of the address
    try:
        return _HASHER.verify(password_hash or nobodys, password)
    except (VerificationError, InvalidHashError):
        return False
