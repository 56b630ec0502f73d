"""Where the embedded PostgreSQL keeps its data, whose programs it runs, and as whom: root or anybody."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from server.postgres import EmbeddedPostgres, PostgresUnavailable, binaries, cluster
from server.postgres.account import Account, server_account
from server.postgres.binaries import find_binaries
from server.postgres.cluster import place_of
from tests.conftest import FAST, data_folder
from tests.support import REPOSITORY

HOST = Path(__file__).with_name("postgres_host.py")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server to another account")


def nobody() -> Account:
    entry = pwd.getpwnam("nobody")
    return Account(name="nobody", uid=entry.pw_uid, gid=entry.pw_gid)


def modes_above(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of every folder on the way to `path`."""
    return {
        folder: (status.st_mode, status.st_uid, status.st_gid)
        for folder in path.parents
        if folder.exists()
        for status in [folder.stat()]
    }


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in for the folder where root keeps what another account must reach."""
    with data_folder() as folder:
        monkeypatch.setattr(binaries, "_SHARED", folder / "shared")
        yield folder / "shared"


async def answers(server: EmbeddedPostgres) -> bool:
    connection = await asyncpg.connect(server.url)
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close()


async def test_making_and_running_a_server_changes_no_folder_above_it() -> None:
    with data_folder() as folder:
        home = folder / "with space" / ".vicino"
        before = modes_above(home)
        async with EmbeddedPostgres(home, settings=FAST, say=lambda _: None) as server:
            assert await answers(server)
            data = (home / "postgres").stat()
            assert (data.st_mode & 0o777, data.st_uid) == (0o700, server_account().uid)
        after = modes_above(home)
        assert {path: after[path] for path in before} == before


@as_root
async def test_data_that_the_servers_account_cannot_reach_goes_elsewhere_and_that_is_said(
    shared: Path,
) -> None:
    with data_folder() as folder:
        folder.chmod(0o700)  # as a home directory
        heard: list[str] = []
        before = modes_above(folder / "checkout")
        for _ in range(2):
            async with EmbeddedPostgres(folder / "checkout", settings=FAST, say=heard.append) as server:
                assert await answers(server)
        homes = [shared / name for name in os.listdir(shared)]  # noqa: PTH208
        assert [home.parent for home in homes] == [shared]
        assert f"cannot enter {folder / 'checkout'}: the data is in {homes[0]}" in heard[0]
        assert modes_above(folder / "checkout") == before
        assert not (folder / "checkout").exists()


@as_root
def test_data_that_somebody_owns_is_served_as_that_account() -> None:
    with data_folder() as folder:
        data = folder / "postgres"
        data.mkdir()
        other = pwd.getpwnam("daemon")
        os.chown(data, other.pw_uid, other.pw_gid)
        assert place_of(folder).account.name == "daemon"


@as_root
def test_programs_that_the_servers_account_cannot_reach_are_copied_once(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(account: Account, program: Path) -> bool:
        return program.is_relative_to(shared)

    monkeypatch.setattr(Account, "may_run", cannot)
    first = find_binaries(nobody())
    assert first.folder.is_relative_to(shared)
    assert find_binaries(nobody()).folder == first.folder
    assert len(list(shared.iterdir())) == 1
    # Its libraries came along, and the account may run it.
    done = subprocess.run(
        [first.program("psql"), "--version"],
        user="nobody",
        group=nobody().gid,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_without_root_the_server_runs_as_us() -> None:
    if os.geteuid() == 0:
        with data_folder() as folder:
            os.chown(folder, nobody().uid, nobody().gid)
            line = started_by_nobody(folder)
        assert '"url"' in line
    else:
        assert server_account().uid == os.geteuid()


def started_by_nobody(folder: Path) -> str:
    """What a process of user `nobody`, the owner of `folder`, says once its server is up."""
    account = nobody()
    python = next((p for p in (sys.executable, "/usr/bin/python3") if usable(p, account)), None)
    if python is None:
        pytest.skip("no Python of this version that user nobody may run")
    if not account.may_enter(REPOSITORY) or not account.may_enter(Path(asyncpg.__file__).parent):
        pytest.skip("user nobody cannot enter this checkout")
    path = os.pathsep.join([str(REPOSITORY), str(Path(asyncpg.__file__).parent.parent)])
    with subprocess.Popen(
        [str(python), "-B", HOST, folder],
        env={"PYTHONPATH": path, "LC_ALL": "C.UTF-8"},
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        return line or process.stderr.read()


def usable(python: str, account: Account) -> bool:
    """Whether the account may run it and it is of our version, so that it can use our libraries."""
    if not account.may_run(Path(os.path.realpath(python))):
        return False
    ask = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    return said.split() == [str(part) for part in sys.version_info[:2]]


async def test_a_folder_that_is_no_data_directory_is_left_alone(tmp_path: Path) -> None:
    with data_folder() as folder:
        (folder / "postgres").mkdir()
        (folder / "postgres" / "thesis.txt").write_text("precious")
        shutil.chown(folder / "postgres", server_account().uid)
        with pytest.raises(PostgresUnavailable, match="is not a PostgreSQL data directory: move it away"):
            await EmbeddedPostgres(folder).__aenter__()
        assert (folder / "postgres" / "thesis.txt").read_text() == "precious"


async def test_data_of_another_major_version_is_refused_with_the_way_out() -> None:
    with data_folder() as folder:
        (folder / "postgres").mkdir()
        (folder / "postgres" / "PG_VERSION").write_text("12\n")
        shutil.chown(folder / "postgres", server_account().uid)
        with pytest.raises(PostgresUnavailable, match=r"made by PostgreSQL 12, but .*: set VICINO_PG_BIN to"):
            await EmbeddedPostgres(folder).__aenter__()


async def test_a_server_that_cannot_start_says_why_in_one_line(postgres_folder: Path) -> None:
    with pytest.raises(
        PostgresUnavailable, match=r'PostgreSQL does not start: .*"no_such_setting"'
    ) as failed:
        await EmbeddedPostgres(postgres_folder, settings={"no_such_setting": "1"}).__aenter__()
    assert "\n" not in str(failed.value)
    async with EmbeddedPostgres(postgres_folder, settings=FAST) as server:  # nothing is left in the way
        assert await answers(server)


async def test_configured_programs_that_do_not_exist_are_refused_by_their_name(tmp_path: Path) -> None:
    with (
        data_folder() as folder,
        pytest.raises(PostgresUnavailable, match=r"VICINO_PG_BIN: user .* cannot run"),
    ):
        await EmbeddedPostgres(folder, pg_bin=tmp_path).__aenter__()


def test_without_the_wheel_the_systems_newest_programs_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9", "15", "16"):
        program = tmp_path / version / "bin" / "postgres"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}.4 (Debian {version}.4-1)'\n")
        program.chmod(0o755)
    monkeypatch.setattr(binaries, "_SYSTEM", tmp_path)
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_package")
    found = find_binaries(server_account())
    assert (found.folder, found.version, found.major) == (tmp_path / "16" / "bin", "16.4", 16)


def test_without_any_programs_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_SYSTEM", tmp_path)
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_package")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresUnavailable, match="run make setup, or set VICINO_DATABASE_URL"):
        find_binaries(server_account())


def test_an_account_without_a_passwd_entry_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(PostgresUnavailable, match="user id 54321 has no passwd entry"):
        cluster.server_account()
