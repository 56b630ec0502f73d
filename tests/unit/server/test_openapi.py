"""`/openapi.json` says everything that there is, validly and with examples."""

import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.api.described import DESCRIBED
from server.api.links import LINKS
from server.api.openapi import name_of, path_of
from server.api.table import ROUTES, description

WHOLE = description("0.1.0")
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, operations in WHOLE["paths"].items()
    for method, operation in operations.items()
}


def test_it_is_valid_openapi_3_1() -> None:
    assert WHOLE["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(WHOLE).iter_errors()) == []


def test_every_route_is_an_operation_and_every_operation_a_route() -> None:
    assert set(OPERATIONS) == {name_of(route) for route in ROUTES}
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)


def test_every_route_is_described_and_nothing_that_is_not_there() -> None:
    assert set(DESCRIBED) == {name_of(route) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_an_operation_says_who_may_call_it_what_comes_back_and_how_it_fails(route: Any) -> None:
    operation = OPERATIONS[name_of(route)]

    assert [next(iter(one)) for one in operation["security"]] == list(route.who)
    assert operation["responses"].keys() == {str(route.status), "default"}
    assert {one["name"] for one in operation["parameters"] if one["in"] == "path"} == {
        *re.findall(r"{(\w+)}", path_of(route))
    }
    if route.status not in {204, 302} and route.method != "OPTIONS":
        [content] = operation["responses"][str(route.status)]["content"].values()
        assert "example" in content or content["schema"] == {}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_leads_from_what_the_example_has_to_a_call_that_takes_it(name: str) -> None:
    operation = OPERATIONS[name]
    [answer] = [answer for status, answer in operation["responses"].items() if status != "default"]
    by_id = {one["operationId"]: one for one in OPERATIONS.values()}

    assert len(answer["links"]) == sum(len(link.to) for link in LINKS[name])
    for link in answer["links"].values():
        [(parameter, taken)] = link["parameters"].items()
        assert parameter in {one["name"] for one in by_id[link["operationId"]]["parameters"]}
        where, _, pointer = taken.partition("#/")
        if where == "$request.path." + parameter:
            assert "{" + parameter + "}" in name
            continue
        [said, *_] = (answer if where == "$response.body" else operation["requestBody"])["content"].values()
        found = said["example"]
        for step in pointer.split("/"):
            found = found[int(step) if isinstance(found, list) else step]
        assert isinstance(found, str), taken


@pytest.mark.parametrize("name", OPERATIONS)
def test_its_examples_are_what_its_schemas_say(name: str) -> None:
    operation = OPERATIONS[name]
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]

    for content in (content for body in bodies for content in body.get("content", {}).values()):
        if "example" in content:
            schema = content["schema"] | {"components": WHOLE["components"]}
            jsonschema.validate(content["example"], schema, cls=jsonschema.Draft202012Validator)
