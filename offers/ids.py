"""Ids that follow from what they name, so that the same moment is never named twice."""

import base64
import hashlib


def derived_id(prefix: str, *parts: str | int) -> str:
    """`prefix_` and 26 base32 characters (128 bits) of the SHA-256 of the parts, which may hold anything."""
    text = "".join(f"{len(part)}:{part}" for part in map(str, parts))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    return f"{prefix}_{base64.b32encode(digest).decode().rstrip('=').lower()}"
