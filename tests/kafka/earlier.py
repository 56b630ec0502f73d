"""An earlier Vicino, taken out of the history, as the version that a rolling upgrade begins with."""

import os
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.support import REPOSITORY

#: Its migrations are the first of today's, and what it puts into Kafka is sealed as today. To be moved on
#: when a version is released, or when an upgrade from it needs all servers stopped (docs/scale.md).
EARLIER = "948f4dfe22bdb5f23335c20924d85bb0408bf6b0"


def earlier_checkout() -> Path:
    """Its files, with today's installed libraries; made once. Skips the test where there is no history."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "vicino" / f"earlier-{EARLIER[:12]}"
    if not folder.is_dir():
        made = folder.with_name(f"{folder.name}.{os.getpid()}")
        _unpack(made)
        try:
            made.rename(folder)
        except OSError:  # another process was as quick
            shutil.rmtree(made)
    installed = folder / ".venv"
    installed.unlink(missing_ok=True)
    installed.symlink_to((REPOSITORY / ".venv").resolve())
    _compile(folder)
    return folder


def _unpack(folder: Path) -> None:
    git = ("git", "-C", str(REPOSITORY))
    if subprocess.run(
        [*git, "cat-file", "-e", f"{EARLIER}^{{commit}}"], capture_output=True, check=False
    ).returncode:
        pytest.skip(f"the history is not here, and with it the version before ({EARLIER[:12]})")
    packed = subprocess.run(
        [*git, "archive", "--format=tar", EARLIER], capture_output=True, check=True
    ).stdout
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def _compile(folder: Path) -> None:
    """Its fence engine, before several of its processes do it at once; nothing where that was done."""
    subprocess.run(
        [folder / ".venv" / "bin" / "python", "-m", "geo.warm"], cwd=folder, check=True, timeout=300
    )
