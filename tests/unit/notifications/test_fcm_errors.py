"""What each answer of FCM means, from bodies as the real service words them."""

import json
from typing import Any

import pytest

from notifications.providers.fcm_errors import outcome_of, read_reply, retry_after_s
from notifications.push import Accepted, AddressGone, Misconfigured, Outcome, PushInvalid, RetryLater

NOW_US = 1_800_000_000_000_000  # 2027-01-15T08:00:00Z
FCM = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError"}
BAD_TOKEN = "The registration token is not a valid FCM registration token"


def answer(
    status: int,
    code: str | None = None,
    *details: dict[str, Any],
    message: str = "",
    after: str | None = None,
) -> Outcome:
    all_details = [{**FCM, "errorCode": code}, *details] if code else list(details)
    body = {"error": {"code": status, "message": message, "status": "X", "details": all_details}}
    return outcome_of(read_reply(status, after, json.dumps(body).encode(), now_us=NOW_US))


def violation(field: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": "wrong"}],
    }


def test_success_is_accepted_under_the_messages_name() -> None:
    reply = read_reply(200, None, b'{"name":"projects/p/messages/1"}', now_us=NOW_US)
    assert outcome_of(reply) == Accepted(provider_id="projects/p/messages/1")


def test_unregistered_means_that_the_address_is_gone() -> None:
    assert answer(404, "UNREGISTERED") == AddressGone(reason="unregistered")


def test_an_invalid_registration_token_means_that_the_address_is_gone() -> None:
    assert answer(400, "INVALID_ARGUMENT", message=BAD_TOKEN) == AddressGone(reason="invalid_address")


def test_a_field_violation_is_our_mistake_and_keeps_the_address() -> None:
    assert answer(400, None, violation("message.data[0].value")) == PushInvalid(
        reason="invalid_argument:message.data[0].value"
    )


def test_a_field_violation_keeps_the_address_whatever_else_is_said() -> None:
    outcome = answer(400, "INVALID_ARGUMENT", violation("message.token"), message=BAD_TOKEN)
    assert outcome == PushInvalid(reason="invalid_argument:message.token")


def test_a_violation_without_a_field_keeps_the_address() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"description": "?"}]}
    assert isinstance(answer(400, "INVALID_ARGUMENT", detail, message=BAD_TOKEN), PushInvalid)


def test_a_message_too_big_keeps_the_address() -> None:
    outcome = answer(400, "INVALID_ARGUMENT", message="Android message is too big")
    assert outcome == PushInvalid(reason="invalid_argument")


def test_a_foreign_address_is_forgotten_with_an_alert() -> None:
    assert answer(403, "SENDER_ID_MISMATCH") == AddressGone(reason="sender_id_mismatch", alert=True)


def test_a_quota_waits_a_minute() -> None:
    assert answer(429, "QUOTA_EXCEEDED") == RetryLater(reason="quota_exceeded", after_s=60, everybody=True)


def test_a_quota_waits_as_long_as_it_says() -> None:
    assert answer(429, "QUOTA_EXCEEDED", after="7") == RetryLater(
        reason="quota_exceeded", after_s=7, everybody=True
    )


def test_a_quota_names_what_ran_out_but_not_whose() -> None:
    detail = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"subject": "device:secret-token", "description": "too many"}],
    }
    assert answer(429, "QUOTA_EXCEEDED", detail) == RetryLater(reason="quota_exceeded:device", after_s=60)


def test_unavailable_backs_off_by_our_schedule() -> None:
    assert answer(503, "UNAVAILABLE") == RetryLater(reason="unavailable", maybe_sent=True)


def test_unavailable_honours_retry_after() -> None:
    assert answer(503, "UNAVAILABLE", after="12") == RetryLater(
        reason="unavailable", after_s=12, maybe_sent=True
    )


def test_internal_backs_off() -> None:
    assert answer(500, "INTERNAL") == RetryLater(reason="internal", maybe_sent=True)


@pytest.mark.parametrize("code", ["THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"])
def test_a_wrong_apns_key_is_for_an_operator_and_keeps_the_address(code: str) -> None:
    assert answer(401, code) == Misconfigured(reason="third_party_auth_error")


def test_an_unspecified_error_is_judged_by_its_status() -> None:
    assert answer(500, "UNSPECIFIED_ERROR") == RetryLater(reason="http_500", maybe_sent=True)
    assert answer(422, "UNSPECIFIED_ERROR") == PushInvalid(reason="http_422")


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_set_up_never_costs_an_address(status: int) -> None:
    assert answer(status) == Misconfigured(reason=f"http_{status}")


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_gateways_page_may_pass(status: int) -> None:
    reply = read_reply(status, None, b"<!DOCTYPE html><title>Error</title>", now_us=NOW_US)
    assert outcome_of(reply) == RetryLater(reason=f"http_{status}", maybe_sent=True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"error":[]}',
        b'{"error":{"details":{}}}',
        b'{"error":{"details":[1,{"@type":5}]}}',
        b'{"error":{"message":7,"details":null}}',
        b"\xff\xfe",
        b'{"name":5}',
    ],
)
def test_a_body_of_another_form_is_no_error_of_ours(body: bytes) -> None:
    assert outcome_of(read_reply(400, None, body, now_us=NOW_US)) == PushInvalid(reason="invalid_argument")
    assert outcome_of(read_reply(200, None, body, now_us=NOW_US)) == Accepted()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now_us=NOW_US) == seconds
