"""`server.logs`: one event a line, and nothing private in it."""

import asyncio
import gc
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from click.testing import CliRunner

from offers.coupon import coupon_code
from server import logs
from server.auth import new_key
from server.cli import serve
from server.config import Config
from tests import logbook


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield io.StringIO()
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    structlog.get_logger("x").info("accepted", count=2)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["count"], event["level"]) == ("accepted", 2, "info")
    assert event["timestamp"].endswith("Z")


def test_what_libraries_log_takes_the_same_form(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    logging.getLogger("aiohttp").warning("odd %s", "thing")
    assert json.loads(stream.getvalue())["event"] == "odd thing"


def test_text_is_for_people(stream: io.StringIO) -> None:
    logs.configure("text", stream)
    structlog.get_logger("x").warning("slow", seconds=3)
    assert "slow" in stream.getvalue()
    assert "seconds=3" in stream.getvalue()


def test_of_an_exception_the_words_are_told_and_not_what_it_met(stream: io.StringIO) -> None:
    logs.configure("text", stream)
    known: dict[str, str] = {}
    shopper_id, place, code = "shp_0123456789abcdefghjkmnpqrs", (60.1686, 24.9419), "ABCD1234EFGH5678JK"
    try:
        known[shopper_id]
    except KeyError as error:
        wrong = ValueError(f"no fence at {place} for {code}")
        wrong.__cause__ = error
        structlog.get_logger("x").error("odd", exc_info=wrong)
    line = stream.getvalue()
    assert "KeyError: '(withheld)'" in line
    assert "ValueError: no fence at ((withheld), (withheld)) for (withheld)" in line
    assert "which led to" in line


async def test_of_a_task_that_nobody_waited_for_the_words_are_told_and_not_what_it_met(
    stream: io.StringIO,
) -> None:
    logs.configure("json", stream)
    place, who = 24.941923, "dev_0jx3m8rq4t6v9w2y5z7abcdefg"

    async def fails() -> None:
        raise ValueError(f"no place for {place} of {who}")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    del task
    gc.collect()

    said = stream.getvalue()
    assert "never retrieved" in said
    assert said.count("no place for (withheld) of (withheld)") == 2
    assert str(place) not in said
    assert who not in said


def test_a_server_that_breaks_off_says_in_its_log_why_and_not_what_it_met(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("json", stream)
    place = 24.941923

    async def fails(*_: object) -> None:
        raise ValueError(f"no place for {place}")

    monkeypatch.setattr(serve, "_serve", fails)

    result = CliRunner().invoke(serve.command, obj=Config())

    assert result.exit_code == 1
    assert "no place for (withheld)" in stream.getvalue()
    assert str(place) not in stream.getvalue() + result.output


def test_coordinates_tokens_and_codes_are_withheld_however_they_are_named(stream: io.StringIO) -> None:
    logs.configure("json", stream)
    structlog.get_logger("x").info(
        "seen", lat=60.17, lon_deg=24.9, access_token="t0k", code="ABCD", body={"fixes": [60.17]}, store="s1"
    )
    line = stream.getvalue()
    assert not any(private in line for private in ("60.17", "24.9", "t0k", "ABCD"))
    assert json.loads(line)["store"] == "s1"


def test_a_library_that_has_nothing_to_say_is_not_heard(stream: io.StringIO) -> None:
    logs.configure("text", stream)
    logging.getLogger("pyBarcode").info("Pillow not found. Image output disabled")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("no fence at (60.1686, 24.9419)", "a position"),
        ('{"lon":-122.67654}', "a position"),
        (f"GET /v1/ingest/traccar/{new_key('app')}", "a key"),
        (f"rtl_0123456789abcdefghjkmnpqrs.{'Ab3_' * 11}", "a refresh token"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "an access token"),
        (coupon_code(b"secret", "dec_1"), "a coupon's code"),
        ("of shp_0123456789abcdefghjkmnpqrs", "a shopper"),
        ("of dev_0123456789abcdefghjkmnpqrs", "a device"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a webhook's secret"),
        ("phone-0001:APA91bxxxx", "a push address"),
    ],
    ids=range(10),  # a key is another in each of the processes that test
)
def test_the_search_of_the_sessions_log_finds_what_tells(line: str, what: str) -> None:
    assert logbook.tells(line.encode()) == [what]


def test_the_search_lets_pass_what_tells_nothing() -> None:
    harmless = (
        '"timestamp":"2026-11-28T02:00:38.123456Z" in 0.4213 s, 12.5 ms, rtl_0123456789abcdefghjkmnpqrs'
    )
    assert logbook.tells(harmless.encode()) == []


def test_the_sessions_log_holds_what_this_very_test_logs() -> None:
    structlog.get_logger("x").debug("in_the_book", number=20_261_128)

    assert any(b"in_the_book" in line and b"20261128" in line for line in logbook.written())
