"""`vicino simulate`."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

import click
import msgspec

from offers.settings import POLICIES
from server.cli._traces import progress_bar
from server.simulation.plan import Outcome, Plan

#: What can be simulated.
WHAT = ("delivery",)


@click.command(
    "simulate",
    epilog="""\b
Examples:
  ./vicino simulate
  ./vicino simulate --seeds 1000
  ./vicino simulate --seed 17 --shoppers 200 --days 3 --json""",
)
@click.option(
    "--what",
    type=click.Choice(WHAT),
    default="delivery",
    show_default=True,
    help="delivery: from fix to push and till, through crashes and a bad network.",
)
@click.option("--seed", default=1, show_default=True, help="Of the first simulation.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="How many simulations.")
@click.option("--shoppers", type=click.IntRange(1), default=20, show_default=True, help="In each.")
@click.option("--days", type=click.IntRange(1, 30), default=1, show_default=True, help="In each.")
@click.option(
    "--policy", type=click.Choice(POLICIES), default="rules", show_default=True, help="Who decides."
)
@click.option("--jobs", type=click.IntRange(1), help="Processes to run them in; else one per processor.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each simulation.")
def command(  # noqa: PLR0917 - click passes every option by name
    what: str, seed: int, seeds: int, shoppers: int, days: int, policy: str, jobs: int | None, as_json: bool
) -> None:
    """Simulate a whole Vicino in memory, and see that it keeps its promises whatever goes wrong.

    Engine, outbox, relays, FCM, phones and clock run in one loop that is drawn from a seed: crashes,
    lost, doubled and late requests, an FCM that delivers without saying so. After each step the promises
    are asked for: nothing acknowledged is lost, nobody is pushed twice, budgets hold. The first one that is
    broken ends it with status 1 and the command that does the same again.
    """
    del what  # `delivery` is the only one so far
    plans = [
        Plan(seed=number, shoppers=shoppers, days=days, policy=policy) for number in range(seed, seed + seeds)
    ]
    began = time.monotonic()
    outcomes = []
    with progress_bar(beside_output=as_json) as progress:
        for outcome in _all(plans, min(jobs or os.cpu_count() or 1, seeds)):
            outcomes.append(outcome)
            if as_json:
                click.echo(msgspec.json.encode(outcome).decode())
            progress("simulating", len(outcomes), seeds)
    if not as_json:
        _tell(outcomes, time.monotonic() - began)


def _all(plans: list[Plan], jobs: int) -> Iterator[Outcome]:
    """The outcomes as they come; the first broken promise ends all."""
    # Only who simulates loads what is simulated.
    from server.simulation.run import simulate  # noqa: PLC0415

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
