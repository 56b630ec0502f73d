"""The data directory: where it lies, and how it is made so that it is there whole or not at all."""

import asyncio
import hashlib
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

from server.postgres.account import Account, server_account
from server.postgres.binaries import Binaries, shared_folder
from server.postgres.errors import PostgresUnavailable

DATABASE = "vicino"
SUPERUSER = "postgres"

_BUILTIN_LOCALES_SINCE = 17
_CHILD = Path(__file__).with_name("child.py")
_INITDB_TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server keeps things, and the account that it runs under."""

    home: Path
    account: Account
    is_as_asked: bool  #: False where another home had to be found

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"


def place_of(data_dir: Path) -> Place:
    """The place that `data_dir` stands for, made if missing.

    It is `data_dir` itself, unless we are root and the account that PostgreSQL must run under cannot enter
    it (a checkout in /root): then a folder of its own below /var/lib/vicino, always the same one.
    """
    asked = data_dir.resolve()
    account = _account_for(asked)
    if account.is_ours or account.may_enter(_nearest_existing(asked)):
        home = asked
    else:
        home = shared_folder() / hashlib.sha256(os.fsencode(asked)).hexdigest()[:12]
    if not home.exists():
        home.mkdir(parents=True)
        if not account.is_ours:
            home.chmod(0o755)  # our own new folder, whatever the umask: the account must enter it
    return Place(home=home, account=account, is_as_asked=home == asked)


def _account_for(data_dir: Path) -> Account:
    """Us; for root, the owner of the data that is there already, else `nobody`."""
    account, data = server_account(), data_dir / "postgres"
    if account.is_ours or not data.exists() or data.stat().st_uid in (0, account.uid):
        return account
    owner = pwd.getpwuid(data.stat().st_uid)
    return Account(name=owner.pw_name, uid=owner.pw_uid, gid=owner.pw_gid)


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


async def ensure_cluster(
    place: Place, binaries: Binaries, say: Callable[[str], None], *, durable: bool = True
) -> None:
    """Makes the data directory unless it is there. The caller holds the lock.

    Unless it is to be `durable`, nothing waits for the disk. Raises PostgresUnavailable.
    """
    _remove_unfinished(place)
    if place.data.exists():
        _check(place, binaries)
        return
    say(f"Making a PostgreSQL {binaries.version} database in {place.data} …")
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new.", dir=place.home))
    place.account.give(fresh)
    await _run(place, [*_initdb(fresh, binaries), *([] if durable else ["--no-sync"])])
    # Single-user mode: no server is up yet that could be asked.
    statement = f"CREATE DATABASE {DATABASE};\n".encode()
    options = ["-D", str(fresh), "-c", f"fsync={'on' if durable else 'off'}", "postgres"]
    await _run(place, [binaries.program("postgres"), "--single", *options], statement)
    _put_in_place(fresh, place.data)
    _remove_unfinished(place)  # what was left behind may have been written to until it was gone


def _remove_unfinished(place: Place) -> None:
    for unfinished in place.home.glob("postgres.new.*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _check(place: Place, binaries: Binaries) -> None:
    data = place.data
    owner = data.stat().st_uid
    if owner != place.account.uid:
        raise PostgresUnavailable(
            f"{data} belongs to user {_name(owner)!r}: run as that user or choose another VICINO_DATA_DIR"
        )
    try:
        major = int((data / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise PostgresUnavailable(f"{data} is not a PostgreSQL data directory: move it away") from error
    if major != binaries.major:
        raise PostgresUnavailable(
            f"{data} was made by PostgreSQL {major}, but {binaries.folder} holds {binaries.version}: set "
            f"VICINO_PG_BIN to the programs of PostgreSQL {major}, or move the directory away"
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _initdb(folder: Path, binaries: Binaries) -> list[str]:
    if binaries.major >= _BUILTIN_LOCALES_SINCE:  # the same order of text on every system
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
    access = ["-U", SUPERUSER, "-A", "trust"]  # who may connect is settled by the socket's folder
    return [binaries.program("initdb"), "-D", str(folder), *access, "-E", "UTF8", *locale]


async def _run(place: Place, command: Sequence[str], standard_input: bytes = b"") -> None:
    process = await spawn(place.account, command, stdin=PIPE, stdout=PIPE)
    try:
        async with asyncio.timeout(_INITDB_TIMEOUT_S):
            output, _ = await process.communicate(standard_input)
    finally:
        if process.returncode is None:
            process.kill()
    # Single-user mode ends with 0 whatever its statements met.
    if process.returncode != 0 or b"ERROR:" in output:
        lines = output.decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "error:" in line.lower()]
        detail = (errors[:1] or lines[-1:] or ["no output"])[0]
        raise PostgresUnavailable(f"{Path(command[0]).name} failed in {place.home}: {detail}")


async def spawn(
    account: Account, command: Sequence[str], *, stdin: int = DEVNULL, stdout: int = DEVNULL
) -> asyncio.subprocess.Process:
    """Runs a PostgreSQL program as `account`, in a session of its own, ended when this process ends.

    Linux ends it with the *thread* that calls this: call from one that lasts.
    """
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(account.uid), str(account.gid)),
        *command,
        # Nothing else of our environment: PGPORT, PGDATA and their like would steer the server.
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        start_new_session=True,
        stdin=stdin,
        stdout=stdout,
        stderr=STDOUT,
    )


def _put_in_place(fresh: Path, data: Path) -> None:
    """Renames, so that it lasts through a power cut."""
    fresh.rename(data)
    folder = os.open(data.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
