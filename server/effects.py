"""Writes what a micro-batch did: all tables but the journal, in the batch's own transaction."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec

from geo.engine import wake_at_us
from notifications.render import render
from offers.coupon import code_hash, coupon_code
from offers.decision import Decision
from offers.message import message_locale, message_values
from offers.receipt import receipt
from offers.shopper import Shopper
from server.clock import from_us
from server.db import Connection
from server.ids import derived_id
from server.inputs import Input, RecordOutcome, RegisterDevice, SetAddress, SetConsents
from server.journal import Entry
from server.records import Record, pack_record
from server.sql import queries
from server.turn import Seen, Turn
from server.wire import rfc3339
from server.world import World

SQL = queries("engine")


def record_wake_at_us(record: Record, world: World) -> int | None:
    """When the earliest timer of the shopper's devices is due."""
    due = [wake_at_us(device.state, world.fences, world.rules) for device in record.devices]
    return min((at_us for at_us in due if at_us is not None), default=None)


async def save_records(
    connection: Connection,
    retailer_id: str,
    changed: Mapping[str, Record],
    wakes: Mapping[str, int | None],
    *,
    day: date,
    first_today: Iterable[str],
    users: Mapping[str, bytes | None],
) -> None:
    """The new states; before a state's first change of the day, the state it had at the day's start."""
    if not changed:
        return
    if kept := sorted(first_today):
        await connection.execute(SQL["keep_day_start"], retailer_id, day, kept)
    await connection.execute(
        SQL["save_records"],
        retailer_id,
        day,
        list(changed),
        [users.get(shopper_id) for shopper_id in changed],
        [pack_record(record) for record in changed.values()],
        [None if (at_us := wakes[shopper_id]) is None else from_us(at_us) for shopper_id in changed],
    )


async def save_devices(
    connection: Connection, retailer_id: str, inputs: Iterable[Input], now_us: int
) -> None:
    """Registrations, push addresses, outcomes and the withdrawal of pushes that lost their consent."""
    inputs = list(inputs)
    registered = [i for i in inputs if isinstance(i, RegisterDevice)]
    if registered:
        await connection.execute(
            SQL["add_devices"],
            retailer_id,
            [i.device_id for i in registered],
            [i.shopper_id for i in registered],
            [i.platform for i in registered],
        )
    addresses = {
        i.device_id: i.address
        for i in inputs
        if isinstance(i, RegisterDevice | SetAddress) and i.address is not None
    }
    if addresses:
        kinds, values = zip(*addresses.values(), strict=True)
        await connection.execute(
            SQL["set_addresses"], retailer_id, list(addresses), list(kinds), list(values), from_us(now_us)
        )
    for outcome in (i for i in inputs if isinstance(i, RecordOutcome)):
        at = from_us(outcome.received_at_us)
        await connection.execute(
            SQL["note_outcome"], retailer_id, outcome.shopper_id, outcome.item_id, outcome.outcome, at
        )
    withdrawn = [
        i.shopper_id
        for i in inputs
        if isinstance(i, SetConsents)
        and any(not i.consents[p].granted for p in ("push", "nearby_offers") if p in i.consents)
    ]
    if withdrawn:
        await connection.execute(SQL["withdraw_pushes"], retailer_id, withdrawn)


async def save_transitions(connection: Connection, retailer_id: str, turn: Turn) -> None:
    """Transitions and the visits they open, deepen and close; what a late fix retracted goes first."""
    if turn.retracted:
        await _retract(connection, retailer_id, turn.retracted)
    if not turn.seen:
        return
    columns = zip(*map(_transition_row, turn.seen), strict=True)
    await connection.execute(SQL["add_transitions"], retailer_id, *map(list, columns))
    visits: dict[tuple[str, str, int], list[Any]] = {}
    for one in turn.seen:
        t = one.transition
        if t.kind != "pass_by":
            visit = visits.setdefault(
                (one.device_id, t.geofence, t.entered_at_us), [one.shopper_id, t.store, None, None]
            )
            if t.kind != "enter":
                visit[2 if t.kind == "dwell" else 3] = from_us(t.at_us)
    rows = [(*key[:2], from_us(key[2]), *visit) for key, visit in visits.items()]
    if rows:
        await connection.execute(SQL["put_visits"], retailer_id, *map(list, zip(*rows, strict=True)))


