"""Ingest: what existing location clients send, taken as each of them sends it and answered as it needs.

After the key is accepted the answer is a success, whatever a record looks like: to these clients anything
else means 'send it again', and one unusable record would keep all later ones on the phone.
"""

from aiohttp import web

from server.api.route import SERVICES, Services
from server.auth import Caller
from server.clients import INGEST, RADAR, Client, fields, radar
from server.clients.heard import Asked, Heard, Refused, Reply, Unusable
from server.clients.regions import NOTHING
from server.clients.traccar import NoDevice
from server.intake import Speaker
from server.problems import Problem
from server.signature import body_of
from server.wire import rfc3339

PATH = "/v1/ingest/{client:" + "|".join(INGEST) + "}/{key}"
TRACK_PATHS = ("/v1/track", "/v1/track/replay")
METHODS = {
    "POST": "Send positions as OwnTracks, Overland, Traccar Client or Transistorsoft's SDK does",
    "PUT": "The same, for apps that are set to it",
    "GET": "The same in the query, as OsmAnd does; or a client's look at the address",
}
BODY_MOST = 8 << 20  #: bytes; a day's backlog of a phone, in one request
TOLD_REGIONS = ("owntracks", "transistorsoft")  #: clients that can be told what to watch
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


async def ingest(request: web.Request, caller: Caller) -> web.Response:
    """One request of a client: its records go to the engine, and it hears what keeps it going."""
    services = request.app[SERVICES]
    client = request.match_info["client"]
    asked = await _asked(request, services)
    heard = _hear(INGEST[client], asked)
    caller = await _speaking_for_itself(services, asked, caller)
    await body_of(request, caller)  # what is there already, for its signature
    speaker, hint = await _take(services, caller, client, heard, asked)
    change = NOTHING
    if speaker is not None and client in TOLD_REGIONS:
        change = await services.intake.regions(speaker, heard, asked.body, hint)
    return _response(INGEST[client].answer(heard, change))


async def track(request: web.Request, caller: Caller) -> web.Response:
    """Radar's `/v1/track` and `/v1/track/replay`, answered with the user and what happened to her."""
    services = request.app[SERVICES]
    await body_of(request, caller)
    asked = await _asked(request, services)
    heard = _hear(RADAR, asked)
    speaker, hint = await _take(services, caller, "radar", heard, asked)
    change = NOTHING
    visiting: list[str] = []
    events: list[radar.Happened] = []
    if speaker is not None:
        change = await services.intake.regions(speaker, heard, asked.body, hint)
        visiting, events = await services.intake.happened(speaker, asked.received_at_us)
    at = rfc3339(asked.received_at_us)
    return _response(radar.answer_to(heard, change, at=at, visiting=visiting, events=events), _ANY_ORIGIN)


async def preflight(request: web.Request, _: Caller) -> web.Response:
    """What a browser asks before it lets a page send to another origin."""
    headers = _ANY_ORIGIN | {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "*"),
        "Access-Control-Max-Age": "86400",
    }
    return web.Response(status=204, headers=headers)


async def _asked(request: web.Request, services: Services) -> Asked:
    return Asked(
        method=request.method,
        query=request.rel_url.raw_query_string,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
        received_at_us=services.clock.now_us(),
    )


def _hear(client: Client, asked: Asked) -> Heard:
    """What the request says; of one that cannot be read at all, that. Raises Problem 400."""
    try:
        heard = client.hear(asked)
    except Unusable as error:
        heard = Heard()
        heard.refuse(error)
    except NoDevice:
        raise Problem(400, "no_device", "name the device: ?id=…", field="id") from None
    return heard


async def _speaking_for_itself(services: Services, asked: Asked, caller: Caller) -> Caller:
    """The device whose access token came along, else the holder of the key in the path.

    Clients send their own things in `Authorization`; only what has the look of a token is taken for one, and
    then has to be good: 401 is what makes an SDK refresh it. Raises Problem 401 and 403.
    """
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token.count(".") != 2:
        return caller
    device = await services.auth.caller(token.strip())
    if device.retailer_id != caller.retailer_id:
        raise Problem(403, "wrong_credential", "the access token is of another retailer than the key")
    return device


async def _take(
    services: Services, caller: Caller, client: str, heard: Heard, asked: Asked
) -> tuple[Speaker | None, bytes]:
    """Puts aside what is unusable, and gives the rest to the engine, with its hint for the device. Nobody
    speaks where no device is named.
    """
    device_id = caller.device_id or heard.device or _named_in_query(asked)
    if device_id is None and (heard.fixes or heard.reports or heard.address) and client != "radar":
        detail = "no device is named: put ?device_id=… into the address"
        heard.refused.append(Refused(reason="no_device", detail=detail, shape=f"{len(heard.fixes)} fixes"))
    services.door.admit_device(caller, device_id)
    await services.intake.put_aside(caller.retailer_id, client, device_id, heard.refused)
    if device_id is None:
        return None, b""
    speaker = Speaker(caller=caller, client=client, device_id=device_id)
    # Even with nothing to say a device appears, so that consents can be recorded for it.
    return speaker, await services.intake.take(speaker, heard, asked.received_at_us)


def _named_in_query(asked: Asked) -> str | None:
    query = dict(asked.pairs())
    try:
        return fields.name(query.get("device_id"))
    except Unusable as error:
        raise Problem(400, "no_device", str(error), field="device_id") from None


def _response(reply: Reply, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=reply.body, status=reply.status, content_type=reply.content_type, headers=headers
    )
