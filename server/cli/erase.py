"""`vicino erase`."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import click
import msgspec

from server.cli import run
from server.clock import SystemClock
from server.config import Config
from server.db import Database
from server.edge.room import Room
from server.engine import AnotherEngine, Engine
from server.errors import BadUse, VicinoError
from server.migrate import migrate
from server.postgres import database_url
from server.privacy.erasing import AGAIN, Receipt, ask, receipt
from server.privacy.people import retailer_of, retailers
from server.sql import queries

SQL = queries("privacy")

ANSWER_S = 60.0  #: how long a running server may take
POLL_S = 0.2


class NotErasedYet(VicinoError):  # noqa: N818 - it names what was found
    """The running server has not answered in time; the request stands."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of those who were erased."""

    retailer_id: str
    erasure_id: str
    subject_hash: bytes
    asked_at: datetime
    erased_at: datetime


@click.command(
    "erase",
    epilog="""\b
Examples:
  ./vicino erase shp_0123456789abcdefghjkmnpqrs
  ./vicino erase --list > erased.ndjson      keep it beside your backups
  ./vicino erase --again erased.ndjson       after you have restored one""",
)
@click.argument("shopper", required=False)
@click.option("--list", "as_list", is_flag=True, help="Print who was erased, as keyed hashes, one a line.")
@click.option(
    "--again",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Erase again whoever of such a list is back.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(config: Config, shopper: str | None, as_list: bool, again: Path | None, yes: bool) -> None:
    """Erase a shopper for good; prints the receipt as one JSON object.

    Everything of hers goes: rows, inputs in the journal, what a running server remembers. A keyed hash of her
    id stays, so that neither a phone that comes late nor a restored backup brings her back.
    """
    if sum((shopper is not None, as_list, again is not None)) != 1:
        raise BadUse("name one shopper by her id (shp_…), or use --list or --again FILE")
    if as_list:
        run(_list(config))
    elif again is not None:
        run(_again(config, _read(again)))
    else:
        assert shopper is not None
        if not yes and sys.stdin.isatty():
            click.confirm(f"Erase everything of {shopper}, for good?", abort=True, err=True)
        click.echo(msgspec.json.encode(run(_erase(config, shopper))))


async def _erase(config: Config, shopper_id: str) -> Receipt:
    async with database_url(config, share=True) as url:
        await migrate(url)
        async with await Database.open(url) as database:
            retailer_id = await retailer_of(database, shopper_id)
            erasure_id = await ask(database, SystemClock(), retailer_id, shopper_id, "operator")
            await _have_done(config, database, url, {retailer_id})
            return await _until_done(database, retailer_id, erasure_id)


async def _have_done(config: Config, database: Database, url: str, retailer_ids: set[str]) -> None:
    """Does what is asked for here, unless a server runs: that one has been told."""
    engine = Engine(
        database,
        SystemClock(),
        journal_days=config.journal_days,
        on_push=lambda _: None,
        on_doubt=lambda _: None,
        on_quarantine=lambda _kind, _reason: None,
        room=Room(),
    )
    try:
        await engine.start(url)
    except AnotherEngine:
        return
    try:
        for retailer_id in retailer_ids:
            await engine.finish_erasures(retailer_id)
    finally:
        await engine.stop()


async def _until_done(database: Database, retailer_id: str, erasure_id: str) -> Receipt:
    try:
        async with asyncio.timeout(ANSWER_S):
            told = await receipt(database, retailer_id, erasure_id)
            while told.erased_at is None:
                await asyncio.sleep(POLL_S)  # another process does it: it can only be asked
                told = await receipt(database, retailer_id, erasure_id)
    except TimeoutError:
        raise NotErasedYet(
            f"the running server has not finished {erasure_id} within {ANSWER_S:.0f} s: it goes on; ask again"
        ) from None
    return told


async def _list(config: Config) -> None:
    async with database_url(config, share=True) as url, await Database.open(url) as database:
        for retailer_id in await retailers(database):
            async with database.transaction(retailer_id) as connection:
                for row in await connection.fetch(SQL["erasure_list"], retailer_id):
                    click.echo(msgspec.json.encode(msgspec.convert(dict(row), Erased)))


def _read(path: Path) -> list[Erased]:
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    try:
        return [msgspec.json.decode(line, type=Erased) for line in lines]
    except msgspec.DecodeError as error:
        raise BadUse(f"{path}: not a list that `vicino erase --list` printed: {error}") from error


async def _again(config: Config, erased: list[Erased]) -> None:
    """Takes the list over; whoever of it is there is erased by the next engine's start, or at once."""
    async with database_url(config, share=True) as url:
        await migrate(url)
        async with await Database.open(url) as database:
            for one in erased:
                # A running engine looks who is back.
                async with database.transaction(one.retailer_id) as connection:
                    await connection.execute(
                        SQL["take_over_erasure"],
                        one.retailer_id,
                        one.erasure_id,
                        one.subject_hash,
                        one.asked_at,
                        one.erased_at,
                    )
                    await connection.execute(SQL["announce_erasure"], f"{AGAIN}{one.retailer_id}")
            known = {one.retailer_id for one in erased} & set(await retailers(database))
            await _have_done(config, database, url, known)
    click.echo(f"{len(erased)} erasures taken over")
