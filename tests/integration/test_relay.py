"""The relay with a real PostgreSQL and the stand-in FCM: every push once, none unwanted, none forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Record
from cryptography.hazmat.primitives.asymmetric import rsa

from notifications.outbox import JITTER, LONGEST_WAIT_S, TERMINAL, PushRow, Settlement
from notifications.pace import PaceRules
from notifications.providers.fcm import FcmProvider
from notifications.providers.log import LogProvider
from notifications.push import Accepted, AddressGone, Ambiguous, Outcome, Push, RetryLater
from server.auth import REFRESH_TTL_US
from server.clock import from_us, to_us
from server.db import Connection, Database, DatabaseGone
from server.outbox import Result, lease, prune_addresses, recall, save, withdraw
from server.postgres import EmbeddedPostgres
from server.relay import Relay, RelayRules
from server.standin.faults import FaultPlan
from server.standin.fcm import StandinFcm
from server.standin.oauth import new_key
from tests.conftest import fresh_database
from tests.fakes import ManualClock

NOW_US = 1_800_000_000_000_000
S = 1_000_000
#: The clock stands still here, so a bucket that it fills would not be filled.
FAST = PaceRules(rate_per_s=1e6, ramp_s=0)
SHOP = "ret_shop"
#: A relay that has no room for a second claim while its first is under way.
ONE = RelayRules(pace=FAST, in_flight=1)

INSERT_RETAILER = "INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, 'Shop', '')"
INSERT_SHOPPER = """
INSERT INTO shoppers (retailer_id, shopper_id, state, state_day) VALUES ($1, $2, '', '2027-01-15')
"""
INSERT_DEVICE = """
INSERT INTO devices (retailer_id, device_id, shopper_id, platform) VALUES ($1, $2, $3, 'android')
"""
SET_ADDRESS = """
INSERT INTO push_addresses (retailer_id, device_id, kind, value) VALUES ($1, $2, 'fcm_token', $3)
ON CONFLICT (retailer_id, device_id) DO UPDATE SET value = excluded.value
"""
INSERT_PUSH = """
INSERT INTO outbox (retailer_id, push_id, decision_id, shopper_id, device_id, store, item,
                    due_at, received_at, decided_at, expires_at, at_most_once)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10, $11)
"""
CONFIRM = "UPDATE push_addresses SET confirmed_at = $3 WHERE retailer_id = $1 AND device_id = $2"
ADD_TOKEN = """
INSERT INTO refresh_tokens (retailer_id, token_hash, family, device_id, expires_at)
VALUES ($1, 'h', 'f', $2, $3)
"""
DAY_US = 86_400 * S


class Recorded:
    """A provider that remembers what it was given, and answers as told; `gate` holds its answers back."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.sent: list[str] = []
        self.outcome: Outcome = outcome or Accepted(provider_id="m")
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()

    async def send(self, push: Push) -> Outcome:
        self.sent.append(push.push_id)
        self.called.set()
        await self.gate.wait()
        return self.outcome

    async def aclose(self) -> None:
        self.gate.set()


