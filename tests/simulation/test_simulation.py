"""Seeded simulations keep every promise, repeat exactly, and do see a promise broken."""

import os
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from notifications import outbox
from notifications.outbox import PushRow
from notifications.push import Push
from server import ledgers
from server.admit import Admitted
from server.cli import vicino
from server.inputs import RecordFixes
from server.simulation import node, postman
from server.simulation.durable import Durable, OutboxRow
from server.simulation.plan import FAIR_WEATHER, Plan, Rates
from server.simulation.promises import PromiseBroken
from server.simulation.run import simulate

SEEDS = int(os.environ.get("VICINO_TEST_SIMULATIONS", "100"))  #: seeds 1 to this
GROUP = 10

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("first", range(1, SEEDS + 1, GROUP), ids="seeds-from-{}".format)
def test_every_promise_is_kept_in_every_simulation(first: int) -> None:
    outcomes = [simulate(Plan(seed=seed, shoppers=3)) for seed in range(first, first + GROUP)]

    assert sum(outcome.crashes for outcome in outcomes) > 0
    assert sum(outcome.relay_deaths for outcome in outcomes) > 0
    assert sum(outcome.shown for outcome in outcomes) > 0
    assert sum(outcome.accepted - outcome.shown for outcome in outcomes) > 0
    assert sum(outcome.redeemed for outcome in outcomes) > 0


@pytest.mark.parametrize("first", range(1, SEEDS // 4 + 1, GROUP), ids="seeds-from-{}".format)
def test_a_policy_that_learns_keeps_them_and_is_taught_the_same_by_the_journal(first: int) -> None:
    outcomes = [simulate(Plan(seed=seed, shoppers=3, policy="learn")) for seed in range(first, first + GROUP)]

    assert sum(outcome.crashes for outcome in outcomes) > 0
    assert sum(outcome.redeemed for outcome in outcomes) > 0
    assert sum(outcome.lessons for outcome in outcomes) > 50


def test_a_long_simulation_of_many_keeps_them_too() -> None:
    outcome = simulate(Plan(seed=1, shoppers=16, days=3))

    assert outcome.fixes > 500
    assert outcome.crashes > 3


def test_the_same_seed_does_the_same_again_and_another_does_not() -> None:
    assert simulate(Plan(seed=5, shoppers=5)) == simulate(Plan(seed=5, shoppers=5))
    assert simulate(Plan(seed=5, shoppers=5)) != msgspec.structs.replace(
        simulate(Plan(seed=6, shoppers=5)), seed=5
    )


def test_in_fair_weather_every_push_is_sent_once_and_shown() -> None:
    outcome = simulate(Plan(seed=1, shoppers=10, rates=FAIR_WEATHER))

    assert outcome.attempts == outcome.accepted == outcome.shown > 0
    assert outcome.crashes == outcome.relay_deaths == 0


#: Half of all attempts to send are refused: pushes wait, and much goes on while they do.
OFTEN_REFUSED = Rates(fcm_refuses=0.5, relay_dies=0.1)


def broken_promise(*, shoppers: int = 8, rates: Rates = Rates()) -> str:  # noqa: B008 - frozen
    """What is said of the first broken promise in some simulations."""
    with pytest.raises(PromiseBroken) as told:
        for seed in range(1, 40):
            simulate(Plan(seed=seed, shoppers=shoppers, rates=rates))
    return str(told.value)


def test_a_relay_that_gives_a_push_a_new_id_with_each_attempt_is_found_out(monkeypatch: Patch) -> None:
    push_of = outbox.push_of

    def renamed(row: PushRow, address: Any) -> Push:
        return msgspec.structs.replace(push_of(row, address), collapse=f"{row.push_id}.{row.attempts}")

    shown = postman.Fcm._seen

    def without_ids(self: postman.Fcm, phone: Any, before: int) -> None:
        phone._known_push_ids.clear()  # an app that does not know push ids; the tag alone is left to it
        shown(self, phone, before)

    monkeypatch.setattr(postman, "push_of", renamed)
    monkeypatch.setattr(postman.Fcm, "_seen", without_ids)

    assert "I2: moment" in broken_promise()


def test_a_budget_that_is_not_asked_is_found_out(monkeypatch: Patch) -> None:
    def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(ledgers.Ledgers, "budget", always)

    assert "I3: " in broken_promise(shoppers=40)


def test_a_coupon_that_works_again_after_a_lost_answer_is_found_out(monkeypatch: Patch) -> None:
    redeemed = Durable.redeemed

    def not_noted(self: Durable, decision_id: str, key: str) -> None:
        redeemed(self, decision_id, key)
        self._coupons[decision_id].status = "reserved"

    monkeypatch.setattr(Durable, "redeemed", not_noted)

    assert "I4: " in broken_promise() or "I3: " in broken_promise()


def test_a_fix_that_is_answered_before_its_commit_is_found_out(monkeypatch: Patch) -> None:
    process = node.Node._process

    def hasty(self: node.Node) -> None:
        waiting = list(self._waiting)
        crashes = self.crashes
        process(self)
        if self.crashes > crashes:  # what was told is told, though it was not written
            for item, told in waiting:
                if isinstance(item, RecordFixes):
                    told(Admitted(accepted=len(item.fixes)))

    monkeypatch.setattr(node.Node, "_process", hasty)

    assert "I1: fix" in broken_promise()


def test_a_push_that_ignores_a_withdrawn_consent_is_found_out(monkeypatch: Patch) -> None:
    monkeypatch.setattr(postman, "why_not", lambda *_: None)
    monkeypatch.setattr(Durable, "withdraw", lambda *_: None)

    assert "I6: " in broken_promise(shoppers=20, rates=OFTEN_REFUSED)


def test_a_lease_that_nobody_takes_over_is_found_out(monkeypatch: Patch) -> None:
    due = Durable.due

    def unleased(self: Durable, now_us: int, most: int) -> list[OutboxRow]:
        return [row for row in due(self, now_us, most) if row.state != "leased"]

    def next_due_us(self: Durable) -> int | None:
        rows = [self.outbox[name] for name in self.open_pushes]
        return min((row.due_at_us for row in rows if row.state == "pending"), default=None)

    monkeypatch.setattr(Durable, "due", unleased)
    monkeypatch.setattr(Durable, "next_due_us", next_due_us)

    assert "I8: " in broken_promise(rates=OFTEN_REFUSED)


def test_the_command_runs_many_seeds_and_says_what_happened() -> None:
    done = CliRunner().invoke(vicino, ["simulate", "--seeds", "2", "--shoppers", "2", "--json"])

    assert done.exit_code == 0, done.output
    lines = [msgspec.json.decode(line) for line in done.output.splitlines()]
    assert sorted(line["seed"] for line in lines) == [1, 2]
    assert all(line["shopper_days"] == 2 for line in lines)


def test_a_broken_promise_ends_the_command_with_the_way_to_have_it_again(monkeypatch: Patch) -> None:
    def never(*_: object) -> bool:
        return True

    monkeypatch.setattr(ledgers.Ledgers, "budget", never)
    options = {"--seed": 1, "--seeds": 9, "--shoppers": 40, "--jobs": 1}
    words = [str(word) for option in options.items() for word in option]
    done = CliRunner().invoke(vicino, ["simulate", *words])

    assert isinstance(done.exception, PromiseBroken)
    assert "(again: ./vicino simulate --seed " in str(done.exception)
    assert Decimal(done.exception.exit_code) == 1
