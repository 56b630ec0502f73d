"""Serves the console, its map, and hears what browsers say of its policy."""

from typing import Any

import structlog
from aiohttp import web

from server.api.route import SERVICES
from server.assets import Asset, console_assets, map_assets, policy
from server.auth import Caller
from server.problems import Problem
from server.wire import decode

log = structlog.get_logger("vicino.console")

_INDEX = "index.html"
_NOT_BUILT = "The console is not built: run `make console` in the checkout, and start Vicino again.\n"


async def to_console(_: web.Request, __: Caller) -> web.Response:
    """Whoever opens the address wants the console."""
    return web.Response(status=302, headers={"Location": "/console/"})


async def page(request: web.Request, _: Caller) -> web.Response:
    """A file of the console; the page itself for every address that is one of the page's own."""
    assets, path = console_assets(), request.match_info["path"]
    if _INDEX not in assets:
        return web.Response(status=503, text=_NOT_BUILT)
    asset = assets.get(path)
    if asset is None and "." in path.rpartition("/")[2]:
        raise Problem(404, "not_found", "no such file of the console")
    return _answer(request, asset or assets[_INDEX])


async def docs(request: web.Request, _: Caller) -> web.Response:
    """The API's description, to read and to try: Swagger UI, served from here."""
    asset = console_assets().get("docs.html")
    return web.Response(status=503, text=_NOT_BUILT) if asset is None else _answer(request, asset)


async def map_layer(request: web.Request, _: Caller) -> web.Response:
    """A layer of the street map that comes with the demo, as GeoJSON."""
    asset = map_assets().get(request.match_info["layer"])
    if asset is None:
        raise Problem(404, "not_found", "no such layer of the map")
    return _answer(request, asset)


async def csp_report(request: web.Request, _: Caller) -> web.Response:
    """A browser says that a page wanted what its policy forbids: that is a defect, or somebody's attempt."""
    told = decode(await request.read(), dict[str, Any])
    report = told.get("csp-report")
    said: dict[str, Any] = report if isinstance(report, dict) else {}
    directive = str(said.get("effective-directive") or said.get("violated-directive") or "unknown")[:40]
    request.app[SERVICES].metrics.csp_reports.inc()
    log.warning("csp_report", directive=directive, blocked=str(said.get("blocked-uri"))[:100])
    return web.Response(status=204)


def _widened(request: web.Request) -> dict[str, str]:
    """The policy, where the operator has set a tile source."""
    tiles = request.app[SERVICES].tiles
    return {} if tiles is None else {"Content-Security-Policy": policy(tiles.origin)}


def _answer(request: web.Request, asset: Asset) -> web.Response:
    if request.headers.get("If-None-Match") == asset.tag:
        return web.Response(
            status=304, headers={"ETag": asset.tag, "Cache-Control": asset.headers["Cache-Control"]}
        )
    encoding, body = asset.body_for(request.headers.get("Accept-Encoding", ""))
    headers = (
        asset.headers
        | {"ETag": asset.tag}
        | _widened(request)
        | ({"Content-Encoding": encoding} if encoding else {})
    )
    return web.Response(body=body, headers=headers)
