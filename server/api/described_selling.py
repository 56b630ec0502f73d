"""What `/openapi.json` says of the rows about selling (`server/api/selling.py`)."""

from typing import Any

from server.api.description import Described

AT, LATER = "2026-11-18T10:00:00Z", "2026-11-18T10:15:00Z"
DECISION = "dec_0jx3m8rq4t6v9w2y5z7abcdefg"
TRAITS = {"tier": "gold", "lifecycle": "active"}
MOVED = {"status": "paused", "moved": True, "withdrawn": 1, "recalled": 2, "version": 7}
REVERSED = {
    "status": "reversed",
    "decision_id": DECISION,
    "offer": "trainers-15",
    "saving": "13.50",
    "reusable": True,
    "reversed_at": LATER,
}
TOKEN = {"token": "AVFm…", "store": "shoes-1", "expires_at": LATER}
PRESENT = {"shopper": "9f86d081884c7d65", "store": "shoes-1", "expires_at": LATER}
LOOKS = {"title": "15% off the Trail trainers", "body": "Corner Shoes, at 40 m, until 12:30", "fits": True}
COUNTED = {"kind": "offer", "state": "sent", "reason": None, "count": 12}

SELLING: dict[str, Described] = {
    "POST /v1/offers/preview": Described(
        answer=dict[str, Any],
        example={"external_id": "trainers-15", "sku": "T-1", "store": "shoes-1"},
        told={"messages": {"en": LOOKS}, "values": {"discount": "15%"}, "warnings": []},
    ),
    "POST /v1/offers/stop": Described(answer=dict[str, Any], told=MOVED | {"status": "stopped"}),
    "POST /v1/offers/{external_id}/{action}": Described(answer=dict[str, Any], told=MOVED),
    "GET /v1/offers/{external_id}/approvals": Described(
        answer=dict[str, Any],
        told={"items": [{"by": "anna@example.com", "at": AT, "as_it_stands": True}]},
    ),
    "GET /v1/codes": Described(
        answer=dict[str, Any], told={"items": [{"pool": "spring", "free": 812, "given": 188}]}
    ),
    "POST /v1/codes/{pool}": Described(
        body=str,
        forms=("text/plain", "text/csv"),
        answer=dict[str, Any],
        example="SPRING-AB12\nSPRING-CD34\n",
        told={"pool": "spring", "added": 2, "known": 0, "bad": 0, "free": 2, "refused": []},
    ),
    "DELETE /v1/codes/{pool}": Described(answer=dict[str, Any], told={"removed": 812}),
    "GET /v1/devices/{device_id}/traits": Described(answer=dict[str, Any], told=TRAITS),
    "PUT /v1/devices/{device_id}/traits": Described(answer=dict[str, Any], example=TRAITS, told=TRAITS),
    "POST /v1/redemptions/reversals": Described(
        repeatable=True,
        answer=dict[str, Any],
        example={"code": "7K3M-9QXT-2VWB-H4YN"},
        told=REVERSED,
    ),
    "POST /v1/redemptions/csv": Described(
        body=str,
        forms=("text/csv",),
        answer=dict[str, Any],
        example="code,redeemed_at\n7K3M-9QXT-2VWB-H4YN,2026-11-18T10:05:00Z\n",
        told={"redeemed": 1, "refused": []},
    ),
    "POST /v1/inbox/{id}/read": Described(),
    "POST /v1/presence": Described(answer=dict[str, Any], example={"store": "shoes-1"}, told=TOKEN),
    "GET /v1/presence/keys": Described(
        answer=dict[str, Any],
        told={"keys": {"20775": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}, "algorithm": "Ed25519"},
    ),
    "POST /v1/presence/verify": Described(
        answer=dict[str, Any], example={"token": TOKEN["token"], "store": "shoes-1"}, told=PRESENT
    ),
    "GET /v1/deliveries": Described(
        answer=dict[str, Any],
        told={"since": AT, "until": LATER, "pushes": [COUNTED], "webhooks": []},
    ),
}
