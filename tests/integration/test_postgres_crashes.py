"""The embedded PostgreSQL through kill -9: of the server, of its owner, of the making of its data."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server.postgres import DataDirectoryInUse, EmbeddedPostgres, supervisor
from server.postgres.binaries import find_binaries
from server.postgres.cluster import ensure_cluster, place_of, spawn
from server.postgres.process import is_ready
from tests.conftest import KILL_PROOF, data_folder
from tests.support import REPOSITORY

HOST = Path(__file__).with_name("postgres_host.py")
GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def quiet(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, settings=KILL_PROOF, say=lambda _: None)


@contextmanager
def host(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that owns an embedded PostgreSQL; killed when the block ends."""
    process = subprocess.Popen(
        [sys.executable, HOST, data_dir],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        owner = json.loads((data_dir / "postgres.lock").read_text() or "{}")
        shutil.rmtree(owner.get("socket_dir") or "", ignore_errors=True)
        with suppress(FileNotFoundError):  # of the server, which stops by itself, and writes until it has
            pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
            until(lambda: not runs(pid), "the server stopped")


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the host prints once its server is up."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return json.loads(line)


def until(condition: Callable[[], bool], what: str, *, within_s: float = 30) -> None:
    asyncio.run(eventually(condition, what, within_s=within_s))


async def eventually(condition: Callable[[], bool], what: str, *, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether the process is there and not merely unreaped."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return not Path("/proc/self").exists()
        return False


async def write_until_gone(url: str, committed: list[int]) -> None:
    """Commits one number after the other, recording each that was acknowledged."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            number = len(committed)
            await connection.execute("INSERT INTO numbers VALUES ($1) ON CONFLICT DO NOTHING", number)
            committed.append(number)
    except GONE:
        connection.terminate()


async def reconnected(url: str) -> asyncpg.Connection:
    async with asyncio.timeout(30):
        while True:
            try:
                return await asyncpg.connect(url)
            except GONE:
                await asyncio.sleep(0.02)


async def test_a_killed_server_comes_back_at_the_same_url_with_every_committed_row(
    postgres_folder: Path,
) -> None:
    committed: list[int] = []
    async with quiet(postgres_folder) as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        await connection.close()
        for _ in range(4):
            writer = asyncio.create_task(write_until_gone(server.url, committed))
            enough = len(committed) + 100
            await eventually(lambda: len(committed) >= enough, "rows were committed")  # noqa: B023
            os.kill(server.pid, signal.SIGKILL)
            await writer
            connection = await reconnected(server.url)
            kept = {row["number"] for row in await connection.fetch("SELECT number FROM numbers")}
            await connection.close()
            assert set(committed) <= kept
    assert len(committed) >= 400


def test_the_server_stops_when_its_owner_is_killed_and_the_next_owner_finds_its_data(
    postgres_folder: Path,
) -> None:
    with host(postgres_folder) as process:
        server_pid = said(process)["pid"]
        process.kill()
        process.wait()
        if sys.platform == "linux":
            until(lambda: not runs(server_pid), "the server stopped", within_s=10)
    with host(postgres_folder) as process:
        assert said(process)["pid"] != server_pid


def test_an_owner_killed_while_the_data_is_made_leaves_nothing_half_made() -> None:
    with data_folder() as empty:
        with host(empty) as process:
            until(lambda: any(empty.glob("postgres.new.*/PG_VERSION")), "initdb began")
            process.kill()
        assert not (empty / "postgres").exists()
        with host(empty) as process:
            assert said(process)["url"]
        assert not list(empty.glob("postgres.new.*"))


def test_the_socket_folder_of_a_killed_owner_is_removed_by_the_next(postgres_folder: Path) -> None:
    with host(postgres_folder) as process:
        socket_dir = Path(said(process)["url"].partition("host=")[2])
        process.kill()
        process.wait()
        assert socket_dir.is_dir()
        with host(postgres_folder) as next_process:
            assert said(next_process)["url"]
            assert not socket_dir.exists()


async def test_a_server_left_behind_alive_is_stopped_and_its_data_taken_over(postgres_folder: Path) -> None:
    place = place_of(postgres_folder)
    binaries = find_binaries(place.account)
    await ensure_cluster(place, binaries, lambda _: None)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={place.data}"]
    left = await spawn(place.account, [binaries.program("postgres"), "-D", str(place.data), *options])
    await eventually(lambda: is_ready(place.data, left.pid), "the server left behind is up")
    heard: list[str] = []
    async with EmbeddedPostgres(postgres_folder, settings=KILL_PROOF, say=heard.append) as server:
        assert await left.wait() == 0
        assert server.pid != left.pid
    assert any(f"process {left.pid}" in line for line in heard)


async def test_a_second_owner_is_refused_in_one_line_that_names_the_first(postgres_folder: Path) -> None:
    async with quiet(postgres_folder):
        with pytest.raises(DataDirectoryInUse) as refused:
            await quiet(postgres_folder).__aenter__()
    assert str(refused.value).startswith(f"{postgres_folder} is in use by process {os.getpid()}: stop it")
    assert "\n" not in str(refused.value)


async def test_a_server_that_ignores_the_polite_stop_is_stopped_firmly(
    postgres_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = ((signal.SIGCONT, 0.05), (signal.SIGQUIT, 5), (signal.SIGKILL, None))
    monkeypatch.setattr("server.postgres.process._STOP_STAGES", stages)
    async with quiet(postgres_folder) as server:
        pid = server.pid
    assert not runs(pid)
    async with quiet(postgres_folder) as server:  # and it recovers from that
        await (await asyncpg.connect(server.url)).close()


async def test_restarting_is_tried_until_it_succeeds(
    postgres_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_RESTART_PAUSE_S", 0.05)
    async with quiet(postgres_folder) as server:
        hidden = postgres_folder / "hidden"
        (postgres_folder / "postgres").rename(hidden)
        os.kill(server.pid, signal.SIGKILL)
        first = server.pid
        await eventually(lambda: server.pid != first, "a restart was tried")
        hidden.rename(postgres_folder / "postgres")
        await (await reconnected(server.url)).close()
