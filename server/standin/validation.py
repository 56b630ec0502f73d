"""What FCM demands of a message before it takes it over. Pure.

Written from the FCM v1 discovery document, for the fields of a message to one device on Android or iOS.
"""

import re
from typing import Any

from msgspec import Struct

from server.standin.answers import Answer, bad_request, failed
from server.standin.faults import Fault

#: Keys and values of the data map together with the notification's text, in bytes.
PAYLOAD_BYTES = 4096
TTL_MAX_S = 2_419_200
DEFAULT_TTL_S = TTL_MAX_S
COLLAPSE_ID_BYTES = 64

_TARGETS = ("token", "fid", "topic", "condition")
_KNOWN = {
    "message": {*_TARGETS, "name", "data", "notification", "android", "webpush", "apns", "fcm_options"},
    "message.notification": {"title", "body", "image"},
    "message.android": {
        *(
            "collapse_key",
            "priority",
            "ttl",
            "restricted_package_name",
            "data",
            "notification",
            "fcm_options",
        ),
        *("direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok"),
    },
    "message.android.notification": {
        *("title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key", "body_loc_args"),
        *("title_loc_key", "title_loc_args", "channel_id", "ticker", "sticky", "event_time", "local_only"),
        *("notification_priority", "default_sound", "default_vibrate_timings", "default_light_settings"),
        *("vibrate_timings", "visibility", "notification_count", "light_settings", "image"),
    },
    "message.webpush": {"headers", "data", "notification", "fcm_options"},
    "message.apns": {"headers", "payload", "fcm_options", "live_activity_token"},
}
_ADDRESS = re.compile(r"[A-Za-z0-9_.:-]{1,4096}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_DURATION = re.compile(r"(\d+)(\.\d{1,9})?s")


class ValidMessage(Struct, frozen=True, kw_only=True):
    """A message that FCM would take over."""

    address: str
    title: str
    body: str
    data: dict[str, str]
    ttl_s: int
    tag: str | None
    collapse_key: str | None


def validate(document: Any) -> ValidMessage | Answer:
    """The message in the request's JSON, or FCM's refusal."""
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, dict):
        return bad_request("message", "Message is not set.")
    targets = [name for name in _TARGETS if name in message]
    if len(targets) != 1:
        return bad_request("message", f"Exactly one of {', '.join(_TARGETS)} is required.")
    refusal = (
        _shape(message)
        or _data(message.get("data", {}))
        or _android(message)
        or _apns(message)
        or _webpush(message)
    )
    if refusal is not None:
        return refusal
    address = message[targets[0]]
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        return failed(Fault(kind="invalid_address"))
    return _message(message, address)


def _message(message: dict[str, Any], address: str) -> ValidMessage | Answer:
    notification, data = message.get("notification", {}), message.get("data", {})
    android, webpush = message.get("android", {}), message.get("webpush", {})
    headers = webpush.get("headers", {})
    texts = [text for text in notification.values() if isinstance(text, str)]
    size = sum(len(text.encode()) for text in (*texts, *data.keys(), *data.values()))
    if size > PAYLOAD_BYTES:
        return failed(Fault(kind="too_big"))
    return ValidMessage(
        address=address,
        title=notification.get("title", ""),
        body=notification.get("body", ""),
        data=data,
        ttl_s=_ttl_s(android, headers),
        tag=android.get("notification", {}).get("tag") or webpush.get("notification", {}).get("tag"),
        collapse_key=android.get("collapse_key") or headers.get("Topic"),
    )


def _ttl_s(android: dict[str, Any], web_headers: dict[str, str]) -> int:
    if "TTL" in web_headers:
        return int(web_headers["TTL"])
    return int(android["ttl"].partition(".")[0].rstrip("s")) if "ttl" in android else DEFAULT_TTL_S


def _shape(message: dict[str, Any]) -> Answer | None:
    """Refuses unknown names, as Google's JSON front end does."""
    for path, known in _KNOWN.items():
        node: Any = message
        for step in path.split(".")[1:]:
            node = node.get(step, {})
        if not isinstance(node, dict):
            return bad_request(path, f"Invalid value at '{path}'")
        unknown = sorted(set(node) - known)
        if unknown:
            where = f"Unknown name '{unknown[0]}' at '{path}': Cannot find field."
            return bad_request(path, f"Invalid JSON payload received. {where}")
    return None


def _data(data: Any) -> Answer | None:
    if not isinstance(data, dict):
        return bad_request("message.data", "Invalid value at 'message.data'")
    for index, (key, value) in enumerate(data.items()):
        if not isinstance(value, str):
            field = f"message.data[{index}].value"
            return bad_request(field, f"Invalid value at '{field}' (TYPE_STRING), {value}")
        if key in {"from", "message_type"} or key.startswith(("google.", "gcm.notification.")):
            return bad_request("message.data", f"Invalid data payload key: {key}")
    return None


def _android(message: dict[str, Any]) -> Answer | None:
    android = message.get("android", {})
    if "ttl" in android:
        match = _DURATION.fullmatch(str(android["ttl"]))
        if match is None or int(match[1]) > TTL_MAX_S:
            return bad_request(
                "message.android.ttl", f"Invalid value at 'message.android.ttl': {android['ttl']}"
            )
    if android.get("priority", "NORMAL") not in {"NORMAL", "HIGH", "normal", "high"}:
        return bad_request("message.android.priority", "Invalid value at 'message.android.priority'")
    return None


def _apns(message: dict[str, Any]) -> Answer | None:
    headers = message.get("apns", {}).get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        return bad_request("message.apns.headers", "Invalid value at 'message.apns.headers' (TYPE_STRING)")
    problems = {
        "apns-collapse-id": len(headers.get("apns-collapse-id", "").encode()) > COLLAPSE_ID_BYTES,
        "apns-priority": headers.get("apns-priority", "10") not in {"1", "5", "10"},
        "apns-expiration": not headers.get("apns-expiration", "0").isdigit(),
        "apns-push-type": headers.get("apns-push-type", "alert") not in {"alert", "background"},
        # APNs answers BadPriority (Apple, "Pushing background updates to your app").
        "apns-priority of a background push": headers.get("apns-push-type") == "background"
        and headers.get("apns-priority") != "5",
    }
    for name, wrong in problems.items():
        if wrong:
            return bad_request(f"message.apns.headers.{name}", f"Invalid APNs header: {name}")
    return None


def _webpush(message: dict[str, Any]) -> Answer | None:
    webpush = message.get("webpush", {})
    headers = webpush.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        return bad_request(
            "message.webpush.headers", "Invalid value at 'message.webpush.headers' (TYPE_STRING)"
        )
    link = webpush.get("fcm_options", {}).get("link", "https://")
    problems = {
        "headers.TTL": not headers.get("TTL", "0").isdigit(),
        "headers.Urgency": headers.get("Urgency", "normal") not in {"very-low", "low", "normal", "high"},
        "headers.Topic": not _TOPIC.fullmatch(headers.get("Topic", "topic")),
        "fcm_options.link": not str(link).startswith("https://"),
    }
    for name, wrong in problems.items():
        if wrong:
            return bad_request(f"message.webpush.{name}", f"Invalid value at 'message.webpush.{name}'")
    return None
