"""What `/openapi.json` says of each route beside its row in the table: answers, bodies, examples."""

from typing import Any

from offers.preferences import PreferencesBody
from offers.settings import Settings
from server.api import shapes
from server.api.described_people import PEOPLE
from server.api.described_selling import SELLING
from server.api.description import Described
from server.imports.report import ImportReport
from server.privacy.erasing import Receipt as Erasure
from server.publish import Published

AT, LATER = "2026-11-18T10:00:00Z", "2026-11-18T10:15:00Z"
DEVICE, SHOPPER = "dev_0jx3m8rq4t6v9w2y5z7abcdefg", "shp_0jx3m8rq4t6v9w2y5z7abcdefg"
TOKENS = {"access_token": "eyJ…", "refresh_token": "rt_…", "expires_at": LATER}
GRANTED = {"granted": True, "text_version": "2026-11", "locale": "en"}
CONSENTS = {name: {"granted": True, "at": AT} for name in shapes.Consents.__struct_fields__}
FIX = {"lat": 60.1690, "lon": 24.9419, "fixed_at": AT, "accuracy_m": 8}
RIM = {"geofence_id": "", "lat": 60.1690, "lon": 24.9419, "radius_m": 240.0}
STORE = {"external_id": "shoes-1", "name": "Corner Shoes", "lat": 60.1686, "lon": 24.9419}
POINT = {"type": "Point", "coordinates": [24.9419, 60.1686]}
FENCE = {
    "type": "Feature",
    "geometry": POINT,
    "properties": {"external_id": "door", "store": "shoes-1", "radius": 100},
}
CLINIC = FENCE | {"properties": {"external_id": "clinic", "kind": "health", "radius": 40}}
PRODUCT = {
    "sku": "T-1",
    "name": "Trail trainers",
    "category": "Shoes > Trainers",
    "price": "90",
    "currency": "EUR",
}
OFFER = {
    "external_id": "trainers-15",
    "name": "15 % off trainers",
    "discount": {"kind": "percent", "value": 15},
    "applies_to": {"categories": ["Shoes > Trainers"]},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"},
    "message": {
        "en": {"title": "{discount} off the {product}", "body": "{store}, at {distance_m} m, until {until}"}
    },
}
ENDPOINT = {
    "id": "whe_0jx3m8rq4t6v9w2y5z7abcdefg",
    "url": "https://example.com/vicino",
    "types": ["offer.decided"],
    "created_at": AT,
    "disabled_at": None,
    "disabled_reason": None,
}
WITH_SECRET = ENDPOINT | {"secret": "whsec_…"}
TAKEN = {"accepted": 1, "rejected": []}
REPORT = {"kind": "stores", "version": 2, "created": 1, "accepted": 1}
REMOVED = {"version": 3, "created": 0, "updated": 0, "unchanged": 0, "removed": 1}
ITEM = {
    "id": "itm_0jx3m8rq4t6v9w2y5z7abcdefg",
    "decision_id": "dec_0jx3m8rq4t6v9w2y5z7abcdefg",
    "offer": "trainers-15",
    "title": "15% off the Trail trainers",
    "body": "Corner Shoes, at 40 m, until 12:30",
    "code": "7K3M-9QXT-2VWB-H4YN",
    "store": "shoes-1",
    "expires_at": LATER,
    "created_at": AT,
    "unread": True,
    "deep_link": None,
}
RECEIPT = {
    "id": ITEM["decision_id"],
    "moment": {"kind": "go", "store": "shoes-1", "trigger": "enter", "intent": 71, "evidence": []},
    "outcome": "silence",
    "reasons": ["no_interest"],
    "gates": [],
    "candidates": [],
    "propensity": 1.0,
    "policy": "rules",
    "versions": {"catalogue": 2},
    "decided_at": AT,
    "device": DEVICE,
    "timings_ms": {"received_to_decided": 4.2},
}
REDEEMED = {
    "status": "redeemed",
    "offer": "trainers-15",
    "store": "shoes-1",
    "sku": "T-1",
    "discount": {"kind": "percent", "value": 15},
    "decision_id": ITEM["decision_id"],
    "redeemed_at": LATER,
    "saving": "13.50",
}
ERASED = {
    "erasure_id": "era_0jx3m8rq4t6v9w2y5z7abcdefg",
    "asked_at": AT,
    "erased_at": AT,
    "erased": {"shoppers": 1, "lessons": 2},
    "unlearned_by": LATER,
}

