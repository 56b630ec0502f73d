"""`vicino state-hash`: what a retailer's stored state comes to, to compare with another time or machine."""

import click
import msgspec

from server.checkpoints import Checkpoints, State
from server.cli import run
from server.cli._opened import opened
from server.clock import SystemClock
from server.config import Config
from server.db import Database
from server.journal import PostgresJournal
from server.line import lock_head
from server.memory import Memory
from server.worlds import Worlds


@click.command(
    epilog="""\b
Example:
  ./vicino state-hash rtl_…  --json"""
)
@click.argument("retailer_id", metavar="RETAILER")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(config: Config, retailer_id: str, as_json: bool) -> None:
    """Hash what is known of a retailer's shoppers: their rows, and the journal beyond these.

    It is what a server comes to that starts now, and what a running one has in memory. Run it while no server
    does, or none that is sent anything.
    """
    state = run(_state(config, retailer_id))
    if as_json:
        click.echo(msgspec.json.encode(state).decode())
    else:
        click.echo(f"{state.sha256} as of journal entry {state.seq}")


async def _state(config: Config, retailer_id: str) -> State:
    async with opened(config) as database:
        return await stored_state(database, retailer_id)


async def stored_state(database: Database, retailer_id: str) -> State:
    """The hash of what is stored. Raises UnknownRetailer."""
    memory = Memory(retailer_id, database, Worlds(retailer_id, database), SystemClock())
    checkpoints = Checkpoints(memory, database, PostgresJournal(), SystemClock())
    async with database.transaction(retailer_id) as connection:
        await checkpoints.catch_up(connection, await lock_head(connection, retailer_id))
    return await checkpoints.state()
