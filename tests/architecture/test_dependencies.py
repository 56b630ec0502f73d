"""What is installed is what was pinned, by hash: nothing comes in unseen (`make audit`: known holes)."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import REPOSITORY

LISTS = sorted(path.stem for path in (REPOSITORY / "requirements").glob("*.txt"))
#: What these tests run with; the others are installed where they are needed.
HERE = ("run", "dev", "otel")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def pinned(name: str) -> Iterator[tuple[Requirement, int]]:
    """The requirements of a list, each with how many hashes it has."""
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        wanted = line.partition(" --hash")[0].strip()
        if wanted and not wanted.startswith("#"):
            yield Requirement(wanted), len(HASH.findall(line))


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_is_one_version_with_its_hashes(name: str) -> None:
    loose = [
        str(wanted)
        for wanted, hashes in pinned(name)
        if not hashes or [one.operator for one in wanted.specifier] != ["=="]
    ]
    assert loose == []


@pytest.mark.parametrize("name", LISTS)
def test_what_is_asked_for_is_in_the_list(name: str) -> None:
    lines = (REPOSITORY / "requirements" / f"{name}.in").read_text().splitlines()
    asked = {canonicalize_name(Requirement(line).name) for line in lines if line and line[0] not in "#-"}
    assert asked <= {canonicalize_name(wanted.name) for wanted, _ in pinned(name)}


@pytest.mark.parametrize("name", HERE)
def test_what_is_installed_is_what_was_pinned(name: str) -> None:
    other = {}
    for wanted, _ in pinned(name):
        if wanted.marker is None or wanted.marker.evaluate():
            try:
                installed = version(wanted.name)
            except PackageNotFoundError:
                installed = "nothing"
            if not wanted.specifier.contains(installed, prereleases=True):
                other[str(wanted)] = installed
    assert other == {}


def test_no_list_is_at_odds_with_another() -> None:
    versions: dict[str, set[str]] = {}
    for name in LISTS:
        for wanted, _ in pinned(name):
            versions.setdefault(f"{canonicalize_name(wanted.name)} {wanted.marker}", set()).add(
                str(wanted.specifier)
            )
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
