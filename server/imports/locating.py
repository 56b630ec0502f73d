"""Gives stores without a position the one of their address."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from server.db import Database
from server.imports.geocoding import Found, Geocoder, NotFound
from server.imports.judging import Accepted
from server.imports.sieve import Sieve
from server.publish import published_bodies

#: Called with how many of how many lookups are done.
Progress: TypeAlias = Callable[[int, int], None]

_NO_GEOCODER = NotFound(code="needs_geocoding", detail="it has only an address, and no geocoder is named")
_LIMIT = NotFound(code="geocoder_limit", detail="the request names too many addresses to look up at once")


async def locate_stores(
    database: Database,
    retailer_id: str,
    sieve: Sieve,
    geocoder: Geocoder | None,
    progress: Progress | None = None,
) -> None:
    """Fills in `lat` and `lon`, or takes the store out of the sieve.

    A store that is published under the same address keeps its position, and nobody is asked. Equal
    addresses are looked up once.
    """
    missing = [store for store in sieve.accepted.values() if "lat" not in store.body]
    if not missing:
        return
    async with database.transaction(retailer_id) as connection:
        ids = [store.external_id for store in missing]
        published = await published_bodies(connection, retailer_id, "store", ids)
    lookups = _Lookups(geocoder)
    for done, store in enumerate(missing, start=1):
        found = _as_published(store, published) or await lookups.locate(store.body["address"])
        if isinstance(found, NotFound):
            sieve.refuse(store, found.code, "address", found.detail)
        else:
            store.body["lat"], store.body["lon"] = found.lat_deg, found.lon_deg
        if progress is not None:
            progress(done, len(missing))


class _Lookups:
    """The lookups of one import, each address once, no more than the geocoder allows."""

    def __init__(self, geocoder: Geocoder | None) -> None:
        self._geocoder = geocoder
        self._answers: dict[str, Found | NotFound] = {}

    async def locate(self, address: str) -> Found | NotFound:
        if self._geocoder is None:
            return _NO_GEOCODER
        if address not in self._answers:
            if self._geocoder.at_most is not None and len(self._answers) >= self._geocoder.at_most:
                return _LIMIT
            self._answers[address] = await self._geocoder.locate(address)
        return self._answers[address]


def _as_published(store: Accepted, published: Mapping[str, Any]) -> Found | None:
    body = published.get(store.external_id)
    if body is None or body.get("address") != store.body["address"]:
        return None
    return Found(lat_deg=body["lat"], lon_deg=body["lon"])
