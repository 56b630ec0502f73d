"""Stores that have an address and no position."""

from typing import Any

import pytest

from server.db import Database
from server.imports import Geocoder, ImportKind, ImportReport, import_body
from server.imports.geocoding import Found, NotFound
from server.publish import load_published
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")
NOW_US = 1_795_000_000_000_000  # 2026-11-18


async def imported(database: Database, kind: ImportKind, text: str, **options: Any) -> ImportReport:
    return await import_body(database, RETAILER, kind, text.encode(), now_us=NOW_US, **options)


async def published(database: Database) -> Any:
    async with database.transaction(RETAILER) as connection:
        return await load_published(connection, RETAILER)


def codes(report: ImportReport) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.external_id) for problem in report.problems]


class Lookup(Geocoder):
    """A geocoder that knows one street."""

    def __init__(self, at_most: int | None = None) -> None:
        self.at_most = at_most
        self.asked: list[str] = []

    async def locate(self, address: str) -> Found | NotFound:
        self.asked.append(address)
        if address.startswith("Old Street"):
            return Found(lat_deg=60.5, lon_deg=24.5)
        return NotFound(code="no_place_found", detail="the geocoder knows no such address")


ADDRESSES = "external_id,name,address\ns1,A,Old Street 1\ns2,B,Nowhere\ns3,C,Old Street 1\n"


async def test_without_a_geocoder_an_address_alone_is_refused(database: Database) -> None:
    report = await imported(database, "stores", ADDRESSES + "s4,D,\n")
    assert codes(report) == [
        ("missing_position", "s4"),
        ("needs_geocoding", "s1"),
        ("needs_geocoding", "s2"),
        ("needs_geocoding", "s3"),
    ]
    assert "VICINO_GEOCODER" in report.problems[1].remedy


async def test_an_address_is_looked_up_once(database: Database) -> None:
    geocoder = Lookup()
    report = await imported(database, "stores", ADDRESSES, geocoder=geocoder)
    assert (report.created, codes(report)) == (2, [("no_place_found", "s2")])
    assert geocoder.asked == ["Old Street 1", "Nowhere"]
    assert (await published(database))["store"]["s3"]["lat"] == 60.5


async def test_a_published_address_is_not_looked_up_again_until_it_changes(database: Database) -> None:
    await imported(database, "stores", ADDRESSES, geocoder=Lookup())
    geocoder = Lookup()
    again = await imported(
        database, "stores", ADDRESSES.replace("C,Old Street 1", "C,Old Street 2"), geocoder=geocoder
    )
    assert geocoder.asked == ["Nowhere", "Old Street 2"]
    assert (again.unchanged, again.updated) == (1, 1)


async def test_a_request_looks_up_no_more_than_it_may(database: Database) -> None:
    rows = "".join(f"s{n},A,Old Street {n}\n" for n in range(3))
    report = await imported(
        database, "stores", "external_id,name,address\n" + rows, geocoder=Lookup(at_most=2)
    )
    assert (report.created, codes(report)) == (2, [("geocoder_limit", "s2")])
