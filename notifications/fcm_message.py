"""A push as Firebase Cloud Messaging's HTTP v1 request body. Pure.

Fields, limits and reserved keys: FCM v1 discovery document (revision 20261023) and the FCM error codes page.
"""

import hashlib
from typing import Any

from notifications.push import Push, PushInvalid
from notifications.render import shorten

#: FCM takes 4096 bytes; the rest is what FCM and APNs add around ours (keys of their own, JSON's quotes).
PAYLOAD_BYTES = 4096 - 512
#: APNs refuses a longer apns-collapse-id.
COLLAPSE_BYTES = 64
#: FCM's longest life of a message, four weeks.
TTL_MAX_S = 2_419_200

RESERVED_KEYS = frozenset({"from", "message_type"})
RESERVED_PREFIXES = ("google.", "gcm.notification.")

_TARGET_FIELD = {"fcm_token": "token", "fcm_fid": "fid"}
_MICROSECONDS = 1_000_000


def fcm_message(push: Push, *, now_us: int) -> dict[str, Any] | PushInvalid:
    """The body of `messages:send` for `push`, living from `now_us` to its expiry.

    Where the payload is too big, the body is shortened, then the title; never another field. `PushInvalid`
    where that is not enough, or where the item uses a key that FCM keeps for itself.
    """
    data = {**push.item, "push_id": push.push_id}
    reserved = sorted(key for key in data if is_reserved(key))
    if reserved:
        return PushInvalid(reason=f"reserved_key:{reserved[0]}")
    fitted = _fit(data)
    if isinstance(fitted, PushInvalid):
        return fitted
    texts = {"title": fitted.get("title", ""), "body": fitted.get("body", "")}
    collapse = collapse_id(push.collapse)
    return {
        "message": {
            _TARGET_FIELD[push.address.kind]: push.address.value,
            "notification": texts,
            "data": fitted,
            "android": _android(push, collapse, now_us),
            "apns": _apns(push, collapse, texts),
        }
    }


def is_reserved(key: str) -> bool:
    """Whether FCM keeps a data key for itself."""
    return key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES)


def collapse_id(value: str) -> str:
    """`value`, or where that is longer than APNs allows, a hash of it that is not."""
    encoded = value.encode()
    return value if len(encoded) <= COLLAPSE_BYTES else hashlib.sha256(encoded).hexdigest()


def _android(push: Push, collapse: str, now_us: int) -> dict[str, Any]:
    ttl_s = min(max(0, (push.expires_at_us - now_us) // _MICROSECONDS), TTL_MAX_S)
    return {
        # Left out, FCM would deliver for four weeks.
        "ttl": f"{ttl_s}s",
        # HIGH wakes a dozing phone; allowed because a notification is always shown.
        "priority": "HIGH",
        "collapse_key": collapse,
        "notification": {"tag": collapse},
    }


def _apns(push: Push, collapse: str, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "headers": {
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(push.expires_at_us // _MICROSECONDS),
            "apns-collapse-id": collapse,
        },
        # Not time-sensitive: Apple keeps that level for what needs immediate attention, which no offer does.
        "payload": {"aps": {"alert": texts, "sound": "default", "interruption-level": "active"}},
    }


def _fit(data: dict[str, str]) -> dict[str, str] | PushInvalid:
    fitted = dict(data)
    for text in ("body", "title"):
        while (excess := _payload_bytes(fitted) - PAYLOAD_BYTES) > 0 and fitted.get(text):
            # A character takes at most 8 bytes, 4 here and 4 in the notification: an eighth of the excess
            # never cuts too much, and one character at least makes sure that the loop ends.
            fitted[text] = shorten(fitted[text], len(fitted[text]) - max(1, excess // 8))
    return fitted if _payload_bytes(fitted) <= PAYLOAD_BYTES else PushInvalid(reason="too_big")


def _payload_bytes(data: dict[str, str]) -> int:
    """UTF-8 bytes of the data map, and of the title and body that travel again as the notification."""
    shown = sum(len(data.get(text, "").encode()) for text in ("title", "body"))
    return shown + sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
