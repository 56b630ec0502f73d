"""A route is a row of a table: method, path, who may call it, what goes in and comes out.

The table is checked (deny by default), served and described (`/openapi.json`) from the same rows.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from server.accounts.sessions import Sessions
from server.auth import Authenticator, Caller
from server.clock import Clock
from server.config import TileSource
from server.db import Database
from server.desk import Desk
from server.doctor.advice import Adviser
from server.edge.door import Door
from server.imports import Geocoder
from server.intake import Intake
from server.live import Live
from server.metrics import Metrics
from server.parts import PartStanding
from server.privacy.export import Elsewhere
from server.whatif.jobs import Jobs

Standings = Callable[[], Awaitable[list[PartStanding]]]  #: raises DatabaseBusy where Kafka is away
Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers work with."""

    database: Database
    engine: Desk
    auth: Authenticator
    clock: Clock
    metrics: Metrics
    intake: Intake
    door: Door
    geocoder: Geocoder | None  #: None: addresses without a position are refused
    sessions: Sessions  #: who is signed in to the console
    live: Live
    what_ifs: Jobs
    adviser: Adviser
    elsewhere: Elsewhere | None = None  #: finds what of a shopper's lies in Kafka, where that has the journal
    partitions: Standings | None = None  #: how far Kafka's partitions are, where that has the journal
    tiles: TileSource | None = None  #: what the console's map loads of another host
    webhook_hosts: frozenset[str] = frozenset()  #: private hosts that webhooks may be sent to


SERVICES = web.AppKey("services", Services)


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """What operators ask of a process, whatever its role."""

    database: Database
    metrics: Metrics
    ready: Mapping[str, Callable[[], bool]]  #: whether its parts are at work, by name


OPERATIONS = web.AppKey("operations", Operations)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    method: str
    path: str
    who: tuple[
        str, ...
    ]  #: kinds of callers that may call it: app, device, server, till, roles of people; empty: anybody
    handler: Handler
    summary: str
    body: Any = None  #: the type of a JSON body
    answer: Any = None  #: the type of a JSON answer
    status: int = 200
    media: str = "application/json"  #: of the answer
    query: tuple[str, ...] = ()  #: names of query parameters
    body_most: int = 1 << 20  #: bytes
    sheds: bool = False  #: refused at the door while the retailer's lane is full
    #: For existing clients. There is no 429 for them, since some delete what a 4xx refuses; and the key in
    #: their address is the same for all phones, so each phone has a rate of its own.
    for_clients: bool = False


#: The caller of a route that anybody may call.
ANYBODY = Caller(retailer_id="", kind="anybody", name="anybody")


def json_answer(value: Any, *, status: int = 200) -> web.Response:
    """A JSON answer of a value that msgspec can encode."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