class Town:
    """The outbox as an engine would fill it, and as an operator would look at it."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self._retailers: list[str] = []

    async def clear(self) -> None:
        for retailer_id in self._retailers:
            async with self.database.transaction(retailer_id) as connection:
                for table in ("outbox", "devices", "shoppers", "retailers"):
                    await connection.execute(f"DELETE FROM {table}")

    async def open(self, *retailers: str) -> None:
        for retailer_id in retailers:
            self._retailers.append(retailer_id)
            async with self.database.transaction(retailer_id) as connection:
                await connection.execute(INSERT_RETAILER, retailer_id)

    async def add(
        self,
        push_id: str,
        *,
        retailer: str = SHOP,
        address: str | None = "",
        life_s: float = 900,
        age_s: float = 0,
        store: str = "store-1",
        at_most_once: bool = False,
    ) -> None:
        """A push that is due now, with its shopper and device; `address` None: the device has told none."""
        name = push_id.removeprefix("psh_")
        now, received = from_us(self.clock.now_us()), from_us(self.clock.now_us() - round(age_s * S))
        item = {"id": push_id, "title": "Trainers", "body": "15% off", "code": f"CODE-{name}"}
        async with self.database.transaction(retailer) as connection:
            await connection.execute(INSERT_SHOPPER, retailer, f"shp_{name}")
            await connection.execute(INSERT_DEVICE, retailer, f"dev_{name}", f"shp_{name}")
            if address is not None:
                await self.set_address(connection, retailer, f"dev_{name}", address or f"phone-{name}")
            await connection.execute(
                INSERT_PUSH,
                retailer,
                push_id,
                f"dec_{name}",
                f"shp_{name}",
                f"dev_{name}",
                store,
                item,
                now,
                received,
                from_us(self.clock.now_us() + round(life_s * S)),
                at_most_once,
            )

    async def set_address(self, connection: Connection, retailer: str, device: str, value: str) -> None:
        await connection.execute(SET_ADDRESS, retailer, device, value)

    async def row(self, push_id: str, *, retailer: str = SHOP) -> Record:
        async with self.database.transaction(retailer) as connection:
            row = await connection.fetchrow("SELECT * FROM outbox WHERE push_id = $1", push_id)
        assert row is not None
        return row

    async def state(self, push_id: str, *, retailer: str = SHOP) -> tuple[str, str | None]:
        row = await self.row(push_id, retailer=retailer)
        return row["state"], row["reason"]

    async def addresses(self) -> set[str]:
        async with self.database.transaction(SHOP) as connection:
            return {row["value"] for row in await connection.fetch("SELECT value FROM push_addresses")}

    async def recall(self, push_id: str) -> list[str]:
        async with self.database.transaction(SHOP) as connection:
            return await recall(connection, SHOP, [push_id], now_us=self.clock.now_us())

    async def withdraw(self, push_id: str, reason: str = "no_consent", store: str | None = None) -> list[str]:
        async with self.database.transaction(SHOP) as connection:
            return await withdraw(connection, [push_id.replace("psh", "shp")], reason, store=store)


async def all_wanted(_: Connection, __: Sequence[PushRow]) -> Mapping[str, str]:
    return {}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_US)


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """One for all of these tests; each leaves it empty."""
    async with fresh_database(postgres.url) as url, await Database.open(url) as opened:
        yield opened


@pytest.fixture
async def town(database: Database, clock: ManualClock) -> AsyncIterator[Town]:
    town = Town(database, clock)
    await town.open(SHOP)
    yield town
    await town.clear()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new_key()


@pytest.fixture
async def standin(key: rsa.RSAPrivateKey, clock: ManualClock) -> AsyncIterator[StandinFcm]:
    async with StandinFcm(key=key, now_us=clock.now_us) as running:
        yield running


@pytest.fixture
async def fcm(standin: StandinFcm, tmp_path: Path, clock: ManualClock) -> AsyncIterator[FcmProvider]:
    credentials = standin.service_account_file(tmp_path / "account.json")
    async with await FcmProvider.open(credentials, endpoint=standin.url, now_us=clock.now_us) as provider:
        yield provider


@pytest.fixture
def relay_of(database: Database, clock: ManualClock) -> Callable[..., Relay]:
    def make(provider: Any, **options: Any) -> Relay:
        return Relay(
            database,
            provider,
            clock,
            **{"still_wanted": all_wanted, "rules": RelayRules(pace=FAST), **options},
        )

    return make


RelayOf = Callable[..., Relay]


class TestSending:
    async def test_a_due_push_reaches_its_phone(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await town.add("psh_1")
        assert await relay_of(fcm).run_once() == 1
        [shown] = standin.phone("phone-1").shown
        assert shown.data == {
            "id": "psh_1",
            "push_id": "psh_1",
            "title": "Trainers",
            "body": "15% off",
            "code": "CODE-1",
        }

    async def test_a_sent_push_carries_the_times_of_its_stages(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1", age_s=0.5)
        await relay_of(Recorded()).run_once()
        row = await town.row("psh_1")
        assert (row["state"], row["provider_id"], row["attempts"]) == ("sent", "m", 1)
        assert to_us(row["received_at"]) == NOW_US - S // 2
        assert to_us(row["claimed_at"]) == to_us(row["accepted_at"]) == clock.now_us()
        assert row["leased_until"] is None

    async def test_a_push_before_its_time_waits(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        clock.advance(-1)
        assert await relay_of(Recorded()).run_once() == 0

    async def test_every_retailer_is_served_by_its_own_rows(self, town: Town, relay_of: RelayOf) -> None:
        await town.open("ret_other")
        await town.add("psh_1")
        await town.add("psh_2", retailer="ret_other")
        seen: dict[str, str] = {}

        async def look(connection: Connection, rows: Sequence[PushRow]) -> Mapping[str, str]:
            visible = await connection.fetch("SELECT DISTINCT retailer_id FROM outbox")
            assert {row["retailer_id"] for row in visible} == {row.retailer_id for row in rows}
            seen.update({row.push_id: row.retailer_id for row in rows})
            return {}

        await relay_of(Recorded(), still_wanted=look).run_once()
        assert seen == {"psh_1": SHOP, "psh_2": "ret_other"}

    async def test_more_pushes_than_fit_at_once_all_go_out(self, town: Town, relay_of: RelayOf) -> None:
        for number in range(25):
            await town.add(f"psh_{number}")
        provider = Recorded()
        assert await relay_of(provider, rules=RelayRules(pace=FAST, in_flight=4)).run_once() == 25
        assert sorted(provider.sent) == sorted(f"psh_{number}" for number in range(25))

    async def test_results_that_come_together_are_written_together(
        self, town: Town, relay_of: RelayOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[int] = []

        async def counted(
            connection: Connection, retailer: str, results: list[Result], **at: int
        ) -> set[str]:
            written.append(len(results))
            return await save(connection, retailer, results, **at)

        monkeypatch.setattr("server.recorder.save", counted)
        for number in range(25):
            await town.add(f"psh_{number}")
        await relay_of(Recorded()).run_once()
        assert written == [25]

    async def test_a_push_without_an_answer_keeps_no_other_waiting(
        self, town: Town, relay_of: RelayOf
    ) -> None:
        class Hangs(Recorded):
            async def send(self, push: Push) -> Outcome:
                return await super().send(push) if push.push_id == "psh_0" else Accepted(provider_id="m")

        provider = Hangs()
        provider.gate.clear()
        for number in range(5):
            await town.add(f"psh_{number}")
        relay = relay_of(provider, rules=RelayRules(pace=FAST, in_flight=2))
        relaying = asyncio.create_task(relay.run_once())
        async with asyncio.timeout(10):
            for number in range(1, 5):
                while await town.state(f"psh_{number}") != ("sent", None):
                    await asyncio.sleep(0.01)
        assert await town.state("psh_0") == ("leased", None)
        provider.gate.set()
        await relaying

    async def test_a_retailer_with_many_pushes_does_not_hold_up_another(
        self, town: Town, relay_of: RelayOf
    ) -> None:
        await town.open("ret_other")
        for number in range(20):
            await town.add(f"psh_{number}")
        await town.add("psh_99", retailer="ret_other")
        provider = Recorded()
        await relay_of(provider, rules=RelayRules(pace=FAST, in_flight=4)).run_once()
        assert provider.sent.index("psh_99") < 8

    async def test_without_credentials_the_inbox_has_the_offer(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        await relay_of(LogProvider()).run_once()
        assert await town.state("psh_1") == ("inbox_only", "no_provider")

    async def test_whoever_watches_hears_of_each_push_once(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        await town.add("psh_2", address=None)
        heard: list[tuple[str, str]] = []

        def observe(row: PushRow, settlement: Settlement) -> None:
            heard.append((row.push_id, settlement.state))

        await relay_of(Recorded(), observe=observe).run_once()
        assert sorted(heard) == [("psh_1", "sent"), ("psh_2", "inbox_only")]


class TestLastCheck:
    async def test_a_consent_withdrawn_before_the_claim_withdraws_the_push(
        self, town: Town, relay_of: RelayOf
    ) -> None:
        await town.add("psh_1")
        await town.add("psh_2")

        async def refuse(_: Connection, rows: Sequence[PushRow]) -> Mapping[str, str]:
            return {row.push_id: "no_consent" for row in rows if row.shopper_id == "shp_1"}

        provider = Recorded()
        await relay_of(provider, still_wanted=refuse).run_once()
        assert provider.sent == ["psh_2"]
        assert await town.state("psh_1") == ("withdrawn", "no_consent")

    async def test_an_offer_that_is_over_expires(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1", life_s=2)
        clock.advance(2)
        provider = Recorded()
        await relay_of(provider).run_once()
        assert provider.sent == []
        assert await town.state("psh_1") == ("expired", "expired")

    async def test_a_late_push_stays_in_the_inbox(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1", age_s=3.5)
        await town.add("psh_2", age_s=2.5)
        provider = Recorded()
        await relay_of(provider).run_once()
        assert provider.sent == ["psh_2"]
        assert await town.state("psh_1") == ("inbox_only", "late")

    async def test_a_device_without_an_address_has_the_inbox(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1", address=None)
        await relay_of(Recorded()).run_once()
        assert await town.state("psh_1") == ("inbox_only", "no_address")


class TestWithdrawing:
    async def test_a_pending_push_is_withdrawn_with_its_reason(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        assert await town.withdraw("psh_1", "left_store") == ["psh_1"]
        provider = Recorded()
        assert await relay_of(provider).run_once() == 0
        assert await town.state("psh_1") == ("withdrawn", "left_store")

    async def test_only_the_named_stores_pushes_are_withdrawn(self, town: Town) -> None:
        await town.add("psh_1", store="store-1")
        assert await town.withdraw("psh_1", store="store-2") == []
        assert await town.withdraw("psh_1", store="store-1") == ["psh_1"]

    async def test_another_shoppers_push_is_left_alone(self, town: Town) -> None:
        await town.add("psh_1")
        await town.add("psh_2")
        await town.withdraw("psh_1")
        assert await town.state("psh_2") == ("pending", None)

    async def test_what_was_sent_stays_sent(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        await relay_of(Recorded()).run_once()
        assert await town.withdraw("psh_1") == []
        assert (await town.state("psh_1"))[0] == "sent"

    @pytest.mark.parametrize(
        ("outcome", "state"), [(Accepted(), "sent"), (Ambiguous(reason="timeout"), "withdrawn")]
    )
    async def test_a_push_under_way_ends_as_what_really_happened(
        self, town: Town, relay_of: RelayOf, outcome: Outcome, state: str
    ) -> None:
        await town.add("psh_1")
        provider = Recorded(outcome)
        provider.gate.clear()
        relaying = asyncio.create_task(relay_of(provider).run_once())
        await provider.called.wait()
        await town.withdraw("psh_1")
        provider.gate.set()
        await relaying
        assert (await town.state("psh_1"))[0] == state


class TestFailures:
    async def test_a_dead_address_is_forgotten(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        await relay_of(Recorded(AddressGone(reason="unregistered"))).run_once()
        assert await town.state("psh_1") == ("inbox_only", "unregistered")
        assert await town.addresses() == set()

    async def test_an_address_renewed_meanwhile_is_kept(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        provider = Recorded(AddressGone(reason="unregistered"))
        provider.gate.clear()
        relaying = asyncio.create_task(relay_of(provider).run_once())
        await provider.called.wait()
        async with town.database.transaction(SHOP) as connection:
            await town.set_address(connection, SHOP, "dev_1", "phone-new")
        provider.gate.set()
        await relaying
        assert await town.addresses() == {"phone-new"}

    async def test_a_field_violation_fails_the_push_and_keeps_the_address(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await town.add("psh_1")
        standin.fail_next("bad_request")
        await relay_of(fcm).run_once()
        assert await town.state("psh_1") == ("failed", "invalid_argument:message.data[0].value")
        assert await town.addresses() == {"phone-1"}

    async def test_a_quota_is_waited_for_and_the_push_then_goes_out(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        standin.fail_next("quota_exceeded", retry_after_s=30)
        await relay_of(fcm).run_once()
        assert await town.state("psh_1") == ("pending", "quota_exceeded:project")
        clock.advance(29)
        assert await relay_of(fcm).run_once() == 0
        clock.advance(5)
        assert await relay_of(fcm).run_once() == 1
        assert await town.state("psh_1") == ("sent", None)

    async def test_a_retry_that_comes_too_late_is_an_end(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1", life_s=60)
        await relay_of(Recorded(RetryLater(reason="quota_exceeded", after_s=60))).run_once()
        assert await town.state("psh_1") == ("expired", "quota_exceeded")

    async def test_a_503_though_delivered_shows_once(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        standin.fail_next("delivered_unavailable")
        await relay_of(fcm).run_once()
        clock.advance(20)
        await relay_of(fcm).run_once()
        phone = standin.phone("phone-1")
        assert [delivery.push_id for delivery in phone.accepted] == ["psh_1", "psh_1"]
        assert len(phone.appeared) == 1
        assert await town.state("psh_1") == ("sent", None)

    async def test_a_providers_bug_costs_one_attempt(self, town: Town, relay_of: RelayOf) -> None:
        class Broken(Recorded):
            async def send(self, push: Push) -> Outcome:
                raise RuntimeError(push.push_id)

        await town.add("psh_1")
        await relay_of(Broken()).run_once()
        assert await town.state("psh_1") == ("pending", "provider_error")

    async def test_a_fifth_of_ambiguous_answers_shows_nothing_twice_and_loses_nothing(
        self, town: Town, relay_of: RelayOf, key: rsa.RSAPrivateKey, clock: ManualClock, tmp_path: Path
    ) -> None:
        plan = FaultPlan({"delivered_unavailable": 0.1, "delivered_reset": 0.1, "internal": 0.1}, seed=3)
        for number in range(100):
            await town.add(f"psh_{number}", life_s=30_000)
        async with StandinFcm(key=key, plan=plan, now_us=clock.now_us) as standin:
            credentials = standin.service_account_file(tmp_path / "account.json")
            async with await FcmProvider.open(
                credentials, endpoint=standin.url, now_us=clock.now_us
            ) as provider:
                relay = relay_of(provider)
                while await relay.run_once():
                    clock.advance(LONGEST_WAIT_S * (1 + JITTER))
            assert [len(standin.phone(f"phone-{n}").appeared) for n in range(100)] == [1] * 100
            assert standin.requests > 100
        assert {(await town.row(f"psh_{n}"))["state"] for n in range(100)} == {"sent"}


class TestLeases:
    async def test_two_relays_at_once_send_each_push_once(self, town: Town, relay_of: RelayOf) -> None:
        for number in range(60):
            await town.add(f"psh_{number}")
        provider = Recorded()
        rules = RelayRules(pace=FAST, in_flight=7)
        await asyncio.gather(*(relay_of(provider, rules=rules).run_once() for _ in range(2)))
        assert sorted(provider.sent) == sorted(f"psh_{number}" for number in range(60))

    async def test_a_crash_between_send_and_mark_sends_the_same_push_again_and_the_phone_shows_one(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        rules = RelayRules(pace=FAST, in_flight=1, stop_grace_s=0)
        dead = asyncio.create_task(relay_of(NeverHeardOf(fcm), rules=rules).run_once())
        await standin.wait_for_push("phone-1", timeout_s=5)
        assert (await town.row("psh_1"))["state"] == "leased"
        assert await relay_of(fcm).run_once() == 0
        clock.advance(31)
        assert await relay_of(fcm).run_once() == 1
        phone = standin.phone("phone-1")
        assert [delivery.push_id for delivery in phone.accepted] == ["psh_1", "psh_1"]
        assert len(phone.appeared) == 1
        dead.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dead
        assert await town.state("psh_1") == ("sent", None)

    async def test_the_result_of_a_relay_whose_lease_ran_out_is_ignored(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        slow, quick = Recorded(Ambiguous(reason="timeout")), Recorded(Accepted(provider_id="quick"))
        slow.gate.clear()
        relaying = asyncio.create_task(relay_of(slow, rules=ONE).run_once())
        await slow.called.wait()
        clock.advance(31)
        await relay_of(quick).run_once()
        slow.gate.set()
        await relaying
        row = await town.row("psh_1")
        assert (row["state"], row["provider_id"], row["fencing"]) == ("sent", "quick", 2)
        assert slow.sent == quick.sent == ["psh_1"]

    async def test_a_slow_relays_success_does_not_overwrite_the_second_claim(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        slow, second = Recorded(Accepted(provider_id="slow")), Recorded(Accepted(provider_id="second"))
        slow.gate.clear()
        second.gate.clear()
        first_run = asyncio.create_task(relay_of(slow, rules=ONE).run_once())
        await slow.called.wait()
        clock.advance(31)
        second_run = asyncio.create_task(relay_of(second, rules=ONE).run_once())
        await second.called.wait()
        slow.gate.set()
        await first_run
        assert (await town.row("psh_1"))["state"] == "leased"
        second.gate.set()
        await second_run
        assert (await town.row("psh_1"))["provider_id"] == "second"

    async def test_an_attempt_beyond_its_limit_is_given_up_within_the_lease(
        self, town: Town, relay_of: RelayOf
    ) -> None:
        await town.add("psh_1")
        stuck = Recorded()
        stuck.gate.clear()
        await relay_of(stuck, rules=RelayRules(pace=FAST, attempt_s=0.05)).run_once()
        assert await town.state("psh_1") == ("pending", "timeout")


class NeverHeardOf:
    """A provider that sends and never answers: its relay is as good as dead."""

    def __init__(self, provider: FcmProvider) -> None:
        self._provider = provider

    async def send(self, push: Push) -> Outcome:
        await self._provider.send(push)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def aclose(self) -> None:
        """The real provider belongs to the fixture."""


class TestRunning:
    async def test_a_wake_sends_at_once(self, town: Town, relay_of: RelayOf) -> None:
        provider = Recorded()
        relay = relay_of(provider, rules=RelayRules(pace=FAST, poll_s=60))
        running = asyncio.create_task(relay.run())
        await asyncio.sleep(0)
        await town.add("psh_1")
        relay.wake()
        async with asyncio.timeout(5):
            await provider.called.wait()
        await relay.stop()
        await running
        assert await town.state("psh_1") == ("sent", None)

    async def test_without_a_wake_a_due_push_is_found(self, town: Town, relay_of: RelayOf) -> None:
        provider = Recorded()
        relay = relay_of(provider, rules=RelayRules(pace=FAST, poll_s=0.02))
        running = asyncio.create_task(relay.run())
        await town.add("psh_1")
        async with asyncio.timeout(5):
            await provider.called.wait()
        await relay.stop()
        await running

    async def test_a_stop_waits_for_what_is_under_way(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        provider = Recorded()
        provider.gate.clear()
        relay = relay_of(provider)
        running = asyncio.create_task(relay.run())
        await provider.called.wait()
        stopping = asyncio.create_task(relay.stop())
        await asyncio.sleep(0)
        provider.gate.set()
        await stopping
        await running
        assert await town.state("psh_1") == ("sent", None)

    async def test_a_stop_gives_back_what_does_not_end_in_time(self, town: Town, relay_of: RelayOf) -> None:
        await town.add("psh_1")
        stuck = Recorded()
        stuck.gate.clear()
        relay = relay_of(stuck, rules=RelayRules(pace=FAST, stop_grace_s=0.05))
        running = asyncio.create_task(relay.run())
        await stuck.called.wait()
        await relay.stop()
        await running
        row = await town.row("psh_1")
        assert (row["state"], row["reason"], row["leased_until"]) == ("pending", "relay_stopped", None)

    async def test_a_stop_before_the_start_is_a_stop(self, relay_of: RelayOf) -> None:
        relay = relay_of(Recorded())
        await relay.stop()
        async with asyncio.timeout(5):
            await relay.run()

    async def test_a_full_relay_stops_too(self, town: Town, relay_of: RelayOf) -> None:
        for number in range(3):
            await town.add(f"psh_{number}")
        stuck = Recorded()
        stuck.gate.clear()
        relay = relay_of(stuck, rules=RelayRules(pace=FAST, in_flight=1, stop_grace_s=0.05))
        running = asyncio.create_task(relay.run())
        await stuck.called.wait()
        async with asyncio.timeout(5):
            await relay.stop()
            await running
        assert len(stuck.sent) == 1


class Flaky:
    """A database that goes away as often as told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.failures = 0

    def system(self) -> Any:
        return self._or_gone(self._database.system())

    def transaction(self, retailer_id: str) -> Any:
        return self._or_gone(self._database.transaction(retailer_id))

    def _or_gone(self, context: Any) -> Any:
        if self.failures > 0:
            self.failures -= 1
            raise DatabaseGone("the database went away")
        return context


