"""Sealing bytes: AES-256-GCM, a nonce of its own before each."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def seal(key: bytes, plain: bytes, about: bytes | None = None) -> bytes:
    """Nonce, ciphertext and tag. `about` is what they are of: under any other they do not open."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def unseal(key: bytes, sealed: bytes, about: bytes | None = None) -> bytes:
    """The inverse. Raises cryptography's InvalidTag, or ValueError where it is too short."""
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
