"""The options of a report's retailer and period, and how it is printed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from server.cli import run
from server.clock import SystemClock, from_us
from server.config import Config
from server.db import Database
from server.errors import BadUse
from server.evidence.log import DAYS_USUAL, Period
from server.postgres import database_url

T = TypeVar("T")
WIDTH = 160  #: of lines that do not go to a terminal


def with_period(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--retailer`, `--since`, `--until` and `--json`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--until", type=click.DateTime(), help="The end (UTC), left out; else now."),
        click.option(
            "--since", type=click.DateTime(), help=f"The beginning (UTC); else {DAYS_USUAL} days before."
        ),
        click.option("--retailer", required=True, metavar="ID", help="Whose log."),
    ):
        command = option(command)
    return command


def asked(
    config: Config,
    report: Callable[[Database, Period], Awaitable[T]],
    *,
    since: datetime | None,
    until: datetime | None,
) -> T:
    """The report on the period."""
    end = from_us(SystemClock().now_us()) if until is None else until.replace(tzinfo=UTC)
    start = end - timedelta(days=DAYS_USUAL) if since is None else since.replace(tzinfo=UTC)
    if start >= end:
        raise BadUse("--since must be before --until")

    async def made() -> T:
        async with database_url(config, share=True) as url, await Database.open(url) as database:
            return await report(database, Period(since=start, until=end))

    return run(made())


def tell(report: Any, rows: Table, *, as_json: bool) -> None:
    """The report as JSON, or as its table."""
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        console().print(rows)


def console() -> Console:
    """As wide as the terminal; elsewhere as wide as any table."""
    made = Console(highlight=False, markup=False)
    return made if made.is_terminal else Console(highlight=False, markup=False, width=WIDTH)


def table(title: str, *columns: str) -> Table:
    """The first column is words, the others are numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left", overflow="fold")
    return made


def told(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"
