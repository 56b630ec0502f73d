"""One access token for all senders: fetched once, ahead of its end, and again when it is refused."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import RefreshError, TransportError

from notifications.errors import CredentialsUnusable
from notifications.providers.google_token import AccessTokens, load_service_account
from notifications.push import Misconfigured, RetryLater
from tests.fakes import ManualClock

NOW_US = 1_800_000_000_000_000


class Account:
    """Credentials that count their refreshes; each takes as long as `gate` is closed."""

    def __init__(self, *, life_s: float = 3600) -> None:
        self.token: str | None = None
        self.expiry: datetime | None = None
        self.refreshes = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._life_s = life_s

    def refresh(self, request: Callable[..., Any]) -> None:  # noqa: ARG002 - google.auth passes it
        assert threading.current_thread() is not threading.main_thread(), "it would block the event loop"
        self.gate.wait(10)
        self.refreshes += 1
        if self.error is not None:
            raise self.error
        self.token = f"token-{self.refreshes}"
        self.expiry = (datetime.now(UTC) + timedelta(seconds=self._life_s)).replace(tzinfo=None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_US)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def tokens(account: Account, clock: ManualClock) -> AccessTokens:
    return AccessTokens(account, now_us=clock.now_us)


async def test_a_token_is_fetched_once_and_kept(tokens: AccessTokens, account: Account) -> None:
    assert [await tokens.current() for _ in range(5)] == ["token-1"] * 5
    assert account.refreshes == 1


async def test_a_clock_that_is_not_the_machines_changes_nothing(
    tokens: AccessTokens, account: Account, clock: ManualClock
) -> None:
    clock.advance(40 * 365 * 86_400)
    assert await tokens.current() == "token-1"
    clock.advance(2000)
    assert await tokens.current() == "token-1"
    assert account.refreshes == 1


async def test_many_senders_at_once_share_one_request(tokens: AccessTokens, account: Account) -> None:
    assert set(await asyncio.gather(*(tokens.current() for _ in range(50)))) == {"token-1"}
    assert account.refreshes == 1


async def test_near_its_end_a_token_is_renewed_behind_the_senders_backs(
    tokens: AccessTokens, account: Account, clock: ManualClock
) -> None:
    await tokens.current()
    clock.advance(3600 - 200)
    account.gate.clear()
    assert await tokens.current() == "token-1"
    account.gate.set()
    await tokens.aclose()
    assert await tokens.current() == "token-2"


async def test_a_token_at_its_end_is_not_used_any_more(
    tokens: AccessTokens, account: Account, clock: ManualClock
) -> None:
    await tokens.current()
    clock.advance(3600)
    assert await tokens.current() == "token-2"


async def test_a_short_lived_token_is_not_renewed_at_every_use(clock: ManualClock) -> None:
    account = Account(life_s=60)
    tokens = AccessTokens(account, now_us=clock.now_us)
    for _ in range(4):
        assert await tokens.current() == "token-1"
        clock.advance(10)
    await tokens.aclose()
    assert account.refreshes == 1


async def test_a_failed_renewal_ahead_of_time_leaves_the_old_token_in_use(
    tokens: AccessTokens, account: Account, clock: ManualClock
) -> None:
    await tokens.current()
    clock.advance(3600 - 200)
    account.error = TransportError("no route")
    for _ in range(5):
        assert await tokens.current() == "token-1"
        await tokens.aclose()
    assert account.refreshes == 2


async def test_a_refused_token_is_replaced_once_for_all(tokens: AccessTokens, account: Account) -> None:
    await tokens.current()
    renewed = await asyncio.gather(*(tokens.renewed("token-1") for _ in range(20)))
    assert set(renewed) == {"token-2"}
    assert account.refreshes == 2


async def test_tokens_that_are_refused_again_and_again_are_not_fetched_again_and_again(
    tokens: AccessTokens, account: Account, clock: ManualClock
) -> None:
    await tokens.current()
    assert await tokens.renewed("token-1") == "token-2"
    assert await tokens.renewed("token-2") == "token-2"
    clock.advance(11)
    assert await tokens.renewed("token-2") == "token-3"


async def test_an_unreachable_token_endpoint_may_come_back(tokens: AccessTokens, account: Account) -> None:
    account.error = TransportError("no route")
    assert await tokens.current() == RetryLater(reason="token_endpoint_unavailable")
    account.error = None
    assert await tokens.current() == "token-2"


async def test_an_account_that_is_refused_is_for_an_operator(tokens: AccessTokens, account: Account) -> None:
    account.error = RefreshError("invalid_grant", retryable=False)
    assert await tokens.current() == Misconfigured(reason="token_refused")


async def test_one_senders_patience_does_not_cost_the_others_their_token(
    tokens: AccessTokens, account: Account
) -> None:
    account.gate.clear()
    impatient, patient = asyncio.create_task(tokens.current()), asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    impatient.cancel()
    account.gate.set()
    assert await patient == "token-1"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"type":"authorized_user"}', '{"type":"service_account"}', '"x"']
)
def test_a_file_that_is_no_service_account_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "account.json"
    path.write_text(content)
    with pytest.raises(CredentialsUnusable, match=r"account\.json"):
        load_service_account(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnusable, match=r"nowhere\.json"):
        load_service_account(tmp_path / "nowhere.json")


def test_a_broken_key_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key": "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n",
                "client_email": "a@b",
                "token_uri": "http://127.0.0.1/token",
            }
        )
    )
    with pytest.raises(CredentialsUnusable) as caught:
        load_service_account(path)
    assert "SECRETSECRET" not in str(caught.value)
