"""The rows of the table of routes that publish a retailer's world, the same for every kind of thing."""

from typing import Final, get_args

from server.api import advice, management
from server.api.route import Route
from server.api.rows import EVERYBODY, PAGE, row
from server.imports import ImportKind

_IMPORT_MOST: Final = 64 << 20  #: bytes of an import's body
#: Who may see and who may change what is published.
_MAY_READ = {
    "stores": EVERYBODY,
    "geofences": ("server", "admin", "manager"),
    "catalog": ("server", "admin", "manager", "marketer"),
    "offers": ("server", "admin", "manager", "marketer", "analyst"),
    "sensitive": ("server", "admin", "manager", "privacy"),
}
_MAY_CHANGE = {
    "stores": ("server", "admin"),
    "geofences": ("server", "admin", "manager"),
    "catalog": ("server", "admin"),
    "offers": ("server", "admin", "marketer"),
    "sensitive": ("server", "admin", "privacy"),
}


_NOUNS = {
    "stores": "stores",
    "geofences": "geofences, as GeoJSON",
    "catalog": "products",
    "offers": "offers",
    "sensitive": "sensitive places, as GeoJSON",
}


def _published(kind: ImportKind) -> list[Route]:
    noun, path = _NOUNS[kind], f"/v1/{kind}"
    return [
        row("GET", path, _MAY_READ[kind], management.get_many(kind), f"Published {noun}", query=PAGE),
        row(
            "POST",
            path,
            _MAY_CHANGE[kind],
            management.put_many(kind),
            f"Create or update {noun}, by external id; `dry_run=true` only tells",
            query=("dry_run", "radius_m"),
            body_most=_IMPORT_MOST,
        ),
        row(
            "GET",
            f"{path}/{{external_id}}",
            _MAY_READ[kind],
            management.get_single(kind),
            f"One of the {noun}",
        ),
        row(
            "GET",
            f"{path}/{{external_id}}/versions",
            _MAY_READ[kind],
            management.get_history(kind),
            f"Every version of one of the {noun}",
        ),
        row(
            "DELETE",
            f"{path}/{{external_id}}",
            _MAY_CHANGE[kind],
            management.delete_single(kind),
            f"Remove one of the {noun}",
        ),
    ]


PUBLISHED: Final = [
    row(
        "GET",
        "/v1/geofences/{external_id}/advice",
        _MAY_READ["geofences"],
        advice.advise,
        "What the fence doctor says of one, by the last days' positions",
    ),
    *(route for kind in get_args(ImportKind) if kind in _NOUNS for route in _published(kind)),
    row(
        "POST",
        "/v1/inventory",
        _MAY_CHANGE["catalog"],
        management.put_many("inventory"),
        "What stores have of products, a line each; `dry_run=true` only tells",
        query=("dry_run",),
        body_most=_IMPORT_MOST,
    ),
]
