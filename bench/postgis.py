"""Matching and transitions in this process, against PostGIS matching the same fixes, a thousand a query.

PostGIS is Debian's (`apt-get install postgresql-15-postgis-3`), run as the server runs its own PostgreSQL.
Its query is the fastest exact one that was found: the circles' bounding boxes in an SP-GiST index (twice as
fast as GiST here), then `ST_DWithin` between geographies, on the spheroid; the answer is one row of arrays.
Only the processor time of PostgreSQL's backend counts for it, neither the client's nor that of the way
between. It matches alone; here the transitions of all devices are found as well, and all of it counts.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy as np

from bench._town import BATCH, SEED, Points, circles, figure, seconds, town
from geo.engine import FixBatch, Fleet, sense
from geo.fence import Circle, Fence
from geo.index import FenceSet
from geo.transition import Rules
from server.postgres import EmbeddedPostgres

BATCHES = 50
ROUNDS = 3
SETTINGS = {
    "fsync": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "256MB",
    "work_mem": "64MB",
}
POINT = "ST_SetSRID(ST_MakePoint(lon, lat), 4326)"
FILL = (
    "CREATE EXTENSION postgis",
    "CREATE TABLE fences (place int, radius_m float8, centre geography(Point), box geometry(Polygon, 4326))",
    f"""
    INSERT INTO fences
    SELECT place, radius_m, {POINT}::geography,
           ST_Envelope(ST_Buffer({POINT}::geography, radius_m * 1.001, 'quad_segs=4')::geometry)
    FROM given
    """,
    "CREATE INDEX ON fences USING spgist (box)",
    "VACUUM ANALYZE fences",
)
MATCH = f"""
    WITH fix AS MATERIALIZED (
        SELECT number, {POINT} AS point, {POINT}::geography AS place
        FROM unnest($1::float8[], $2::float8[]) WITH ORDINALITY AS given (lat, lon, number)
    )
    SELECT coalesce(array_agg(fix.number - 1), '{{}}'), coalesce(array_agg(fences.place), '{{}}')
    FROM fix JOIN fences ON fences.box && fix.point AND ST_DWithin(fences.centre, fix.place, fences.radius_m)
"""

Pairs = set[tuple[int, int]]


class Theirs(msgspec.Struct, frozen=True):
    """What PostGIS did."""

    version: str
    took_s: float  #: processor time of its backend, the fastest of some rounds
    pairs: list[Pairs]  #: fix and fence, by batch


def run() -> Iterator[dict[str, Any]]:
    """Runs both; takes about ten seconds. Yields nothing where there is no PostGIS."""
    programs = _programs()
    if programs is None:
        print("postgis: not measured, no PostgreSQL with PostGIS below /usr/lib/postgresql", file=sys.stderr)
        return
    random = np.random.default_rng(SEED)
    fences, batches = circles(random), list(_walk(random))
    with tempfile.TemporaryDirectory(prefix="vicino-bench-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        theirs = asyncio.run(_theirs(Path(folder), programs, fences, batches))
    took_s, pairs = _ours(fences, batches)
    fixes = BATCH * BATCHES
    baseline = (f"PostGIS {theirs.version}, matching alone", fixes / theirs.took_s)
    yield figure("postgis", fixes / took_s, "fixes/s", baseline)
    differ = sum(len(one ^ other) for one, other in zip(pairs, theirs.pairs, strict=True))
    yield figure("postgis_differ", differ, f"of {sum(map(len, pairs))} pairs of fix and fence")


def _walk(random: np.random.Generator) -> Iterator[Points]:
    """A thousand walkers; every ten seconds a batch with a fix of each."""
    lat, lon = town(random, BATCH)
    heading = random.uniform(0, 2 * np.pi, BATCH)
    for step in range(BATCHES):
        yield lat + np.cos(heading) * step * 14 / 111_400, lon + np.sin(heading) * step * 14 / 55_500


def _ours(fences: Sequence[Fence], batches: Sequence[Points]) -> tuple[float, list[Pairs]]:
    """How long matching and transitions take, and the pairs found. The only user of the engine here."""
    index, rules = FenceSet.build(fences), Rules()
    columns = [
        FixBatch(
            device=np.arange(BATCH, dtype=np.int32),
            lat_deg=lat,
            lon_deg=lon,
            fixed_at_us=np.full(BATCH, step * 10_000_000),
            accuracy_m=np.full(BATCH, 10.0),
            speed_mps=np.full(BATCH, np.nan),
        )
        for step, (lat, lon) in enumerate(batches)
    ]

    def follow() -> None:
        fleet = Fleet(index.roll)
        for walker in range(BATCH):
            fleet.add(str(walker))
        for batch in columns:
            sense(fleet, batch, index, rules)

    place_of = {fence.external_id: place for place, fence in enumerate(fences)}
    name = [index.fence(place).external_id for place in range(len(fences))]
    matched = [index.match(lat, lon) for lat, lon in batches]
    pairs = [
        {(fix, place_of[name[place]]) for fix, place in zip(fix.tolist(), place.tolist(), strict=True)}
        for fix, place in matched
    ]
    return seconds(follow, ROUNDS), pairs


async def _theirs(folder: Path, programs: Path, fences: Sequence[Fence], batches: Sequence[Points]) -> Theirs:
    async with EmbeddedPostgres(folder, pg_bin=programs, settings=SETTINGS, say=_silent) as server:
        connection = await asyncpg.connect(server.url)
        try:
            return await _match(connection, fences, batches)
        finally:
            await connection.close()


async def _match(
    connection: asyncpg.Connection, fences: Sequence[Fence], batches: Sequence[Points]
) -> Theirs:
    await connection.execute("CREATE TEMP TABLE given (place int, lat float8, lon float8, radius_m float8)")
    rows = [
        (place, shape.lat_deg, shape.lon_deg, shape.radius_m)
        for place, fence in enumerate(fences)
        if isinstance(shape := fence.shape, Circle)
    ]
    await connection.copy_records_to_table("given", records=rows)
    for statement in FILL:
        await connection.execute(statement)
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    query = await connection.prepare(MATCH)
    arguments = [(lat.tolist(), lon.tolist()) for lat, lon in batches]
    took_s, found = float("inf"), []
    for _ in range(ROUNDS):
        began_s = _processor_s(backend)
        found = [await query.fetchrow(*columns) for columns in arguments]
        took_s = min(took_s, _processor_s(backend) - began_s)
    return Theirs(
        version=await connection.fetchval("SELECT postgis_lib_version()"),
        took_s=took_s,
        pairs=[set(zip(*row, strict=True)) for row in found],
    )


def _processor_s(process: int) -> float:
    """The processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _programs() -> Path | None:
    """The programs of a Debian PostgreSQL that has PostGIS."""
    found = [
        Path(f"/usr/lib/postgresql/{control.parents[1].name}/bin")
        for control in Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    ]
    return next((folder for folder in sorted(found) if (folder / "postgres").exists()), None)


def _silent(_: str) -> None:
    """Nothing is said of how the server starts."""
