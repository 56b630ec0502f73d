"""Writes where shoppers were: transitions, and the visits they open, deepen and close. Never coordinates."""

from typing import Any

from offers.ids import derived_id
from server.clock import from_us
from server.db import Connection
from server.effects.leaving import take_back
from server.sql import queries
from server.turn import Turn
from server.whereabouts import Seen
from server.writes import Writes, columns

SQL = queries("engine")

#: What names a visit: device, geofence, entered at (microseconds).
VisitKey = tuple[str, str, int]


async def save_transitions(
    connection: Connection, writes: Writes, retailer_id: str, turn: Turn, now_us: int
) -> bool:
    """What a late fix retracted goes first; then what was seen. True if a recall of a push is due."""
    if turn.retracted:
        await _retract(connection, retailer_id, turn.retracted)
    if not turn.seen:
        return False
    writes.add(SQL["add_transitions"], retailer_id, *columns(map(_transition_row, turn.seen)))
    visits: dict[VisitKey, list[Any]] = {}
    for one in turn.seen:
        t = one.transition
        if t.kind != "pass_by":
            visit = visits.setdefault(_visit_key(one), [one.shopper_id, t.store, None, None])
            if t.kind != "enter":
                visit[2 if t.kind == "dwell" else 3] = from_us(t.at_us)
    if visits:
        writes.add(SQL["put_visits"], retailer_id, *columns(_rows_of(visits)))
    return await take_back(connection, retailer_id, turn, now_us)


async def _retract(connection: Connection, retailer_id: str, retracted: list[Seen]) -> None:
    """Takes transitions back: a visit whose enter was wrong goes, another loses its dwell or its exit."""
    ids = [_transition_row(one)[0] for one in retracted]
    await connection.execute(SQL["retract_transitions"], retailer_id, ids)
    kinds: dict[VisitKey, set[str]] = {}
    for one in (one for one in retracted if one.transition.kind != "pass_by"):
        kinds.setdefault(_visit_key(one), set()).add(one.transition.kind)
    gone: dict[VisitKey, list[Any]] = {key: [] for key, wrong in kinds.items() if "enter" in wrong}
    changed = {
        key: ["dwell" in wrong, "exit" in wrong] for key, wrong in kinds.items() if "enter" not in wrong
    }
    await _each_visit(connection, "retract_visits", retailer_id, gone)
    await _each_visit(connection, "reopen_visits", retailer_id, changed)


async def _each_visit(
    connection: Connection, query: str, retailer_id: str, visits: dict[VisitKey, list[Any]]
) -> None:
    if visits:
        await connection.execute(SQL[query], retailer_id, *columns(_rows_of(visits)))


def _rows_of(visits: dict[VisitKey, list[Any]]) -> list[tuple[Any, ...]]:
    return [(device, geofence, from_us(at_us), *rest) for (device, geofence, at_us), rest in visits.items()]


def _visit_key(one: Seen) -> VisitKey:
    return one.device_id, one.transition.geofence, one.transition.entered_at_us


def _transition_row(one: Seen) -> tuple[Any, ...]:
    t = one.transition
    return (
        derived_id("trn", one.device_id, t.geofence, t.kind, t.entered_at_us, t.at_us),
        one.device_id,
        one.shopper_id,
        t.geofence,
        t.store,
        t.kind,
        from_us(t.at_us),
        from_us(one.received_at_us),
        t.confidence,
        t.late,
    )
