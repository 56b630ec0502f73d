"""The second factor: codes of six digits by the time (RFC 6238), as every authenticator app makes them.

Its secret is kept sealed: AES-256-GCM under a key of the account's own, which follows from one of the
retailer's (`server.sealing_keys`). Bound to the account, it opens in no other's row.
"""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from server.sealing import seal, unseal

STEP_S = 30
_VERSION = b"\x01"
_STEPS_OFF = 1  #: phones' clocks are a little off


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 recommends."""
    return secrets.token_bytes(20)


def sealed(secret: bytes, sealing_key: bytes, user_id: str) -> bytes:
    """A secret as it is kept: version, nonce, ciphertext, tag."""
    return _VERSION + seal(_key(sealing_key, user_id), secret, user_id.encode())


def opened(kept: bytes, sealing_key: bytes, user_id: str) -> bytes:
    """The secret that was kept. Raises cryptography's InvalidTag where it was changed, or is another's."""
    return unseal(_key(sealing_key, user_id), kept[len(_VERSION) :], user_id.encode())


def _key(sealing_key: bytes, user_id: str) -> bytes:
    return hmac.digest(sealing_key, f"totp.{user_id}".encode(), hashlib.sha256)


def step_of(secret: bytes, code: str, now_us: int) -> int | None:
    """The time step that the code is of; None where it is not one of now."""
    now_step = now_us // 1_000_000 // STEP_S
    for step in range(now_step - _STEPS_OFF, now_step + _STEPS_OFF + 1):
        if hmac.compare_digest(code_at(secret, step), code.encode()):
            return step
    return None


def code_at(secret: bytes, step: int) -> bytes:
    """The code of a time step."""
    return TOTP(secret, 6, SHA1(), STEP_S, enforce_key_length=False).generate(step * STEP_S)  # noqa: S303


def base32(secret: bytes) -> str:
    """The secret as a person types it."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, email: str) -> str:
    """What the QR code for an authenticator app says."""
    return f"otpauth://totp/Vicino:{quote(email)}?secret={base32(secret)}&issuer=Vicino"