class TestTrouble:
    async def test_a_database_that_goes_away_is_waited_for(
        self, town: Town, clock: ManualClock, database: Database
    ) -> None:
        await town.add("psh_1")
        flaky = Flaky(database)
        flaky.failures = 1
        provider = Recorded()
        relay = Relay(
            flaky, provider, clock, still_wanted=all_wanted, rules=RelayRules(pace=FAST, poll_s=0.02)
        )  # type: ignore[arg-type]
        running = asyncio.create_task(relay.run())
        async with asyncio.timeout(10):
            await provider.called.wait()
        await relay.stop()
        await running
        assert await town.state("psh_1") == ("sent", None)

    async def test_a_result_that_could_not_be_written_is_written_later(
        self, town: Town, clock: ManualClock, database: Database
    ) -> None:
        await town.add("psh_1")
        flaky = Flaky(database)
        provider = Recorded()
        provider.gate.clear()
        written = asyncio.Event()
        relay = Relay(
            flaky,  # type: ignore[arg-type]
            provider,
            clock,
            still_wanted=all_wanted,
            rules=ONE,
            observe=lambda _, __: written.set(),
        )
        running = asyncio.create_task(relay.run())
        await provider.called.wait()
        flaky.failures = 2
        provider.gate.set()
        async with asyncio.timeout(10):
            await written.wait()
        await relay.stop()
        await running
        assert await town.state("psh_1") == ("sent", None)
        assert provider.sent == ["psh_1"]

    async def test_one_retailers_trouble_stops_no_other(self, town: Town, relay_of: RelayOf) -> None:
        await town.open("ret_other")
        await town.add("psh_1")
        await town.add("psh_2", retailer="ret_other")

        async def stumble(_: Connection, rows: Sequence[PushRow]) -> Mapping[str, str]:
            if rows[0].retailer_id == SHOP:
                raise LookupError("no such consent")
            return {}

        provider = Recorded()
        await relay_of(provider, still_wanted=stumble).run_once()
        assert provider.sent == ["psh_2"]
        assert (await town.row("psh_1"))["attempts"] == 0

    async def test_an_observer_that_fails_stops_nothing(self, town: Town, relay_of: RelayOf) -> None:
        def observe(_: PushRow, __: Settlement) -> None:
            raise RuntimeError("watching is hard")

        await town.add("psh_1")
        await town.add("psh_2", address=None)
        await relay_of(Recorded(), observe=observe).run_once()
        assert (await town.state("psh_1"))[0] == "sent"
        assert (await town.state("psh_2"))[0] == "inbox_only"

    async def test_after_any_mixture_every_push_has_ended(
        self, town: Town, relay_of: RelayOf, key: rsa.RSAPrivateKey, clock: ManualClock, tmp_path: Path
    ) -> None:
        plan = FaultPlan(
            {"unregistered": 0.1, "bad_request": 0.1, "internal": 0.3, "quota_exceeded": 0.2}, seed=11
        )
        for number in range(60):
            await town.add(f"psh_{number}", life_s=5 + 15 * number, age_s=number % 5)
        async with StandinFcm(key=key, plan=plan, now_us=clock.now_us) as standin:
            credentials = standin.service_account_file(tmp_path / "account.json")
            async with await FcmProvider.open(
                credentials, endpoint=standin.url, now_us=clock.now_us
            ) as provider:
                relay = relay_of(provider)
                for _ in range(60):
                    await relay.run_once()
                    clock.advance(20)
        states = {(await town.row(f"psh_{n}"))["state"] for n in range(60)}
        assert states <= TERMINAL
        assert {"sent", "expired", "failed", "inbox_only"} <= states


