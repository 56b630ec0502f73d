"""The judges are judged: each invariant sees its promise broken, and sees nothing where all are kept."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.faults.invariants import CHECKS, Evidence, broken
from tests.faults.scenario import PHONES, RECOVERY_S, run

pytestmark = pytest.mark.timeout(400)

Change = Callable[[Evidence], Awaitable[Evidence]]


async def test_every_invariant_sees_its_promise_broken(postgres_folder: Path) -> None:
    seen: dict[str, list[str]] = {}

    async def break_each(found: Evidence) -> None:
        for name, change in CHANGES.items():
            async with undone(found):
                seen[name] = await broken(await change(found))

    async with run(postgres_folder, seed=3, examine=break_each) as town:
        await town.crowd.until_taken(22 * PHONES, RECOVERY_S)

    assert len(seen) >= len(CHECKS)
    blind = {name: lines for name, lines in seen.items() if name.split()[0] not in promises(lines)}
    assert blind == {}


def promises(lines: list[str]) -> set[str]:
    """The numbers of the promises that were found broken."""
    return {line.partition(":")[0] for line in lines}


@asynccontextmanager
async def undone(found: Evidence) -> AsyncIterator[None]:
    """What the block does to the tables, on the evidence's own connection, is taken back."""
    transaction = found.connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


def sql(statement: str) -> Change:
    """Changes a table; at least one row."""

    async def change(found: Evidence) -> Evidence:
        done = await found.connection.execute(statement)
        assert int(done.split()[-1]) >= 1, f"{statement}: {done}"
        return found

    return change


async def lost_entry(found: Evidence) -> Evidence:
    """The newest batch with fixes is not there."""
    return with_entries(found, drop=True)


async def doubled_entry(found: Evidence) -> Evidence:
    return with_entries(found, drop=False)


def with_entries(found: Evidence, *, drop: bool) -> Evidence:
    entries = {name: list(those) for name, those in found.entries.items()}
    name, chosen = next(
        (name, entry)
        for name, those in entries.items()
        for entry in those
        for number, item in enumerate(entry.pings.items)
        if (item.device_id, entry.pings.fix(entry.pings.rows(number)[0]).id) in found.outside.acknowledged
    )
    if drop:
        entries[name].remove(chosen)
    else:
        entries[name].append(chosen)
    return msgspec.structs.replace(found, entries=entries)


async def shown_twice(found: Evidence) -> Evidence:
    screens = copy.deepcopy(found.screens)
    screen = next(one for one in screens.values() if one["appeared"])
    screen["appeared"].append(screen["appeared"][0])
    return msgspec.structs.replace(found, screens=screens)


async def sent_to_another(found: Evidence) -> Evidence:
    screens = copy.deepcopy(found.screens)
    [one, other] = [name for name, screen in screens.items() if screen["accepted"]][:2]
    screens[one], screens[other] = screens[other], screens[one]
    return msgspec.structs.replace(found, screens=screens)


async def without_consent(found: Evidence) -> Evidence:
    outside = copy.copy(found.outside)
    outside.withdrew_at_us = {name: 0 for name, screen in found.screens.items() if screen["accepted"]}
    return msgspec.structs.replace(found, outside=outside)


async def in_quiet_hours(found: Evidence) -> Evidence:
    retailers = [msgspec.structs.replace(one, quiet=True) for one in found.retailers]
    return msgspec.structs.replace(found, retailers=retailers)


async def granted_twice(found: Evidence) -> Evidence:
    outside = copy.copy(found.outside)
    outside.granted = {code: {*keys, "another"} for code, keys in found.outside.granted.items()}
    return msgspec.structs.replace(found, outside=outside)


#: Which invariant must see it, and what is done.
CHANGES: dict[str, Change] = {
    "i1 lost": lost_entry,
    "i1 twice": doubled_entry,
    "i2 shown twice": shown_twice,
    "i2 to another": sent_to_another,
    "i3 over budget": sql(
        "UPDATE published SET body = jsonb_set(body, '{budget}', '{\"issued\": 0}') WHERE kind = 'offer'"
    ),
    "i3 ledger": sql("UPDATE ledgers SET redeemed = redeemed + 1"),
    "i4 granted twice": granted_twice,
    "i4 not redeemed": sql("UPDATE coupons SET status = 'expired' WHERE status = 'redeemed'"),
    "i6 consent": without_consent,
    "i6 quiet": in_quiet_hours,
    "i6 too late": sql("UPDATE outbox SET expires_at = expires_at - interval '1 hour'"),
    "i7 visits": sql(
        "UPDATE visits SET retailer_id = (SELECT max(r.retailer_id) FROM retailers r "
        "WHERE r.retailer_id <> visits.retailer_id)"
    ),
    "i8 left behind": sql("UPDATE outbox SET state = 'pending' WHERE state = 'sent'"),
    "i9 gap": lost_entry,
    "i9 head": sql("UPDATE heads SET journal_seq = journal_seq + 1"),
    "i10 backwards": sql("UPDATE visits SET exited_at = entered_at - interval '1 s'"),
    "i10 twice": sql(
        "INSERT INTO visits SELECT retailer_id, device_id, geofence, entered_at - n * interval '1 s', "
        "shopper_id, store FROM visits, generate_series(1, 2) AS n"
    ),
}


async def test_a_state_that_the_journal_does_not_lead_to_is_seen(postgres_folder: Path) -> None:
    seen: list[str] = []

    async def exchange_two_states(found: Evidence) -> None:
        await found.connection.execute(
            "UPDATE shoppers s SET state = o.state "
            "FROM (SELECT state FROM shoppers ORDER BY shopper_id LIMIT 1) AS o"
        )
        seen.extend(await broken(found))

    async with run(postgres_folder, seed=4, phones=4, examine=exchange_two_states) as town:
        await town.crowd.until_taken(20, RECOVERY_S)

    assert "i5" in promises(seen)
