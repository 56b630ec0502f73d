"""The outbox's rules: what each outcome makes of a push, and when it is tried again."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from notifications.outbox import NEXT_STATE, TERMINAL, PushRow, Settlement, check, push_of, settle, wait_s
from notifications.push import (
    Accepted,
    AddressGone,
    Ambiguous,
    InboxOnly,
    Misconfigured,
    Outcome,
    PushAddress,
    PushInvalid,
    RetryLater,
)

NOW_US = 1_800_000_000_000_000
S = 1_000_000
LATE_US = 3 * S
ADDRESS = PushAddress(kind="fcm_token", value="phone-1", platform="android")
TRANSIENT = (RetryLater(reason="unavailable"), Ambiguous(reason="timeout"), Misconfigured(reason="http_401"))


def row(
    *, attempts: int = 1, age_s: float = 0, life_s: float = 900, address: PushAddress | None = ADDRESS
) -> PushRow:
    received_at_us = NOW_US - round(age_s * S)
    return PushRow(
        retailer_id="ret_1",
        push_id="psh_1",
        decision_id="dec_1",
        shopper_id="shp_1",
        device_id="dev_1",
        store="helsinki-1",
        item={"title": "t", "code": "K7QF"},
        attempts=attempts,
        fencing=attempts,
        received_at_us=received_at_us,
        decided_at_us=received_at_us,
        claimed_at_us=NOW_US,
        leased_until_us=NOW_US + 30 * S,
        expires_at_us=NOW_US + round(life_s * S),
        address=address,
    )


def checked(one: PushRow, refusals: dict[str, str] | None = None) -> Settlement | None:
    return check(one, refusals or {}, now_us=NOW_US, late_us=LATE_US)


def test_every_outcome_has_a_next_state() -> None:
    assert set(NEXT_STATE) == set(get_args(Outcome))


def test_an_accepted_push_is_sent() -> None:
    settled = settle(row(), Accepted(provider_id="projects/p/messages/1"), now_us=NOW_US)
    assert settled == Settlement(state="sent", accepted_at_us=NOW_US, provider_id="projects/p/messages/1")


def test_a_dead_address_is_forgotten_and_the_offer_stays_in_the_inbox() -> None:
    settled = settle(row(), AddressGone(reason="unregistered"), now_us=NOW_US)
    assert settled == Settlement(state="inbox_only", reason="unregistered", forget=ADDRESS)


def test_an_invalid_push_fails_and_its_address_is_kept() -> None:
    settled = settle(row(), PushInvalid(reason="too_big"), now_us=NOW_US)
    assert settled == Settlement(state="failed", reason="too_big")


def test_without_a_provider_the_offer_stays_in_the_inbox() -> None:
    settled = settle(row(), InboxOnly(reason="no_provider"), now_us=NOW_US)
    assert settled == Settlement(state="inbox_only", reason="no_provider")


@pytest.mark.parametrize("outcome", TRANSIENT)
def test_what_may_pass_is_tried_again_with_its_address_kept(outcome: Outcome) -> None:
    settled = settle(row(), outcome, now_us=NOW_US)
    assert settled.state == "pending"
    assert settled.forget is None
    assert settled.due_at_us is not None
    assert settled.due_at_us >= NOW_US + 10 * S


@pytest.mark.parametrize("outcome", TRANSIENT)
def test_a_retry_that_would_come_after_the_offer_is_not_made(outcome: Outcome) -> None:
    assert settle(row(life_s=9), outcome, now_us=NOW_US).state == "expired"


def test_a_wait_that_the_provider_names_is_honoured_in_full() -> None:
    assert 37 <= wait_s("psh_1", 1, RetryLater(reason="unavailable", after_s=37)) <= 37 * 1.1


def test_a_provider_that_names_no_wait_at_all_is_not_hammered() -> None:
    assert wait_s("psh_1", 1, RetryLater(reason="unavailable", after_s=0)) >= 1


def test_a_named_wait_beyond_the_offer_ends_it() -> None:
    outcome = RetryLater(reason="quota_exceeded", after_s=3600)
    assert settle(row(), outcome, now_us=NOW_US) == Settlement(state="expired", reason="quota_exceeded")


@given(st.text(min_size=1), st.integers(min_value=1, max_value=1000))
def test_backoff_starts_at_ten_seconds_and_doubles_up_to_a_bound(push_id: str, attempt: int) -> None:
    unjittered = min(10 * 2.0 ** min(attempt - 1, 16), 160)
    assert unjittered <= wait_s(push_id, attempt, Ambiguous(reason="timeout")) <= unjittered * 1.5


def test_the_jitter_is_always_the_same_for_a_push_and_an_attempt() -> None:
    outcome = RetryLater(reason="internal")
    assert wait_s("psh_1", 2, outcome) == wait_s("psh_1", 2, outcome)


def test_pushes_refused_together_do_not_come_back_together() -> None:
    waits = {round(wait_s(f"psh_{n}", 1, RetryLater(reason="internal")), 1) for n in range(200)}
    assert len(waits) > 40


def test_a_fresh_push_passes_the_last_check() -> None:
    assert checked(row(age_s=2.9)) is None


def test_a_push_at_its_end_is_expired() -> None:
    assert checked(row(life_s=0)) == Settlement(state="expired", reason="expired")


def test_a_push_that_is_not_wanted_any_more_is_withdrawn_with_its_reason() -> None:
    assert checked(row(), {"psh_1": "no_consent"}) == Settlement(state="withdrawn", reason="no_consent")


def test_a_late_push_stays_in_the_inbox() -> None:
    assert checked(row(age_s=3.1)) == Settlement(state="inbox_only", reason="late")


def test_exactly_three_seconds_is_not_late() -> None:
    assert checked(row(age_s=3)) is None


def test_a_retry_is_never_late() -> None:
    assert checked(row(age_s=300, attempts=2)) is None


def test_a_withdrawn_consent_weighs_more_than_lateness() -> None:
    settled = checked(row(age_s=10), {"psh_1": "no_consent"})
    assert settled == Settlement(state="withdrawn", reason="no_consent")


def test_a_device_without_an_address_has_the_inbox() -> None:
    assert checked(row(address=None)) == Settlement(state="inbox_only", reason="no_address")


def test_terminal_states_are_all_but_pending_and_leased() -> None:
    assert {"sent", "expired", "withdrawn", "superseded", "failed", "inbox_only"} == TERMINAL


def test_a_push_collapses_with_its_own_copies_alone() -> None:
    assert push_of(row(), ADDRESS).collapse == "psh_1"


def test_a_claimed_push_shows_neither_address_nor_code_in_a_log() -> None:
    assert "phone-1" not in repr(row())
    assert "K7QF" not in repr(row())


class TestAtMostOnce:
    """`push_mode` at_most_once: rather not sent than perhaps sent twice."""

    @pytest.mark.parametrize(
        "outcome", [Ambiguous(reason="timeout"), RetryLater(reason="unavailable", maybe_sent=True)]
    )
    def test_what_may_have_been_sent_is_not_tried_again(self, outcome: Outcome) -> None:
        settled = settle(replace(row(), at_most_once=True), outcome, now_us=NOW_US)
        assert settled == Settlement(state="failed", reason=f"maybe_sent:{outcome.reason}")  # type: ignore[union-attr]

    @pytest.mark.parametrize("reason", ["quota_exceeded", "unreachable"])
    def test_what_was_surely_not_sent_is(self, reason: str) -> None:
        settled = settle(replace(row(), at_most_once=True), RetryLater(reason=reason), now_us=NOW_US)
        assert settled.state == "pending"

    def test_a_claim_whose_relay_died_is_not_made_again(self) -> None:
        doubtful = replace(row(attempts=2), at_most_once=True, in_doubt=True)
        assert checked(doubtful) == Settlement(state="failed", reason="maybe_sent:lease_lost")
        assert checked(replace(doubtful, at_most_once=False)) is None


class TestRecalls:
    def test_a_recall_goes_out_though_she_has_left_and_though_it_is_late(self) -> None:
        recall = replace(row(age_s=60), push_id="rcl_1", kind="recall", item={"recalls": "psh_1"})
        assert checked(recall, {"rcl_1": "left"}) is None

    def test_a_recall_takes_the_place_of_its_push(self) -> None:
        recall = replace(row(), push_id="rcl_1", kind="recall", item={"recalls": "psh_1"})
        assert push_of(recall, ADDRESS).collapse == push_of(row(), ADDRESS).collapse == "psh_1"
