"""Where an answer leads: which ids of it, or of its request, other calls take (OpenAPI's links)."""

from typing import NamedTuple


class Link(NamedTuple):
    """What names the thing in calls about it."""

    parameter: str  #: of those calls' paths
    taken: str  #: from where, as a runtime expression of OpenAPI
    to: tuple[str, ...]  #: the calls, by method and path


def _about(parameter: str, taken: str, *to: str) -> tuple[Link, ...]:
    return (Link(parameter, taken, to),)


_DEVICE = tuple(
    f"{call} /v1/devices/{{device_id}}/{what}"
    for call, what in (
        ("GET", "consents"),
        ("PUT", "consents"),
        ("GET", "consents/history"),
        ("GET", "history"),
        ("GET", "traits"),
        ("PUT", "traits"),
    )
)
_WEBHOOK = (
    "GET /v1/webhooks/{id}",
    "GET /v1/webhooks/{id}/messages",
    "POST /v1/webhooks/{id}/rotate",
    "POST /v1/webhooks/{id}/enable",
    "POST /v1/webhooks/{id}/replay",
    "DELETE /v1/webhooks/{id}",
)
_OVERRIDE = ("POST /v1/overrides/{id}/approve", "DELETE /v1/overrides/{id}")
_ITEM = ("POST /v1/inbox/{id}/read", "GET /v1/inbox/{id}/code.svg", "POST /v1/notifications/{id}/{outcome}")
_OFFER = ("POST /v1/offers/{external_id}/{action}", "GET /v1/offers/{external_id}/approvals")
_RECEIPT = "GET /v1/decisions/{id}"

#: By method and path of the call that answers.
LINKS: dict[str, tuple[Link, ...]] = {
    "POST /v1/devices": _about("device_id", "$response.body#/device_id", *_DEVICE),
    "GET /v1/inbox": _about("id", "$response.body#/items/0/id", *_ITEM),
    "GET /v1/decisions": _about("id", "$response.body#/items/0/id", _RECEIPT),
    "GET /v1/moments": _about("id", "$response.body#/items/0/id", _RECEIPT),
    "POST /v1/webhooks": _about("id", "$response.body#/id", *_WEBHOOK),
    "GET /v1/webhooks": _about("id", "$response.body#/items/0/id", *_WEBHOOK),
    "POST /v1/overrides": _about("id", "$response.body#/id", *_OVERRIDE),
    "GET /v1/overrides": _about("id", "$response.body#/items/0/id", *_OVERRIDE),
    "POST /v1/users": _about("user_id", "$response.body#/user_id", "PATCH /v1/users/{user_id}"),
    "POST /v1/keys": _about("key_id", "$response.body#/id", "DELETE /v1/keys/{key_id}"),
    "POST /v1/codes/{pool}": _about("pool", "$request.path.pool", "DELETE /v1/codes/{pool}"),
}
for _kind, _first, _name in (
    ("stores", "items", "external_id"),
    ("catalog", "items", "sku"),
    ("offers", "items", "external_id"),
    ("geofences", "features", "properties/external_id"),
    ("sensitive", "features", "properties/external_id"),
):
    _of = f"/v1/{_kind}/{{external_id}}"
    _calls = (f"GET {_of}", f"GET {_of}/versions", f"DELETE {_of}", *(_OFFER if _kind == "offers" else ()))
    LINKS |= {
        f"POST /v1/{_kind}": _about("external_id", f"$request.body#/{_name}", *_calls),
        f"GET /v1/{_kind}": _about("external_id", f"$response.body#/{_first}/0/{_name}", *_calls),
    }
