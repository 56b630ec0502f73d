"""`vicino export`."""

from functools import partial
from pathlib import Path

import click

from server.cli import run
from server.cli._opened import opened
from server.cli._traces import progress_bar
from server.clock import SystemClock
from server.config import Config
from server.errors import BadUse
from server.kafka.cluster import Cluster
from server.kafka.hers import Hers
from server.kafka.topics import Topics
from server.privacy.export import export
from server.privacy.people import retailer_of


@click.command(
    "export",
    epilog="""\b
Examples:
  ./vicino export shp_0123456789abcdefghjkmnpqrs
  ./vicino export shp_0123456789abcdefghjkmnpqrs --out /tmp/copy.zip""",
)
@click.argument("shopper")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; SHOPPER.zip if not given."
)
@click.pass_obj
def command(config: Config, shopper: str, out: Path | None) -> None:
    """Write a copy of everything that is kept of a shopper: a ZIP of NDJSON, JSON Schemas and GeoJSON.

    Hand it to her and delete it: it is personal data, and erasing her later does not reach it.
    """
    path = out or Path(f"{shopper}.zip")
    if path.exists():
        raise BadUse(f"{path} exists: name another with --out")
    whole = run(_export(config, shopper))
    path.touch(mode=0o600)
    path.write_bytes(whole)
    click.echo(path)


async def _export(config: Config, shopper: str) -> bytes:
    async with opened(config) as database:
        retailer_id = await retailer_of(database, shopper)
        if config.kafka is None:
            return await export(database, SystemClock(), retailer_id, shopper)
        with progress_bar() as show:
            hers = Hers(
                Cluster.of(config),
                Topics(config.kafka_topics),
                database,
                SystemClock(),
                within_s=None,
                progress=partial(show, "reading Kafka"),
            )
            return await export(database, SystemClock(), retailer_id, shopper, hers.inputs)
