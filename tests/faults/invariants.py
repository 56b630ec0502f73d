"""What must hold after every run, whatever went wrong in it: I1 to I10, judged from outside.

Each function is given what was acknowledged to phones and tills, the tables, the journal and the screens of
the stand-in phones, and tells what is wrong, one line each. An empty list is a promise kept.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from server.db import Database
from server.inputs import RecordRedemption
from server.journal import Entry, Journal, PostgresJournal
from server.replay_journal import replay_day
from tests.faults.crowd import Outside
from tests.faults.town import Retailer

#: A withdrawn consent reaches a push that is already on its way to FCM within this.
WITHDRAWAL_US = 5_000_000
#: Between the sender's reckoning of a time to live and FCM's acceptance.
ON_THE_WIRE_US = 1_000_000

Screens = dict[str, dict[str, list[dict[str, Any]]]]  #: by address: what was accepted, what appeared


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run left behind. Read once, when everything has come to rest."""

    outside: Outside
    screens: Screens
    retailers: list[Retailer]
    connection: "asyncpg.Connection[asyncpg.Record]"  #: the owner's: it sees every tenant
    database: Database
    entries: dict[str, list[Entry]]  #: the journal, by retailer
    heads: dict[str, dict[int, int]]  #: and its newest entry as the database has it, in each part
    journals: Sequence[Journal]  #: of each part of the shoppers


@asynccontextmanager
async def evidence(
    url: str,
    outside: Outside,
    screens: Screens,
    retailers: list[Retailer],
    journals: Sequence[Journal] = (PostgresJournal(),),
) -> AsyncIterator[Evidence]:
    """Opens the database of a run and reads its journal."""
    connection = await asyncpg.connect(url)
    try:
        for name in ("json", "jsonb"):
            await connection.set_type_codec(
                name, schema="pg_catalog", encoder=msgspec.json.encode, decoder=msgspec.json.decode
            )
        async with await Database.open(url) as database:
            read = {
                one.retailer_id: await _journal(database, connection, one.retailer_id, journals)
                for one in retailers
            }
            yield Evidence(
                outside=outside,
                screens=screens,
                retailers=retailers,
                connection=connection,
                database=database,
                entries={name: entries for name, (entries, _) in read.items()},
                heads={name: heads for name, (_, heads) in read.items()},
                journals=journals,
            )
    finally:
        await connection.close()


async def broken(found: Evidence, *, at_rest: bool = True) -> list[str]:
    """Every promise that was not kept, by its number. Where timers still run, pushes may come and go: that
    they do is for the caller to see.
    """
    checks = [check for check in CHECKS if at_rest or check is not i8_the_outbox_drains]
    return [f"{check.__name__.partition('_')[0]}: {line}" for check in checks for line in await check(found)]


async def i1_acknowledged_fixes_are_in_the_journal_once(found: Evidence) -> list[str]:
    """Every fix that a phone was told is taken is there once; none is there twice, or was never sent."""
    counted: Counter[tuple[str, str]] = Counter()
    for entries in found.entries.values():
        for pings in (entry.pings for entry in entries):
            for number, item in enumerate(pings.items):
                counted.update((item.device_id, str(pings.fix(row).id)) for row in pings.rows(number))
    return [
        *(f"fix {name} was acknowledged and is lost" for name in found.outside.acknowledged - counted.keys()),
        *(f"fix {name} is journaled {times} times" for name, times in counted.items() if times > 1),
        *(f"fix {name} is journaled and was never sent" for name in counted.keys() - found.outside.sent),
    ]


