"""`vicino doctor`."""

from pathlib import Path
from typing import Any, Literal

import click
import msgspec
from rich.console import Console

from geo.fence import Fence
from geo.transition import Rules
from server.cli import run
from server.cli._traces import LATENESS_S, load, progress_bar, say
from server.config import Config
from server.doctor.examine import Report, examine
from server.doctor.health import Finding, examine_server
from server.doctor.page import page
from server.doctor.report import heading, line, proposed
from server.doctor.table import WIDTH, show
from server.doctor.words import count
from server.errors import BadUse, VicinoError
from server.postgres import database_url
from server.replay_fences import read_fences

_READ = click.Path(exists=True, dir_okay=False, path_type=Path)
_WRITTEN = click.Path(dir_okay=False, path_type=Path)

_EXAMPLES = """
Examples:

\b
  ./vicino doctor fences june.csv.gz --geofences fences.geojson
  ./vicino doctor fences june.csv.gz --geofences fences.geojson --fence shoes-1-door --html fences.html
  ./vicino doctor fences june.csv.gz --geofences fences.geojson --propose better.geojson
  ./vicino doctor fences july.csv.gz --geofences better.geojson

A proposal did better on the traces it was chosen by. So look at it, try it on other traces as in the last two
lines, and then `./vicino import geofences better.geojson --retailer ID --dry-run`.
"""


class NotWell(VicinoError):  # noqa: N818 - it names what was found
    """Something that a server needs is out of order."""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    files: tuple[Path, ...]
    geofences: Path
    mode: Literal["exact", "accurate"]
    wanted: tuple[str, ...]
    as_json: bool
    propose: Path | None
    html: Path | None


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Examine a server, or geofences by recorded data: what does not work, why, and what would."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command(short_help="What a server needs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each thing looked at.")
@click.pass_obj
def server(config: Config, as_json: bool) -> None:
    """Look at what a server of this configuration needs: PostgreSQL, schema, clock, disk, FCM, Kafka.

    Says what to do about what is not well; the exit status is 1 then. Changes nothing.
    """
    found = run(_server(config))
    for one in found:
        if as_json:
            click.echo(msgspec.json.encode(one).decode())
        else:
            click.echo(f"{'ok ' if one.well else 'BAD'} {one.what}: {one.told}")
            if one.remedy:
                click.echo(f"    {one.remedy}")
    if not all(one.well for one in found):
        raise NotWell(f"{sum(not one.well for one in found)} of {len(found)} are not well")


async def _server(config: Config) -> list[Finding]:
    async with database_url(config, share=True) as url:
        return await examine_server(config, url)


@command.command(epilog=_EXAMPLES, short_help="Geofences, by recorded traces.")
@click.argument("files", nargs=-1, required=True, type=_READ)
@click.option("--geofences", required=True, type=_READ, help="GeoJSON file of the geofences to examine.")
@click.option(
    "--mode",
    type=click.Choice(["exact", "accurate"]),
    default="accurate",
    show_default=True,
    help="As the server judges, or by bare geometry.",
)
@click.option("--fence", "wanted", multiple=True, metavar="ID", help="Only this one; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each geofence.")
@click.option(
    "--propose", type=_WRITTEN, metavar="FILE", help="Write all geofences as GeoJSON, changed as proposed."
)
@click.option("--html", type=_WRITTEN, metavar="FILE", help="Write one page with plots; it loads nothing.")
def fences(**options: Any) -> None:
    """Examine geofences by recorded traces (GPX, GeoJSON, PLT, CSV), offline.

    Tells how each geofence fared: visits, enters that were none, stops it missed, drive-bys, how accurate the
    fixes near it are, what it overlaps. Where another radius, outline or dwell time would have done better on
    these traces, it proposes that, with its effect.
    """
    request = _Request(**options)
    for path in (request.propose, request.html):
        _check_folder(path)
    every = read_fences(request.geofences, say=say)
    wanted = _wanted(every, request.wanted)
    trace = load(request.files)
    rules = Rules(mode=request.mode, lateness_s=LATENESS_S)
    with progress_bar() as progress:
        reports = examine(trace, every, rules, wanted=wanted, progress=progress)
    told = heading(trace, reports, rules)
    _print(reports, told, as_json=request.as_json)
    if request.propose is not None:
        _write(request.propose, proposed(every, reports))
        changed = sum(report.proposal is not None for report in reports)
        say(f"{request.propose}: {changed} of {count(len(every), 'geofence')} changed")
    if request.html is not None:
        _write(request.html, page(reports, told).encode())


def _wanted(every: list[Fence], names: tuple[str, ...]) -> list[Fence]:
    """The fences to examine: those named, or all that are enabled."""
    if not names:
        enabled = [fence for fence in every if fence.enabled]
        if not enabled:
            raise BadUse("all its geofences are disabled, so nothing ever happens at them; enable some first")
        if len(enabled) < len(every):
            say(f"{count(len(every) - len(enabled), 'disabled geofence')} left out")
        return enabled
    by_id = {fence.external_id: fence for fence in every}
    for name in names:
        if name not in by_id:
            raise BadUse(f"--fence: there is no geofence {name!r} in the file")
        if not by_id[name].enabled:
            raise BadUse(f"--fence: {name!r} is disabled, so nothing ever happens at it; enable it first")
    return [by_id[name] for name in dict.fromkeys(names)]


def _print(reports: list[Report], told: str, *, as_json: bool) -> None:
    if as_json:
        for report in reports:
            click.echo(line(report), nl=False)
        return
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(told)
        show(reports, console)
        return
    # Elsewhere lines need no blanks up to the width of a terminal.
    console = Console(highlight=False, markup=False, width=WIDTH)
    with console.capture() as capture:
        console.print(told)
        show(reports, console)
    for text in capture.get().splitlines():
        click.echo(text.rstrip())


def _check_folder(path: Path | None) -> None:
    """Before the work, not after it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise BadUse(f"{path}: there is no folder {path.parent} to write it to")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadUse(f"{path}: it cannot be written ({error.strerror})") from error
