"""What tests share: where the real data lies, and when its absence is a failure; servers beside ours."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

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


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Another server, on loopback, for as long as the block lasts; its base URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def whole(terminal: int) -> bytes:
    """All that was written to a terminal; it gives a few kilobytes at a time, and an error at the end."""
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as source:
        while part := source.read(1 << 12):
            shown += part
    return shown
