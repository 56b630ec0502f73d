"""`vicino kafka`: the topics of a journal in Kafka."""

import asyncpg
import click

from server.cli import run
from server.config import Config
from server.kafka.cluster import Cluster
from server.kafka.topics import Topics, grow, set_up
from server.migrate import migrate
from server.postgres import database_url


@click.group("kafka")
def command() -> None:
    """Set up and grow the topics of a journal in Kafka (VICINO_KAFKA)."""


@command.command(
    epilog="""\b
Example:
  VICINO_KAFKA=kafka-1:9092,kafka-2:9092 ./vicino kafka setup --partitions 16 --replicas 3"""
)
@click.option("--partitions", default=16, show_default=True, help="Of the journal: a power of two.")
@click.option("--replicas", default=3, show_default=True, help="Brokers that have each record.")
@click.pass_obj
def setup(config: Config, partitions: int, replicas: int) -> None:
    """Make the topics, and move the journal of this database there. There is no way back.

    A server that has the journal in PostgreSQL has to be stopped in good order before.
    """

    async def work() -> None:
        async with database_url(config, share=True) as url:
            await migrate(url)
            days = config.journal_days
            await set_up(
                Cluster.of(config),
                _topics(config),
                url,
                parts=partitions,
                replicas=replicas,
                journal_days=days,
            )

    run(work())
    click.echo(f"{_topics(config).journal} has {partitions} partitions")


@command.command(
    "grow",
    epilog="""\b
Example:
  ./vicino kafka grow --partitions 32""",
)
@click.option("--partitions", required=True, type=int, help="How many there will be: a power of two.")
@click.pass_obj
def grow_command(config: Config, partitions: int) -> None:
    """Split the partitions of the journal. All servers have to be stopped in good order before."""

    async def work() -> None:
        async with database_url(config, share=True) as url:
            await grow(Cluster.of(config), _topics(config), url, parts=partitions)

    run(work())
    click.echo(f"{_topics(config).journal} has {partitions} partitions")


@command.command()
@click.pass_obj
def status(config: Config) -> None:
    """Print each partition: how often it has changed hands, and up to which offset all is done."""

    async def work() -> list[asyncpg.Record]:
        async with database_url(config, share=True) as url:
            connection = await asyncpg.connect(url, timeout=5)
            try:
                return list(await connection.fetch("SELECT * FROM partitions ORDER BY part"))
            finally:
                await connection.close()

    for row in run(work()):
        click.echo(f"{row['part']}\tepoch {row['epoch']}\tdone up to {row['next_offset']}")


def _topics(config: Config) -> Topics:
    return Topics(config.kafka_topics)
