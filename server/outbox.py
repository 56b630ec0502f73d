"""The outbox in PostgreSQL: claiming pushes by lease, recording what became of them, withdrawing them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from asyncpg import Record
from msgspec import json

from notifications.outbox import PushRow, Settlement
from notifications.push import PushAddress
from server.auth import REFRESH_TTL_US
from server.clock import from_us, to_us
from server.db import Connection
from server.sql import queries
from server.writes import columns

#: A claimed push and what became of it.
Result = tuple[PushRow, Settlement]


async def due_retailers(connection: Connection, *, now_us: int) -> list[str]:
    """Whose outbox holds a push to claim. Asked outside every tenant."""
    records = await connection.fetch(queries("outbox")["due_retailers"], from_us(now_us))
    return [record["retailer_id"] for record in records]


async def lease(
    connection: Connection, retailer_id: str, limit: int, *, now_us: int, until_us: int
) -> list[PushRow]:
    """Claims up to `limit` due pushes until `until_us`, in one statement; ends those whose offer is over."""
    query = queries("outbox")["claim_pushes"]
    records = await connection.fetch(query, retailer_id, from_us(now_us), from_us(until_us), limit)
    return [_push_row(retailer_id, record) for record in records]


async def save(connection: Connection, retailer_id: str, results: list[Result], *, now_us: int) -> set[str]:
    """Writes results under their fencing tokens, forgets dead addresses, takes back what was sent to somebody
    who had left meanwhile; the ids of those that counted.
    """
    if not results:
        return set()
    # Rows are always locked in this order, so that two relays do not wait for each other.
    ordered = sorted(results, key=lambda result: result[0].push_id)
    settled = columns(_values(row, settlement) for row, settlement in ordered)
    records = await connection.fetch(queries("outbox")["settle_pushes"], retailer_id, *settled)
    gone = [
        (row.device_id, one.forget.kind, one.forget.value) for row, one in ordered if one.forget is not None
    ]
    if gone:
        await connection.execute(queries("outbox")["forget_addresses"], retailer_id, *columns(gone))
    if had_left := [record["push_id"] for record in records if record["had_left"]]:
        await recall(connection, retailer_id, had_left, now_us=now_us)
    return {record["push_id"] for record in records}


async def recall(connection: Connection, retailer_id: str, push_ids: list[str], *, now_us: int) -> list[str]:
    """Has sent pushes taken back from the phones; the ids of the pushes that do it."""
    records = await connection.fetch(
        queries("outbox")["recall_pushes"], retailer_id, push_ids, from_us(now_us)
    )
    return [record["push_id"] for record in records]


async def prune_addresses(connection: Connection, retailer_id: str, now: datetime, *, days: int) -> None:
    """Forgets addresses unconfirmed for so many days, of devices that have got no token since either.

    FCM itself calls an address dead only after 270 days without a connection, and on iOS never.
    """
    before = now - timedelta(days=days)
    # A refresh token is given out with every use; by when it ends one knows when that was.
    await connection.execute(
        queries("outbox")["prune_addresses"],
        retailer_id,
        before,
        before + timedelta(microseconds=REFRESH_TTL_US),
    )


async def withdraw(
    connection: Connection, shopper_ids: Collection[str], reason: str, *, store: str | None = None
) -> list[str]:
    """Withdraws what is not yet sent to these shoppers (at one store, or at all); the ids of those pushes.

    Runs in the caller's transaction. A push that is on its way at this moment ends as `sent` if it arrives.
    """
    records = await connection.fetch(queries("outbox")["withdraw_pushes"], list(shopper_ids), reason, store)
    return [record["push_id"] for record in records]


def _push_row(retailer_id: str, record: Record) -> PushRow:
    address = None
    if record["value"] is not None:
        address = PushAddress(kind=record["address_kind"], value=record["value"], platform=record["platform"])
    return PushRow(
        retailer_id=retailer_id,
        push_id=record["push_id"],
        decision_id=record["decision_id"],
        shopper_id=record["shopper_id"],
        device_id=record["device_id"],
        store=record["store"],
        item=_texts(record["item"]),
        attempts=record["attempts"],
        fencing=record["fencing"],
        received_at_us=to_us(record["received_at"]),
        decided_at_us=to_us(record["decided_at"]),
        journaled_at_us=None if record["journaled_at"] is None else to_us(record["journaled_at"]),
        claimed_at_us=to_us(record["claimed_at"]),
        leased_until_us=to_us(record["leased_until"]),
        expires_at_us=to_us(record["expires_at"]),
        address=address,
        kind=record["kind"],
        at_most_once=record["at_most_once"],
        in_doubt=record["in_doubt"],
    )


def _texts(item: dict[str, Any]) -> dict[str, str]:
    """The inbox item as a data map: absent values left out, everything else as text."""
    return {
        key: value if isinstance(value, str) else json.encode(value).decode()
        for key, value in item.items()
        if value is not None
    }


def _values(row: PushRow, settlement: Settlement) -> tuple[Any, ...]:
    """The row's part of each of `settle_pushes`' columns."""
    return (
        row.push_id,
        row.fencing,
        settlement.state,
        settlement.reason,
        _at(settlement.due_at_us),
        _at(settlement.accepted_at_us),
        settlement.provider_id,
    )


def _at(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_us(at_us)
