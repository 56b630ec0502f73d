"""`vicino what-if`."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from server.charts import write
from server.cli import run
from server.cli._period import console
from server.cli._traces import progress_bar
from server.config import Config
from server.errors import BadUse
from server.postgres import database_url
from server.whatif.apart import what_if_apart
from server.whatif.changes import Changes, read_changes
from server.whatif.tally import Difference
from server.whatif.told import chart, show

_EXAMPLES = """
Examples:

\b
  ./vicino what-if --retailer rtl_… --day 2026-01-05
  ./vicino what-if --retailer rtl_… --day 2026-01-05 --set shopper_per_day=1 --set holdout=0
  ./vicino what-if --retailer rtl_… --day 2026-01-05 --changes wider.json --plot wider.svg

\b
wider.json holds what is to be otherwise, by name; null takes away:
  {"geofences": {"door": {"properties": {"radius": 150}}},
   "offers": {"trainers-15": {"discount": {"value": 20}}, "boots-10": null}}
"""


@click.command("what-if", epilog=_EXAMPLES)
@click.option("--retailer", required=True, metavar="ID", help="Whose day.")
@click.option("--day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The stored day (UTC).")
@click.option(
    "--changes",
    "changes_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON of what is to be otherwise: settings, offers, geofences, stores, catalog, sensitive.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="One setting; may be given again."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the difference as SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(config: Config, /, retailer: str, day: datetime, changes_file: Path | None, **more: Any) -> None:
    """Live a stored day through again with other fences, offers, caps or policy, and tell the difference.

    The day's journal goes through the code that runs live; with nothing changed every decision comes out as
    it is in the log. Nothing is written. The day must still be in the journal (a day unless set otherwise).
    """
    changes = read_changes(changes_file, _settings(more["settings"]))
    difference = run(_difference(config, retailer, day.date(), changes))
    if more["plot"] is not None:
        write(more["plot"], chart(difference))
    if more["as_json"]:
        click.echo(msgspec.json.encode(difference))
    else:
        show(difference, console())


def _settings(told: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in told]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise BadUse("--set takes NAME=VALUE, such as --set shopper_per_day=1")
    return {name: value for name, _, value in pairs}


async def _difference(config: Config, /, retailer: str, day: date, changes: Changes) -> Difference:
    with progress_bar() as progress:
        async with database_url(config, share=True) as url:
            return await what_if_apart(
                url, retailer, day, changes, on_batch=lambda done, total: progress("replaying", done, total)
            )
