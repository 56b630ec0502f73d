"""What is told of a decision log: lift, off-policy evaluation, funnels, journeys, a pilot's verdict."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import h3
import msgspec
import pytest
from shapely import Point, Polygon

from offers.evaluate.ope import Estimate
from server.db import Database
from server.errors import BadUse
from server.evidence.evaluate import TARGETS, Evaluated, evaluation
from server.evidence.funnel import funnel
from server.evidence.heat import heat
from server.evidence.journeys import journeys
from server.evidence.lift import LiftOf, lift_report
from server.evidence.log import Period
from server.evidence.pilot import PilotReport, pilot_report
from server.evidence.wellbeing import opt_outs, speed
from server.imports import import_body
from tests.integration.made_log import END, START, Made, log, retailer, write
from tests.integration.test_rights_cli import vicino

ALL = Period(since=START - timedelta(days=1), until=END)


async def made(database: Database, rows: list[Made], holdout: float = 0.2) -> str:
    retailer_id = await retailer(database, holdout)
    await write(database, retailer_id, rows)
    return retailer_id


async def visits(database: Database, retailer_id: str) -> LiftOf:
    report = await lift_report(database, retailer_id, ALL)
    return next(one for one in report.outcomes if one.outcome == "visited")


async def test_a_lift_is_seen_and_its_interval_holds_it(database: Database) -> None:
    retailer_id = await made(database, log(1, holdout=0.2, spoken=0.3, silent=0.15))
    told = await visits(database, retailer_id)
    assert told.certain
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0.15 < told.high
    assert told.held == pytest.approx(0.15, abs=0.03)


async def test_with_no_effect_the_interval_holds_nothing(database: Database) -> None:
    retailer_id = await made(database, log(2, holdout=0.2, spoken=0.2, silent=0.2))
    told = await visits(database, retailer_id)
    assert told.difference is not None
    assert not told.certain


async def test_ghosts_all_day_long_count_as_often_as_offers_could(database: Database) -> None:
    """Who comes ten times a day has two offers; in the holdout, ten ghosts."""
    rows = log(3, holdout=0.2, spoken=0.2, silent=0.2, shoppers=300)
    many = [
        msgspec.structs.replace(one, at=one.at + timedelta(minutes=10 * number), visited=True)
        for one in rows
        if one.held
        for number in range(1, 10)
    ]
    retailer_id = await made(database, sorted([*rows, *many], key=lambda one: one.at))
    report = await lift_report(database, retailer_id, ALL)
    assert report.held_moments <= 5 * report.held_shoppers


async def test_without_a_holdout_it_says_what_is_lacking(database: Database) -> None:
    retailer_id = await made(database, log(4, holdout=0.0, spoken=0.3, silent=0.3, shoppers=40), 0.0)
    report = await lift_report(database, retailer_id, ALL)
    assert all(one.low is None for one in report.outcomes)
    assert "nobody is in the holdout" in report.note


def of(told: list[Evaluated], target: str) -> Evaluated:
    return next(one for one in told if one.target == target)


def by_method(told: Evaluated) -> dict[str, Estimate]:
    assert told.refused is None
    return {one.method: one for one in told.estimates}


async def evaluated(database: Database, retailer_id: str, reward: str = "visited") -> list[Evaluated]:
    report = await evaluation(database, retailer_id, ALL, TARGETS, (reward,))
    return [*report.policies]


async def test_of_a_log_by_rules_silence_and_speaking_to_everybody_can_be_told(database: Database) -> None:
    retailer_id = await made(database, log(5, holdout=0.2, spoken=0.3, silent=0.1))
    told = await evaluated(database, retailer_id)
    for target, truth in (("everybody", 0.3), ("silent", 0.1)):
        for method, estimate in by_method(of(told, target)).items():
            half = (estimate.high - estimate.low) / 2
            assert estimate.value == pytest.approx(truth, abs=1.6 * half), (target, method)
            assert half < 0.03
    assert set(by_method(of(told, "silent"))) == {"ips", "snips", "dr"}


async def test_what_was_never_tried_is_refused(database: Database) -> None:
    retailer_id = await made(database, log(6, holdout=0.0, spoken=0.3, silent=0.3, shoppers=100), 0.0)
    told = of(await evaluated(database, retailer_id), "silent")
    assert told.refused is not None
    assert told.refused.reason == "support"
    assert told.estimates == ()


async def test_logged_propensities_of_the_learning_policy_are_used(database: Database) -> None:
    """Offer a (chance 0.8) brings visits to 1 in 10, b (0.15) to 3 in 10, silence (0.05) to none."""
    rows = []
    for shopper in range(2000):
        place = shopper % 100
        offer = "a" if place < 80 else "b" if place < 95 else None
        rows.append(
            Made(
                shopper=shopper,
                at=START + timedelta(seconds=shopper),
                offer=offer,
                reasons=() if offer else ("nothing_drawn",),
                visited=offer is not None and shopper // 100 % 10 < (1 if offer == "a" else 3),
                propensities={"a": 0.8, "b": 0.15, "": 0.05},
            )
        )
    retailer_id = await made(database, rows, 0.0)
    told = await evaluated(database, retailer_id)
    assert by_method(of(told, "greedy"))["snips"].value == pytest.approx(0.1)
    assert by_method(of(told, "silent"))["snips"].value == 0.0
    assert by_method(of(told, "everybody"))["ips"].value == pytest.approx(0.8 * 0.1 + 0.15 * 0.3)


async def test_a_time_without_decisions_is_said_to_be_one(database: Database) -> None:
    retailer_id = await retailer(database)
    with pytest.raises(BadUse, match="no decision had anything to choose from"):
        await evaluated(database, retailer_id)


async def test_the_funnel_counts_each_step_and_withholds_the_few(database: Database) -> None:
    rows = log(7, holdout=0.2, spoken=0.5, silent=0.2, shoppers=200)
    few = [Made(shopper=900 + n, at=START, store="boots-1", offer="boots-10") for n in range(5)]
    retailer_id = await made(database, [*rows, *few])
    told = await funnel(database, retailer_id, ALL)
    many = next(one for one in told.offers if one["store"] == "shoes-1")
    assert many["moments"] == len(rows)
    assert many["offers"] == sum(not one.held for one in rows) == many["pushed"]
    assert many["ghosts"] == sum(one.held for one in rows)
    assert many["visited"] == sum(one.visited and not one.held for one in rows)
    assert many["redeemed"] == sum(one.redeemed for one in rows)
    [small] = [one for one in told.offers if one["store"] == "boots-1"]
    assert small == dict.fromkeys(small) | {"store": "boots-1", "offer": "boots-10"}
    [held] = [one for one in told.refusals if one["store"] == "shoes-1"]
    assert (held["reason"], held["moments"]) == ("holdout", sum(one.held for one in rows))
    [near] = [one for one in told.stores if one["store"] == "shoes-1"]
    assert near["visits"] == sum(one.visited for one in rows)


async def test_what_is_withheld_is_told_together_where_that_is_of_enough(database: Database) -> None:
    small = [
        Made(shopper=store * 100 + n, at=START, store=f"s{store}", offer="boots-10")
        for store in range(3)
        for n in range(8)
    ]
    few = [Made(shopper=900 + n, at=START, store="t", reasons=("muted",), offer=None) for n in range(5)]
    retailer_id = await made(database, small)
    together = (await funnel(database, retailer_id, ALL)).others
    assert [(row["moments"], row["shoppers"]) for row in together.offers] == [(24, 24)]
    other = await made(database, few)
    together = (await funnel(database, other, ALL)).others
    assert [row["moments"] for row in together.offers] == [None]
    assert together.refusals == ({"store": None, "reason": "muted", "moments": None, "shoppers": None},)


async def test_the_heat_map_is_of_cells_with_enough_shoppers_and_lies_at_stores(database: Database) -> None:
    rows = [Made(shopper=n, at=START, store="a" if n % 2 else "b", visited=True) for n in range(24)]
    rows += [Made(shopper=100 + n, at=START, store="far", visited=True) for n in range(19)]
    retailer_id = await made(database, rows)
    places = {"a": (60.1700, 24.9400), "b": (60.1701, 24.9401), "far": (60.2, 25.0)}
    lines = [{"external_id": n, "name": n, "lat": lat, "lon": lon} for n, (lat, lon) in places.items()]
    await import_body(database, retailer_id, "stores", msgspec.json.encode(lines), now_us=0)
    told = await heat(database, retailer_id, ALL)
    [cell] = told.cells
    assert (cell.stores, cell.visits, cell.shoppers) == (("a", "b"), 24, 24)
    hexagon = Polygon(cell.corners)
    assert all(hexagon.contains(Point(places[name][::-1])) for name in ("a", "b"))
    assert len(cell.corners) == 6
    assert (cell.cell, told.resolution) == (h3.latlng_to_cell(60.1700, 24.9400, 9), 9)


async def test_opt_outs_mutes_and_how_quick_pushes_were_are_numbers_of_their_own(database: Database) -> None:
    offered = [Made(shopper=n, at=START) for n in range(60)]
    muted = [Made(shopper=n, at=START, offer=None, reasons=("muted",)) for n in range(100, 125)]
    retailer_id = await made(database, [*offered, *muted])
    changes = [
        (retailer_id, f"shp_{n}", purpose, START + timedelta(hours=1 if n < 30 else 30))
        for purpose, shoppers in (("push", range(40)), ("insight", range(3)))
        for n in shoppers
    ]
    async with database.transaction(retailer_id) as connection:
        await connection.executemany(
            """INSERT INTO consent_changes (retailer_id, shopper_id, purpose, status, at, told_by)
               VALUES ($1, $2, $3, 'withdrawn', $4, 'app')""",
            changes,
        )
    told = await opt_outs(database, retailer_id, ALL)
    assert (told.shoppers, told.offered) == (85, 60)
    push, insight = told.opted_out
    assert push == {"purpose": "push", "shoppers": 40, "after_an_offer": 30}
    assert insight == {"purpose": "insight", "shoppers": None, "after_an_offer": None}
    assert told.held_off == ({"reason": "muted", "moments": 25, "shoppers": 25},)
    quick = await speed(database, retailer_id, ALL)
    assert (quick.all.pushes, quick.all.in_time) == (60, 60)
    assert quick.all.p99_s == pytest.approx(0.04)
    assert [one.day for one in quick.days] == [START.date().isoformat()]


async def test_nobody_sees_another_retailers_log(database: Database) -> None:
    await made(database, log(8, holdout=0.2, spoken=0.5, silent=0.2, shoppers=100))
    other = await retailer(database)
    assert (await funnel(database, other, ALL)).offers == ()
    assert (await lift_report(database, other, ALL)).moments == 0
    assert (await journeys(database, other, ALL)).map.arrows == ()


async def test_journeys_lead_from_looking_to_the_till(database: Database) -> None:
    retailer_id = await made(database, log(9, holdout=0.0, spoken=0.6, silent=0.6, shoppers=200), 0.0)
    told = (await journeys(database, retailer_id, ALL)).map
    arrows = {(arrow.step, arrow.next): arrow for arrow in told.arrows}
    assert arrows["zmot", "near"].median_s == 7200.0
    assert arrows["near", "fmot"].median_s == 60.0
    assert arrows["fmot", "redeem"].median_s == 540.0
    assert arrows["zmot", "zmot"].times > 0, "a look that led to no visit comes again"
    assert sum(stop.ended or 0 for stop in told.stops) == told.journeys


async def verdicts(database: Database, retailer_id: str) -> tuple[PilotReport, dict[str, str]]:
    report = await pilot_report(database, retailer_id, ALL)
    return report, {one.name: one.verdict for one in report.criteria}


async def test_a_pilot_that_gains_is_a_go_and_one_that_few_saw_waits(database: Database) -> None:
    gains = await made(database, log(10, holdout=0.2, spoken=0.4, silent=0.15))
    few = await made(database, log(11, holdout=0.2, spoken=0.4, silent=0.15, shoppers=30))
    assert (await verdicts(database, gains))[0].verdict == "go"
    report, told = await verdicts(database, few)
    assert report.verdict == "wait"
    assert told["enough offers"] == "wait"


async def test_a_pilot_in_which_shoppers_stop_pushes_is_a_no_go(database: Database) -> None:
    retailer_id = await made(database, log(12, holdout=0.2, spoken=0.4, silent=0.15))
    async with database.transaction(retailer_id) as connection:
        await connection.execute(
            """INSERT INTO consent_changes (retailer_id, shopper_id, purpose, status, at, told_by)
               SELECT retailer_id, shopper_id, 'push', 'withdrawn', decided_at + interval '1 hour', 'app'
               FROM outbox WHERE shopper_id LIKE '%7'"""
        )
    report, told = await verdicts(database, retailer_id)
    assert (report.verdict, told["shoppers who stop pushes"]) == ("no-go", "no-go")
    assert told["visits gained"] == "go"


async def test_the_commands_print_tables_json_and_pictures(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    retailer_id = await made(database, log(13, holdout=0.2, spoken=0.4, silent=0.15, shoppers=400))
    period = ("--retailer", retailer_id, "--since", "2026-11-01", "--until", "2026-11-16")
    plot = tmp_path / "evaluated.svg"

    async def told(*arguments: str) -> Any:
        status, output, errors = await vicino(database_url, *arguments, *period)
        assert status == 0, errors
        return output

    assert "SNIPS" in await told("evaluate", "--plot", str(plot))
    assert plot.read_text("utf-8").startswith("<svg")
    as_json = msgspec.json.decode(await told("evaluate", "--policy", "silent", "--json"))
    assert {one["target"] for one in as_json["policies"]} == {"silent"}
    assert "visited" in await told("report", "lift", "--plot", str(plot))
    assert "trainers-15" in await told("report", "funnel")
    assert "near" in await told("report", "journeys", "--plot", str(plot))
    assert "Verdict: " in await told("report", "pilot")
