"""ASVS 5.0: no requirement of levels 1 and 2 is passed over, and what the page says of the sources holds."""

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from server.api.table import ROUTES
from tests.support import REPOSITORY

PAGE = (REPOSITORY / "docs" / "asvs.md").read_text(encoding="utf-8")
PRODUCT = ("server", "geo", "offers", "notifications")

#: The requirements of levels 1 and 2, section by section.
REQUIREMENTS = """
    1.1.1-2 1.2.1-9 1.3.1-11 1.4.1-3 1.5.1-2 2.1.1-3 2.2.1-3 2.3.1-4 2.4.1 3.2.1-2 3.3.1-4 3.4.1-6
    3.5.1-5 3.7.1-2 4.1.1-3 4.2.1 4.3.1-2 4.4.1-4 5.1.1 5.2.1-3 5.3.1-2 5.4.1-3 6.1.1-3 6.2.1-12 6.3.1-4
    6.4.1-4 6.5.1-5 6.6.1-3 6.8.1-4 7.1.1-3 7.2.1-4 7.3.1-2 7.4.1-5 7.5.1-2 7.6.1-2 8.1.1-2 8.2.1-3
    8.3.1 8.4.1 9.1.1-3 9.2.1-4 10.1.1-2 10.2.1-2 10.3.1-4 10.4.1-11 10.5.1-5 10.6.1-2 10.7.1-3 11.1.1-2
    11.2.1-3 11.3.1-3 11.4.1-4 11.5.1 11.6.1 12.1.1-3 12.2.1-2 12.3.1-4 13.1.1 13.2.1-5 13.3.1-2
    13.4.1-5 14.1.1-2 14.2.1-4 14.3.1-3 15.1.1-3 15.2.1-3 15.3.1-7 16.1.1 16.2.1-5 16.3.1-4 16.4.1-3
    16.5.1-3 17.1.1 17.2.1-4 17.3.1-2
"""
_TAKE_A_PATTERN = ("compile", "match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn")
_NAMED = re.compile(r"V(\d+(?:\.\d+){0,2})(?:–V(\d+(?:\.\d+){0,2}))?")


def requirements() -> list[tuple[int, ...]]:
    """All of them, as numbers of chapter, section and requirement."""
    found = []
    for word in REQUIREMENTS.split():
        chapter, section, numbers = word.split(".")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            found += [(int(chapter), int(section), one) for one in range(int(first), int(last or first) + 1)]
    return found


def named(text: str) -> set[tuple[int, ...]]:
    """What a text names: requirements, sections, chapters, and ranges of them."""
    ranges = [tuple(tuple(map(int, end.split("."))) for end in (a, b or a)) for a, b in _NAMED.findall(text)]
    return {
        one
        for one in requirements()
        for first, last in ranges
        if first <= one[: len(first)] and one[: len(last)] <= last
    }


def test_each_requirement_is_answered_or_said_not_to_apply_and_not_both() -> None:
    table, _, rest = PAGE.partition("Do not apply:")
    answered = set().union(
        *(named(line.split("|")[1]) for line in table.splitlines() if line.startswith("| V"))
    )

    assert len(requirements()) == 70 + 183
    assert sorted(set(requirements()) - answered - named(rest)) == []
    assert sorted(answered & named(rest)) == []


def test_each_answer_names_a_test_or_says_that_there_is_none() -> None:
    rows = [line.split("|")[1:4] for line in PAGE.splitlines() if line.startswith("| V")]

    assert [row[0] for row in rows if "`tests/" not in row[2] and row[2].strip() != "–"] == []


def patterns() -> Iterator[ast.expr]:
    """Every regular expression in the product that is not made before the first request."""
    for folder in PRODUCT:
        for path in (REPOSITORY / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield from (call.args[0] for call in ast.walk(node) if _is_of_re(call))


def _is_of_re(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {f"re.{name}" for name in _TAKE_A_PATTERN}


def test_no_regular_expression_is_made_of_anything_that_comes_in() -> None:
    found = list(patterns())

    assert found
    assert [ast.unparse(pattern) for pattern in found if not isinstance(pattern, ast.Constant)] == []


def test_the_console_runs_and_stores_nothing_that_it_was_told() -> None:
    words = (
        r"\b(?:localStorage|sessionStorage|indexedDB|postMessage|innerHTML|dangerouslySetInnerHTML|eval)\b"
    )
    sources = list((REPOSITORY / "server/console/src").rglob("*.ts*"))

    assert len(sources) > 20
    assert [path.name for path in sources if re.search(words, path.read_text(encoding="utf-8"))] == []


def test_one_route_redirects() -> None:
    assert [route.path for route in ROUTES if 300 <= route.status < 400] == ["/"]
