"""The documentation says what the code does: what can be compared is compared."""

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from notifications.outbox import TERMINAL
from offers.candidate_gates import CANDIDATE_GATES
from offers.event import Kind as EventKind
from offers.gates import MOMENT_GATES
from offers.interest import WEIGHTS
from offers.preferences import PreferencesBody
from offers.settings import Settings
from server.api.table import ROUTES
from server.cli import vicino
from server.config import Config
from server.crash import POINTS
from tests.support import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

#: Asked after the choice, in `offers/decide.py`, and so in no table of gates.
LAST_GATES = ("holdout", "retailer_cap", "store_cap", "budget", "late", "nothing_drawn")

_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(#[^)\s]*)?\)")
_PROBLEM_CODE = re.compile(r'(?:Problem|_refused)\(\s*\d{3},\s*"(\w+)"|_unknown\("(\w+)"')
_PARAMETER_CHOICES = re.compile(r":[^}]*}")


@pytest.fixture(scope="module")
def reference() -> str:
    return (DOCS / "reference.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return module_of("generate_transitions.py")


def module_of(name: str) -> ModuleType:
    """A script of the documentation, as a module."""
    path = DOCS / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missing(names: Iterable[str], page: str) -> list[str]:
    """The names that the page does not have in code quotes."""
    return sorted({name for name in names if f"`{name}`" not in page})


def test_the_state_diagram_is_the_transition_table(generator: ModuleType) -> None:
    page = generator.PAGE.read_text(encoding="utf-8")

    assert page == generator.with_diagram(page), "run docs/generate_transitions.py"


def test_every_route_is_in_the_reference(reference: str) -> None:
    routes = [f"{route.method} {_PARAMETER_CHOICES.sub('}', route.path)}" for route in ROUTES]

    assert missing([*routes, "GET /openapi.json"], reference) == []


def test_no_route_of_the_reference_is_invented(reference: str) -> None:
    told = set(re.findall(r"`((?:GET|POST|PUT|DELETE|PATCH) /[^`?]*)`", reference))
    routes = {f"{route.method} {_PARAMETER_CHOICES.sub('}', route.path)}" for route in ROUTES}

    assert told - routes == {"GET /openapi.json"}


def test_every_environment_variable_is_in_the_reference(reference: str) -> None:
    names = [f"VICINO_{field.upper()}" for field in Config.__struct_fields__]

    assert missing(names, reference) == []


def test_every_place_to_die_at_is_in_the_reference(reference: str) -> None:
    assert [place for place, what in POINTS.items() if f"| `{place}` | {what} |" not in reference] == []


def test_every_command_is_in_the_reference(reference: str) -> None:
    with vicino.make_context("vicino", [], resilient_parsing=True) as context:
        commands = vicino.list_commands(context)

    assert [name for name in commands if f"./vicino {name}" not in reference] == []


def test_every_reason_code_of_the_gates_is_in_the_reference(reference: str) -> None:
    codes = [code for code, _ in (*MOMENT_GATES, *CANDIDATE_GATES)]

    assert missing([*codes, *LAST_GATES], reference) == []


def test_the_gates_after_the_choice_are_those_listed_here() -> None:
    source = (REPOSITORY / "offers" / "decide.py").read_text(encoding="utf-8")

    assert [code for code in LAST_GATES if f'"{code}"' not in source] == []


@pytest.mark.parametrize("module", ["fix", "event"])
def test_every_reason_code_of_a_fix_or_event_is_in_the_reference(module: str, reference: str) -> None:
    path = REPOSITORY / ("geo" if module == "fix" else "offers") / f"{module}.py"
    codes = re.findall(r'return "(\w+)"', path.read_text(encoding="utf-8"))

    assert codes
    assert missing(codes, reference) == []


def test_every_problem_code_of_the_edge_is_in_the_reference(reference: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "server").rglob("*.py")]
    codes = {one or other for source in sources for one, other in _PROBLEM_CODE.findall(source)}

    assert len(codes) > 20
    assert missing(codes, reference) == []


@pytest.mark.parametrize("struct", [Settings, PreferencesBody])
def test_every_field_of_settings_and_preferences_is_in_the_reference(
    struct: type[msgspec.Struct], reference: str
) -> None:
    assert missing(struct.__struct_encode_fields__, reference) == []


def test_every_event_kind_and_push_state_is_in_the_reference(reference: str) -> None:
    assert set(WEIGHTS) == set(EventKind.__args__)  # type: ignore[attr-defined]
    assert missing([*WEIGHTS, *TERMINAL], reference) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    paths = [(page.parent / path if path else page, anchor) for path, anchor in links]

    assert [str(path) for path, _ in paths if not path.exists()] == []
    assert [anchor for path, anchor in paths if anchor and anchor not in anchors(path)] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their text."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_the_data_map_is_the_data_map() -> None:
    generator = module_of("generate_data_map.py")

    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(), "run docs/generate_data_map.py"


@pytest.mark.parametrize("name", ["security.md", "asvs.md"])
def test_every_test_that_is_said_to_show_something_is_there(name: str) -> None:
    text = (REPOSITORY / "docs" / name).read_text()
    named = set(re.findall(r"`(tests/[\w/.]+|test_\w+\.py)`", text))

    assert len(named) > 8
    there = [f"{path.as_posix()}/" for path in (REPOSITORY / "tests").rglob("*")]
    assert [one for one in sorted(named) if not any(p.endswith(f"/{one.rstrip('/')}/") for p in there)] == []
