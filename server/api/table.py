"""The table of routes: everything that can be called, by whom, and what goes in and out."""

from typing import Any, get_args

from server.api import decisions, devices, management, offers, operations, pings
from server.api.openapi import openapi
from server.api.route import Route
from server.imports import ImportKind
from server.wire import Events, Ping

_IMPORT_MOST = 64 << 20  #: bytes of an import's body
_PAGE = ("cursor", "limit")
_NOUNS = {
    "stores": "stores",
    "geofences": "geofences, as GeoJSON",
    "catalog": "products",
    "offers": "offers",
    "sensitive": "sensitive places, as GeoJSON",
}


def _published(kind: ImportKind) -> list[Route]:
    noun, path, who = _NOUNS[kind], f"/v1/{kind}", ("server",)
    return [
        Route(
            method="GET",
            path=path,
            who=who,
            handler=management.get_many(kind),
            summary=f"Published {noun}",
            query=_PAGE,
        ),
        Route(
            method="POST",
            path=path,
            who=who,
            handler=management.put_many(kind),
            summary=f"Create or update {noun}, by external id; `dry_run=true` only tells",
            query=("dry_run", "radius_m"),
            body_most=_IMPORT_MOST,
        ),
        Route(
            method="GET",
            path=f"{path}/{{external_id}}",
            who=who,
            handler=management.get_single(kind),
            summary=f"One of the {noun}",
        ),
        Route(
            method="DELETE",
            path=f"{path}/{{external_id}}",
            who=who,
            handler=management.delete_single(kind),
            summary=f"Remove one of the {noun}",
        ),
    ]


ROUTES: list[Route] = [
    Route(
        method="POST",
        path="/v1/devices",
        who=("app",),
        handler=devices.register,
        summary="Register a device; gives its tokens",
        body=devices.NewDevice,
        answer=devices.RegisteredDevice,
        status=201,
    ),
    Route(
        method="POST",
        path="/v1/devices/token",
        who=(),
        handler=devices.refresh,
        summary="New tokens for a refresh token",
        body=devices.RefreshBody,
        answer=devices.DeviceTokens,
    ),
    Route(
        method="GET",
        path="/v1/devices/{device_id}/consents",
        who=("server",),
        handler=devices.get_consents,
        summary="Consents of a device's shopper",
    ),
    Route(
        method="PUT",
        path="/v1/devices/{device_id}/consents",
        who=("server",),
        handler=devices.put_consents,
        summary="Record consents that the retailer asked for",
    ),
    Route(
        method="GET",
        path="/v1/devices/{device_id}/history",
        who=("server",),
        handler=decisions.history,
        summary="A device's transitions and visits",
    ),
    Route(
        method="POST",
        path="/v1/pings",
        who=("device", "server"),
        handler=pings.ping,
        summary="Send fixes",
        body=Ping,
    ),
    Route(
        method="POST",
        path="/v1/events",
        who=("device", "server"),
        handler=pings.events,
        summary="Send browse events",
        body=Events,
    ),
    Route(
        method="GET",
        path="/v1/inbox",
        who=("device",),
        handler=offers.inbox,
        summary="The shopper's offers",
        query=_PAGE,
    ),
    Route(
        method="POST",
        path="/v1/notifications/{id}/{outcome:delivered|opened|dismissed}",
        who=("device",),
        handler=offers.outcome,
        summary="Say what became of a push",
        status=204,
    ),
    Route(
        method="GET",
        path="/v1/me/consents",
        who=("device",),
        handler=devices.get_consents,
        summary="Own consents",
    ),
    Route(
        method="PUT",
        path="/v1/me/consents",
        who=("device",),
        handler=devices.put_consents,
        summary="Grant or withdraw consents",
    ),
    Route(
        method="GET",
        path="/v1/me/preferences",
        who=("device",),
        handler=devices.get_preferences,
        summary="Own limits",
    ),
    Route(
        method="PUT",
        path="/v1/me/preferences",
        who=("device",),
        handler=devices.put_preferences,
        summary="Set own limits",
    ),
    Route(
        method="POST",
        path="/v1/redemptions",
        who=("till", "server"),
        handler=offers.redeem,
        summary="Redeem a coupon, once",
        body=offers.Redemption,
    ),
    Route(
        method="GET",
        path="/v1/decisions",
        who=("server",),
        handler=decisions.of_device,
        summary="A device's receipts",
        query=("device", *_PAGE),
    ),
    Route(
        method="GET",
        path="/v1/decisions/{id}",
        who=("server",),
        handler=decisions.one,
        summary="One receipt",
    ),
    Route(
        method="GET",
        path="/v1/settings",
        who=("server",),
        handler=management.get_settings,
        summary="The retailer's settings",
    ),
    Route(
        method="PUT",
        path="/v1/settings",
        who=("server",),
        handler=management.put_settings,
        summary="Change settings",
    ),
    *(route for kind in get_args(ImportKind) for route in _published(kind)),
    Route(method="GET", path="/healthz", who=(), handler=operations.healthz, summary="Alive"),
    Route(method="GET", path="/readyz", who=(), handler=operations.readyz, summary="Ready"),
    Route(method="GET", path="/metrics", who=(), handler=operations.metrics, summary="Metrics"),
]


def description(version: str) -> dict[str, Any]:
    """The OpenAPI description of the table."""
    return openapi(ROUTES, version=version)
