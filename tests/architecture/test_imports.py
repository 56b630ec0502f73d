"""The packages are ours, depend on each other one way, and do nothing when they are imported."""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import geo
import notifications
import offers
import server
from tests.support import REPOSITORY

PACKAGES = (server, geo, offers, notifications)

# Imports every module, in a process where reaching out is an error.
IMPORT_EVERYTHING = """
import importlib, os, pkgutil, sys

FORBIDDEN = "socket.connect socket.bind subprocess.Popen os.fork os.mkdir os.remove os.rename".split()

def watch(event, arguments):
    # Where Python keeps its bytecode, what geo.compiled makes is kept, too.
    if event in FORBIDDEN and "__pycache__" not in str(arguments[0]):
        raise RuntimeError(f"importing does {event} {arguments}")

sys.addaudithook(watch)
for package in ("geo", "offers", "notifications", "server"):
    for module in pkgutil.walk_packages([package], package + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
"""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_the_package_that_is_imported_is_the_checkouts(package: object) -> None:
    assert Path(str(package.__file__)).parent == REPOSITORY / package.__name__  # type: ignore[attr-defined]


def test_no_installed_distribution_claims_a_name_of_ours() -> None:
    claimed = importlib.metadata.packages_distributions()
    assert {package.__name__ for package in PACKAGES} & claimed.keys() == set()


def test_the_packages_depend_on_each_other_one_way_and_the_core_is_pure() -> None:
    lint = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [lint, "--no-cache"], cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_does_nothing() -> None:
    command = [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_start_reads_in_nothing_that_the_first_answer_does_not_need() -> None:
    """Every restart would wait for it: half a second for what compiles, where all is compiled already."""
    needless = {"aiokafka", "firebase_admin", "geopy", "scipy.linalg", "sklearn", "numba.np.linalg"}
    compiles = "import geo.warm; geo.warm.warm()"
    starts = f"import sys, server.app; {compiles}; print(*sys.modules.keys() & {needless})"
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for script in (compiles, starts)
    ]
    assert told == ["", "\n"]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
