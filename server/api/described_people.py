"""What `/openapi.json` says of the rows for people: the console, reports, overrides."""

from typing import Any

from server.api.description import Described
from server.api.shapes import Standing
from server.evidence.funnel import Funnel
from server.evidence.heat import Heat
from server.evidence.lift import LiftReport
from server.evidence.pilot import PilotReport
from server.evidence.wellbeing import OptOuts, Speed
from server.privacy.erasing import Receipt as Erasure

AT, LATER = "2026-11-18T10:00:00Z", "2026-11-18T10:15:00Z"
PERIOD = {"since": "2026-10-21T10:00:00Z", "until": AT}
PERSON = {"email": "ada@example.org", "role": "marketer", "name": "Ada"}
ACCOUNT = {"user_id": "usr_0jx3m8rq4t6v9w2y5z7abcdefg"} | PERSON
FENCE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [24.9419, 60.1686]},
    "properties": {"external_id": "door", "store": "shoes-1", "radius": 100},
}
OVERRIDE = {"id": "ovr_0jx3m8rq4t6v9w2y5z7abcdefg", "state": "asked", "places": ["clinic"], "share": 0.2}
BRIEF = {
    "id": "dec_0jx3m8rq4t6v9w2y5z7abcdefg",
    "decided_at": AT,
    "store": "shoes-1",
    "trigger": "enter",
    "outcome": "silence",
    "reasons": ["no_interest"],
}
LOOK = {"by": "user_id", "value": "customer-4711", "reason": "request 2026-114, by letter"}
ERASED = {
    "erasure_id": "era_0jx3m8rq4t6v9w2y5z7abcdefg",
    "asked_at": AT,
    "erased_at": AT,
    "erased": {"shoppers": 1},
}
ENTRY = {"seq": 7, "at": AT, "actor": "ada@example.org", "action": "published", "subject": "geofence door"}
KEY = {"id": "9f86d081884c7d65", "kind": "till", "store": "shoes-1"}
JOB = {
    "id": "wif_0jx3m8rq4t6v9w2y5z7abcdefg",
    "state": "running",
    "day": "2026-11-17",
    "done": 40,
    "total": 90,
}
IDLE: dict[str, Any] = {"waiting": 0, "oldest_due_at": None}
STANDING = {
    "pushes": {"waiting": 3, "oldest_due_at": AT},
    "webhooks": IDLE,
    "put_aside": 1,
    "newest_put_aside": [{"at": AT, "reason": "DataError", "detail": "RecordFixes"}],
    "model": {
        "policy": "learn",
        "model": "mdl_0jx3m8rq4t6v9w2y5z7abcdefg",
        "fitted_at": AT,
        "learned_at": AT,
    },
    "partitions": [{"partition": 0, "done_upto": 1204, "waiting": 2}],
}
QUICK = {"pushes": 1908, "in_time": 1908, "p50_s": 0.03, "p95_s": 0.05, "p99_s": 0.09}
CORNERS = [[24.9424, 60.1726], [24.9386, 60.1718], [24.9380, 60.1699], [24.9411, 60.1688]]
CELL = {"cell": "891126d3383ffff", "corners": CORNERS}
VERSION = {"version": 2, "published_at": AT, "published_by": "ada@example.org", "body": FENCE}


def _object(told: Any, example: Any = None) -> Described:
    """An answer that is an object whose fields the reference tells."""
    return Described(answer=dict[str, Any], told=told, example=example)


def _list(item: Any) -> Described:
    return _object({"items": [item], "next_cursor": None})


