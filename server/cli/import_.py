"""`vicino import`."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from geo.fence import MAX_RADIUS_M, MIN_RADIUS_M
from server.cli import run
from server.clock import SystemClock
from server.config import Config
from server.db import Database
from server.imports import Geocoder, ImportKind, ImportReport, Problem, import_body
from server.imports.importer import Progress as ImportProgress
from server.postgres import database_url

#: As many problems as a person reads; more of them are in the JSON.
_ROWS_SHOWN = 100

_EXAMPLES = """
Examples:

\b
  ./vicino import stores shops.csv --retailer rtl_… --radius 60
  ./vicino import geofences malls.geojson --retailer rtl_… --dry-run
  ./vicino import catalog products.ndjson --retailer rtl_…
  ./vicino import inventory shelves.tsv --retailer rtl_…
  ./vicino import offers summer.ndjson --retailer rtl_… --json

Every record stands by itself: good ones are published even where others are refused. The same file can be
imported again at any time; records are known by their `external_id` or `sku`.
Exit status: 0 if all records were good, 1 if some were refused, 2 for bad use.
"""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    kind: ImportKind
    file: Path
    retailer_id: str
    dry_run: bool
    radius_m: float | None
    geocoder_url: str | None


@click.command("import", epilog=_EXAMPLES)
@click.argument("kind", type=click.Choice(get_args(ImportKind)))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--retailer", "retailer_id", metavar="ID", required=True, help="Whose they are.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.option(
    "--radius",
    "radius_m",
    type=click.FloatRange(MIN_RADIUS_M, MAX_RADIUS_M),
    metavar="M",
    help="Stores: also make a geofence of that many metres around each.",
)
@click.option(
    "--geocoder",
    "geocoder_url",
    metavar="URL",
    help="Stores: the Nominatim to look up addresses at, one a second (default: VICINO_GEOCODER).",
)
@click.pass_obj
def command(config: Config, /, *, as_json: bool, **options: Any) -> int:
    """Import stores, geofences, the catalog, what stores have, offers or sensitive places from FILE."""
    request = _Request(**options)
    if request.kind != "stores" and request.radius_m is not None:
        raise click.UsageError("--radius is for stores")
    body = request.file.read_bytes()
    errors = Console(stderr=True)
    with _progress(errors) as progress:
        report = run(_import(config, request, body, progress))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _show(report, errors)
    return 1 if report.problems else 0


async def _import(config: Config, request: _Request, body: bytes, progress: ImportProgress) -> ImportReport:
    async with AsyncExitStack() as opened:
        geocoder_url = request.geocoder_url or config.geocoder
        geocoder = None
        if geocoder_url is not None and request.kind == "stores":
            geocoder = await opened.enter_async_context(Geocoder.open(geocoder_url))
        url = await opened.enter_async_context(database_url(config, share=True))
        database = await opened.enter_async_context(await Database.open(url, connections=1))
        return await import_body(
            database,
            request.retailer_id,
            request.kind,
            body,
            now_us=SystemClock().now_us(),
            name=request.file.name,
            dry_run=request.dry_run,
            radius_m=request.radius_m,
            geocoder=geocoder,
            progress=progress,
        )


@contextmanager
def _progress(console: Console) -> Iterator[ImportProgress]:
    """A bar on a terminal; nothing elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("reading", total=None)

        def show(what: str, done: int, total: int | None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


def _show(report: ImportReport, errors: Console) -> None:
    if report.problems:
        errors.print(_table("Refused", report.problems))
    if report.warnings:
        errors.print(_table("Warnings", report.warnings))
    for difference in report.differences:
        if difference.change != "unchanged":
            fields = f" ({', '.join(difference.fields)})" if difference.fields else ""
            click.echo(f"{difference.change} {difference.kind} {difference.external_id}{fields}")
    click.echo(_summary(report))


def _summary(report: ImportReport) -> str:
    counts = {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "warnings": len(report.warnings),
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing could be read"
    version = f"; version {report.version}" if report.version is not None and not report.dry_run else ""
    return f"{report.kind}: {told}{version}{' (dry run: nothing was changed)' if report.dry_run else ''}"


def _table(title: str, problems: tuple[Problem, ...]) -> Table:
    more = f"; the first {_ROWS_SHOWN} of {len(problems)}" if len(problems) > _ROWS_SHOWN else ""
    table = Table("where", "id", "field", "code", "what", "remedy", title=title + more, box=box.SIMPLE)
    for problem in problems[:_ROWS_SHOWN]:
        cells = (_where(problem), problem.external_id or "", problem.field, problem.code)
        table.add_row(*(_plain(cell) for cell in (*cells, problem.detail, problem.remedy)))
    return table


def _plain(cell: str) -> Text:
    """Without what a terminal would obey: the text is a stranger's."""
    return Text("".join(character if character.isprintable() else "�" for character in cell))


def _where(problem: Problem) -> str:
    if problem.line is not None:
        return f"line {problem.line}"
    return "file" if problem.index < 0 else f"record {problem.index}"
