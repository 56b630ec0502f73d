"""The policy that learns, end to end: it judges, draws, is told what came of it, and comes back as it was."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from offers.learn.again import redrawn, rescored
from offers.learn.learner import Learner
from offers.learn.lesson import Began, taught
from server.app import running
from server.cli.state_hash import stored_state
from server.clock import from_us
from server.errors import BadUse
from server.lane import Lane
from server.learners import NEVER, Learners, learned, unpack_lesson
from server.models import NothingLearned, activate, active_model, fit_model, models, roll_back
from server.replay_journal import replay_day
from server.unlearning import Unlearning
from tests.acceptance.mall import OFFER, Mall, Shopper, mall, mall_config, until

#: Margins so wide that an offer is worth its push.
LEARNING = {"margin": 0.8, "money": {"push_cost": 0.0, "lifetime_value": 1.0}}
DEEPER = OFFER | {"external_id": "trainers-30", "discount": {"kind": "percent", "value": 30}}


@pytest.fixture
async def learning(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, policy="learn", learning=LEARNING) as opened:
        yield opened


async def comes_near(opened: Mall) -> tuple[Shopper, dict[str, Any]]:
    """A shopper with trainers in her cart, at the door; and the receipt."""
    shopper = await opened.shopper()
    await shopper.looks_at("T-1", kind="cart", ago_s=600)
    await shopper.ping(north_m=40)
    [receipt] = await shopper.receipts()
    return shopper, receipt


async def makes_offer(opened: Mall) -> tuple[Shopper, dict[str, Any], dict[str, Any]]:
    """The first of several shoppers to whom an offer is made; its receipt and inbox item."""
    for _ in range(30):
        shopper, receipt = await comes_near(opened)
        if receipt["outcome"] == "offer":
            [item] = await shopper.inbox()
            return shopper, receipt, item
    raise AssertionError("nobody was made an offer")


async def lessons(opened: Mall) -> int:
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM lessons")
        return count


async def test_a_receipt_holds_the_whole_draw_and_every_term(learning: Mall) -> None:
    _, receipt = await comes_near(learning)
    judged = receipt["judgement"]

    assert receipt["policy"] == "learn"
    assert sum(arm["propensity"] for arm in judged["propensities"]) == pytest.approx(1.0, abs=1e-12)
    assert [arm["offer"] for arm in judged["propensities"]] == ["trainers-15", None]
    assert receipt["propensity"] in [arm["propensity"] for arm in judged["propensities"]]
    assert receipt.get("offer") == judged["drawn"]
    assert receipt["moment"]["kind"] == "buy"
    assert {reason["name"] for reason in judged["intent_reasons"]} & {"interest", "interested"}


async def test_a_stored_receipt_is_drawn_again_from_its_terms_alone(learning: Mall) -> None:
    await learning.server.post("/v1/offers", DEEPER)
    for _ in range(5):
        _, receipt = await comes_near(learning)
        assert redrawn(receipt) == receipt["judgement"]["drawn"]
        for one in receipt["candidates"]:
            assert one["score"] == round(one["terms"]["score"], 9)
        assert rescored(receipt) == {
            one["offer"]: one["terms"]["score"] for one in receipt["candidates"] if "terms" in one
        }


async def test_silence_that_was_drawn_says_so(database_url: str, tmp_path: Path) -> None:
    dear = LEARNING | {"money": {"push_cost": 1000.0}}
    async with mall(database_url, tmp_path, policy="learn", learning=dear) as opened:
        _, receipt = await comes_near(opened)
        assert receipt["reasons"] == ["nothing_drawn"]
        assert receipt["propensity"] > 0.9


async def test_whoever_is_held_out_has_a_ghost_where_an_offer_was_drawn(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path, policy="learn", learning=LEARNING, holdout=1.0) as opened:
        receipts = [(await comes_near(opened))[1] for _ in range(10)]
    assert {receipt["outcome"] for receipt in receipts} == {"silence"}
    ghosts = [receipt for receipt in receipts if "ghost" in receipt]
    assert ghosts
    assert all(one["ghost"]["offer"] == one["judgement"]["drawn"] for one in ghosts)
    assert all(one["reasons"] == ["holdout"] for one in ghosts)
    assert all(one["reasons"] == ["nothing_drawn"] for one in receipts if one not in ghosts)


async def test_in_the_shadow_the_rules_decide_and_the_policy_looks_on(
    database_url: str, tmp_path: Path
) -> None:
    setup = LEARNING | {"pilot": {"share": 1.0}}
    async with mall(database_url, tmp_path, policy="learn", learning=setup) as opened:
        _, receipt = await comes_near(opened)
    assert (receipt["policy"], receipt["propensity"], receipt["offer"]) == ("rules", 1.0, "trainers-15")
    assert receipt["judgement"]["shadow"] is True


async def test_outside_a_pilots_stores_the_policy_is_not_asked(database_url: str, tmp_path: Path) -> None:
    setup = LEARNING | {"pilot": {"stores": ["elsewhere"], "shadow": False}}
    async with mall(database_url, tmp_path, policy="learn", learning=setup) as opened:
        _, receipt = await comes_near(opened)
    assert receipt["policy"] == "rules"
    assert "judgement" not in receipt


async def test_what_came_of_an_offer_is_learned_at_once(learning: Mall) -> None:
    shopper, first, item = await makes_offer(learning)
    before = await lessons(learning)

    await shopper.post(f"/v1/notifications/{item['id']}/opened", None)
    opened = await lessons(learning)
    await learning.till.post("/v1/redemptions", {"code": item["code"]})
    redeemed = await lessons(learning)
    _, receipt = await comes_near(learning)

    assert opened == before + 1  # she opened it
    assert redeemed == opened + 2  # she bought, and did not turn pushes off
    assert receipt["judgement"]["lessons"] > first["judgement"]["lessons"]
    opens = [one["candidates"][0]["terms"]["opens"] for one in (first, receipt)]
    assert opens[0] < opens[1]


async def test_what_has_not_happened_by_its_end_is_learned_then(learning: Mall) -> None:
    await makes_offer(learning)
    before = await lessons(learning)
    learning.clock.advance(3600)

    async def learned() -> bool:
        return await lessons(learning) >= before + 3  # not opened, not bought, not turned off

    await until(learned)


async def lives_a_day(opened: Mall) -> None:
    await opened.server.post("/v1/offers", DEEPER | {"budget": {"spend": 500}})
    for number in range(8):
        shopper, receipt = await comes_near(opened)
        opened.clock.advance(30)
        for item in await shopper.inbox():
            if number % 3:
                outcome = "opened" if number % 2 else "dismissed"
                await shopper.post(f"/v1/notifications/{item['id']}/{outcome}", None)
            if number % 4 == 1:
                await opened.till.post("/v1/redemptions", {"code": item["code"]})
        if receipt["outcome"] == "silence":
            await shopper.looks_at("T-1", kind="purchase")
    opened.clock.advance(3600)
    await comes_near(opened)


async def test_replaying_the_day_teaches_the_same_to_the_last_bit(learning: Mall) -> None:
    await lives_a_day(learning)
    day = from_us(learning.clock.now_us()).date()

    replayed = await replay_day(learning.vicino.database, learning.keys["retailer_id"], day)

    assert (replayed.different, replayed.different_states, replayed.different_lessons) == ((), (), ())
    assert replayed.lessons > 20


async def never(_: Lane) -> None:
    """A process that is killed writes nothing at its end."""


async def test_a_killed_server_comes_back_with_all_that_it_had_learned(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lane, "close", never)
    async with mall(database_url, tmp_path, policy="learn", learning=LEARNING) as opened:
        retailer_id = opened.keys["retailer_id"]
        await lives_a_day(opened)
        before = await opened.vicino.engine.state(retailer_id)
        assert await stored_state(opened.vicino.database, retailer_id) == before
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            assert await again.engine.state(retailer_id) == before


async def use(opened: Mall, model: str | None) -> None:
    """Puts a model into use, as the command does."""
    retailer_id = opened.keys["retailer_id"]
    async with opened.vicino.database.transaction(retailer_id) as connection:
        await activate(connection, retailer_id, model)
    await opened.vicino.engine.live(retailer_id)


async def test_a_fitted_model_is_swapped_in_and_out_and_a_replay_does_the_same(learning: Mall) -> None:
    retailer_id, database = learning.keys["retailer_id"], learning.vicino.database
    await lives_a_day(learning)
    before = (await comes_near(learning))[1]["judgement"]

    model = await fit_model(database, retailer_id, from_us(learning.clock.now_us()))
    await use(learning, model.model)
    fitted = (await comes_near(learning))[1]["judgement"]
    await lives_a_day(learning)
    async with database.transaction(retailer_id) as connection:
        assert await roll_back(connection, retailer_id) is None
    await learning.vicino.engine.live(retailer_id)
    rolled_back = (await comes_near(learning))[1]["judgement"]

    assert [one["model"] for one in (before, fitted, rolled_back)] == [None, model.model, None]
    assert fitted["lessons"] >= before["lessons"]  # what it had not read when it was fitted is learned again
    replayed = await replay_day(database, retailer_id, from_us(learning.clock.now_us()).date())
    assert (replayed.different, replayed.different_lessons) == ((), ())


async def test_a_batch_of_nothing_begins_with_no_model(learning: Mall) -> None:
    """A publication is looked at by one; it is not journaled, and the next batch has its number."""
    await lives_a_day(learning)
    retailer_id, database = learning.keys["retailer_id"], learning.vicino.database
    model = await fit_model(database, retailer_id, from_us(learning.clock.now_us()))

    await use(learning, model.model)

    async with database.transaction(retailer_id) as connection:
        newest = await connection.fetchval("SELECT max(seq) FROM journal")
        assert await connection.fetchval("SELECT count(*) FROM lessons WHERE seq > $1", newest) == 0


async def test_a_model_that_does_not_exist_is_refused(learning: Mall) -> None:
    with pytest.raises(BadUse, match="no model mdl_none"):
        await use(learning, "mdl_none")


async def test_nothing_can_be_fitted_before_anything_was_learned(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        with pytest.raises(NothingLearned, match="policy"):
            await fit_model(
                opened.vicino.database, opened.keys["retailer_id"], from_us(opened.clock.now_us())
            )


async def test_what_was_learned_of_somebody_erased_is_gone_and_a_restart_comes_to_the_same(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lane, "close", never)
    async with mall(database_url, tmp_path, policy="learn", learning=LEARNING) as opened:
        retailer_id = opened.keys["retailer_id"]
        shopper, _, item = await makes_offer(opened)
        await shopper.post(f"/v1/notifications/{item['id']}/opened", None)
        await shopper.call("DELETE", "/v1/me")
        await comes_near(opened)
        before = await opened.vicino.engine.state(retailer_id)
        async with opened.vicino.database.transaction(retailer_id) as connection:
            left = await connection.fetchval(
                "SELECT count(*) FROM lessons WHERE shopper_id = $1", shopper.shopper_id
            )
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            assert await again.engine.state(retailer_id) == before
    assert left == 0


async def teaches(opened: Mall) -> Shopper:
    """Somebody of whom is learned that she opens and buys."""
    shopper, _, item = await makes_offer(opened)
    await shopper.post(f"/v1/notifications/{item['id']}/opened", None)
    await opened.till.post("/v1/redemptions", {"code": item["code"]})
    return shopper


async def weights(opened: Mall) -> dict[str, Any]:
    """What the policy believes now."""
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        learner, _, _ = await learned(connection, (opened.keys["retailer_id"], 0), NEVER)
    assert learner is not None
    return {
        name: (head.mean.tolist(), head.cov.tolist(), head.effects) for name, head in learner.heads.items()
    }


async def as_if_never_taught(opened: Mall) -> dict[str, Any]:
    """What a new learner believes that is taught the lessons that are left."""
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT lesson FROM lessons ORDER BY seq, number")
    began, *others = [unpack_lesson(row["lesson"]) for row in rows]
    assert isinstance(began, Began)
    learner = Learner(began.priors)
    for one in others:
        if not isinstance(one, Began):
            taught(learner, one)
    return {
        name: (head.mean.tolist(), head.cov.tolist(), head.effects) for name, head in learner.heads.items()
    }


async def model_in_use(opened: Mall) -> str | None:
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        return await active_model(connection, opened.keys["retailer_id"])


async def test_within_a_day_the_weights_are_as_if_somebody_erased_had_never_taught_them(
    learning: Mall,
) -> None:
    await teaches(learning)
    goes = await teaches(learning)
    _, told = await goes.call("DELETE", "/v1/me")
    await comes_near(learning)
    assert same(await weights(learning), await as_if_never_taught(learning)) is False, "they still know her"
    assert told["erased"]["lessons"] > 0
    promised = datetime.fromisoformat(told["unlearned_by"])
    assert promised - datetime.fromisoformat(told["erased_at"]) == timedelta(days=1)

    learning.clock.advance(13 * 3600)
    await until(lambda: model_in_use(learning), within_s=60)
    await learning.vicino.engine.live(learning.keys["retailer_id"])
    learning.clock.advance(9 * 3600)
    _, receipt = await comes_near(learning)

    assert from_us(learning.clock.now_us()) < promised
    assert receipt["judgement"]["model"] == await model_in_use(learning)
    assert same(await weights(learning), await as_if_never_taught(learning))
    day = from_us(learning.clock.now_us()).date()
    replayed = await replay_day(learning.vicino.database, learning.keys["retailer_id"], day)
    assert (replayed.different, replayed.different_lessons) == ((), ())


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[name][:2] == other[name][:2]
        and {kind: effects.learned for kind, effects in one[name][2].items()}
        == {kind: effects.learned for kind, effects in other[name][2].items()}
        for name in one
    )


async def test_a_fitted_model_that_read_of_somebody_erased_is_fitted_again_and_gone_in_days(
    learning: Mall,
) -> None:
    retailer_id, database = learning.keys["retailer_id"], learning.vicino.database
    goes = await teaches(learning)
    await teaches(learning)
    fitted = await fit_model(database, retailer_id, from_us(learning.clock.now_us()))
    await use(learning, fitted.model)
    await comes_near(learning)
    await goes.call("DELETE", "/v1/me")

    learning.clock.advance(13 * 3600)

    async def another() -> bool:
        return await model_in_use(learning) != fitted.model

    await until(another, within_s=90)
    await learning.vicino.engine.live(retailer_id)
    await comes_near(learning)
    assert same(await weights(learning), await as_if_never_taught(learning)), (
        "there is too little to fit trees to"
    )
    for _ in range(4):
        learning.clock.advance(24 * 3600)
        await comes_near(learning)

    async def left() -> bool:
        async with database.transaction(retailer_id) as connection:
            kept = [one.model for one in await models(connection, retailer_id)]
        return kept == [await model_in_use(learning)]

    await until(left, within_s=60)


async def test_of_whom_nothing_was_learned_nothing_has_to_be_unlearned(learning: Mall) -> None:
    shopper = await learning.shopper()
    _, told = await shopper.call("DELETE", "/v1/me")
    assert told["unlearned_by"] is None

    learning.clock.advance(13 * 3600)
    unlearning = Unlearning(learning.vicino.database, learning.clock, journal_days=1)
    await unlearning.sweep(learning.keys["retailer_id"])

    assert await model_in_use(learning) is None


async def test_a_batch_that_fails_teaches_nothing(learning: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    retailer_id = learning.keys["retailer_id"]
    shopper, _, item = await makes_offer(learning)
    before = await learning.vicino.engine.state(retailer_id)
    with monkeypatch.context() as patched:
        patched.setattr(Learners, "save", fails)
        status, _ = await shopper.call("POST", f"/v1/notifications/{item['id']}/opened", None)
    assert status == 422
    assert (await learning.vicino.engine.state(retailer_id)).sha256 == before.sha256


async def fails(*_: object) -> None:
    raise ValueError("as a defect would")
