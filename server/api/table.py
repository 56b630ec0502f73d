"""The table of routes: everything that can be called, by whom, and what goes in and out."""

from typing import Any

from server.api import (
    decisions,
    devices,
    ingest,
    login,
    management,
    offers,
    operations,
    overrides,
    pings,
    reports,
    rights,
    webhooks,
)
from server.api.console_table import CONSOLE
from server.api.openapi import openapi
from server.api.published_table import PUBLISHED
from server.api.route import Route
from server.api.rows import (
    ADMIN,
    ANYONE,
    APP,
    APP_DEVICE_OR_SERVER,
    APP_OR_SERVER,
    DEVICE,
    DEVICE_OR_SERVER,
    EVERYBODY,
    PAGE,
    SERVER,
    WATCHERS,
    row,
)
from server.api.selling import SELLING
from server.webhooks.replay import Replay
from server.wire import Crossings, Events, Ping

_OVERRIDERS = ("server", "admin", "privacy")
#: Whom numbers of all stores are for.
_READERS = ("server", "admin", "marketer", "analyst")

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
        query=PAGE,
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
    row("GET", "/v1/inbox", DEVICE, offers.inbox, "The shopper's offers", query=PAGE),
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
        "/v1/inbox/{id}/read",
        DEVICE,
        offers.read,
        "Say that an offer was seen in the app",
        status=204,
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
    *SELLING,
    row("GET", "/v1/decisions", SERVER, decisions.of_device, "A device's receipts", query=("device", *PAGE)),
    row("GET", "/v1/decisions/{id}", WATCHERS, decisions.one, "One receipt"),
    *(
        row("GET", f"/v1/reports/{name}", _READERS, handler, summary, query=("since", "until", *more))
        for name, handler, summary, more in (
            ("lift", reports.lift, "What speaking changed, against the holdout", ()),
            ("evaluation", reports.evaluate, "What other policies would have earned", ()),
            ("funnel", reports.funnels, "How far moments came, by store and offer", ("store",)),
            ("heat", reports.heat_map, "Where visits began, in parts of town with 20 shoppers or more", ()),
            ("opt-outs", reports.opted_out, "Opt-outs, mutes and other limits of shoppers' own", ()),
            ("speed", reports.quickness, "From the fix to the push, by day", ()),
            ("journeys", reports.journey, "The moments-of-truth map", ()),
            ("pilot", reports.pilot, "Go, no-go or wait; `store` may be given again", ("store",)),
        )
    ),
    row("GET", "/v1/settings", EVERYBODY, management.get_settings, "The retailer's settings"),
    row("PUT", "/v1/settings", ("server", *ADMIN), management.put_settings, "Change settings"),
    *PUBLISHED,
    row(
        "POST",
        "/v1/overrides",
        _OVERRIDERS,
        overrides.ask,
        "Ask that a geofence be heard in sensitive places",
        body=overrides.NewOverride,
        status=201,
    ),
    row(
        "GET", "/v1/overrides", _OVERRIDERS, overrides.every, "Overrides, and what became of each", query=PAGE
    ),
    row(
        "POST", "/v1/overrides/{id}/approve", _OVERRIDERS, overrides.approve, "Approve what another asked for"
    ),
    row("DELETE", "/v1/overrides/{id}", _OVERRIDERS, overrides.end, "Refuse or end an override"),
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
        query=("state", *PAGE),
    ),
    row(
        "POST",
        "/v1/webhooks/{id}/replay",
        SERVER,
        webhooks.replay,
        "Send settled messages once more",
        body=Replay,
    ),
    *CONSOLE,
    *OPERATORS,
]


def description(version: str) -> dict[str, Any]:
    """The OpenAPI description of the table."""
    return openapi(ROUTES, version=version)
