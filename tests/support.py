"""What tests share: where the real data lies, and when its absence is a failure."""

import contextlib
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def require_all() -> bool:
    """True where nothing may be skipped (continuous integration)."""
    return os.environ.get("VICINO_TEST_REQUIRE") == "all"


def skip_or_fail(reason: str) -> None:
    """Skips the running test with `reason`, or fails it where nothing may be skipped."""
    if require_all():
        pytest.fail(f"{reason} (VICINO_TEST_REQUIRE=all)", pytrace=False)
    pytest.skip(reason)


def shared_data(*parts: str) -> Path:
    """A file or folder of the data kept beside the checkout; skips the test where that is absent."""
    path = SHARED_DATA.joinpath(*parts)
    if not path.exists():
        skip_or_fail(f"no test data at ../shared/data/{'/'.join(parts)}")
    return path


def whole(terminal: int) -> bytes:
    """All that was written to a terminal; it gives a few kilobytes at a time, and an error at the end."""
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as source:
        while part := source.read(1 << 12):
            shown += part
    return shown