async def i2_a_moment_is_shown_once(found: Evidence) -> list[str]:
    """One decision and one push a moment, and never two on a screen; copies of a push replace each other."""
    pushes = {
        row["push_id"]: row
        for row in await found.connection.fetch(
            "SELECT o.push_id, o.device_id, d.moment_id FROM outbox o JOIN decisions d "
            "USING (retailer_id, decision_id) WHERE o.kind = 'offer'"
        )
    }
    moments = Counter(row["moment_id"] for row in pushes.values())
    wrong = [f"moment {name} has {times} pushes" for name, times in moments.items() if times > 1]
    for address, screen in found.screens.items():
        shown = Counter(one["data"]["push_id"] for one in screen["appeared"])
        wrong += [f"push {name} appeared {times} times" for name, times in shown.items() if times > 1]
        for one in screen["accepted"]:
            push_id = one["data"]["push_id"]
            if push_id not in pushes:
                wrong.append(f"push {push_id} was sent and is in no outbox")
            elif pushes[push_id]["device_id"] != found.outside.device_at.get(address):
                wrong.append(f"push {push_id} went to another device's address")
            if {one["tag"], one["collapse_key"]} != {push_id}:
                wrong.append(f"push {push_id} does not replace itself: a phone would show both copies")
        by_moment = Counter(pushes[name]["moment_id"] for name in shown if name in pushes)
        wrong += [f"moment {name} was shown {times} times" for name, times in by_moment.items() if times > 1]
    return wrong


async def i3_budgets_hold(found: Evidence) -> list[str]:
    """What coupons cost, counted from the coupons themselves, is within budget and is what ledgers say."""
    budgets = await found.connection.fetch(
        "SELECT retailer_id, external_id, body->'budget' AS budget FROM published "
        "WHERE kind = 'offer' AND version_to IS NULL AND body->'budget' IS NOT NULL"
    )
    wrong = []
    for retailer_id, offer, budget in budgets:
        [told] = await found.connection.fetch(COUNTED, retailer_id, offer)
        for field, spent in (
            ("issued", told["issued"]),
            ("redemptions", told["redeemed"] + told["outstanding"]),
            ("spend", told["committed"] + told["reserved"]),
        ):
            if field in budget and spent > Decimal(str(budget[field])):
                wrong.append(f"offer {offer}: {field} {spent} of {budget[field]}")
    rows = await found.connection.fetch(LEDGERS_THAT_DIFFER)
    wrong += [
        f"the ledger of {row['offer']} says {row['kept']}, its coupons {row['counted']}" for row in rows
    ]
    return wrong


async def i4_a_coupon_works_once(found: Evidence) -> list[str]:
    """One till was granted it, under one key; the table and the journal say the same."""
    rows = await found.connection.fetch(
        "SELECT decision_id FROM coupons WHERE status = 'redeemed' AND retailer_id = ANY($1)",
        list(found.entries),
    )
    redeemed = {row["decision_id"] for row in rows}
    journaled = Counter(
        item.decision_id
        for entries in found.entries.values()
        for entry in entries
        for item in entry.inputs
        if isinstance(item, RecordRedemption)
    )
    granted = found.outside.granted_decisions
    return [
        *(
            f"code {code} was granted to {keys}"
            for code, keys in found.outside.granted.items()
            if len(keys) > 1
        ),
        *(f"coupon of {name} was granted and is not redeemed" for name in granted - redeemed),
        *(f"coupon of {name} is redeemed and not in the journal" for name in redeemed - journaled.keys()),
        *(f"coupon of {name} is journaled {times} times" for name, times in journaled.items() if times > 1),
        *(f"coupon of {name} is journaled, not redeemed" for name in journaled.keys() - redeemed),
    ]


async def i5_the_journal_leads_to_the_stored_state(found: Evidence) -> list[str]:
    """Deciding every stored day again gives each decision and each shopper's state as they are stored."""
    parts = await asyncio.gather(*(_replayed(found, journal) for journal in found.journals))
    wrong = [line for _, lines in parts for line in lines]
    return wrong if sum(states for states, _ in parts) else [*wrong, "there is no state to compare"]


