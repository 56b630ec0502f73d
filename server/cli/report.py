"""`vicino report`."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from server.charts import Span, spans, write
from server.cli._period import asked, table, tell, told, with_period
from server.config import Config
from server.errors import BadUse
from server.evidence.funnel import STEPS, funnel
from server.evidence.journeys import chart, journeys
from server.evidence.lift import lift_report
from server.evidence.pilot import pilot_report

_PLOT = click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write it as SVG.")


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """What the decision log says: lift, funnels, journeys, a pilot's verdict."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command("lift", epilog="\b\nExample:\n  ./vicino report lift --retailer rtl_… --plot lift.svg")
@with_period
@_PLOT
@click.pass_obj
def lift(config: Config, /, retailer: str, **more: Any) -> None:
    """What speaking changed, by the holdout's ghosts. The interval may be looked at every day."""
    report = asked(config, lambda database, period: lift_report(database, retailer, period), **_period(more))
    title = f"{report.moments:,} moments of {report.shoppers:,} shoppers, {report.held_moments:,} held back"
    rows = table(title, "outcome", "spoken", "held back", "difference", "95 %, always valid")
    for one in report.outcomes:
        interval = "" if one.low is None else f"{told(one.low)} to {told(one.high)}"
        rows.add_row(one.outcome, told(one.spoken), told(one.held), told(one.difference), interval)
    if more["plot"] is not None:
        known = [
            Span(name=one.outcome, value=one.difference, low=one.low, high=one.high)
            for one in report.outcomes
            if one.difference is not None and one.low is not None and one.high is not None
        ]
        if not known:
            raise BadUse(f"there is nothing to draw: {report.note}")
        write(more["plot"], spans("What speaking changed", known, "a moment"))
    rows.caption = report.note or None
    tell(report, rows, as_json=more["as_json"])


@command.command("funnel", epilog="\b\nExample:\n  ./vicino report funnel --retailer rtl_… --store shoes-1")
@with_period
@click.option("--store", metavar="ID", help="Only this one.")
@click.pass_obj
def funnels(config: Config, /, retailer: str, store: str | None, **more: Any) -> None:
    """How far moments came, by store and offer. Numbers of fewer than 20 shoppers are withheld."""
    report = asked(
        config, lambda database, period: funnel(database, retailer, period, store), **_period(more)
    )
    rows = table("From the moment to the till", "store", "offer", *STEPS)
    for one in report.offers:
        rows.add_row(one["store"] or "–", one["offer"] or "none", *(told(one[step]) for step in STEPS))
    tell(report, rows, as_json=more["as_json"])


@command.command("journeys", epilog="\b\nExample:\n  ./vicino report journeys --retailer rtl_…")
@with_period
@_PLOT
@click.pass_obj
def journey(config: Config, /, retailer: str, **more: Any) -> None:
    """The moments-of-truth map: which way shoppers go, how long it takes, where they are lost."""
    report = asked(config, lambda database, period: journeys(database, retailer, period), **_period(more))
    if more["plot"] is not None:
        write(more["plot"], chart(report))
    tell(report, _arrows(report.map.arrows), as_json=more["as_json"])


@command.command("pilot", epilog="\b\nExample:\n  ./vicino report pilot --retailer rtl_… --store shoes-1")
@with_period
@click.option("--store", multiple=True, metavar="ID", help="Only this one; may be given again.")
@click.pass_obj
def pilot(config: Config, /, retailer: str, store: tuple[str, ...], **more: Any) -> None:
    """Go, no-go, or wait: each criterion with its figure and limit."""
    report = asked(
        config,
        lambda database, period: pilot_report(database, retailer, period, store or None),
        **_period(more),
    )
    rows = table(f"Verdict: {report.verdict}", "criterion", "verdict", "measured", "limit")
    for one in report.criteria:
        rows.add_row(one.name, one.verdict, one.measured, one.limit)
    tell(report, rows, as_json=more["as_json"])


def _arrows(arrows: Any) -> Table:
    rows = table("What follows what", "from", "to", "times", "shoppers", "median, s", "share")
    for arrow in arrows:
        rows.add_row(
            *(arrow.step, arrow.next, told(arrow.times), told(arrow.shoppers)),
            *(told(arrow.median_s), f"{arrow.share:.0%}"),
        )
    return rows


def _period(more: dict[str, Any]) -> dict[str, Any]:
    return {"since": more["since"], "until": more["until"]}