async def _retract(connection: Connection, retailer_id: str, retracted: Iterable[Seen]) -> None:
    retracted = list(retracted)
    await connection.execute(
        SQL["retract_transitions"], retailer_id, [_transition_row(one)[0] for one in retracted]
    )
    for query, kinds in (("retract_visits", {"enter"}), ("reopen_visits", {"dwell", "exit"})):
        chosen = [one for one in retracted if one.transition.kind in kinds]
        keys = [
            [one.device_id for one in chosen],
            [one.transition.geofence for one in chosen],
            [from_us(one.transition.entered_at_us) for one in chosen],
        ]
        if query == "reopen_visits":
            keys.append([one.transition.kind for one in chosen])
        await connection.execute(SQL[query], retailer_id, *keys)


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


async def save_decisions(
    connection: Connection,
    world: World,
    entry: Entry,
    decisions: Iterable[Decision],
    records: Mapping[str, Record],
) -> bool:
    """Decisions with receipts; for offers the coupon, the inbox item and the push. True if a push is due."""
    pushed, now_us = False, entry.written_at_us
    for decision in decisions:
        moment = decision.moment
        await connection.execute(
            SQL["add_decision"],
            world.retailer_id,
            decision.decision_id,
            moment.moment_id,
            moment.shopper_id,
            moment.device_id,
            moment.store or None,
            decision.outcome,
            decision.offer,
            list(decision.reasons),
            from_us(now_us),
            world.version,
            entry.seq,
            receipt(decision, {"received_to_decided": (now_us - moment.received_at_us) / 1000}),
        )
        if decision.offer is not None:
            await _save_offer(connection, world, decision, records[moment.shopper_id].shopper)
            pushed = True
    return pushed


async def _save_offer(connection: Connection, world: World, decision: Decision, shopper: Shopper) -> None:
    moment, offer = decision.moment, world.catalogue.offers[str(decision.offer)]
    assert decision.expires_at_us is not None
    assert decision.push_expires_at_us is not None
    retailer_id, now, expires_at = (
        world.retailer_id,
        from_us(decision.decided_at_us),
        from_us(decision.expires_at_us),
    )
    code = coupon_code(world.secret, decision.decision_id)
    await connection.execute(
        SQL["add_coupon"],
        retailer_id,
        code_hash(world.secret, code),
        decision.decision_id,
        moment.shopper_id,
        offer.external_id,
        decision.sku,
        moment.store,
        decision.spend,
        msgspec.to_builtins(offer.discount),
        now,
        expires_at,
    )
    item = inbox_item(world, decision, code, shopper)
    await connection.execute(
        SQL["add_inbox"],
        retailer_id,
        item["id"],
        moment.shopper_id,
        moment.device_id,
        decision.decision_id,
        item,
        now,
        expires_at,
    )
    await connection.execute(
        SQL["add_outbox"],
        retailer_id,
        item["id"],
        decision.decision_id,
        moment.shopper_id,
        moment.device_id,
        moment.store,
        item,
        "pending" if decision.delivery == "push" else "inbox_only",
        None if decision.delivery == "push" else "late",
        now,
        from_us(moment.received_at_us),
        from_us(decision.push_expires_at_us),
    )


def inbox_item(world: World, decision: Decision, code: str, shopper: Shopper) -> dict[str, str]:
    """The item as the inbox shows it and as the push carries it, all strings."""
    offer = world.catalogue.offers[str(decision.offer)]
    messages = {language: (message.title, message.body) for language, message in offer.messages.items()}
    locale, fallback = message_locale(shopper, world.catalogue)
    title, body = render(messages, locale, fallback, message_values(decision, shopper, world.catalogue))
    item_id = derived_id("psh", decision.decision_id)
    return {
        "id": item_id,
        "decision_id": decision.decision_id,
        "offer": offer.external_id,
        "title": title,
        "body": body,
        "code": code,
        "expires_at": rfc3339(decision.expires_at_us or 0),
        "store": decision.moment.store,
        "deep_link": f"vicino://offers/{item_id}",
    }
