"""`vicino serve`: the server, until it is told to stop."""

import asyncio
import gc
import importlib
import sys

import click
import msgspec
import structlog

from server.cli import run
from server.config import Config, Role
from server.errors import VicinoError
from server.migrate import migrate
from server.postgres import database_url

log = structlog.get_logger("vicino.serve")


@click.command(
    epilog="""\b
Examples:
  ./vicino serve
  VICINO_KAFKA=kafka:9092 VICINO_DATABASE_URL=postgresql://… ./vicino serve --role engine
  VICINO_PORT=9000 VICINO_FCM_CREDENTIALS=service-account.json ./vicino serve"""
)
@click.option(
    "--role",
    type=click.Choice(["all", "edge", "engine", "push"]),
    default="all",
    help="What this process does.",
)
@click.pass_obj
def command(config: Config, role: Role) -> None:
    """Serve the API; starts and migrates its database. Stop it with Ctrl-C.

    The settings are environment variables: see docs/reference.md.
    """
    try:
        run(_serve(config, role))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("stopped", err=True)
    except (VicinoError, click.ClickException):
        raise
    except Exception:  # Python itself would print what the message quotes
        log.exception("broke_off")
        sys.exit(1)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _spare_pauses() -> None:
    """Keeps short what stops everything else: the collector's rounds, and threads that build a world."""
    gc.freeze()  # what a start has made stays: nothing of it need be looked at again, not even once
    gc.set_threshold(5_000, 5, 400)  # a round of the second kind looks at 25,000 new things, in 8 ms
    sys.setswitchinterval(0.001)


async def _serve(config: Config, role: Role) -> None:
    # To read the program in takes longer than to start PostgreSQL: one beside the other.
    reading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "server.app"))
    async with database_url(config) as url:
        await migrate(url)
        app = await reading
        # It reads in what compiles, which `vicino --help` need not wait for.
        await importlib.import_module("server.machine_code").compile_what_is_new(_say)
        async with app.running(msgspec.structs.replace(config, database_url=url), role=role) as vicino:
            _spare_pauses()
            described = f"(API description: {vicino.url}/openapi.json)"
            serves = described if role in {"all", "edge"} else f"as {role}"
            click.echo(f"Vicino listens on {vicino.url} {serves}", err=True)
            if role != "push":
                # Else the first ping that needs a compiled function waits until it is read in.
                for package in ("geo", "offers"):
                    await asyncio.to_thread(importlib.import_module(f"{package}.warm").warm)
            await asyncio.Event().wait()