async def _replayed(found: Evidence, journal: Journal) -> tuple[int, list[str]]:
    """How many states of a part could be compared, and what is wrong with it."""
    wrong, compared = [], 0
    for retailer_id, entries in found.entries.items():
        for day in sorted({entry.day for entry in entries if entry.part == journal.part.number}):
            replayed = await replay_day(found.database, retailer_id, day, journal=journal)
            compared += replayed.states
            wrong += [f"decision {name} of {day} comes out otherwise" for name in replayed.different]
            wrong += [f"state of {name} on {day} comes out otherwise" for name in replayed.different_states]
            wrong += [f"lessons of batch {seq} come out otherwise" for seq in replayed.different_lessons]
    return compared, wrong


async def i6_no_push_without_consent_or_out_of_hours_or_too_late(found: Evidence) -> list[str]:
    """By the times at which FCM took it over, and the time to live it was given."""
    ends_us = {
        row["push_id"]: row["ends_us"]
        for row in await found.connection.fetch(
            "SELECT push_id, (extract(epoch FROM expires_at) * 1000000)::bigint AS ends_us FROM outbox"
        )
    }
    quiet = {one.retailer_id for one in found.retailers if one.quiet}
    wrong = []
    for address, screen in found.screens.items():
        withdrew_at_us = found.outside.withdrew_at_us.get(address)
        for one in screen["accepted"]:
            push_id, at_us = one["data"]["push_id"], one["accepted_at_us"]
            if withdrew_at_us is not None and at_us > withdrew_at_us + WITHDRAWAL_US:
                wrong.append(f"push {push_id} was sent without consent")
            if found.outside.retailer_of.get(address) in quiet:
                wrong.append(f"push {push_id} was sent in quiet hours")
            if push_id in ends_us and one["expires_at_us"] > ends_us[push_id] + ON_THE_WIRE_US:
                wrong.append(f"push {push_id} may be shown after its offer is over")
    return wrong


async def i7_no_row_crosses_retailers(found: Evidence) -> list[str]:
    """Wherever a table names a device or shopper, the row is that one's retailer's."""
    wrong = []
    for column in ("device_id", "shopper_id"):
        for table in await _tables_with(found.connection, "retailer_id", column):
            rows = await found.connection.fetch(f"SELECT DISTINCT {column}, retailer_id FROM {table}")
            for name, retailer_id in rows:
                if found.outside.retailer_of.get(name, retailer_id) != retailer_id:
                    wrong.append(f"{table} has {name} under {retailer_id}")
    for retailer_id, entries in found.entries.items():
        wrong += [
            f"the journal of {retailer_id} has {item.shopper_id}"
            for entry in entries
            for item in (*entry.inputs, *entry.pings.items)
            if found.outside.retailer_of.get(item.shopper_id, retailer_id) != retailer_id
        ]
    return wrong


async def i8_the_outbox_drains(found: Evidence) -> list[str]:
    """Every push has come to an end."""
    rows = await found.connection.fetch(
        "SELECT push_id, state, attempts, due_at FROM outbox WHERE state IN ('pending', 'leased')"
    )
    return [f"push {row['push_id']} is {row['state']} after {row['attempts']} attempts" for row in rows]


async def i9_the_journal_has_no_gaps(found: Evidence) -> list[str]:
    """Its entries lead in each part up to the part's head, without a gap, in order of their time. They begin
    with 1; where there are several parts, beyond what others had when the part was opened, if it has any yet.
    """
    wrong = []
    for retailer_id, entries in found.entries.items():
        # Where timers still run the heads are those that were read with the entries.
        several = len(found.journals) > 1
        heads = found.heads[retailer_id] if several else await _heads(found.connection, retailer_id)
        for part, head in heads.items():
            there = [entry.seq for entry in entries if entry.part == part]
            first = (there[0] if there else head + 1) if several else 1
            if there != list(range(first, head + 1)):
                wrong.append(f"the journal of {retailer_id} in part {part} is not {first} to {head}")
    return wrong


async def _heads(connection: Any, retailer_id: str) -> dict[int, int]:
    """The newest entry of each part."""
    rows = await connection.fetch("SELECT part, journal_seq FROM heads WHERE retailer_id = $1", retailer_id)
    return {row["part"]: row["journal_seq"] for row in rows}


