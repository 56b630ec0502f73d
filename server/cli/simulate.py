"""`vicino simulate`."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import click
import msgspec

from offers.settings import POLICIES
from server.cli._period import console, table, told
from server.cli._traces import progress_bar
from server.simulation.plan import Outcome, Plan

#: What can be simulated.
WHAT = ("delivery", "decisions")


@click.command(
    "simulate",
    epilog="""\b
Examples:
  ./vicino simulate
  ./vicino simulate --seeds 1000
  ./vicino simulate --seed 17 --shoppers 200 --days 3 --json
  ./vicino simulate --what decisions --world drift --seeds 4""",
)
@click.option(
    "--what",
    type=click.Choice(WHAT),
    default="delivery",
    show_default=True,
    help="delivery: from fix to push and till, through crashes and a bad network. decisions: a town in which "
    "the learning policy decides, against an oracle that knows what everybody wants.",
)
@click.option(
    "--world",
    type=click.Choice(["plain", "drift", "gps", "late", "new-store", "null"]),
    default="plain",
    show_default=True,
    help="Of decisions: tastes turn; positions are off; outcomes come late, twice and out of order; a store "
    "opens; offers change nothing.",
)
@click.option("--moments", type=click.IntRange(100), default=20_000, show_default=True, help="Of decisions.")
@click.option("--flat", is_flag=True, help="Of decisions: nothing is believed about features beforehand.")
@click.option("--seed", default=1, show_default=True, help="Of the first simulation.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="How many simulations.")
@click.option("--shoppers", type=click.IntRange(1), default=20, show_default=True, help="Of delivery.")
@click.option("--days", type=click.IntRange(1, 30), default=1, show_default=True, help="Of delivery.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default="rules",
    show_default=True,
    help="Of delivery: who decides.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes to run them in; else one per processor.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each simulation.")
def command(what: str, seed: int, seeds: int, jobs: int | None, as_json: bool, **more: Any) -> None:
    """Simulate a whole Vicino in memory, and see that it keeps its promises whatever goes wrong.

    delivery: engine, outbox, relays, FCM, phones and clock run in one loop that is drawn from a seed:
    crashes, lost, doubled and late requests, an FCM that delivers without saying so. After each step the
    promises are asked for: nothing acknowledged is lost, nobody is pushed twice, budgets hold. The first one
    that is broken ends it with status 1 and the command that does the same again.

    decisions: 800 shoppers and 60 stores with a hidden truth. What the learning policy gains, as a share of
    what an oracle gains, beside the same beliefs without learning; and whether the lift detector sees it.
    """
    numbers = range(seed, seed + seeds)
    began = time.monotonic()
    outcomes: list[Any] = []
    with progress_bar(beside_output=as_json) as progress:
        for outcome in _all(*_plans(what, numbers, more), min(jobs or os.cpu_count() or 1, seeds)):
            outcomes.append(outcome)
            if as_json:
                click.echo(msgspec.json.encode(outcome).decode())
            progress("simulating", len(outcomes), seeds)
    if as_json:
        return
    if what == "delivery":
        _tell(outcomes, time.monotonic() - began)
    else:
        _tell_decisions(outcomes)


def _plans(what: str, seeds: range, more: dict[str, Any]) -> tuple[Callable[[Any], Any], list[Any]]:
    """What to run, and with what. Only who simulates loads what is simulated."""
    if what == "delivery":
        from server.simulation.run import simulate  # noqa: PLC0415

        wanted = {name: more[name] for name in ("shoppers", "days", "policy")}
        return simulate, [Plan(seed=seed, **wanted) for seed in seeds]
    from server.simulation.decisions import DecisionPlan, simulate_decisions  # noqa: PLC0415

    wanted = {name: more[name] for name in ("world", "moments", "flat")}
    return simulate_decisions, [DecisionPlan(seed=seed, **wanted) for seed in seeds]


def _all(simulate: Callable[[Any], Any], plans: list[Any], jobs: int) -> Iterator[Any]:
    """The outcomes as they come; the first broken promise ends all."""
    if jobs == 1:
        yield from map(simulate, plans)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for done in as_completed([pool.submit(simulate, plan) for plan in plans]):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _tell(outcomes: list[Outcome], took_s: float) -> None:
    fields = [name for name in Outcome.__struct_fields__ if name != "seed"]
    total = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in fields}
    for name, count in total.items():
        click.echo(f"{name.replace('_', ' '):14} {count:>10,}")
    click.echo(
        f"Every promise was kept in {len(outcomes)} simulations: "
        f"{total['shopper_days'] / took_s * 60:,.0f} shopper-days a minute."
    )


def _tell_decisions(outcomes: list[Any]) -> None:
    rows = table(
        f"World: {outcomes[0].world}",
        *("seed", "sent", "opted out", "profit, %", "capture", "static", "lift", "95 %"),
    )
    for one in sorted(outcomes, key=lambda outcome: outcome.seed):
        interval = "" if one.lift is None else f"{told(one.lift_low)} to {told(one.lift_high)}"
        rows.add_row(
            *(str(one.seed), f"{one.sent:,}", f"{one.opted_out}", told(one.profit_percent)),
            *(told(one.capture), told(one.capture_static), told(one.lift), interval),
        )
    console().print(rows)
