"""`server.crash`: where a process may be told to die, and that it does, there and nowhere else."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from server import crash
from server.errors import BadUse
from tests.support import REPOSITORY

DIES = """
from server import crash
crash.arm("sent:3")
for number in range(1, 6):
    crash.passing("claimed")
    print(number, flush=True)
    crash.passing("sent")
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    crash.arm(None)


def test_the_process_is_killed_the_nth_time_it_comes_past_the_place_and_cleans_nothing_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["1", "2", "3"])


def test_an_unknown_place_is_refused_by_a_line_that_lists_them() -> None:
    with pytest.raises(BadUse, match=r"VICINO_FAULT: no place 'nowhere': there are mid_body, .*recording"):
        crash.arm("nowhere:1")


def test_every_place_is_somewhere_in_the_flow() -> None:
    sources = "".join(
        path.read_text() for path in (REPOSITORY / "server").rglob("*.py") if path.name != "crash.py"
    )

    assert [place for place in crash.POINTS if f'crash.passing("{place}")' not in sources] == []