_consents = Described(answer=shapes.Consents, told=CONSENTS)
_put_consents = Described(
    body=shapes.ConsentsWanted, answer=shapes.Consents, example={"nearby_offers": GRANTED}, told=CONSENTS
)
_history = Described(answer=shapes.Listed, told={"items": [{"purpose": "push", "granted": "true", "at": AT}]})
_ingest = Described(answer=Any, body=Any, forms=("application/json",), example={"_type": "status"}, told=[])
_query_only = Described(answer=Any, told=[])
_settings = Described(answer=dict[str, Any], told={"timezone": "Europe/Helsinki"})

#: By method and path.
DESCRIBED: dict[str, Described] = {
    "POST /v1/devices": Described(
        repeatable=True,
        example={"platform": "android", "consents": {"nearby_offers": GRANTED}},
        told={"device_id": DEVICE, "shopper_id": SHOPPER} | TOKENS,
    ),
    "POST /v1/devices/token": Described(
        example={"refresh_token": "rt_0jx3m8rq4t6v9w2y5z7abcdefg"}, told=TOKENS
    ),
    "GET /v1/devices/{device_id}/consents": _consents,
    "PUT /v1/devices/{device_id}/consents": _put_consents,
    "GET /v1/devices/{device_id}/consents/history": _history,
    "GET /v1/devices/{device_id}/history": Described(
        answer=shapes.History, told={"transitions": [], "visits": []}
    ),
    "POST /v1/pings": Described(
        answer=shapes.PingTaken,
        example={"fixes": [FIX]},
        told=TAKEN | {"next": {"after_m": 240.0, "within_s": 600.0, "watch": [RIM]}},
    ),
    "POST /v1/crossings": Described(
        body=shapes.FenceCrossings,
        answer=shapes.Taken,
        example={"crossings": [{"geofence_id": "door", "kind": "enter", "at": AT}]},
        told=TAKEN,
    ),
    "POST /v1/events": Described(
        body=shapes.BrowseEvents,
        answer=shapes.Taken,
        example={"events": [{"kind": "view", "sku": "T-1", "at": AT}]},
        told=TAKEN,
    ),
    "GET /v1/me/geofences": Described(
        answer=shapes.FeatureCollection,
        told={"type": "FeatureCollection", "features": [FENCE], "next_cursor": None},
    ),
    "POST /v1/ingest/{client}/{key}": _ingest,
    "PUT /v1/ingest/{client}/{key}": _ingest,
    "GET /v1/ingest/{client}/{key}": _query_only,
    "POST /v1/track": _ingest,
    "POST /v1/track/replay": _ingest,
    "OPTIONS /v1/track": Described(answer=Any),
    "OPTIONS /v1/track/replay": Described(answer=Any),
    "GET /v1/inbox": Described(answer=shapes.Inbox, told={"items": [ITEM], "unread": 1, "next_cursor": None}),
    "GET /v1/inbox/{id}/code.svg": Described(answer=str, told="<svg …/>"),
    "POST /v1/notifications/{id}/{outcome}": Described(),
    "POST /v1/me/login": Described(
        example={"user_id": "customer-4711"}, told={"shopper_id": SHOPPER} | TOKENS
    ),
    "POST /v1/me/logout": Described(told={"shopper_id": SHOPPER} | TOKENS),
    "GET /v1/me/consents": _consents,
    "GET /v1/me/consents/history": _history,
    "PUT /v1/me/consents": _put_consents,
    "GET /v1/me/preferences": Described(answer=shapes.Preferences, told={"max_per_day": 1}),
    "PUT /v1/me/preferences": Described(
        body=PreferencesBody, answer=shapes.Preferences, example={"max_per_day": 1}, told={"max_per_day": 1}
    ),
    "GET /v1/me/export": Described(answer=str, told="(a ZIP)"),
    "DELETE /v1/me": Described(answer=Erasure, told=ERASED),
    **SELLING,
    **PEOPLE,
    "POST /v1/redemptions": Described(
        repeatable=True, answer=shapes.Redeemed, example={"code": "7K3M-9QXT-2VWB-H4YN"}, told=REDEEMED
    ),
    "GET /v1/decisions": Described(answer=shapes.Receipts, told={"items": [RECEIPT], "next_cursor": None}),
    "GET /v1/decisions/{id}": Described(answer=shapes.Receipt, told=RECEIPT),
    "GET /v1/settings": _settings,
    "PUT /v1/settings": Described(
        body=Settings, answer=dict[str, Any], example={"shopper_per_day": 1}, told={"shopper_per_day": 1}
    ),
    "POST /v1/webhooks": Described(
        answer=shapes.EndpointWithSecret,
        example={"url": "https://example.com/vicino", "types": ["*"]},
        told=WITH_SECRET,
    ),
    "GET /v1/webhooks": Described(answer=shapes.Endpoints, told={"items": [ENDPOINT], "next_cursor": None}),
    "GET /v1/webhooks/{id}": Described(answer=shapes.EndpointWithSecret, told=WITH_SECRET),
    "DELETE /v1/webhooks/{id}": Described(),
    "POST /v1/webhooks/{id}/rotate": Described(answer=shapes.EndpointWithSecret, told=WITH_SECRET),
    "POST /v1/webhooks/{id}/enable": Described(answer=shapes.Endpoint, told=ENDPOINT),
    "GET /v1/webhooks/{id}/messages": Described(answer=shapes.Page, told={"items": [], "next_cursor": None}),
    "POST /v1/webhooks/{id}/replay": Described(
        answer=shapes.Queued, example={"since": AT, "states": ["failed"]}, told={"queued": 2}
    ),
    "GET /healthz": Described(answer=shapes.Status, told={"status": "ok"}),
    "GET /readyz": Described(answer=shapes.Status, told={"status": "ready"}),
    "GET /metrics": Described(answer=str, told="vicino_waiting 0.0\n"),
}

