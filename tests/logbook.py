"""The logs of the whole test session in one folder, and the search for what no log may hold.

Everything that the programs under test log at the lowest level is kept: in this process, by the servers and
commands that tests start, by PostgreSQL. When the session ends all of it is searched, and a line that tells a
position, a token, a code or who somebody is fails the session.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import structlog

from server import logs

#: What no log may hold, by what it is. All of it comes up in the tests thousands of times.
TELLING = {
    "a key": rb"\b[pst]k_[\w-]{40,}",
    "an access token": rb"\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+",
    "a refresh token": rb"\brtl_\w+\.[\w-]{40,}",
    "a webhook's secret": rb"\bwhsec_[\w+/=-]{10,}",
    "a coupon's code": rb"\b[0-9A-HJKMNP-TV-Z]{6}(?:-[0-9A-HJKMNP-TV-Z]{6}){2}\b",
    "a push address": rb":APA91b",
    "a shopper": rb"\bshp_[0-9a-z]{20,}",
    "a device": rb"\bdev_[0-9a-z]{20,}",
    # Degrees with four decimals or more are a place within 11 m; a time of day follows a colon.
    "a position": rb"(?<![\w.:])-?(?:[1-9]\d?|1[0-7]\d)\.\d{4,}(?![\w.])",
}
_ANY = re.compile(b"|".join(b"(?P<k%d>%b)" % (number, one) for number, one in enumerate(TELLING.values())))

_folder: Path | None = None
_stream: IO[str] | None = None


def open_book() -> None:
    """Begins to collect."""
    global _folder, _stream  # noqa: PLW0603 - one session, one book
    _folder = Path(tempfile.mkdtemp(prefix="vicino-logs-"))
    _stream = (_folder / "tests").open("w", encoding="utf-8", buffering=1)


def listen() -> None:
    """Has this process log into the book, whatever an earlier test has made of its logging."""
    if _stream is not None:
        structlog.reset_defaults()
        logs.configure("json", _stream, level=logs.LEVELS["debug"])


def take(log: Path) -> None:
    """Keeps a log that a process under test has written."""
    if _folder is not None and log.exists():
        shutil.copyfile(log, _page())


def note(said: bytes) -> None:
    """Keeps what a command under test has said on standard error."""
    if _folder is not None and said:
        _page().write_bytes(said)


def written() -> Iterator[bytes]:
    """All lines so far."""
    if _folder is None or _stream is None:
        return
    _stream.flush()
    for page in sorted(_folder.iterdir()):
        with page.open("rb") as lines:
            yield from lines


def close_book() -> list[str]:
    """The lines that tell something, with what that is; the book is gone."""
    global _folder, _stream  # noqa: PLW0603 - as above
    found = [f"{what}: {line.decode(errors='replace').strip()}" for line in written() for what in tells(line)]
    if _folder is not None and _stream is not None:
        _stream.close()
        shutil.rmtree(_folder)
        _folder = _stream = None
    return found


def tells(line: bytes) -> list[str]:
    """What a line of a log tells that it may not."""
    names = list(TELLING)
    return list(dict.fromkeys(names[int((one.lastgroup or "k0")[1:])] for one in _ANY.finditer(line)))


def _page() -> Path:
    assert _folder is not None
    return _folder / f"page {sum(1 for _ in _folder.iterdir()):05}"
