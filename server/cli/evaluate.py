"""`vicino evaluate`."""

from pathlib import Path
from typing import Any

import click

from server.charts import Span, spans, write
from server.cli._period import asked, table, tell, told, with_period
from server.config import Config
from server.errors import BadUse
from server.evidence.evaluate import REWARDS, TARGETS, Evaluation, evaluation

_EXAMPLES = """
Examples:

\b
  ./vicino evaluate --retailer rtl_…
  ./vicino evaluate --retailer rtl_… --since 2026-01-01 --policy greedy --reward redeemed --plot greedy.svg
"""


@click.command("evaluate", epilog=_EXAMPLES)
@with_period
@click.option(
    "--policy", type=click.Choice([*TARGETS]), multiple=True, help="Only this one; may be given again."
)
@click.option(
    "--reward", type=click.Choice(REWARDS), multiple=True, help="Only this one; may be given again."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the estimates as SVG.")
@click.pass_obj
def command(config: Config, /, retailer: str, **more: Any) -> None:
    """What other policies would have earned per moment, by the log of decisions and its propensities.

    silent: never says anything. everybody: as it was, without a holdout. greedy: what was likeliest, nothing
    tried out. By inverse propensities (IPS), the same normalised (SNIPS), and doubly robust (DR), with 95 %
    intervals over shoppers. A policy that the log says too little of is refused: below 5 % effective moments,
    or when more than 1 % of what it would do was never tried.
    """
    targets = {name: TARGETS[name] for name in more["policy"] or TARGETS}
    rewards = more["reward"] or REWARDS
    report = asked(
        config,
        lambda database, period: evaluation(database, retailer, period, targets, rewards),
        since=more["since"],
        until=more["until"],
    )
    if more["plot"] is not None:
        write(more["plot"], _chart(report))
    rows = table(
        "Per moment with something to say", "policy", "reward", "method", "value", "95 %", "effective"
    )
    for reward, value in report.logged.items():
        rows.add_row("as logged", reward, "", told(value), "", "")
    for one in report.policies:
        if one.refused is not None:
            rows.add_row(one.target, one.reward, "refused", "", one.refused.detail, "")
        for found in one.estimates:
            interval = f"{told(found.low)} to {told(found.high)}"
            share = f"{found.effective_share:.0%}"
            rows.add_row(one.target, one.reward, found.method.upper(), told(found.value), interval, share)
    tell(report, rows, as_json=more["as_json"])


def _chart(report: Evaluation) -> str:
    rows = [
        Span(
            name=f"{one.target}, {one.reward} ({found.method.upper()})",
            value=found.value,
            low=found.low,
            high=found.high,
        )
        for one in report.policies
        for found in one.estimates
    ]
    if not rows:
        raise BadUse("every policy was refused: there is nothing to draw")
    return spans("What other policies would have earned", rows, "per moment with something to say")
