"""`/openapi.json`: the table of routes as OpenAPI 3.1, its schemas from the types that decode the bodies."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from server.accounts.roles import ROLES
from server.api.cookie import SESSION
from server.api.described import DESCRIBED
from server.api.description import Described
from server.api.links import LINKS
from server.api.pages import PAGE_MOST
from server.api.route import Route
from server.api.shapes import ProblemDetails

_PARAMETER = re.compile(r"\{(\w+)(?::([^}]*))?\}")
_NO_CONTENT = {204, 302}  #: statuses of answers without a body
_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "format": "date-time"}
_FLAG = {"type": "string", "enum": ["true", "false"]}

#: Query parameters by name: what they mean, and their schema.
QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "cursor": ("`next_cursor` of the page before", {"type": "string"}),
    "limit": ("how many at the most", {"type": "integer", "minimum": 1, "maximum": PAGE_MOST}),
    "dry_run": ("only tells what would be changed", _FLAG),
    "radius_m": ("makes a circle around each store", {"type": "number", "exclusiveMinimum": 0}),
    "form": ("for which scanner", {"type": "string", "enum": ["qr", "code128"]}),
    "state": ("of the messages", {"type": "string", "enum": ["pending", "leased", "delivered", "failed"]}),
    "device": ("whose receipts", _TEXT),
    "since": ("from when, RFC 3339", _TIME),
    "until": ("to when, RFC 3339; that moment is left out", _TIME),
    "store": ("only of this store", _TEXT),
    "outcome": ("only those that ended so", {"type": "string", "enum": ["offer", "silence"]}),
}
REQUIRED = frozenset({"device"})
_REPEATABLE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeat with the same key has no further effect.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def openapi(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """The description of these routes."""
    rows = [(route, DESCRIBED.get(name_of(route), Described())) for route in routes]
    types = [ProblemDetails, *(t for row in rows for t in (_body(*row), _answer(*row)) if t is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    there = {name_of(route) for route, _ in rows}
    for route, described in rows:
        operation = _operation(route, described, by_type, there)
        paths.setdefault(path_of(route), {})[route.method.lower()] = operation
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Vicino",
            "version": version,
            "description": "Geofenced, permission-based proximity offers.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                **{
                    name: {"type": "http", "scheme": "bearer"} for name in ("app", "device", "server", "till")
                },
                **{
                    role: {"type": "apiKey", "in": "cookie", "name": SESSION, "description": about}
                    for role, about in ROLES.items()
                },
            },
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # as it is on the wire
    return plain


def path_of(route: Route) -> str:
    """A route's path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", route.path)


def name_of(route: Route) -> str:
    """A route's method and path."""
    return f"{route.method} {path_of(route)}"


def _tag_of(route: Route) -> str:
    """What it is about: the first word of its path."""
    parts = route.path.strip("/").split("/")
    return parts[1].partition("{")[0] if parts[0] == "v1" else "operation"


def _body(route: Route, described: Described) -> Any:
    return described.body or route.body


def _answer(route: Route, described: Described) -> Any:
    return route.answer or described.answer


def _operation(
    route: Route, described: Described, schemas: dict[str, Any], there: set[str]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Success"}
    if links := _links(route, there):
        answer["links"] = links
    if route.status not in _NO_CONTENT:
        schema = schemas.get(repr(_answer(route, described)), {})
        answer["content"] = {route.media: _content(schema, described.told)}
    problem = {
        "description": "Problem details (RFC 9457)",
        "content": {"application/problem+json": {"schema": schemas[repr(ProblemDetails)]}},
    }
    operation: dict[str, Any] = {
        "operationId": _id_of(name_of(route)),
        "tags": [_tag_of(route)],
        "summary": route.summary,
        "description": (route.handler.__doc__ or route.summary).strip(),
        "parameters": _parameters(route, described),
        "responses": {str(route.status): answer, "default": problem},
        "security": [{kind: []} for kind in route.who],
    }
    body = _body(route, described)
    if body is not None:
        content = _content(schemas[repr(body)], described.example)
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(described.forms, content)}
    return operation


def _id_of(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _links(route: Route, there: set[str]) -> dict[str, Any]:
    """What calls that are there the answer leads to."""
    return {
        _id_of(name): {"operationId": _id_of(name), "parameters": {link.parameter: link.taken}}
        for link in LINKS.get(name_of(route), ())
        for name in link.to
        if name in there
    }


def _content(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _parameters(route: Route, described: Described) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, choices in _PARAMETER.findall(route.path):
        schema = {"type": "string", "enum": choices.split("|")} if choices else _TEXT
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    for name in route.query:
        about, schema = QUERIES[name]
        query = {"name": name, "in": "query", "description": about, "schema": schema}
        parameters.append(query | ({"required": True} if name in REQUIRED else {}))
    return [*parameters, _REPEATABLE] if described.repeatable else parameters
