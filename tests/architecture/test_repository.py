"""What the files of the repository may not say."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import REPOSITORY

LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))

# Folders of a particular machine. `/root` as a word is fine, a path below it is not.
MACHINE_PATH = re.compile(r"(?<![\w.~}\])>-])/(?:work|root|home|Users)/[\w.-]+")


def files() -> list[Path]:
    """Every file that is, or would be, in the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = []
    for path in files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(REPOSITORY)}: {match}" for match in MACHINE_PATH.findall(text)]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_what_is_installed_is_pinned_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    requirements = re.split(r"\n(?=\w)", "\n" + re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))[1:]
    assert requirements
    unpinned = [
        item.splitlines()[0] for item in requirements if not re.search(r"==.*\n?.*--hash=sha256:", item)
    ]
    assert unpinned == []


def test_every_list_of_requirements_is_locked() -> None:
    lists = (REPOSITORY / "requirements").glob("*.in")
    assert {path.stem for path in lists} == {lock.stem for lock in LOCKS}


def test_the_licence_is_the_apache_licence() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
