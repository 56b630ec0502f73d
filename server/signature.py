"""Signed requests: a device that registered a public key signs what it sends, and nothing else counts then.

A stolen access token alone is then of no use: the private key stays in the phone's key store. Signed are the
time of sending and the body, with Ed25519 (RFC 8032): `Vicino-Signed-At` (Unix seconds), a newline, the body.
"""

import base64
import binascii

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.api.route import SERVICES
from server.auth import Caller
from server.problems import Problem

SIGNED_AT, SIGNATURE = "Vicino-Signed-At", "Vicino-Signature"
FRESH_US = 300 * 1_000_000  #: how far the time of sending may be from ours: phones' clocks are a little off


def public_key_from(text: str) -> bytes:
    """The 32 bytes of a public key in base64. Raises Problem 422."""
    try:
        key = base64.b64decode(text, validate=True)
        Ed25519PublicKey.from_public_bytes(key)
    except (binascii.Error, ValueError):
        detail = "an Ed25519 public key is 32 bytes in base64"
        raise Problem(422, "bad_field", detail, field="public_key") from None
    return key


async def body_of(request: web.Request, caller: Caller) -> bytes:
    """The body; of a device that signs, one that it has signed. Raises Problem 401."""
    body = await request.read()
    if caller.public_key is not None:
        now_us = request.app[SERVICES].clock.now_us()
        signed_at, signature = request.headers.get(SIGNED_AT, ""), request.headers.get(SIGNATURE, "")
        if not signed(caller.public_key, signed_at, signature, body, now_us=now_us):
            detail = (
                f"send {SIGNED_AT} (Unix seconds, now) and {SIGNATURE}: Ed25519 over it, a newline, the body"
            )
            raise Problem(401, "bad_signature", detail)
    return body


def signed(public_key: bytes, signed_at: str, signature: str, body: bytes, *, now_us: int) -> bool:
    """Whether the holder of the key signed the body about now."""
    if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) <= 12):
        return False
    if abs(int(signed_at) * 1_000_000 - now_us) > FRESH_US:
        return False
    try:
        proof = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(proof, f"{signed_at}\n".encode() + body)
    except (binascii.Error, InvalidSignature, ValueError):
        return False
    return True
