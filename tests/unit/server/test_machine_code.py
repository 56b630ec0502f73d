"""A server compiles what is not compiled before it listens, and says so."""

import pytest

from geo.compiled import is_kept
from server import machine_code
from server.errors import BadUse
from server.machine_code import compile_what_is_new


async def test_what_is_kept_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "is_kept", lambda _: True)
    said: list[str] = []
    await compile_what_is_new(said.append)
    assert said == []


async def test_what_is_not_kept_is_compiled_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "is_kept", lambda package: package != "offers")
    said: list[str] = []
    await compile_what_is_new(said.append)
    assert [text.split()[:2] for text in said] == [["Compiling", "offers/,"]]
    assert is_kept("offers")


async def test_what_cannot_be_compiled_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "PACKAGES", ("nowhere",))
    monkeypatch.setattr(machine_code, "is_kept", lambda _: False)
    with pytest.raises(BadUse, match=r"python -m nowhere\.warm failed"):
        await compile_what_is_new(lambda _: None)