_LINES = ("application/x-ndjson", "text/csv", "application/json")
DESCRIBED["POST /v1/inventory"] = Described(
    repeatable=True,
    body=dict[str, Any],
    answer=ImportReport,
    forms=_LINES,
    example={"store_code": "shoes-1", "id": "T-1", "quantity": 3},
    told=REPORT | {"kind": "inventory"},
)
_FEATURES = ("application/geo+json", "application/json")
for _kind, _one, _forms in (
    ("stores", STORE, _LINES),
    ("catalog", PRODUCT, _LINES),
    ("offers", OFFER, _LINES),
    ("geofences", FENCE, _FEATURES),
    ("sensitive", CLINIC, _FEATURES),
):
    _page: Any = shapes.FeatureCollection if _forms is _FEATURES else shapes.Page
    _told: Any = {"items": [_one], "next_cursor": None}
    if _forms is _FEATURES:
        _told = {"type": "FeatureCollection", "features": [_one], "next_cursor": None}
    DESCRIBED |= {
        f"GET /v1/{_kind}": Described(answer=_page, told=_told),
        f"POST /v1/{_kind}": Described(
            repeatable=True,
            body=dict[str, Any],
            answer=ImportReport,
            forms=_forms,
            example=_one,
            told=REPORT | {"kind": _kind},
        ),
        f"GET /v1/{_kind}/{{external_id}}": Described(answer=dict[str, Any], told=_one),
        f"DELETE /v1/{_kind}/{{external_id}}": Described(answer=Published, told=REMOVED),
    }
