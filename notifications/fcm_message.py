"""A push as Firebase Cloud Messaging's HTTP v1 request body. Pure.

Fields, limits and reserved keys: FCM v1 discovery document (revision 20261023) and the FCM error codes page.
"""

import hashlib
import re
from typing import Any

from notifications.push import Push, PushInvalid
from notifications.render import shorten

#: FCM takes 4096 bytes; the rest is what FCM and APNs add around ours (keys of their own, JSON's quotes).
PAYLOAD_BYTES = 4096 - 512
#: APNs refuses a longer apns-collapse-id.
COLLAPSE_BYTES = 64
#: A web push's Topic (RFC 8030, 5.4): up to 32 characters of base64url.
TOPIC_CHARS = 32
#: FCM's longest life of a message, four weeks.
TTL_MAX_S = 2_419_200

#: The category of an offer's notification on iOS: an app that registers actions for it shows them.
CATEGORY = "vicino_offer"

RESERVED_KEYS = frozenset({"from", "message_type"})
RESERVED_PREFIXES = ("google.", "gcm.notification.")

_TARGET_FIELD = {"fcm_token": "token", "fcm_fid": "fid", "fcm_web": "token"}
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MICROSECONDS = 1_000_000


def fcm_message(push: Push, *, now_us: int) -> dict[str, Any] | PushInvalid:
    """The body of `messages:send` for `push`, living from `now_us` to its expiry.

    Where the payload is too big, the body is shortened, then the title; never another field. `PushInvalid`
    where that is not enough, or where the item uses a key that FCM keeps for itself.
    """
    data = {**push.item, "push_id": push.push_id}
    if reserved := [key for key in data if is_reserved(key)]:
        return PushInvalid(reason=f"reserved_key:{min(reserved)}")
    fitted = _fit(data)
    if isinstance(fitted, PushInvalid):
        return fitted
    collapse = collapse_id(push.collapse)
    message: dict[str, Any] = {_TARGET_FIELD[push.address.kind]: push.address.value, "data": fitted}
    shown = None if push.kind == "recall" else _shown(fitted)
    if shown is not None:
        message["notification"] = shown
    if push.address.kind == "fcm_web":
        message["webpush"] = _webpush(push, collapse, shown, now_us)
    else:
        message["android"] = _android(push, collapse, shown, now_us)
        message["apns"] = _apns(push, collapse, shown)
    return {"message": message}


def _shown(data: dict[str, str]) -> dict[str, str]:
    """What the notification shows: title, body, and the product's picture where there is one."""
    shown = {"title": data.get("title", ""), "body": data.get("body", "")}
    # FCM refuses a picture that is not fetched safely.
    return shown | ({"image": data["image"]} if data.get("image", "").startswith("https://") else {})


def is_reserved(key: str) -> bool:
    """Whether FCM keeps a data key for itself."""
    return key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES)


def collapse_id(value: str) -> str:
    """`value`, or where that is longer than APNs allows, a hash of it that is not."""
    encoded = value.encode()
    return value if len(encoded) <= COLLAPSE_BYTES else hashlib.sha256(encoded).hexdigest()


def topic(collapse: str) -> str:
    """`collapse` as a web push's Topic: itself where it may be one, else a hash of it."""
    if _TOPIC.fullmatch(collapse):
        return collapse
    return hashlib.sha256(collapse.encode()).hexdigest()[:TOPIC_CHARS]


def _ttl_s(push: Push, now_us: int) -> int:
    return min(max(0, (push.expires_at_us - now_us) // _MICROSECONDS), TTL_MAX_S)


def _android(push: Push, collapse: str, shown: dict[str, str] | None, now_us: int) -> dict[str, Any]:
    block: dict[str, Any] = {
        # Left out, FCM would deliver for four weeks.
        "ttl": f"{_ttl_s(push, now_us)}s",
        # HIGH wakes a dozing phone; allowed only because a notification is shown.
        "priority": "NORMAL" if shown is None else "HIGH",
        "collapse_key": collapse,
    }
    if shown is not None:
        block["notification"] = {"tag": collapse}
    return block


def _apns(push: Push, collapse: str, shown: dict[str, str] | None) -> dict[str, Any]:
    block: dict[str, Any] = {
        "headers": {
            "apns-push-type": "background" if shown is None else "alert",
            # APNs refuses a background push of a higher priority.
            "apns-priority": "5" if shown is None else "10",
            "apns-expiration": str(push.expires_at_us // _MICROSECONDS),
            "apns-collapse-id": collapse,
        }
    }
    if shown is None:
        return block | {"payload": {"aps": {"content-available": 1}}}
    # Not time-sensitive: Apple keeps that level for what needs immediate attention, which no offer does.
    aps: dict[str, Any] = {
        "alert": {"title": shown["title"], "body": shown["body"]},
        "sound": "default",
        "interruption-level": "active",
        # The app's actions for this category: show the code, not now.
        "category": CATEGORY,
    }
    if "image" in shown:
        aps["mutable-content"] = 1
        block["fcm_options"] = {"image": shown["image"]}
    return block | {"payload": {"aps": aps}}


def _webpush(push: Push, collapse: str, shown: dict[str, str] | None, now_us: int) -> dict[str, Any]:
    block: dict[str, Any] = {
        "headers": {
            "TTL": str(_ttl_s(push, now_us)),
            "Urgency": "low" if shown is None else "high",
            # In the push service's queue a later message of the same topic takes the place of an earlier one.
            "Topic": topic(collapse),
        }
    }
    if shown is None:
        return block
    block["notification"] = {**shown, "tag": collapse}
    link = push.item.get("deep_link", "")
    return block | ({"fcm_options": {"link": link}} if link.startswith("https://") else {})


def _fit(data: dict[str, str]) -> dict[str, str] | PushInvalid:
    excess = _payload_bytes(data) - PAYLOAD_BYTES
    if excess <= 0:
        return data
    fitted = dict(data)
    for text in ("body", "title"):
        while excess > 0 and fitted.get(text):
            # A character takes at most 8 bytes, 4 here and 4 in the notification: an eighth of the excess
            # never cuts too much, and one character at least makes sure that the loop ends.
            fitted[text] = shorten(fitted[text], len(fitted[text]) - max(1, excess // 8))
            excess = _payload_bytes(fitted) - PAYLOAD_BYTES
    return fitted if excess <= 0 else PushInvalid(reason="too_big")


def _payload_bytes(data: dict[str, str]) -> int:
    """UTF-8 bytes of the data map, and of the title and body that travel again as the notification."""
    return len("".join([*data, *data.values(), data.get("title", ""), data.get("body", "")]).encode())
