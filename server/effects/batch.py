"""Writes a micro-batch with all that follows from it: most of it in one round trip, or two with offers."""

from collections.abc import Sequence

from offers.decision import Decision
from server import crash
from server.clock import Clock
from server.db import Connection
from server.effects.offers import save_decisions
from server.effects.places import save_transitions
from server.effects.states import keep_day_start, save_devices, save_records
from server.journal import Entry, Journal
from server.ledgers import Ledgers
from server.memory import Memory
from server.turn import Turn
from server.writes import Writes


async def save_batch(  # noqa: PLR0917 - what it writes
    connection: Connection,
    journal: Journal,
    memory: Memory,
    turn: Turn,
    entry: Entry,
    decisions: Sequence[Decision],
    ledgers: Ledgers,
    *,
    clock: Clock,
) -> bool:
    """The journal entry, states, transitions, decisions and pushes. True if a push is due."""
    retailer_id, world, writes = memory.retailer_id, memory.world, Writes()
    journal.append(writes, retailer_id, entry)
    saved = {name: turn.records[name] for name in turn.told}
    await keep_day_start(connection, retailer_id, entry, memory.first_on(entry.day, saved))
    save_records(writes, retailer_id, entry, saved, turn.phones, world)
    if entry.inputs:
        await writes.run(connection)  # devices are of shoppers who are there
        await save_devices(connection, retailer_id, entry.inputs, entry.written_at_us)
    recalled = await save_transitions(connection, writes, retailer_id, turn, entry.written_at_us)
    await ledgers.write(connection, writes, retailer_id, entry.day)
    await memory.learners.save(connection, writes, entry, turn.lessons)
    if any(one.chosen for one in decisions):
        await writes.run(connection)  # pushes say when the entry was written
    pushed = save_decisions(writes, world, entry, decisions, turn.records, ledgers, clock=clock)
    await writes.run(connection)
    if not entry.empty:
        crash.passing("before_commit")
    return pushed or recalled
