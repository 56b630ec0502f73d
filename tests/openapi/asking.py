"""Schemathesis at work as one kind of caller."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from server.accounts.roles import ROLES
from server.api.links import LINKS, Link
from server.api.openapi import name_of, openapi
from server.api.route import Route
from server.api.table import ROUTES
from tests.acceptance.mall import Mall, mall
from tests.acceptance.test_roles import Cast
from tests.support import REPOSITORY

KEYS = ("app", "server", "till")
ANYBODY = "anybody"
CALLERS = (*ROLES, *KEYS, "device", ANYBODY)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
#: What ends the caller's own credential, or changes whose it is: asked last, and by itself.
ENDS = {
    ("DELETE", "/v1/me"),
    ("POST", "/v1/me/login"),
    ("POST", "/v1/me/logout"),
    ("DELETE", "/v1/session"),
    ("PUT", "/v1/session/password"),
    ("PATCH", "/v1/users/{user_id}"),
    ("POST", "/v1/users/{user_id}/password"),
    ("DELETE", "/v1/keys/{key_id}"),
}


#: Schemathesis reads it where it runs: of chains there are to be more than of calls to one operation.
CHAINS = "[phases.stateful]\ngeneration.max-examples = {}\n"


class How(msgspec.Struct, frozen=True, kw_only=True):
    """How much is asked."""

    seed: int
    examples: int  #: made up for each operation
    phases: str  #: of Schemathesis
    chains: int  #: of calls that lead to one another
    seconds: int = 0  #: at least so long, where that is not 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    well: bool
    text: str  #: what Schemathesis says of the failures, with the calls that show them
    answers: Mapping[str, Mapping[int, int]]  #: by operation: how often which status
    led: int  #: calls that were answered well with an id that an answer before had given


class Callers:
    """A retailer with a shop that is open, and by kind of caller what its requests bear."""

    def __init__(self, opened: Mall, headers: Mapping[str, Mapping[str, str]]) -> None:
        self.opened = opened
        self.headers = headers

    async def ask(self, who: str, folder: Path, how: How, *, shared: bool = False) -> list[Told]:
        """Asks everything that this kind of caller may, at first what leaves its credential as it is; with
        `shared`, its share of that: each operation is asked by one kind or two, which depends on the seed.
        """
        every = [
            route
            for route in ROUTES
            if route.media != "text/event-stream"
            and who in (_sharers(route, how.seed) if shared else _kinds(route))
        ]
        last = [route for route in every if (route.method, route.path) in ENDS]
        first = [route for route in every if route not in last]
        # What ends something is asked beside what makes it.
        ended = {name_of(route) for route in last}
        makes = [route for route in first if any(ended & {*link.to} for link in _links(route))]
        asked = {who: first, f"{who}-ends": [*makes, *last]}
        return [await self._ask(who, routes, folder / name, how) for name, routes in asked.items() if routes]

    async def _ask(self, who: str, routes: Sequence[Route], folder: Path, how: How) -> Told:
        folder.mkdir()  # noqa: ASYNC240 - short
        spec, report = folder / "openapi.json", folder / "report.ndjson"
        spec.write_text(json.dumps(openapi(routes, version="0")))
        (folder / "schemathesis.toml").write_text(CHAINS.format(how.chains))
        headers = [word for pair in self.headers[who].items() for word in ("-H", ": ".join(pair))]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", str(spec), "--url", self.opened.vicino.url),
            *("--checks", ",".join(CHECKS), "--seed", str(how.seed), "--max-examples", str(how.examples)),
            *("--phases", how.phases, "--continue-on-failure", "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", str(report), "--warnings", "off"),
            *(
                "--generation-database",
                "none",
                "--suppress-health-check",
                "all",
                "--no-shrink",
                "--generation-with-security-parameters",
                "false",
            ),
            *(("--max-time", str(how.seconds)) if how.seconds else ()),
            *headers,
            cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.openapi.hooks", "PYTHONPATH": str(REPOSITORY)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        asked = {name_of(route) for route in routes}  # beside them are asked methods that there are not
        answers = {name: by_status for name, by_status in _answers(report).items() if name in asked}
        return Told(
            well=process.returncode == 0,
            text=output.decode(errors="replace"),
            answers=answers,
            led=sum(case.led and case.status < 400 for case in _cases(report)),
        )


def _kinds(route: Route) -> tuple[str, ...]:
    """Who may call it."""
    return route.who or (ANYBODY,)


def _links(route: Route) -> tuple[Link, ...]:
    return LINKS.get(name_of(route), ())


def _sharers(route: Route, seed: int) -> set[str]:
    """Who asks it where few ask each call: one of those who may; and one who may ask all calls about such
    things, so that what one makes another reads, changes and ends.
    """
    kin = [one for one in ROUTES if one.path.split("/")[:3] == route.path.split("/")[:3]]
    able = [kind for kind in CALLERS if all(kind in _kinds(one) for one in kin)]
    leads = able if any(_links(one) for one in kin) else []
    turns = [
        (kinds, ROUTES.index(first)) for kinds, first in ((_kinds(route), route), (leads, kin[0])) if kinds
    ]
    return {kinds[(seed + number) % len(kinds)] for kinds, number in turns}


class Case(NamedTuple):
    """A call that was made."""

    name: str  #: of the operation
    status: int
    led: bool  #: a link of an answer before has led to it


def _answers(report: Path) -> dict[str, dict[int, int]]:
    """By operation, how often which status came, as the report says."""
    counts: dict[str, dict[int, int]] = {}
    for case in _cases(report):
        by_status = counts.setdefault(case.name, {})
        by_status[case.status] = by_status.get(case.status, 0) + 1
    return counts


def _cases(report: Path) -> Iterator[Case]:
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        interactions = recorder.get("interactions", {})
        for number, case in recorder.get("cases", {}).items():
            response = (interactions.get(number) or {}).get("response")
            if response is not None:
                name, led = (
                    f"{case['value']['method']} {case['value']['path']}",
                    case["is_transition_applied"],
                )
                yield Case(name, response["status_code"], led)


@asynccontextmanager
async def callers(database_url: str, folder: Path) -> AsyncIterator[Callers]:
    """The mall at noon with one of each kind of caller."""
    async with mall(database_url, folder) as opened, AsyncExitStack() as stack:
        cast = Cast(opened)
        stack.push_async_callback(cast.leave)
        await cast.hire("one")
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        bearer = {kind: opened.keys[f"{kind}_key"] for kind in KEYS} | {"device": shopper._credential}
        headers = {kind: {"Authorization": f"Bearer {key}"} for kind, key in bearer.items()}
        for role, person in cast.people.items():
            [cookie] = person.session.cookie_jar
            headers[role] = {
                "Cookie": f"{cookie.key}={cookie.value}",
                "Origin": person.url,
                "Vicino-CSRF": person.csrf,
            }
        yield Callers(opened, headers | {ANYBODY: {}})
