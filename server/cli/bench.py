"""`vicino bench`: runs the benchmarks of `bench/` and prints their figures."""

import os
import platform
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from server.config import REPOSITORY
from server.errors import BadUse

FOLDER = REPOSITORY / "bench"


@click.command(
    epilog="""\b
Examples:
  ./vicino bench
  ./vicino bench match fix_to_push --json"""
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Measure speed on this machine. Without names: all benchmarks.

    Figures of other machines differ; ratios to the baseline of the same run are what to compare.
    """
    known = {path.stem: path for path in sorted(FOLDER.glob("[!_]*.py"))}
    for name in names:
        if name not in known:
            raise BadUse(f"no benchmark {name!r}: there are {', '.join(known)}")
    for name in names or known:
        for figure in _run(known[name]):
            click.echo(msgspec.json.encode(figure).decode() if as_json else _line(figure))


def _run(path: Path) -> Iterator[dict[str, Any]]:
    """The figures of one file: its `run()` yields dicts with name, value, unit and maybe a baseline."""
    measure: Callable[[], Iterator[dict[str, Any]]] = runpy.run_path(str(path))["run"]
    for figure in measure():
        baseline = figure.get("baseline")
        ratio = {} if baseline is None else {"ratio": round(figure["value"] / baseline["value"], 3)}
        yield figure | ratio | {"machine": _machine()}


def _machine() -> str:
    system, python = platform.system(), platform.python_version()
    return f"{platform.machine()}, {os.cpu_count()} cores, {system}, Python {python}"


def _line(figure: dict[str, Any]) -> str:
    line = f"{figure['name']:20} {figure['value']:>12} {figure['unit']}"
    if "ratio" in figure:
        line += f"   ({figure['ratio']} of {figure['baseline']['name']}: {figure['baseline']['value']})"
    return line
