"""The table of routes: everything that can be called, by whom, and what goes in and out."""

from typing import Any, get_args

from server.api import (
    decisions,
    devices,
    ingest,
    login,
    management,
    offers,
    operations,
    pings,
    rights,
    webhooks,
)
from server.api.openapi import openapi
from server.api.route import Handler, Route
from server.imports import ImportKind
from server.webhooks.replay import Replay
from server.wire import Crossings, Events, Ping

_IMPORT_MOST = 64 << 20  #: bytes of an import's body
_PAGE = ("cursor", "limit")

#: Who may call a route.
APP, DEVICE, SERVER = ("app",), ("device",), ("server",)
DEVICE_OR_SERVER, TILL = ("device", "server"), ("till", "server")
APP_OR_SERVER, APP_DEVICE_OR_SERVER = ("app", "server"), ("app", "device", "server")
ANYONE: tuple[str, ...] = ()

_NOUNS = {
    "stores": "stores",
    "geofences": "geofences, as GeoJSON",
    "catalog": "products",
    "offers": "offers",
    "sensitive": "sensitive places, as GeoJSON",
}


def row(method: str, path: str, who: tuple[str, ...], handler: Handler, summary: str, **more: Any) -> Route:
    """A row of the table, as short as it can be read."""
    return Route(method=method, path=path, who=who, handler=handler, summary=summary, **more)


def _published(kind: ImportKind) -> list[Route]:
    noun, path = _NOUNS[kind], f"/v1/{kind}"
    return [
        row("GET", path, SERVER, management.get_many(kind), f"Published {noun}", query=_PAGE),
        row(
            "POST",
            path,
            SERVER,
            management.put_many(kind),
            f"Create or update {noun}, by external id; `dry_run=true` only tells",
            query=("dry_run", "radius_m"),
            body_most=_IMPORT_MOST,
        ),
        row("GET", f"{path}/{{external_id}}", SERVER, management.get_single(kind), f"One of the {noun}"),
        row(
            "DELETE",
            f"{path}/{{external_id}}",
            SERVER,
            management.delete_single(kind),
            f"Remove one of the {noun}",
        ),
    ]


#: What every process answers, whatever its role.
OPERATORS = [
    row("GET", "/healthz", ANYONE, operations.healthz, "Alive"),
    row("GET", "/readyz", ANYONE, operations.readyz, "Ready"),
    row("GET", "/metrics", ANYONE, operations.metrics, "Metrics", media="text/plain"),
]

