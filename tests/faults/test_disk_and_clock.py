"""What needs a set-up of its own: a disk that is full, and clocks that jump."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.clock import SystemClock, to_us
from tests.faults.scenario import PHONES, RECOVERY_S, Shifted, run, run_inside

pytestmark = pytest.mark.timeout(900)

DISK_MB = 160


@pytest.mark.parametrize(
    ("hour", "off_s"),
    [(12, 7200.0), (12, -7200.0), (12, -90.0), (23, 7200.0)],
    ids=["2h-ahead", "2h-behind", "90s-behind", "over-midnight-and-back"],
)
async def test_every_promise_is_kept_while_the_servers_clock_jumps_and_comes_back(
    hour: int, off_s: float, postgres_folder: Path
) -> None:
    begins = (datetime.now(UTC) + timedelta(days=1)).replace(hour=hour, minute=0)
    clock = Shifted(to_us(begins) - SystemClock().now_us())
    async with run_inside(postgres_folder, seed=1, clock=clock) as town:
        await town.crowd.until_taken(50, RECOVERY_S)
        clock.by_us += round(off_s * 1e6)
        await town.crowd.until_answered(3 * PHONES, RECOVERY_S)
        clock.by_us -= round(off_s * 1e6)

    assert town.summary is not None
    assert town.summary.fixes >= 50


@pytest.fixture
def small_disk(postgres_folder: Path) -> Iterator[Path]:
    """A disk of its own for PostgreSQL, in memory and of a set size."""
    disk = postgres_folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "vicino-test", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a disk of a set size here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["cp", "-a", postgres_folder / "postgres", disk], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


async def test_every_promise_is_kept_while_the_disk_is_full_and_when_there_is_room_again(
    small_disk: Path,
) -> None:
    filler = small_disk / "filler"
    async with run(small_disk, seed=1) as town:
        await town.crowd.until_taken(50, RECOVERY_S)
        with filler.open("wb") as file:
            file.truncate(0)
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(small_disk).free - 8192))
        await town.crowd.until_refused(2 * PHONES, RECOVERY_S)
        filler.unlink()

    assert town.summary is not None
    assert town.summary.unanswered > 0
