"""The bodies of FCM's answers, as the real service words them. Pure.

Sources: FCM's error codes page and its two examples; google.rpc's error model; bodies that users of the
service have published.
"""

from typing import Any

from msgspec import Struct

from server.standin.faults import Fault

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

_BAD_GATEWAY_PAGE = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 502 (Server Error)!!1</title>\n"
_UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
    "valid authentication credential."
)

#: kind of fault -> HTTP status, canonical status, message, FcmError's code (None: no such detail).
_ERRORS: dict[str, tuple[int, str, str, str | None]] = {
    "unregistered": (404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "invalid_address": (
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        "INVALID_ARGUMENT",
    ),
    "too_big": (400, "INVALID_ARGUMENT", "Android message is too big", "INVALID_ARGUMENT"),
    "sender_id_mismatch": (403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "quota_exceeded": (
        429,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
        "QUOTA_EXCEEDED",
    ),
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"),
    "delivered_unavailable": (503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"),
    "internal": (500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    "third_party_auth_error": (
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        "THIRD_PARTY_AUTH_ERROR",
    ),
    "unspecified": (500, "UNKNOWN", "Unknown error.", "UNSPECIFIED_ERROR"),
    "unauthenticated": (401, "UNAUTHENTICATED", _UNAUTHENTICATED, None),
    "permission_denied": (
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on resource.",
        None,
    ),
}


class Answer(Struct, frozen=True, kw_only=True):
    """An HTTP answer; a body that is text is sent as HTML."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = {}


def accepted(message_name: str) -> Answer:
    """FCM took the message over."""
    return Answer(status=200, body={"name": message_name})


def failed(fault: Fault, *, project_id: str = "") -> Answer:
    """The answer to a request that `fault` befell; the faults that hang or break have none."""
    if fault.kind == "bad_gateway":
        return Answer(status=502, body=_BAD_GATEWAY_PAGE)
    if fault.kind == "bad_request":
        return bad_request(
            "message.data[0].value", "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"
        )
    status, canonical, message, code = _ERRORS[fault.kind]
    details: list[dict[str, Any]] = [] if code is None else [{"@type": _FCM_ERROR, "errorCode": code}]
    if fault.kind == "quota_exceeded":
        violation = {"subject": f"project:{project_id}", "description": "Message rate exceeded"}
        details.append({"@type": _QUOTA_FAILURE, "violations": [violation]})
    if fault.kind == "unauthenticated":
        details.append(
            {
                "@type": _ERROR_INFO,
                "reason": "ACCESS_TOKEN_EXPIRED",
                "domain": "googleapis.com",
                "metadata": {},
            }
        )
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return Answer(status=status, body=_error(status, canonical, message, details), headers=headers)


def bad_request(field: str, description: str) -> Answer:
    """A field of the message is wrong."""
    violation = {"field": field, "description": description}
    details = [{"@type": _BAD_REQUEST, "fieldViolations": [violation]}]
    return Answer(status=400, body=_error(400, "INVALID_ARGUMENT", description, details))


def no_such_project(project_id: str) -> Answer:
    """The path names a project that is not ours."""
    return Answer(
        status=404,
        body=_error(404, "NOT_FOUND", f"Project '{project_id}' not found or deleted.", []),
    )


def _error(status: int, canonical: str, message: str, details: list[dict[str, Any]]) -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": message, "status": canonical}
    if details:
        error["details"] = details
    return {"error": error}
