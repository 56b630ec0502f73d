"""Fixtures for every test: a migrated database of its own, on one PostgreSQL per test process; and the search
of everything that was logged, when the session ends.
"""

import itertools
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server.db import Database
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from server.postgres.cluster import place_of
from tests import logbook
from tests.kafka.broker import Kafka, jars

# Nothing of it outlives the tests, so nothing of it need reach the disk.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB"}
# Withstands every kill -9, but no power cut: what a process has written stays in the system's memory.
KILL_PROOF = {"fsync": "off"}

_names = (f"test_{number}" for number in itertools.count())
_telling = pytest.StashKey[list[str]]()


def pytest_sessionstart() -> None:
    """All that is logged is kept, at the lowest level, by the processes that tests start too."""
    os.environ["VICINO_LOG_LEVEL"] = "debug"
    logbook.open_book()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    logbook.listen()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No position, token or code may have been logged, by whichever test."""
    found = session.config.stash.setdefault(_telling, [])
    found += logbook.close_book()
    if hasattr(session.config, "workeroutput"):  # one of several processes: the one that leads them judges
        session.config.workeroutput["telling"] = found
    elif found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What the log of another of the processes that test in parallel tells."""
    if error is None:
        node.config.stash.setdefault(_telling, []).extend(node.workeroutput["telling"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if found := config.stash.get(_telling, []):
        terminalreporter.section("the log tells what it may not", red=True)
        for line in found[:50]:
            terminalreporter.line(line)
        terminalreporter.line(f"{len(found)} lines: see tests/logbook.py")


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """The PostgreSQL of this test process; its database `vicino` is the migrated template of every test's."""
    with data_folder() as folder:
        async with EmbeddedPostgres(folder, settings=FAST, say=lambda _: None) as server:
            await migrate(server.url)
            yield server
            logbook.take(place_of(folder).log)


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that row-level security does not bind."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The URL of a migrated, empty database that only this test uses."""
    async with fresh_database(postgres.url) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database, opened as the server opens it."""
    async with await Database.open(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
async def made_cluster() -> AsyncIterator[Path]:
    """A folder with a fresh PostgreSQL data directory, to be copied: making one takes a second or more."""
    with data_folder() as folder:
        async with EmbeddedPostgres(folder, settings=FAST, say=lambda _: None) as server:
            await migrate(server.url)
        yield folder


@pytest.fixture
def postgres_folder(made_cluster: Path) -> Iterator[Path]:
    """A folder with a migrated PostgreSQL data directory of its own, on which no server runs."""
    with data_folder() as folder:
        subprocess.run(["cp", "-a", made_cluster / "postgres", folder], check=True)
        yield folder


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder for a PostgreSQL, which for root runs as another user: that one may enter it."""
    with tempfile.TemporaryDirectory(prefix="vicino-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@asynccontextmanager
async def fresh_database(template_url: str) -> AsyncIterator[str]:
    """A copy of the database at `template_url`, dropped when the block ends."""
    name = next(_names)
    template = "vicino"
    admin = await asyncpg.connect(template_url.replace(f"/{template}?", "/postgres?"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        yield template_url.replace(f"/{template}?", f"/{name}?")
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[str]:
    """The bootstrap servers of a real Kafka: that of VICINO_KAFKA, or one of this test process."""
    if servers := os.environ.get("VICINO_KAFKA"):
        yield servers
        return
    jars()
    with tempfile.TemporaryDirectory(prefix="vicino-kafka-") as folder:
        async with Kafka(Path(folder)) as cluster:
            yield cluster.servers