REPORTS: dict[str, Described] = {
    "GET /v1/reports/lift": Described(
        answer=LiftReport,
        told=PERIOD
        | {"moments": 1900, "held_moments": 490, "shoppers": 480, "held_shoppers": 120, "note": ""}
        | {"outcomes": [{"outcome": "visited", "spoken": 0.31, "held": 0.15}]},
    ),
    "GET /v1/reports/evaluation": _object(PERIOD | {"logged": {"visited": 0.31}, "policies": []}),
    "GET /v1/reports/funnel": Described(
        answer=Funnel,
        told=PERIOD
        | {"k": 20, "stores": [{"store": "shoes-1", "visits": 664, "shoppers": 410}], "offers": []}
        | {"refusals": [], "budgets": [], "others": {"stores": [], "offers": [], "refusals": []}},
    ),
    "GET /v1/reports/heat": Described(
        answer=Heat,
        told=PERIOD
        | {"k": 20, "resolution": 9}
        | {"cells": [CELL | {"stores": ["shoes-1"], "visits": 664, "shoppers": 410}]},
    ),
    "GET /v1/reports/opt-outs": Described(
        answer=OptOuts,
        told=PERIOD
        | {"k": 20, "shoppers": 520, "offered": 477, "held_off": []}
        | {"opted_out": [{"purpose": "push", "shoppers": 25, "after_an_offer": 20}]},
    ),
    "GET /v1/reports/speed": Described(
        answer=Speed,
        told=PERIOD
        | {"target_s": 3.0, "all": QUICK | {"day": None}, "days": [QUICK | {"day": "2026-11-17"}]},
    ),
    "GET /v1/reports/journeys": _object(PERIOD | {"map": {"arrows": []}}),
    "GET /v1/reports/pilot": Described(
        answer=PilotReport,
        told=PERIOD
        | {"stores": None, "verdict": "go"}
        | {
            "criteria": [
                {"name": "budgets kept", "verdict": "go", "measured": "all", "limit": "no offer gives more"}
            ]
        },
    ),
}
OVERRIDES: dict[str, Described] = {
    "POST /v1/overrides": _object(
        OVERRIDE, {"geofence": FENCE, "reason": "a pharmacy's own", "until": LATER}
    ),
    "GET /v1/overrides": _list(OVERRIDE),
    "POST /v1/overrides/{id}/approve": _object(OVERRIDE | {"state": "approved"}),
    "DELETE /v1/overrides/{id}": _object(OVERRIDE | {"state": "ended"}),
}
PEOPLE: dict[str, Described] = {
    **REPORTS,
    **OVERRIDES,
    **{
        f"GET /v1/{kind}/{{external_id}}/versions": _object({"items": [VERSION]})
        for kind in ("stores", "geofences", "catalog", "offers", "sensitive")
    },
    "GET /v1/geofences/{external_id}/advice": _object(
        {"days": ["2026-11-17"], "k": 20, "enough": True, "proposal": None}
        | {"findings": [{"code": "too_small", "told": "…", "remedy": "…"}]}
    ),
    "GET /v1/moments": _list(BRIEF),
    "GET /v1/stream": Described(answer=str, told="event: moment\ndata: {…}\n\n"),
    "GET /v1/session": _object({"user": None}),
    "POST /v1/session": _object(
        {"user": ACCOUNT | {"stores": None, "totp": False}, "csrf": "…", "map": [], "tiles": None},
        {"email": "ada@example.org", "password": "correct-horse-battery"},
    ),
    "DELETE /v1/session": Described(),
    "PUT /v1/session/password": Described(
        example={"password": "correct-horse-battery", "new_password": "staple-correct-horse"}
    ),
    "POST /v1/session/totp": _object({"secret": "JBSW…", "uri": "otpauth://totp/…", "picture": "data:…"}),
    "PUT /v1/session/totp": Described(example={"code": "123456"}),
    "GET /v1/whatif": _object({"days": ["2026-11-17"], "job": JOB}),
    "POST /v1/whatif": _object(JOB, {"day": "2026-11-17", "changes": {"settings": {"shopper_per_day": 1}}}),
    "DELETE /v1/whatif": _object(JOB | {"state": "stopped"}),
    "GET /v1/headcount": _object({"k": 20, "shoppers": 45, "items": []}),
    "POST /v1/privacy/look": _object({"kept": {"devices": 1}, "consents": {}, "consent_history": []}, LOOK),
    "POST /v1/privacy/copy": Described(answer=str, example=LOOK, told="(a ZIP)"),
    "POST /v1/privacy/erase": Described(answer=Erasure, example=LOOK, told=ERASED),
    "GET /v1/users": _list(ACCOUNT),
    "POST /v1/users": _object(ACCOUNT | {"password": "…"}, PERSON),
    "PATCH /v1/users/{user_id}": _object(ACCOUNT | {"role": "analyst"}, {"role": "analyst"}),
    "GET /v1/standing": Described(answer=Standing, told=STANDING),
    "GET /v1/keys": _list(KEY | {"created_at": AT}),
    "POST /v1/keys": _object(KEY | {"key": "tk_…"}, {"kind": "till", "store": "shoes-1"}),
    "DELETE /v1/keys/{key_id}": Described(),
    "GET /v1/audit": _list(ENTRY),
    "GET /v1/audit/verified": _object({"whole": True, "broken_at": None}),
    "POST /v1/csp-reports": Described(),
    "GET /": Described(answer=str, told=""),
    "GET /docs": Described(answer=str, told="<!doctype html>…"),
    "GET /console/{path}": Described(answer=str, told="<!doctype html>…"),
    "GET /console/map/{layer}.geojson": _object({"type": "FeatureCollection", "features": []}),
}
