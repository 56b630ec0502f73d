"""The heat map: how many visits began in which part of town, where at least K_LEAST shoppers were.

A visit lies where its store lies, so the map holds no position of anybody's. Cells are some 200 m wide and
high: rows of equal latitude, each divided by its own number of metres a degree.
"""

from collections import defaultdict
from datetime import datetime
from math import cos, floor, radians

import msgspec

from offers.bodies import store_from_body
from server.db import Database
from server.evidence import K_LEAST
from server.evidence.log import Period, snapshot
from server.sql import queries

SQL = queries("evidence")

CELL_M = 200.0
#: Metres a degree of latitude, to a few in a thousand (WGS84 at 45 degrees).
DEGREE_M = 111_132.0


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One part of town."""

    west: float
    south: float
    east: float
    north: float
    stores: tuple[str, ...]  #: that lie in it
    visits: int
    shoppers: int


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """Cells with at least `k` shoppers, those with most visits first."""

    since: datetime
    until: datetime
    k: int
    cell_m: float
    cells: tuple[Cell, ...]


async def heat(database: Database, retailer_id: str, period: Period) -> Heat:
    """The heat map of a period. Raises UnknownRetailer."""
    async with snapshot(database, retailer_id) as connection:
        bodies = await connection.fetch(SQL["stores_now"], retailer_id)
        places = {
            store.external_id: cell_of(store.lat_deg, store.lon_deg)
            for store in (store_from_body(row["body"]) for row in bodies)
        }
        names = {f"{row} {column}": (row, column) for row, column in places.values()}
        cells = [f"{row} {column}" for row, column in places.values()]
        arguments = (retailer_id, period.since, period.until, list(places), cells, K_LEAST)
        rows = await connection.fetch(SQL["heat"], *arguments)
    stores = defaultdict(list)
    for name, place in places.items():
        stores[place].append(name)
    told = []
    for row in rows:
        place = names[row["cell"]]
        west, south, east, north = box_of(*place)
        told.append(
            Cell(
                west=west,
                south=south,
                east=east,
                north=north,
                stores=tuple(stores[place]),
                visits=row["visits"],
                shoppers=row["shoppers"],
            )
        )
    return Heat(since=period.since, until=period.until, k=K_LEAST, cell_m=CELL_M, cells=tuple(told))


def cell_of(lat_deg: float, lon_deg: float) -> tuple[int, int]:
    """The row and column of a position."""
    row = floor(lat_deg * DEGREE_M / CELL_M)
    return row, floor(lon_deg / _width_deg(row))


def box_of(row: int, column: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a cell, in degrees."""
    width, height = _width_deg(row), CELL_M / DEGREE_M
    return column * width, row * height, (column + 1) * width, (row + 1) * height


def _width_deg(row: int) -> float:
    middle = min(abs((row + 0.5) * CELL_M / DEGREE_M), 89.0)
    return CELL_M / (DEGREE_M * cos(radians(middle)))
