"""The heat map: how many visits began in which part of town, where at least K_LEAST shoppers were.

A visit lies where its store lies, so the map holds no position of anybody's. Parts of town are H3's hexagons.
"""

from collections import defaultdict
from datetime import datetime

import msgspec

from offers.bodies import store_from_body
from server.db import Database
from server.evidence import K_LEAST
from server.evidence.log import Period, snapshot
from server.sql import queries

SQL = queries("evidence")

RESOLUTION = 9  #: of H3: hexagons of 0.1 km², with sides of some 200 m

Position = tuple[float, float]  #: longitude and latitude in degrees, as in GeoJSON


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One part of town."""

    cell: str  #: H3's index of it
    corners: tuple[Position, ...]
    stores: tuple[str, ...]  #: that lie in it
    visits: int
    shoppers: int


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """Cells with at least `k` shoppers, those with most visits first."""

    since: datetime
    until: datetime
    k: int
    resolution: int
    cells: tuple[Cell, ...]


async def heat(database: Database, retailer_id: str, period: Period) -> Heat:
    """The heat map of a period. Raises UnknownRetailer."""
    import h3  # noqa: PLC0415 - it takes a start 0.1 s, and few ask

    async with snapshot(database, retailer_id) as connection:
        bodies = await connection.fetch(SQL["stores_now"], retailer_id)
        stores = [store_from_body(row["body"]) for row in bodies]
        names = [store.external_id for store in stores]
        cells = [h3.latlng_to_cell(store.lat_deg, store.lon_deg, RESOLUTION) for store in stores]
        arguments = (retailer_id, period.since, period.until, names, cells, K_LEAST)
        rows = await connection.fetch(SQL["heat"], *arguments)
    within = defaultdict(list)
    for name, cell in zip(names, cells, strict=True):
        within[cell].append(name)
    told = tuple(
        Cell(
            cell=row["cell"],
            corners=tuple((lon_deg, lat_deg) for lat_deg, lon_deg in h3.cell_to_boundary(row["cell"])),
            stores=tuple(within[row["cell"]]),
            visits=row["visits"],
            shoppers=row["shoppers"],
        )
        for row in rows
    )
    return Heat(since=period.since, until=period.until, k=K_LEAST, resolution=RESOLUTION, cells=told)
