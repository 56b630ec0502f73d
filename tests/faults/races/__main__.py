"""`python -m tests.faults.races`: a race as long as is wanted."""

import asyncio

import click

from server.cli._traces import progress_bar
from tests.faults.races.run import Raced, raced_alone


@click.command(
    epilog="""\b
Examples:
  PYTHONPATH=. .venv/bin/python -m tests.faults.races --races 1000000
  PYTHONPATH=. .venv/bin/python -m tests.faults.races --races 20000 --seed 7"""
)
@click.option("--races", default=100_000, show_default=True, help="Attempts to reserve and to redeem.")
@click.option("--seed", default=1, show_default=True, help="Of when is killed, and which process.")
def main(races: int, seed: int) -> None:
    """Races for the last coupons of budgets, and for one coupon at many tills, with kills amid both.

    The exit status is 1 where a budget was overspent, a coupon worked twice, or a ledger does not add up.
    """
    told = asyncio.run(_raced(races, seed))
    click.echo(
        f"{told.attempts} attempts in {told.took_s:.0f} s ({told.over_http} over HTTP), {told.kills} kills, "
        f"{told.undone} unanswered: {told.issued} coupons issued, {told.redeemed} redeemed, "
        f"{told.used_up} budgets used up; 0 overspent, 0 redeemed twice, all ledgers add up"
    )


async def _raced(races: int, seed: int) -> Raced:
    with progress_bar() as progress:
        return await raced_alone(races, seed=seed, on_done=lambda done: progress("racing", done, races))


if __name__ == "__main__":
    main()
