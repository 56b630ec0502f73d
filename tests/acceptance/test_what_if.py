"""A stored day on a changed world, told beside what was."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.clock import from_us
from server.whatif.apart import what_if_apart
from server.whatif.changes import BadChange, Changes
from server.whatif.run import what_if
from server.whatif.tally import Difference
from tests.acceptance.mall import OFFER, Mall, mall
from tests.acceptance.test_replay_day import live_a_day
from tests.integration.test_rights_cli import vicino

WIDER = Changes(geofences={"door": {"properties": {"radius": 350}}})


def today(opened: Mall) -> date:
    return from_us(opened.clock.now_us()).date()


async def asked(opened: Mall, changes: Changes) -> Difference:
    return await what_if(opened.vicino.database, opened.keys["retailer_id"], today(opened), changes)


async def tables(opened: Mall) -> list[Any]:
    """All that a what-if must leave alone."""
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        return [
            await connection.fetchval(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {name} t")
            for name in ("decisions", "coupons", "ledgers", "quotas", "shoppers", "published", "journal")
        ]


async def test_nothing_changed_is_the_log_to_the_last_character(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path, retailer_per_day=3) as opened:
        await live_a_day(opened)
        before = await tables(opened)
        difference = await asked(opened, Changes())
        assert await tables(opened) == before

    assert difference.different == 0
    assert difference.same == difference.before.moments > 10
    assert difference.before == difference.after
    assert difference.before.offers == 3
    assert difference.left_out == 0


async def test_nothing_changed_is_the_log_where_the_policy_learns_too(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path, policy="learn") as opened:
        await live_a_day(opened)
        difference = await asked(opened, Changes())

    assert difference.different == 0
    assert difference.same == difference.before.moments > 10
    assert difference.before == difference.after


async def test_a_policy_that_had_learned_nothing_is_not_asked(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        with pytest.raises(BadChange, match="had learned nothing by that day"):
            await asked(opened, Changes(settings={"policy": "learn"}))


async def test_a_wider_fence_makes_moments_farther_off(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1", ago_s=600)
        await shopper.ping(north_m=600)
        opened.clock.advance(240)
        await shopper.ping(north_m=300)
        difference = await asked(opened, WIDER)

    assert (difference.before.moments, difference.before.offers) == (0, 0)
    assert (difference.after.moments, difference.after.offers) == (1, 1)
    assert difference.after.by_store == {"shoes-1": 1}
    assert difference.examples[0].after == "trainers-15"


async def test_a_dwell_of_a_changed_fence_comes_without_a_further_fix(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper, other = await opened.shopper(), await opened.shopper()
        await shopper.ping(north_m=400)
        opened.clock.advance(240)
        await shopper.ping(north_m=20)
        opened.clock.advance(30)
        await shopper.looks_at("T-1")
        opened.clock.advance(20)
        await other.ping(north_m=5000)
        quicker = Changes(geofences={"door": {"properties": {"dwell_s": 40}}})
        difference = await asked(opened, quicker)

    assert difference.after.moments == difference.before.moments + 1


async def test_a_smaller_budget_ends_sooner_and_what_became_of_the_rest_is_left_out(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        for number in range(3):
            shopper = await opened.shopper()
            await shopper.looks_at("T-1", ago_s=600)
            await shopper.ping(north_m=300)
            opened.clock.advance(240)
            await shopper.ping(north_m=40 + number)
            [item] = await shopper.inbox()
            await shopper.post(f"/v1/notifications/{item['id']}/opened", None)
        difference = await asked(opened, Changes(offers={"trainers-15": {"budget": {"issued": 1}}}))

    assert (difference.before.offers, difference.after.offers) == (3, 1)
    assert difference.after.reasons["budget"].shoppers == 2
    assert difference.left_out == 2
    assert difference.after.spend_most * 3 == difference.before.spend_most


async def test_a_deeper_discount_costs_more_and_reaches_the_same(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        difference = await asked(opened, Changes(offers={"trainers-15": {"discount": {"value": 30}}}))

    assert difference.after.reached == difference.before.reached
    assert difference.after.spend_most == 2 * difference.before.spend_most


async def test_it_runs_in_a_process_of_its_own_and_says_how_far_it_is(
    database_url: str, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        retailer_id, day = opened.keys["retailer_id"], today(opened)
        here = await asked(opened, WIDER)
        apart = await what_if_apart(
            database_url, retailer_id, day, WIDER, on_batch=lambda done, total: told.append((done, total))
        )

    assert apart == here
    assert told[-1][0] == told[-1][1] == apart.batches


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(settings={"holdout": 2}), "settings: holdout: must be from 0 to 1"),
        (Changes(settings={"holdoff": 0.1}), "settings: holdoff: unknown field 'holdoff'"),
        (Changes(offers={"boots-10": None}), "offers.boots-10: nothing of that name was published"),
        (Changes(offers={"new": {"name": "New"}}), "offers.new: discount: is required"),
        (Changes(geofences={"door": {"properties": {"radius": -1}}}), "geofences.door: "),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_its_field(changes: Changes, message: str) -> None:
    published = {
        "settings": {"settings": {}},
        "offer": {"trainers-15": OFFER},
        "geofence": {
            "door": {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [24.9, 60.2]},
                "properties": {"external_id": "door", "store": "shoes-1", "radius": 100},
            }
        },
    }
    with pytest.raises(BadChange, match=message):
        changes.edit(published)


async def test_the_command_prints_a_table_or_json_and_draws(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        retailer_id, day = opened.keys["retailer_id"], today(opened).isoformat()
    plot = tmp_path / "day.svg"
    arguments = ("what-if", "--retailer", retailer_id, "--day", day, "--set", "shopper_per_day=1")

    status, output, errors = await vicino(database_url, *arguments, "--plot", str(plot))
    assert status == 0, errors
    assert "silent: shopper_cap" in output
    assert plot.read_text(encoding="utf-8").startswith("<svg")

    status, output, errors = await vicino(database_url, *arguments, "--json")
    told = msgspec.json.decode(output)
    assert status == 0, errors
    assert told["before"]["moments"] == told["same"] + told["different"]

    status, _, errors = await vicino(database_url, *arguments, "--set", "holdout")
    assert status == 2
    assert "--set takes NAME=VALUE" in errors
