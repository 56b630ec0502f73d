"""`vicino replay`."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import click
import msgspec

from geo.transition import Rules
from server.cli import run
from server.cli._traces import LATENESS_S, load, progress_bar, say
from server.clock import SystemClock
from server.config import Config
from server.errors import BadUse, VicinoError
from server.replay_client import Client
from server.replay_fences import load_fences
from server.replay_sender import send
from server.replay_traces import line, replay


class DayDiffers(VicinoError):  # noqa: N818 - it names what was found
    """A stored day did not come out as it was; the program changed, or has a defect."""


@click.command(
    "replay",
    epilog="""\b
Examples:
  ./vicino replay walk.gpx --geofences fences.geojson --mode exact
  ./vicino replay walk.gpx --url http://127.0.0.1:8080 --app-key pk_...
  ./vicino replay --retailer rtl_... --day 2026-01-05""",
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--geofences",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="GeoJSON file of the geofences to judge by, without a server.",
)
@click.option(
    "--mode",
    type=click.Choice(["exact", "accurate"]),
    help="exact: accuracy and hysteresis are ignored. accurate (default): as the server judges.",
)
@click.option("--url", help="Send the traces to this server instead.")
@click.option("--app-key", help="The app key of the retailer on that server.")
@click.option("--keep-times", is_flag=True, help="Send the recorded times; else the last fix becomes now.")
@click.option("--retailer", help="Replay a stored day of this retailer.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The stored day to replay (UTC).")
@click.pass_obj
def command(  # noqa: PLR0917 - click passes every option by name
    config: Config,
    files: tuple[Path, ...],
    geofences: Path | None,
    mode: Literal["exact", "accurate"] | None,
    url: str | None,
    app_key: str | None,
    keep_times: bool,
    retailer: str | None,
    day: datetime | None,
) -> None:
    """Replay recorded traces (GPX, GeoJSON, PLT, CSV) through the fence engine.

    Without --url it prints every transition as one JSON object a line. With --url it sends the fixes to a
    server and prints what became of them and what the inboxes hold. Without FILES, the
    decisions of a stored day are made again and compared: the exit status is 1 when they differ.
    """
    if not files:
        _forbid("needs trace files", geofences=geofences, mode=mode, url=url, app_key=app_key)
        _forbid("needs trace files", keep_times=keep_times or None)
        if retailer is None or day is None:
            raise BadUse("name trace files, or a stored day with --retailer ID --day YYYY-MM-DD")
        run(_replay_day(config, retailer, day.date()))
    elif url is not None:
        _forbid("cannot go with --url", geofences=geofences, mode=mode, retailer=retailer, day=day)
        if not url.startswith(("http://", "https://")):
            raise BadUse("--url is the server's base URL, such as http://127.0.0.1:8080")
        if app_key is None:
            raise BadUse("--url needs --app-key: the app key that `vicino retailer create` printed")
        run(_send(files, url, app_key, keep_times=keep_times))
    else:
        _forbid("needs --url", app_key=app_key, keep_times=keep_times or None)
        _forbid("cannot go with trace files", retailer=retailer, day=day)
        if geofences is None:
            raise BadUse("name the geofences with --geofences FILE, or a server with --url and --app-key")
        _replay_files(files, geofences, mode or "accurate")


def _forbid(reason: str, **options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise BadUse(f"--{name.replace('_', '-')} {reason}")


async def _replay_day(config: Config, retailer: str, day: date) -> None:
    # Traces need no database; only this does.
    from server.db import Database  # noqa: PLC0415
    from server.postgres import database_url  # noqa: PLC0415
    from server.replay_journal import replay_day  # noqa: PLC0415

    async with database_url(config, share=True) as url, await Database.open(url) as database:
        replayed = await replay_day(database, retailer, day)
    click.echo(msgspec.json.encode(replayed))
    if replayed.different or replayed.different_states or replayed.different_lessons:
        raise DayDiffers(
            f"the day came out otherwise: {len(replayed.different)} decisions, "
            f"{len(replayed.different_states)} shoppers' states, lessons of "
            f"{len(replayed.different_lessons)} batches (at most 100 of each are listed)"
        )


def _replay_files(files: tuple[Path, ...], geofences: Path, mode: Literal["exact", "accurate"]) -> None:
    fences = load_fences(geofences, say=say)
    trace = load(files)
    output = sys.stdout.buffer
    rules = Rules(mode=mode, lateness_s=LATENESS_S)
    with progress_bar(beside_output=True) as progress:
        told = replay(trace, fences, rules, on_fixes=lambda count: progress("judging", count, len(trace)))
        for device, transition in told:
            output.write(line(device, transition))
    output.flush()


async def _send(files: tuple[Path, ...], url: str, app_key: str, *, keep_times: bool) -> None:
    trace = load(files)
    shift_us = 0 if keep_times else SystemClock().now_us() - int(trace.fixed_at_us.max())
    output = sys.stdout.buffer
    with progress_bar(beside_output=True) as progress:
        async with Client(url, app_key, say=say) as client:
            total = len(trace)
            sent = send(
                trace, client, shift_us=shift_us, on_fixes=lambda count: progress("sending", count, total)
            )
            async for told in sent:
                output.write(msgspec.json.encode(told) + b"\n")
                output.flush()