async def i10_visits_are_possible(found: Evidence) -> list[str]:
    """None ends before it begins, and nobody is in one fence twice at a time."""
    rows = await found.connection.fetch(
        "SELECT device_id, geofence, entered_at FROM visits "
        "WHERE exited_at < entered_at OR dwelled_at < entered_at OR exited_at < dwelled_at"
    )
    twice = await found.connection.fetch(
        "SELECT device_id, geofence, count(*) AS visits FROM visits WHERE exited_at IS NULL "
        "GROUP BY retailer_id, device_id, geofence HAVING count(*) > 1"
    )
    return [
        *(f"{row['device_id']} left {row['geofence']} before {row['entered_at']}" for row in rows),
        *(f"{row['device_id']} is in {row['geofence']} {row['visits']} times" for row in twice),
    ]


Check = Callable[[Evidence], Awaitable[list[str]]]

CHECKS: tuple[Check, ...] = (
    i1_acknowledged_fixes_are_in_the_journal_once,
    i2_a_moment_is_shown_once,
    i3_budgets_hold,
    i4_a_coupon_works_once,
    i5_the_journal_leads_to_the_stored_state,
    i6_no_push_without_consent_or_out_of_hours_or_too_late,
    i7_no_row_crosses_retailers,
    i8_the_outbox_drains,
    i9_the_journal_has_no_gaps,
    i10_visits_are_possible,
)

COUNTED = """
SELECT count(*) AS issued, count(*) FILTER (WHERE status = 'redeemed') AS redeemed,
       count(*) FILTER (WHERE status = 'reserved') AS outstanding,
       coalesce(sum(spend) FILTER (WHERE status = 'redeemed'), 0) AS committed,
       coalesce(sum(spend) FILTER (WHERE status = 'reserved'), 0) AS reserved
FROM coupons WHERE retailer_id = $1 AND offer = $2
"""

LEDGERS_THAT_DIFFER = """
SELECT l.offer, ROW(l.issued, l.outstanding, l.redeemed, l.spend_reserved, l.spend_committed)::text AS kept,
       ROW(c.issued, c.outstanding, c.redeemed, c.reserved, c.committed)::text AS counted
FROM ledgers l LEFT JOIN LATERAL (
  SELECT count(*) AS issued, count(*) FILTER (WHERE status = 'reserved') AS outstanding,
         count(*) FILTER (WHERE status = 'redeemed') AS redeemed,
         coalesce(sum(spend) FILTER (WHERE status = 'reserved'), 0) AS reserved,
         coalesce(sum(spent), 0) AS committed
  FROM coupons WHERE retailer_id = l.retailer_id AND offer = l.offer AND l.purse = ANY (purses)
) AS c ON true
WHERE (l.issued, l.outstanding, l.redeemed, l.spend_reserved, l.spend_committed)
   IS DISTINCT FROM (c.issued, c.outstanding, c.redeemed, c.reserved, c.committed)
"""


async def _journal(
    database: Database,
    connection: "asyncpg.Connection[asyncpg.Record]",
    retailer_id: str,
    journals: Sequence[Journal],
) -> tuple[list[Entry], dict[int, int]]:
    """Every entry of the retailer, through the journal's own interface; and each part's newest."""
    days = await connection.fetch(
        "SELECT DISTINCT day FROM journal WHERE retailer_id = $1 ORDER BY day", retailer_id
    )
    entries = []
    async with database.transaction(retailer_id, snapshot=True) as reading:
        for row, journal in itertools.product(days, journals):
            entries += [entry async for entry in journal.day(reading, retailer_id, row["day"])]
        heads = await _heads(reading, retailer_id)
    return sorted(entries, key=lambda entry: entry.seq), heads


async def _tables_with(connection: "asyncpg.Connection[asyncpg.Record]", *columns: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT table_name FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "AND column_name = ANY($1) GROUP BY table_name HAVING count(*) = $2 ORDER BY table_name",
        list(columns),
        len(columns),
    )
    return [row["table_name"] for row in rows]
