"""A copy of everything that is kept of a shopper: a ZIP of NDJSON with JSON Schemas, and GeoJSON.

It is made for whoever asked and kept nowhere. Which tables go in, without which columns, says the data map
(`server.privacy.datamap`): what opens doors (hashes of tokens and codes) is left out.
"""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np

from geo.fix import Fix
from geo.packed import WINDOW
from server.clock import Clock
from server.db import Connection, Database
from server.errors import VicinoError
from server.inputs import Input, RecordFixes
from server.journal import listed
from server.privacy.datamap import DATA_MAP
from server.privacy.erasing import rows_with
from server.privacy.table import Table
from server.records import Kept, Record, unpack_record
from server.sql import queries
from server.wire import rfc3339

SQL = queries("privacy")

README = """A copy of everything that is kept of you here.

manifest.json lists the files, with what each is, how long it is kept, and its number of rows.
*.ndjson hold one JSON object a line; *.schema.json say what the fields are (JSON Schema).
positions.geojson is a map of your positions that are still kept.
Times are UTC. Names that end in _us are microseconds since 1970.
"""

#: How PostgreSQL's types look in JSON.
_JSON_TYPES: dict[str, dict[str, Any]] = {
    **{name: {"type": "integer"} for name in ("int2", "int4", "int8")},
    **{name: {"type": "number"} for name in ("float4", "float8", "numeric")},
    "bool": {"type": "boolean"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "_text": {"type": "array", "items": {"type": "string"}},
    "jsonb": {},
    "text": {"type": "string"},
}


class NoSuchShopper(VicinoError):  # noqa: N818 - it names what was found
    """Nothing is kept of such a shopper."""

    exit_code = 1


class CopyTakesLonger(VicinoError):  # noqa: N818 - it names what was found
    """It cannot be made while somebody waits for an answer."""

    exit_code = 1


#: Given a retailer and the ids of a shopper: what of hers lies elsewhere than in PostgreSQL.
Elsewhere = Callable[[str, Sequence[str]], Awaitable[Sequence[Input]]]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the export with what describes it."""

    name: str
    about: str
    kept: str
    rows: Sequence[Any]
    schema: dict[str, Any]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Her record, now (without `day`) or as a day began."""

    record: Record
    day: date | None = None


async def export(
    database: Database, clock: Clock, retailer_id: str, shopper_id: str, elsewhere: Elsewhere | None = None
) -> bytes:
    """The ZIP. Raises NoSuchShopper, and CopyTakesLonger where `elsewhere` does."""
    async with database.transaction(retailer_id, snapshot=True) as connection:
        days = [row["day"] for row in await connection.fetch(SQL["journal_days"])]
        shopper_id = await connection.fetchval(SQL["now_known_as"], retailer_id, shopper_id)
        former = await connection.fetch(SQL["former_ids"], retailer_id, shopper_id)
        ids = [shopper_id, *(row["former_id"] for row in former)]
        states = await _states(connection, retailer_id, ids, days)
        inputs = [one async for one in _inputs(connection, retailer_id, ids, days)]
        parts = [
            await _table(connection, table, retailer_id, shopper_id) for table in DATA_MAP if table.exported
        ]
    if elsewhere is not None:  # a ping is in both where the engine has not kept all of it
        listed_here = {name_of(one) for one in inputs}
        inputs += [one for one in await elsewhere(retailer_id, ids) if name_of(one) not in listed_here]
    records = [State(record=kept.record, day=day) for day, kept in states]
    parts.append(
        _part("record", "consents, preferences, interests, offers had, devices", "shoppers", records, State)
    )
    parts.append(_part("journal", "everything the app sent, as it was taken", "journal", inputs, Input))
    positions = [*_fixes(inputs), *(fix for _, kept in states for fix in _remembered(kept))]
    made = {"shopper_id": shopper_id, "made_at": rfc3339(clock.now_us())}
    return await asyncio.to_thread(_zipped, made, parts, positions)


def name_of(item: Input) -> Hashable:
    """What tells apart inputs that may be kept twice: of a ping whose it is and when it came, since one of
    the two may have fewer fixes; of anything else all of it.
    """
    if isinstance(item, RecordFixes):
        return item.device_id, item.received_at_us
    return repr(item)


async def _states(
    connection: Connection, retailer_id: str, ids: list[str], days: list[date]
) -> list[tuple[date | None, Kept]]:
    rows = await connection.fetch(SQL["records_of"], retailer_id, ids[0], days, ids)
    if not rows:
        raise NoSuchShopper(f"nothing is kept of a shopper {ids[0]}")
    return [(row["day"], unpack_record(row["state"])) for row in rows]


async def _inputs(
    connection: Connection, retailer_id: str, ids: list[str], days: list[date]
) -> AsyncIterator[Input]:
    for day in days:
        found = await rows_with(connection, retailer_id, day, ids)
        parts, seqs = [part for part, _ in found], [seq for _, seq in found]
        for row in await connection.fetch(SQL["journal_inputs"], retailer_id, day, parts, seqs):
            for item in listed(row["inputs"]):
                if item.shopper_id in ids:
                    yield item


async def _table(connection: Connection, table: Table, retailer_id: str, shopper_id: str) -> Part:
    columns = await connection.fetch(SQL["columns_of"], table.name)
    shown = {c["name"]: _JSON_TYPES.get(c["type"], {}) for c in columns if c["name"] not in table.withheld}
    rows = await connection.fetch(SQL[f"export_{table.name}"], retailer_id, shopper_id)
    return Part(
        name=table.name,
        about=table.about,
        kept=table.kept,
        rows=[{name: row["row"][name] for name in shown} for row in rows],
        schema={"type": "object", "properties": {name: _or_null(kind) for name, kind in shown.items()}},
    )


def _or_null(kind: dict[str, Any]) -> dict[str, Any]:
    return kind | {"type": [kind["type"], "null"]} if "type" in kind else kind


def _part(name: str, about: str, table: str, rows: Sequence[Any], shape: Any) -> Part:
    kept = next(one.kept for one in DATA_MAP if one.name == table)
    return Part(name=name, about=about, kept=kept, rows=rows, schema=msgspec.json.schema(shape))


def _fixes(inputs: Sequence[Input]) -> Iterator[dict[str, Any]]:
    """The positions in the journal, as features."""
    for item in (one for one in inputs if isinstance(one, RecordFixes)):
        for fix in item.fixes:
            yield _feature(fix, {"device_id": item.device_id, "from": "journal"})


def _remembered(kept: Kept) -> Iterator[dict[str, Any]]:
    """The newest positions of her devices that the fence engine remembers, as features."""
    for device, place in zip(kept.record.devices, kept.places, strict=True):
        for row in np.frombuffer(place.window, WINDOW):
            fix = Fix(
                lat_deg=float(row["lat_deg"]),
                lon_deg=float(row["lon_deg"]),
                fixed_at_us=int(row["at_us"]),
                accuracy_m=None if np.isnan(row["accuracy_m"]) else float(row["accuracy_m"]),
            )
            yield _feature(fix, {"device_id": device.device_id, "from": "record"})


def _feature(fix: Fix, properties: dict[str, Any]) -> dict[str, Any]:
    told = {"fixed_at": rfc3339(fix.fixed_at_us), "accuracy_m": fix.accuracy_m}
    geometry = {"type": "Point", "coordinates": [fix.lon_deg, fix.lat_deg]}
    return {"type": "Feature", "geometry": geometry, "properties": properties | told}


def _zipped(made: dict[str, str], parts: Sequence[Part], positions: list[dict[str, Any]]) -> bytes:
    files = [
        {"name": f"{p.name}.ndjson", "about": p.about, "kept": p.kept, "rows": len(p.rows)} for p in parts
    ]
    files.append({"name": "positions.geojson", "about": "your positions", "rows": len(positions)})
    encode, whole = msgspec.json.encode, io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        archive.writestr("manifest.json", encode(made | {"files": files}))
        for part in parts:
            archive.writestr(f"{part.name}.ndjson", b"".join(encode(row) + b"\n" for row in part.rows))
            archive.writestr(f"{part.name}.schema.json", encode(part.schema))
        archive.writestr("positions.geojson", encode({"type": "FeatureCollection", "features": positions}))
    return whole.getvalue()
