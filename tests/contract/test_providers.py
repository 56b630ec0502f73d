"""What holds for every provider of pushes, and for FCM each error of its documents, against the stand-in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from notifications.errors import CredentialsUnusable
from notifications.providers.base import Provider
from notifications.providers.fcm import FcmProvider
from notifications.providers.google_token import SCOPE
from notifications.providers.log import LogProvider
from notifications.push import (
    Accepted,
    AddressGone,
    Ambiguous,
    InboxOnly,
    Misconfigured,
    Outcome,
    Push,
    PushAddress,
    PushInvalid,
    RetryLater,
)
from server.standin.faults import FaultKind
from server.standin.fcm import StandinFcm
from server.standin.oauth import new_key
from tests.fakes import ManualClock

OUTCOMES = get_args(Outcome)


def push(number: int = 1, *, platform: str = "android", value: str | None = None, **item: str) -> Push:
    return Push(
        push_id=f"psh_{number}",
        item={"id": f"psh_{number}", "title": "Trainers", "body": "15% off", "code": "K7QF-2M9X", **item},
        address=PushAddress(kind="fcm_token", value=value or f"phone-{number}", platform=platform),
        expires_at_us=time.time_ns() // 1000 + 900_000_000,
        collapse=f"psh_{number}",
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time_ns() // 1000)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new_key()


@pytest.fixture
async def standin(key: rsa.RSAPrivateKey) -> AsyncIterator[StandinFcm]:
    async with StandinFcm(key=key) as running:
        yield running


@pytest.fixture
async def fcm(standin: StandinFcm, tmp_path: Path, clock: ManualClock) -> AsyncIterator[FcmProvider]:
    credentials = standin.service_account_file(tmp_path / "account.json")
    async with await FcmProvider.open(credentials, endpoint=standin.url, now_us=clock.now_us) as provider:
        yield provider


@pytest.fixture(params=["log", "fcm"])
def provider(request: pytest.FixtureRequest) -> Provider:
    if request.param == "log":
        return LogProvider()
    found: Provider = request.getfixturevalue("fcm")
    return found


class TestEveryProvider:
    async def test_an_attempt_ends_in_an_outcome(self, provider: Provider) -> None:
        assert isinstance(await provider.send(push()), OUTCOMES)

    async def test_attempts_run_side_by_side(self, provider: Provider) -> None:
        outcomes = await asyncio.gather(*(provider.send(push(number)) for number in range(150)))
        assert {type(outcome) for outcome in outcomes} <= {Accepted, InboxOnly}

    async def test_no_log_shows_address_code_or_text(
        self, provider: Provider, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        with structlog.testing.capture_logs() as events:
            await provider.send(push(body="fifteen percent off"))
        written = f"{events} {caplog.text} {capfd.readouterr()}"
        for secret in ("phone-1", "K7QF-2M9X", "fifteen percent off"):
            assert secret not in written

    async def test_a_push_that_no_provider_can_carry_is_an_outcome_too(self, provider: Provider) -> None:
        outcome = await provider.send(push(deep_link="x" * 9000))
        assert isinstance(outcome, PushInvalid | InboxOnly)

    async def test_closing_twice_is_closing_once(self, provider: Provider) -> None:
        await provider.send(push())
        await provider.aclose()
        await provider.aclose()

    async def test_a_closed_provider_still_answers(self, provider: Provider) -> None:
        await provider.aclose()
        assert isinstance(await provider.send(push()), RetryLater | InboxOnly)


async def test_without_credentials_offers_stay_in_the_inbox() -> None:
    assert await LogProvider().send(push()) == InboxOnly(reason="no_provider")


async def test_the_log_says_that_a_push_would_have_gone() -> None:
    with structlog.testing.capture_logs() as events:
        await LogProvider().send(push())
    assert [event["push_id"] for event in events] == ["psh_1"]


class TestFcm:
    async def test_an_accepted_push_shows_on_the_phone(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        outcome = await fcm.send(push())
        assert isinstance(outcome, Accepted)
        shown = await standin.wait_for_push("phone-1", timeout_s=5)
        assert shown.message_name == outcome.provider_id
        assert (shown.title, shown.body) == ("Trainers", "15% off")
        assert shown.data["code"] == "K7QF-2M9X"
        assert shown.push_id == "psh_1"

    async def test_an_installation_id_is_an_address_too(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        address = PushAddress(kind="fcm_fid", value="fid-1", platform="ios")
        assert isinstance(await fcm.send(replace(push(), address=address)), Accepted)
        assert len(standin.phone("fid-1").shown) == 1

    async def test_a_push_lives_no_longer_than_its_offer(
        self, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await fcm.send(replace(push(), expires_at_us=clock.now_us() + 61_500_000))
        [delivery] = standin.phone("phone-1").accepted
        assert (delivery.expires_at_us - delivery.accepted_at_us) == 61_000_000

    async def test_two_copies_of_one_push_show_once(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        await fcm.send(push())
        await fcm.send(push())
        assert len(standin.phone("phone-1").accepted) == 2
        assert len(standin.phone("phone-1").appeared) == 1

    async def test_the_account_asks_for_the_messaging_scope_alone(
        self, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await fcm.send(push())
        assert standin.oauth.grants == [frozenset({SCOPE})]

    async def test_three_hundred_pushes_need_one_token(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        await asyncio.gather(*(fcm.send(push(number)) for number in range(300)))
        assert len(standin.oauth.grants) == 1


#: Each error of FCM's documents, as the stand-in words it -> what a sender makes of it.
ERRORS: list[tuple[FaultKind, Outcome]] = [
    ("unregistered", AddressGone(reason="unregistered")),
    ("invalid_address", AddressGone(reason="invalid_address")),
    ("bad_request", PushInvalid(reason="invalid_argument:message.data[0].value")),
    ("too_big", PushInvalid(reason="invalid_argument")),
    ("sender_id_mismatch", AddressGone(reason="sender_id_mismatch", alert=True)),
    ("quota_exceeded", RetryLater(reason="quota_exceeded:project", after_s=60, everybody=True)),
    ("unavailable", RetryLater(reason="unavailable", maybe_sent=True)),
    ("delivered_unavailable", RetryLater(reason="unavailable", maybe_sent=True)),
    ("internal", RetryLater(reason="internal", maybe_sent=True)),
    ("third_party_auth_error", Misconfigured(reason="third_party_auth_error")),
    ("permission_denied", Misconfigured(reason="http_403")),
    ("unspecified", RetryLater(reason="http_500", maybe_sent=True)),
    ("bad_gateway", RetryLater(reason="http_502", maybe_sent=True)),
    ("delivered_reset", Ambiguous(reason="connection_lost")),
]


class TestFcmErrors:
    @pytest.mark.parametrize(("kind", "outcome"), ERRORS)
    async def test_each_error_is_what_its_table_says(
        self, fcm: FcmProvider, standin: StandinFcm, kind: FaultKind, outcome: Outcome
    ) -> None:
        standin.fail_next(kind)
        assert await fcm.send(push()) == outcome

    @pytest.mark.parametrize("kind", ["quota_exceeded", "unavailable", "internal"])
    async def test_retry_after_is_honoured(
        self, fcm: FcmProvider, standin: StandinFcm, kind: FaultKind
    ) -> None:
        standin.fail_next(kind, retry_after_s=17)
        outcome = await fcm.send(push())
        assert isinstance(outcome, RetryLater)
        assert outcome.after_s == 17

    async def test_nothing_is_sent_twice_by_itself(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        standin.fail_next("internal", times=5)
        await fcm.send(push())
        assert standin.requests == 1

    async def test_no_answer_in_time_is_ambiguous(
        self, standin: StandinFcm, tmp_path: Path, clock: ManualClock
    ) -> None:
        standin.fail_next("delivered_hang")
        credentials = standin.service_account_file(tmp_path / "account.json")
        async with await FcmProvider.open(
            credentials, endpoint=standin.url, now_us=clock.now_us, attempt_timeout_s=0.3
        ) as impatient:
            assert await impatient.send(push()) == Ambiguous(reason="timeout")
        assert len(standin.phone("phone-1").shown) == 1

    async def test_an_endpoint_that_does_not_listen_was_sent_nothing(
        self, standin: StandinFcm, tmp_path: Path, clock: ManualClock, unused_port: int
    ) -> None:
        credentials = standin.service_account_file(tmp_path / "account.json")
        async with await FcmProvider.open(
            credentials, endpoint=f"http://127.0.0.1:{unused_port}", now_us=clock.now_us
        ) as provider:
            assert await provider.send(push()) == RetryLater(reason="unreachable")

    async def test_an_address_of_another_form_is_gone(self, fcm: FcmProvider) -> None:
        assert await fcm.send(push(value="not a token")) == AddressGone(reason="invalid_address")

    async def test_a_reserved_key_never_leaves_the_house(self, fcm: FcmProvider, standin: StandinFcm) -> None:
        outcome = await fcm.send(push(**{"google.x": "1"}))
        assert outcome == PushInvalid(reason="reserved_key:google.x")
        assert standin.requests == 0

    async def test_a_wrong_apns_key_stops_ios_for_a_while_and_nobody_else(
        self, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        standin.fail_next("third_party_auth_error")
        await fcm.send(push(1, platform="ios"))
        assert await fcm.send(push(2, platform="ios")) == Misconfigured(reason="third_party_auth_error")
        assert standin.requests == 1
        assert isinstance(await fcm.send(push(3)), Accepted)
        clock.advance(61)
        assert isinstance(await fcm.send(push(4, platform="ios")), Accepted)

    async def test_a_wrong_project_keeps_every_address(
        self, standin: StandinFcm, tmp_path: Path, clock: ManualClock
    ) -> None:
        path = standin.service_account_file(tmp_path / "account.json")
        path.write_text(path.read_text().replace('"vicino-standin"', '"another"'))
        async with await FcmProvider.open(path, endpoint=standin.url, now_us=clock.now_us) as provider:
            assert await provider.send(push()) == Misconfigured(reason="http_404")


class TestFcmTokens:
    async def test_a_token_refused_before_its_time_is_replaced_and_the_push_goes_out(
        self, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await fcm.send(push(1))
        standin.oauth.revoke_all()
        assert isinstance(await fcm.send(push(2)), Accepted)
        assert len(standin.oauth.grants) == 2

    async def test_a_push_lives_no_longer_for_having_waited_for_a_new_token(
        self, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await fcm.send(push(1))
        standin.oauth.revoke_all()
        renewed = fcm._tokens.renewed

        async def slowly(token: str) -> str | Outcome:
            clock.advance(20)
            return await renewed(token)

        monkeypatch.setattr(fcm._tokens, "renewed", slowly)
        await fcm.send(replace(push(2), expires_at_us=clock.now_us() + 61_500_000))
        delivery = await standin.wait_for_push("phone-2", timeout_s=1)
        assert (delivery.expires_at_us - delivery.accepted_at_us) == 41_000_000

    async def test_a_hundred_refused_senders_share_one_new_token(
        self, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await fcm.send(push(0))
        standin.oauth.revoke_all()
        outcomes = await asyncio.gather(*(fcm.send(push(number)) for number in range(1, 101)))
        assert {type(outcome) for outcome in outcomes} == {Accepted}
        assert len(standin.oauth.grants) == 2

    async def test_a_service_that_refuses_every_token_is_for_an_operator(
        self, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        standin.fail_next("unauthenticated", times=20)
        outcomes = [await fcm.send(push(number)) for number in range(5)]
        assert outcomes == [Misconfigured(reason="http_401")] * 5
        assert len(standin.oauth.grants) == 2

    async def test_an_expired_token_is_not_sent(
        self, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await fcm.send(push(1))
        clock.advance(3601)
        await fcm.send(push(2))
        assert len(standin.oauth.grants) == 2
        assert standin.requests == 2

    async def test_a_token_endpoint_that_is_down_sends_nothing_and_costs_nothing(
        self, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        standin.fail_next_token(500, times=3)
        outcomes = await asyncio.gather(*(fcm.send(push(number)) for number in range(10)))
        assert set(outcomes) == {RetryLater(reason="token_endpoint_unavailable")}
        assert standin.requests == 0
        assert isinstance(await fcm.send(push(1)), Accepted)
        assert len(standin.phone("phone-1").accepted) == 1

    async def test_a_foreign_key_is_refused(
        self, standin: StandinFcm, tmp_path: Path, clock: ManualClock
    ) -> None:
        async with StandinFcm() as other:
            path = other.service_account_file(tmp_path / "account.json")
            path.write_text(path.read_text().replace(other.url, standin.url))
            async with await FcmProvider.open(path, endpoint=standin.url, now_us=clock.now_us) as provider:
                assert await provider.send(push()) == Misconfigured(reason="token_refused")

    async def test_a_missing_file_is_said_at_once(self, tmp_path: Path, clock: ManualClock) -> None:
        with pytest.raises(CredentialsUnusable):
            await FcmProvider.open(tmp_path / "nowhere.json", now_us=clock.now_us)


async def test_what_is_tried_by_hand_says_what_a_phone_shows(fcm: FcmProvider, standin: StandinFcm) -> None:
    await fcm.send(push())
    async with aiohttp.ClientSession() as session, session.get(f"{standin.url}/phones/phone-1") as response:
        [shown] = await response.json()
    assert shown["title"] == "Trainers"


@pytest.fixture
def unused_port(unused_tcp_port_factory: Callable[[], int]) -> int:
    return unused_tcp_port_factory()
