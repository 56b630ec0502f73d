"""How the demo looks: everything fits 100 columns and the height of the terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from server.demo.client import Keys
from server.demo.feed import Feed
from server.demo.helsinki import ATTRIBUTION, read_shops
from server.demo.retail import found_retail
from server.demo.screen import frame, plain_line
from server.demo.welcome import WIDTH, Place, heading, invitation, title, whereabouts

KEYS = Keys(
    retailer_id="ret_x", app_key="pk_" + "a" * 43, server_key="sk_" + "b" * 43, till_key="tk_" + "c" * 43
)
PLACE = Place(
    url="http://127.0.0.1:8080", data_dir=Path(".vicino"), log_file=Path(".vicino/demo.log"), keys=KEYS
)


def busy_feed(rows: int) -> Feed:
    feed = Feed()
    for number in range(rows):
        feed.pushed(
            number,
            f"{number} at the shelf",
            "Partioaitta ja hyvin pitkä nimi",
            title="15% off: Running trainers of a long and winding name",
            body="Stadium is 40 m away. Show the code by 12:30. Really, do show it, it is worth it.",
            latency_ms=1234.5,
        )
        feed.decided(
            number, f"{number} by tram", "Zara", {"outcome": "silence", "reasons": [f"reason_{number}"]}
        )
    return feed


def lines_of(feed: Feed, lines: int) -> list[str]:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(frame(feed, heading(PLACE), lines=lines, width=120))
    return console.export_text().splitlines()


def test_the_table_fits_the_width() -> None:
    assert max(len(line.rstrip()) for line in lines_of(busy_feed(20), lines=30)) <= WIDTH


@pytest.mark.parametrize("lines", [1, 12, 50])
def test_the_happenings_fit_into_their_lines(lines: int) -> None:
    assert len(lines_of(busy_feed(100), lines=lines)) <= lines + 5


def test_the_newest_row_is_shown() -> None:
    assert any("99 by tram" in line for line in lines_of(busy_feed(100), lines=10))


def test_a_plain_line_fits_the_width_and_says_how_long_it_took() -> None:
    [row, _] = busy_feed(1).rows
    line = plain_line(row)
    assert len(line) <= WIDTH
    assert "PUSH" in line
    assert "1234 ms" in line


def test_the_header_names_those_who_made_the_map() -> None:
    assert ATTRIBUTION in title(found_retail(read_shops()))


def test_what_is_printed_first_fits_the_width() -> None:
    retail = found_retail(read_shops())
    text = "\n".join((title(retail), whereabouts(PLACE), invitation(PLACE, retail)))
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_first_lines_say_where_the_server_and_the_keys_are() -> None:
    text = whereabouts(PLACE)
    assert all(part in text for part in (PLACE.url, KEYS.app_key, KEYS.server_key, KEYS.till_key, "Ctrl-C"))
