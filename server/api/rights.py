"""A shopper's rights: a copy of everything that is kept of her, and to be erased."""

from aiohttp import web

from server.api.route import SERVICES, Services, json_answer
from server.auth import Caller
from server.privacy.erasing import ask
from server.privacy.export import CopyTakesLonger, NoSuchShopper, export
from server.problems import Problem


async def erase(request: web.Request, caller: Caller) -> web.Response:
    """Erases the shopper: every row, every input in the journal, what the engine remembers. For good."""
    services = request.app[SERVICES]
    assert caller.shopper_id is not None
    erasure_id = await ask(
        services.database, services.clock, caller.retailer_id, caller.shopper_id, "shopper"
    )
    told = await services.engine.erase(caller.retailer_id, erasure_id)
    services.auth.forget_shopper(caller.retailer_id, caller.shopper_id)
    return json_answer(told)


async def copy(request: web.Request, caller: Caller) -> web.Response:
    """Everything that is kept of the shopper: a ZIP of NDJSON, JSON Schemas and GeoJSON."""
    assert caller.shopper_id is not None
    return await copy_of(request.app[SERVICES], caller.retailer_id, caller.shopper_id)


async def copy_of(services: Services, retailer_id: str, shopper_id: str) -> web.Response:
    """The answer with a shopper's copy, whoever asks for it. Raises Problem."""
    try:
        whole = await export(services.database, services.clock, retailer_id, shopper_id, services.elsewhere)
    except NoSuchShopper:
        raise Problem(404, "unknown_shopper", "no such shopper") from None
    except CopyTakesLonger as error:
        raise Problem(503, "copy_takes_longer", str(error)) from None
    name = 'attachment; filename="vicino-export.zip"'
    return web.Response(body=whole, content_type="application/zip", headers={"Content-Disposition": name})
