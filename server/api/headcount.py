"""How many shoppers are where now: counts that cannot be about one of them, and never a person's dot."""

from typing import Any, Final

from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us
from server.sql import queries

SQL = queries("console")

#: Fewer are not told apart from none, and counts are multiples of `ROUNDED_TO`: one person hardly shows.
K: Final = 20
ROUNDED_TO: Final = 5
#: A visit that has not ended after so long is told by nobody's phone any more.
OPEN_MOST_US: Final = 12 * 3600 * 1_000_000


async def now(request: web.Request, caller: Caller) -> web.Response:
    """Shoppers inside any geofence, and inside each that holds k or more: about how many."""
    services = request.app[SERVICES]
    since = from_us(services.clock.now_us() - OPEN_MOST_US)
    stores = None if caller.stores is None else list(caller.stores)
    async with services.database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(SQL["present"], caller.retailer_id, since, stores)
        everywhere = await connection.fetchval(SQL["present_anywhere"], caller.retailer_id, since, stores)
    items: list[dict[str, Any]] = [
        {"geofence": name, "store": store, "shoppers": told(shoppers)}
        for name, store, shoppers in rows
        if shoppers >= K
    ]
    return json_answer({"k": K, "shoppers": told(everywhere), "items": items})


def told(count: int) -> int | None:
    """A count as it may be told; None: fewer than k."""
    return None if count < K else count // ROUNDED_TO * ROUNDED_TO
