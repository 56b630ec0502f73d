"""`server.cli`: the command line's manners."""

import os
import subprocess
from pathlib import Path

import pytest

from server.cli import main
from tests.support import REPOSITORY


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VICINO_")]:
        monkeypatch.delenv(name)


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "vicino 0.1.0\n"


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "migrate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "vicino: No such command 'fly'.\n"),
        (["migrate", "--high"], "vicino: No such option '--high'.\n"),
    ],
)
def test_bad_use_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == message


def test_a_bad_setting_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VICINO_PORT", "x")
    assert main(["migrate"]) == 2
    assert capsys.readouterr().err.startswith("vicino: VICINO_PORT: expected an integer")


def test_a_failure_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VICINO_DATABASE_URL", "postgresql://me@127.0.0.1:1/db")
    assert main(["migrate"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("vicino: the migration failed: ")
    assert error.count("\n") == 1


def test_the_launcher_works_from_any_folder_and_takes_no_module_from_there(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit('the wrong server')")
    link = tmp_path / "vicino"
    link.symlink_to(REPOSITORY / "vicino")
    done = subprocess.run([link, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "vicino 0.1.0\n"), done.stderr


def test_the_launcher_without_an_installation_says_what_to_do(tmp_path: Path) -> None:
    launcher = tmp_path / "vicino"
    launcher.write_bytes((REPOSITORY / "vicino").read_bytes())
    launcher.chmod(0o755)
    done = subprocess.run([launcher], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"vicino: not installed yet: run 'make setup' in {tmp_path}\n"
