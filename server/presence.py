"""Presence tokens: "she is at this store, from when to when", for a till to verify without a connection.

    body  = version (1 byte), key id = day (2), store (8), shopper (8), from (4), until (4)
    token = body and its Ed25519 signature (RFC 8032), in base64 without padding, for URLs (RFC 4648, 5)

The store is the beginning of a hash of its id; the shopper a pseudonym keyed by the day, by which no till can
tell who came again on another. Keys rotate daily: each is derived from the retailer's secret, only the public
half is given out, for yesterday, today and the days that a till may be offline. Whatever is not surely good
is refused: another version, store, key or length, a wrong signature, a time that has not come or is over.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = 1
LIFE_S = 300
DAY_S = 86_400
#: How many days ahead a till gets keys for.
DAYS_AHEAD = 3
#: Clocks of tills may be off by so much.
SKEW_S = 60

_BODY = struct.Struct(">BH8s8sII")
_SIGNATURE_BYTES = 64


class Present(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a good token says."""

    shopper: str  #: pseudonym of the day, in hexadecimal digits
    from_s: int  #: Unix seconds
    until_s: int


def token_for(secret: bytes, shopper_id: str, store: str, now_s: int) -> tuple[str, int]:
    """A token that she is at the store now, and until when it is good (Unix seconds)."""
    day, until_s = now_s // DAY_S, now_s + LIFE_S
    shopper = hmac.digest(secret, f"presence.shopper.{day}.{shopper_id}".encode(), hashlib.sha256)[:8]
    body = _BODY.pack(VERSION, day, _store_hash(store), shopper, now_s, until_s)
    signed = body + _key_of(secret, day).sign(body)
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode(), until_s


def keys_of(secret: bytes, now_s: int) -> dict[str, str]:
    """The public keys, by key id, that a till needs from now on, in base64."""
    today = now_s // DAY_S
    return {
        str(day): base64.b64encode(
            _key_of(secret, day).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        ).decode()
        for day in range(today - 1, today + DAYS_AHEAD + 1)
    }


def verified(token: str, keys: Mapping[str, str], store: str, now_s: int) -> Present | str:
    """What a token says at a store now, or why it is refused. Needs nothing but the keys."""
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return "unreadable"
    if len(signed) != _BODY.size + _SIGNATURE_BYTES:
        return "unreadable"
    body, signature = signed[: _BODY.size], signed[_BODY.size :]
    version, day, of_store, shopper, from_s, until_s = _BODY.unpack(body)
    if version != VERSION:
        return "unreadable"
    key = keys.get(str(day))
    if key is None:
        return "unknown_key"
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, body)
    except (InvalidSignature, ValueError):
        return "forged"
    if of_store != _store_hash(store):
        return "other_store"
    # A key signs for its own day alone, and for no longer than a token lives.
    if from_s // DAY_S != day or not from_s < until_s <= from_s + LIFE_S:
        return "forged"
    if now_s < from_s - SKEW_S:
        return "not_yet"
    if now_s >= until_s + SKEW_S:
        return "expired"
    return Present(shopper=shopper.hex(), from_s=from_s, until_s=until_s)


def _store_hash(store: str) -> bytes:
    return hashlib.sha256(store.encode()).digest()[:8]


def _key_of(secret: bytes, day: int) -> Ed25519PrivateKey:
    seed = hmac.digest(secret, f"presence.key.{day}".encode(), hashlib.sha256)
    return Ed25519PrivateKey.from_private_bytes(seed)
