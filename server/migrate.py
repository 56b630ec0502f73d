"""Brings a database's schema up to date: runs dbmate over `migrations/`, under its lock."""

import asyncio
import os
import shutil
import sysconfig
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg

from server.config import REPOSITORY
from server.errors import VicinoError

MIGRATIONS = REPOSITORY / "migrations"

_URL_VARIABLE = "DBMATE_DATABASE_URL"  # by the environment: an argument would show the password to `ps`
_LOCK_TIMEOUT = "60s"
_ASK_S = 5.0
_APPLIED = "Applied: "


class MigrationFailed(VicinoError):  # noqa: N818 - named for what happened
    """The schema is not up to date. A migration that failed left nothing behind; the earlier ones stay."""


async def migrate(url: str, *, migrations: Path = MIGRATIONS) -> list[str]:
    """Applies what is missing to the database at `url`; the names of the files applied, in order.

    Several processes may do it at once: the others wait for the first. Raises MigrationFailed.
    """
    wanted = {file.name.partition("_")[0] for file in migrations.glob("*.sql")}  # noqa: ASYNC240 - short
    if wanted <= await _applied(url):
        return []
    output = await _dbmate(url, migrations, "migrate")
    return [line.removeprefix(_APPLIED).split(" in ")[0] for line in output if line.startswith(_APPLIED)]


async def _applied(url: str) -> set[str]:
    """The versions of the migrations applied; to ask takes a tenth of what it takes dbmate to find out."""
    try:
        connection = await asyncpg.connect(url, timeout=_ASK_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return set()  # dbmate says why
    try:
        return {row[0] for row in await connection.fetch("SELECT version FROM schema_migrations")}
    except asyncpg.UndefinedTableError:
        return set()
    finally:
        await connection.close()


async def roll_back(url: str, *, migrations: Path = MIGRATIONS) -> None:
    """Undoes the newest migration, data included. Raises MigrationFailed."""
    await _dbmate(url, migrations, "rollback")


async def _dbmate(url: str, migrations: Path, command: str) -> list[str]:
    arguments = (
        *("--env", _URL_VARIABLE, "--env-file", os.devnull),
        *("--migrations-dir", str(migrations), "--no-dump-schema"),
        *("--migration-lock", "--migration-lock-timeout", _LOCK_TIMEOUT),
    )
    process = await asyncio.create_subprocess_exec(
        _program(),
        *arguments,
        command,
        env=os.environ | {_URL_VARIABLE: dbmate_url(url)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        message = " ".join(errors.decode(errors="replace").split()) or f"exit status {process.returncode}"
        raise MigrationFailed(f"the migration failed: {message.removeprefix('Error: ')}")
    return output.decode().splitlines()


def _program() -> str:
    """dbmate as the wheel installed it, else as the machine has it."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("dbmate", path=scripts) or shutil.which("dbmate")
    if found is None:
        raise MigrationFailed(f"dbmate is neither in {scripts} nor on the PATH: run make setup")
    return found


def dbmate_url(url: str) -> str:
    """A URL that asyncpg understands, in dbmate's words.

    The folder of a Unix socket is `?host=` to asyncpg and `?socket=` to dbmate. Where nothing is said about
    encryption asyncpg prefers it; dbmate must be told, since it would insist.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    login, at, address = parts.netloc.rpartition("@")
    host, port = query.pop("host", ""), query.pop("port", "")
    if host.startswith("/"):
        query["socket"] = host
        query.setdefault("sslmode", "disable")
    elif host:
        address = host
    query.setdefault("sslmode", "prefer")
    netloc = f"{login}{at}{address}" + (f":{port}" if port else "")
    return urlunsplit(("postgres", netloc, parts.path, urlencode(query, quote_via=quote), ""))
