"""What the commands that read recorded traces share: reading them, and a progress bar."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.traces.columns import Trace
from server.traces.load import load_traces

#: A trace is told as it was: sorted by time, so that no fix can come late.
LATENESS_S = 0.0

Advance = Callable[[int], None]


def say(message: str) -> None:
    """One line on standard error."""
    click.echo(message, err=True)


def load(files: Sequence[Path]) -> Trace:
    """The fixes of trace files; what is left out of them is said."""
    size = sum(path.stat().st_size for path in files)
    with progress_bar() as progress:
        return load_traces(files, say=say, on_bytes=lambda count: progress("reading", count, size))


@contextmanager
def progress_bar(*, beside_output: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal; nothing elsewhere, and nothing where it would cut through the output's lines.

    It is told what goes on, how much of that is done, and how much it is in all.
    """
    console = Console(stderr=True)
    shown = console.is_terminal and not (beside_output and sys.stdout.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Standard output is ours: rich would send it to the terminal.
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, disable=not shown
    ) as progress:

        def show(what: str, done: int, total: int) -> None:
            task = progress.task_ids[0] if progress.task_ids else progress.add_task(what)
            progress.update(task, description=what, completed=done, total=total)

        yield show
