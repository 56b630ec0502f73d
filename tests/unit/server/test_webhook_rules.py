"""What becomes of a webhook's message, and where one may be sent."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from hypothesis import given
from hypothesis import strategies as st

from server.webhooks.guard import BlockedAddress, GuardedResolver, is_public, refuse_url
from server.webhooks.rules import (
    LIFE_US,
    LONGEST_WAIT_S,
    SECOND_US,
    TYPES,
    Attempt,
    expanded,
    secret_of,
    verdict,
    wait_s,
)

NOW_US = 1_800_000_000_000_000


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_delivers(status: int) -> None:
    assert verdict("msg", 1, NOW_US, Attempt(status=status), now_us=NOW_US).state == "delivered"


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 429, 500, 503])
def test_everything_else_is_tried_again(status: int) -> None:
    made = verdict("msg", 1, NOW_US, Attempt(status=status), now_us=NOW_US)
    assert (made.state, made.reason, made.disables) == ("pending", f"http_{status}", False)
    assert made.due_at_us is not None
    assert NOW_US + 5 * SECOND_US <= made.due_at_us <= NOW_US + 6 * SECOND_US


def test_410_gone_ends_the_message_and_disables_its_endpoint() -> None:
    made = verdict("msg", 1, NOW_US, Attempt(status=410), now_us=NOW_US)
    assert (made.state, made.disables) == ("failed", True)


def test_after_a_day_of_failures_a_message_has_failed() -> None:
    now_us, attempts = NOW_US, 1
    while (made := verdict("msg", attempts, NOW_US, Attempt(reason="timeout"), now_us=now_us)).due_at_us:
        now_us, attempts = made.due_at_us, attempts + 1
    assert (made.state, made.reason) == ("failed", "timeout")
    assert NOW_US + LIFE_US - 5 * 3600 * SECOND_US < now_us < NOW_US + LIFE_US
    assert attempts >= 10


def test_a_receiver_may_ask_for_more_time_but_not_for_less() -> None:
    assert wait_s("msg", 1, 90.0) == 90.0
    assert wait_s("msg", 4, 1.0) >= 600
    assert wait_s("msg", 1, 1e9) == LONGEST_WAIT_S


@given(st.text(max_size=20), st.integers(1, 40))
def test_waits_do_not_shrink_and_are_the_same_again(message_id: str, attempts: int) -> None:
    assert wait_s(message_id, attempts, None) == wait_s(message_id, attempts, None)
    assert wait_s(message_id, attempts + 1, None) >= wait_s(message_id, attempts, None) / 1.2


def test_types_are_wanted_by_name_by_group_or_all() -> None:
    assert expanded(["*"]) == list(TYPES)
    assert expanded(["push.sent", "transition.*"]) == [
        "transition.enter",
        "transition.dwell",
        "transition.exit",
        "transition.pass_by",
        "push.sent",
    ]


@pytest.mark.parametrize("wanted", ["push", "push*", "nothing.*", "", "decision.offers"])
def test_an_unknown_type_is_refused(wanted: str) -> None:
    assert expanded(["push.sent", wanted]) is None


def test_every_endpoint_and_generation_has_a_secret_of_its_own() -> None:
    secrets = {secret_of(b"retailer", name, number) for name in ("whe_a", "whe_b") for number in (1, 2)}
    assert len(secrets) == 4
    assert all(secret.startswith("whsec_") for secret in secrets)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hooks",
        "https://127.0.0.1/hooks",
        "https://[::1]/hooks",
        "https://user:secret@shop.example/",
        "https://shop.example/#here",
        "ftp://shop.example/",
        "https:///hooks",
        "https://shop.example:port/",
        "https://shop.example/\n",
        "hooks",
    ],
)
def test_a_url_that_is_no_receiver_is_refused(url: str) -> None:
    assert refuse_url(url, frozenset()) is not None


def test_a_private_host_may_be_allowed_by_name_and_then_without_tls() -> None:
    assert refuse_url("http://127.0.0.1:8000/hooks", {"127.0.0.1"}) is None
    assert refuse_url("http://127.0.0.2:8000/hooks", {"127.0.0.1"}) is not None


async def test_a_name_that_resolves_to_private_addresses_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"inside.example": ["10.0.0.7"], "both.example": ["10.0.0.7", "1.1.1.1"]}

    async def resolve(_: ThreadedResolver, host: str, port: int, family: int) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in names[host]
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    with pytest.raises(BlockedAddress):
        await GuardedResolver(frozenset()).resolve("inside.example", 443)
    found = await GuardedResolver(frozenset()).resolve("both.example", 443)
    assert [one["host"] for one in found] == ["1.1.1.1"]
    allowed = await GuardedResolver({"inside.example"}).resolve("inside.example", 443, socket.AF_INET)
    assert [one["host"] for one in allowed] == ["10.0.0.7"]
