"""What each answer of FCM means for the push and its address. Pure.

The generic code is in `error.status`; the real one is in `error.details`, under FcmError's type.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from notifications.push import (
    Accepted,
    AddressGone,
    Misconfigured,
    Outcome,
    PushInvalid,
    RetryLater,
)

#: FCM: without Retry-After, a quota is asked again after a minute.
QUOTA_WAIT_S = 60.0

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
_ADDRESS_WORDS = re.compile(r"registration|\btoken\b|installation|\bfid\b", re.IGNORECASE)


class FcmReply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of FCM, as much of it as was readable."""

    status: int
    #: Seconds named by Retry-After; None where absent or unreadable.
    retry_after_s: float | None = None
    #: FcmError's errorCode.
    code: str | None = None
    #: The fields that google.rpc.BadRequest complains about.
    bad_fields: tuple[str, ...] = ()
    #: What google.rpc.QuotaFailure says ran out ("project", "device"), without the name that follows it.
    quota: str | None = None
    #: Whether the message is about the address; "Android message is too big" carries the same code.
    about_address: bool = False
    #: The message's name, in a success.
    name: str | None = None


class _TakenOver(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None


_taken_over = msgspec.json.Decoder(_TakenOver)


def outcome_of(reply: FcmReply) -> Outcome:
    """What `reply` means. FcmError's code decides; without one that we know, the HTTP status does."""
    if reply.status // 100 == 2:
        return Accepted(provider_id=reply.name)
    return (_BY_CODE.get(reply.code or "") or _by_status(reply.status))(reply)


def _invalid_argument(reply: FcmReply) -> Outcome:
    # Named fields mean that the message is wrong, which is our mistake: the address must survive it.
    if reply.bad_fields:
        return PushInvalid(reason=f"invalid_argument:{reply.bad_fields[0]}")
    # FcmError alone: "The registration token is not a valid FCM registration token".
    if reply.code == "INVALID_ARGUMENT" and reply.about_address:
        return AddressGone(reason="invalid_address")
    return PushInvalid(reason="invalid_argument")


def _quota(reply: FcmReply) -> Outcome:
    reason = f"quota_exceeded:{reply.quota}" if reply.quota else "quota_exceeded"
    after_s = QUOTA_WAIT_S if reply.retry_after_s is None else reply.retry_after_s
    return RetryLater(reason=reason, after_s=after_s, everybody=reply.quota in {None, "project"})


def _may_pass(reply: FcmReply, reason: str) -> Outcome:
    return RetryLater(reason=reason, after_s=reply.retry_after_s, maybe_sent=True)


#: wire-formats of FCM's errors: errorCode -> what to do.
_BY_CODE: Mapping[str, Callable[[FcmReply], Outcome]] = {
    # 404: the app was removed, or the address expired (270 days on Android).
    "UNREGISTERED": lambda _: AddressGone(reason="unregistered"),
    # 400: either the address or our message; the details tell which.
    "INVALID_ARGUMENT": _invalid_argument,
    # 403: the address belongs to another Firebase project; an operator should know how it came here.
    "SENDER_ID_MISMATCH": lambda _: AddressGone(reason="sender_id_mismatch", alert=True),
    # 429: of the project, the device or the topic.
    "QUOTA_EXCEEDED": _quota,
    # 503: overloaded. The push may have gone out all the same, which its id makes harmless.
    "UNAVAILABLE": lambda reply: _may_pass(reply, "unavailable"),
    # 500
    "INTERNAL": lambda reply: _may_pass(reply, "internal"),
    # 401: FCM's key for APNs or web push is wrong, which an operator mends in the Firebase console.
    "THIRD_PARTY_AUTH_ERROR": lambda _: Misconfigured(reason="third_party_auth_error"),
    # Its name until 2019.
    "APNS_AUTH_ERROR": lambda _: Misconfigured(reason="third_party_auth_error"),
}


def _by_status(status: int) -> Callable[[FcmReply], Outcome]:
    """What an answer without a code that we know means (UNSPECIFIED_ERROR among them)."""
    if status == 400:
        return _invalid_argument
    if status == 429:
        return _quota
    # 401: our access token. 403: our account may not send. 3xx, 404: no such project, or a wrong endpoint.
    if status in {401, 403, 404} or status // 100 == 3:
        return lambda reply: Misconfigured(reason=f"http_{reply.status}")
    # 408 and 5xx, gateways' pages included: may pass.
    if status == 408 or status >= 500:
        return lambda reply: _may_pass(reply, f"http_{reply.status}")
    return lambda reply: PushInvalid(reason=f"http_{reply.status}")


def read_reply(status: int, retry_after: str | None, body: bytes, *, now_us: int) -> FcmReply:
    """The parts of an answer that mean something; a gateway's page, or any other body, leaves them empty."""
    if status // 100 == 2:
        return FcmReply(status=status, name=_name_in(body))
    wait_s = retry_after_s(retry_after, now_us=now_us)
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return FcmReply(status=status, retry_after_s=wait_s)
    error = document.get("error")
    details = [entry for entry in _entries(error, "details") if isinstance(entry, dict)]
    violations = _nested(details, _BAD_REQUEST, "fieldViolations")
    subjects = _texts(_nested(details, _QUOTA_FAILURE, "violations"), "subject")
    return FcmReply(
        status=status,
        retry_after_s=wait_s,
        code=_first(_texts(_of_type(details, _FCM_ERROR), "errorCode")),
        bad_fields=tuple(_texts(violations, "field")) or ("unnamed",) * bool(violations),
        # The subject goes on with the project's or the device's name, which no log needs.
        quota=_first([subject.partition(":")[0] for subject in subjects]),
        about_address=any(_ADDRESS_WORDS.search(text) for text in _texts([error], "message")),
    )


def _name_in(body: bytes) -> str | None:
    try:
        return _taken_over.decode(body).name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def retry_after_s(header: str | None, *, now_us: int) -> float | None:
    """Retry-After in seconds, from either of its two forms (RFC 9110, 10.2.3); None where unreadable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.fromtimestamp(now_us / 1e6, UTC)).total_seconds())


def _of_type(details: list[dict[str, Any]], type_url: str) -> list[dict[str, Any]]:
    return [entry for entry in details if entry.get("@type") == type_url]


def _nested(details: list[dict[str, Any]], type_url: str, key: str) -> list[Any]:
    return [inner for entry in _of_type(details, type_url) for inner in _entries(entry, key)]


def _entries(holder: Any, key: str) -> list[Any]:
    entries = holder.get(key) if isinstance(holder, dict) else None
    return entries if isinstance(entries, list) else []


def _texts(entries: list[Any], key: str) -> list[str]:
    found = (entry.get(key) for entry in entries if isinstance(entry, dict))
    return [text for text in found if isinstance(text, str)]


def _first(texts: list[str]) -> str | None:
    return texts[0] if texts else None