ROUTES: list[Route] = [
    row(
        "POST",
        "/v1/devices",
        APP,
        devices.register,
        "Register a device; gives its tokens",
        body=devices.NewDevice,
        answer=devices.RegisteredDevice,
        status=201,
        sheds=True,
    ),
    row(
        "POST",
        "/v1/devices/token",
        ANYONE,
        devices.refresh,
        "New tokens for a refresh token",
        body=devices.RefreshBody,
        answer=devices.DeviceTokens,
    ),
    row(
        "GET",
        "/v1/devices/{device_id}/consents",
        SERVER,
        devices.get_consents,
        "Consents of a device's shopper",
    ),
    row(
        "GET",
        "/v1/devices/{device_id}/consents/history",
        SERVER,
        devices.get_consent_history,
        "Every answer of a device's shopper",
    ),
    row(
        "PUT",
        "/v1/devices/{device_id}/consents",
        SERVER,
        devices.put_consents,
        "Record consents that the retailer asked for",
    ),
    row(
        "GET",
        "/v1/devices/{device_id}/history",
        SERVER,
        decisions.history,
        "A device's transitions and visits",
    ),
    row("POST", "/v1/pings", DEVICE_OR_SERVER, pings.ping, "Send fixes", body=Ping, sheds=True),
    row(
        "POST",
        "/v1/crossings",
        DEVICE_OR_SERVER,
        pings.crossings,
        "Send which geofences were crossed, and no position",
        body=Crossings,
    ),
    row(
        "GET",
        "/v1/me/geofences",
        DEVICE,
        management.get_many("geofences"),
        "The geofences, for a phone that compares for itself",
        query=_PAGE,
    ),
    row("POST", "/v1/events", DEVICE_OR_SERVER, pings.events, "Send browse events", body=Events, sheds=True),
    *(
        row(
            method,
            ingest.PATH,
            APP_OR_SERVER,
            ingest.ingest,
            summary,
            body_most=ingest.BODY_MOST,
            for_clients=True,
        )
        for method, summary in ingest.METHODS.items()
    ),
    *(
        row(
            "POST",
            path,
            APP_DEVICE_OR_SERVER,
            ingest.track,
            "Track as Radar's web SDK does",
            body_most=ingest.BODY_MOST,
            for_clients=True,
        )
        for path in ingest.TRACK_PATHS
    ),
    *(
        row("OPTIONS", path, ANYONE, ingest.preflight, "A browser's question before it", status=204)
        for path in ingest.TRACK_PATHS
    ),
    row("GET", "/v1/inbox", DEVICE, offers.inbox, "The shopper's offers", query=_PAGE),
    row(
        "GET",
        "/v1/inbox/{id}/code.svg",
        DEVICE,
        offers.code_picture,
        "An offer's code for a till's scanner; `form` is qr or code128",
        query=("form",),
        media="image/svg+xml",
    ),
    row(
        "POST",
        "/v1/notifications/{id}/{outcome:delivered|opened|dismissed}",
        DEVICE,
        offers.outcome,
        "Say what became of a push",
        status=204,
    ),
    row(
        "POST",
        "/v1/me/login",
        DEVICE,
        login.log_in,
        "Become a known shopper",
        body=login.LogIn,
        answer=login.MovedDevice,
    ),
    row("POST", "/v1/me/logout", DEVICE, login.log_out, "Become nobody known", answer=login.MovedDevice),
    row("GET", "/v1/me/consents", DEVICE, devices.get_consents, "Own consents"),
    row("GET", "/v1/me/consents/history", DEVICE, devices.get_consent_history, "Every answer given"),
    row("PUT", "/v1/me/consents", DEVICE, devices.put_consents, "Grant or withdraw consents"),
    row("GET", "/v1/me/preferences", DEVICE, devices.get_preferences, "Own limits"),
    row("PUT", "/v1/me/preferences", DEVICE, devices.put_preferences, "Set own limits"),
    row(
        "GET",
        "/v1/me/export",
        DEVICE,
        rights.copy,
        "A copy of everything kept of the shopper, as a ZIP",
        media="application/zip",
    ),
    row("DELETE", "/v1/me", DEVICE, rights.erase, "Erase the shopper; answers a receipt"),
    row("POST", "/v1/redemptions", TILL, offers.redeem, "Redeem a coupon, once", body=offers.Redemption),
    row("GET", "/v1/decisions", SERVER, decisions.of_device, "A device's receipts", query=("device", *_PAGE)),
    row("GET", "/v1/decisions/{id}", SERVER, decisions.one, "One receipt"),
    row("GET", "/v1/settings", SERVER, management.get_settings, "The retailer's settings"),
    row("PUT", "/v1/settings", SERVER, management.put_settings, "Change settings"),
    *(route for kind in get_args(ImportKind) for route in _published(kind)),
    row(
        "POST",
        "/v1/webhooks",
        SERVER,
        webhooks.add,
        "Register a webhook endpoint",
        body=webhooks.NewEndpoint,
        status=201,
    ),
    row("GET", "/v1/webhooks", SERVER, webhooks.every, "Webhook endpoints"),
    row("GET", "/v1/webhooks/{id}", SERVER, webhooks.one, "One endpoint, with its secret"),
    row("DELETE", "/v1/webhooks/{id}", SERVER, webhooks.remove, "Remove an endpoint", status=204),
    row("POST", "/v1/webhooks/{id}/rotate", SERVER, webhooks.rotate, "Make a new signing secret"),
    row("POST", "/v1/webhooks/{id}/enable", SERVER, webhooks.enable, "Let a disabled endpoint hear again"),
    row(
        "GET",
        "/v1/webhooks/{id}/messages",
        SERVER,
        webhooks.messages,
        "What was sent to an endpoint",
        query=("state", *_PAGE),
    ),
    row(
        "POST",
        "/v1/webhooks/{id}/replay",
        SERVER,
        webhooks.replay,
        "Send settled messages once more",
        body=Replay,
    ),
    *OPERATORS,
]


def description(version: str) -> dict[str, Any]:
    """The OpenAPI description of the table."""
    return openapi(ROUTES, version=version)
