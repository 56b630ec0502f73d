"""`/openapi.json`: the table of routes as OpenAPI 3.1, its schemas from the types that decode the bodies."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from server.api.route import Route

_PARAMETER = re.compile(r"\{(\w+)(?::([^}]*))?\}")
_NO_CONTENT = 204


def openapi(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """The description of these routes."""
    routes = list(routes)
    types = [t for route in routes for t in (route.body, route.answer) if t is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, by_type)
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vicino",
            "version": version,
            "description": "Geofenced, permission-based proximity offers.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer"} for name in ("app", "device", "server", "till")
            },
        },
    }


def _operation(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Success"}
    if route.status != _NO_CONTENT:
        schema = schemas[id(route.answer)] if route.answer is not None else {}
        answer["content"] = {route.media: {"schema": schema}}
    problem = {
        "description": "Problem details (RFC 9457)",
        "content": {"application/problem+json": {"schema": {}}},
    }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {str(route.status): answer, "default": problem},
        "security": [{kind: []} for kind in route.who],
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas[id(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, choices in _PARAMETER.findall(route.path):
        schema: dict[str, Any] = {"type": "string"}
        if choices:
            schema["enum"] = choices.split("|")
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return parameters + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query]