class TestPace:
    async def test_what_may_not_leave_yet_stays_in_the_outbox_unclaimed(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        for number in range(8):
            await town.add(f"psh_{number}")
        provider = Recorded()
        rules = RelayRules(pace=PaceRules(rate_per_s=50, ramp_s=0))
        relay = relay_of(provider, rules=rules)
        running = asyncio.create_task(relay.run())
        await asyncio.wait_for(_sent(provider, 5), 10)
        states = {(await town.row(f"psh_{number}"))["state"] for number in range(5, 8)}
        assert states == {"pending"}
        clock.advance(1)
        await asyncio.wait_for(_sent(provider, 8), 10)
        await relay.stop()
        await running

    async def test_a_quota_of_the_project_holds_everybody_up_and_one_of_a_device_nobody_else(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        for name, everybody, sent in (("device", False, 2), ("project", True, 1)):
            provider = Recorded(RetryLater(reason=f"quota_exceeded:{name}", after_s=40, everybody=everybody))
            relay = relay_of(provider)
            await town.add(f"psh_{name}1")
            await relay.run_once()
            await town.add(f"psh_{name}2")
            await relay.run_once()
            assert len(provider.sent) == sent, name
        clock.advance(60)
        provider.outcome = Accepted(provider_id="m")
        await relay.run_once()
        assert (await town.row("psh_project2"))["state"] == "inbox_only"  # by then it is late


class TestAtMostOnce:
    async def test_an_ambiguous_answer_ends_the_push(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1", at_most_once=True)
        provider = Recorded(Ambiguous(reason="timeout"))
        await relay_of(provider).run_once()
        clock.advance(600)
        await relay_of(provider).run_once()
        assert await town.state("psh_1") == ("failed", "maybe_sent:timeout")
        assert provider.sent == ["psh_1"]

    async def test_a_lease_that_ran_out_ends_the_push(
        self, town: Town, relay_of: RelayOf, clock: ManualClock
    ) -> None:
        await town.add("psh_1", at_most_once=True)
        async with town.database.transaction(SHOP) as connection:
            await lease(connection, SHOP, 1, now_us=NOW_US, until_us=NOW_US + 30 * S)
        clock.advance(31)
        provider = Recorded()
        await relay_of(provider).run_once()
        assert await town.state("psh_1") == ("failed", "maybe_sent:lease_lost")
        assert provider.sent == []


class TestRecalls:
    async def test_a_recall_takes_a_shown_push_from_the_screen(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        await town.add("psh_1")
        await relay_of(fcm).run_once()
        phone = standin.phone("phone-1")
        assert [one.push_id for one in phone.shown] == ["psh_1"]
        await town.recall("psh_1")
        await relay_of(fcm).run_once()
        assert phone.shown == []
        assert phone.taken_back == ["psh_1"]
        assert await town.state("rcl_1") == ("sent", None)

    async def test_a_phone_that_was_offline_never_shows_what_was_taken_back(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm, clock: ManualClock
    ) -> None:
        await town.add("psh_1")
        phone = standin.phone("phone-1")
        phone.go_offline()
        await relay_of(fcm).run_once()
        await town.recall("psh_1")
        await relay_of(fcm).run_once()
        phone.go_online(now_us=clock.now_us())
        assert phone.appeared == []

    async def test_a_push_that_is_not_sent_needs_no_recall_and_one_is_enough(self, town: Town) -> None:
        await town.add("psh_1")
        assert await town.recall("psh_1") == []

    async def test_what_arrives_though_she_has_left_meanwhile_is_taken_back(
        self, town: Town, relay_of: RelayOf, fcm: FcmProvider, standin: StandinFcm
    ) -> None:
        class Leaving(Recorded):
            async def send(self, push: Push) -> Outcome:
                await town.withdraw("psh_1", "left")
                return await fcm.send(push)

        await town.add("psh_1")
        await relay_of(Leaving(), rules=ONE).run_once()
        assert await town.state("psh_1") == ("sent", None)
        await relay_of(fcm).run_once()
        assert standin.phone("phone-1").shown == []


class TestAddresses:
    async def test_one_that_nobody_has_confirmed_for_long_is_forgotten(self, town: Town) -> None:
        await town.add("psh_1")
        await town.add("psh_2")
        async with town.database.transaction(SHOP) as connection:
            await connection.execute(CONFIRM, SHOP, "dev_1", from_us(NOW_US - 61 * DAY_US))
            await connection.execute(CONFIRM, SHOP, "dev_2", from_us(NOW_US - 59 * DAY_US))
            await prune_addresses(connection, SHOP, from_us(NOW_US), days=60)
        assert await town.addresses() == {"phone-2"}

    async def test_one_of_a_device_that_was_heard_of_since_is_kept(self, town: Town) -> None:
        await town.add("psh_1")
        async with town.database.transaction(SHOP) as connection:
            await connection.execute(CONFIRM, SHOP, "dev_1", from_us(NOW_US - 80 * DAY_US))
            ends = from_us(NOW_US - 10 * DAY_US + REFRESH_TTL_US)
            await connection.execute(ADD_TOKEN, SHOP, "dev_1", ends)
            await prune_addresses(connection, SHOP, from_us(NOW_US), days=60)
        assert await town.addresses() == {"phone-1"}


async def _sent(provider: Recorded, pushes: int) -> None:
    while len(provider.sent) < pushes:
        await asyncio.sleep(0.01)
