"""The demo in the terminal: a live table where there is one, else a plain line for each happening."""

import asyncio
from collections.abc import Iterable
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from server.clock import from_us
from server.demo.feed import Feed, Happening, Kind
from server.demo.welcome import WIDTH

REFRESH_EVERY_S = 0.25
#: Lines of the frame beside the happenings: heading, column titles, a blank, two of counts, the cursor's.
_FRAME_LINES = 6
#: As many lines of happenings are worth having; only beyond them is what stands above kept in view.
_LINES_WANTED = 12

_STYLES: Final[dict[Kind, str]] = {
    "looks": "dim",
    "push": "bold green",
    "inbox": "cyan",
    "silence": "yellow",
    "redeemed": "bold magenta",
    "trouble": "bold red",
}
_MARKS: Final[dict[Kind, str]] = {
    "looks": "looks",
    "push": "PUSH",
    "inbox": "inbox",
    "silence": "silence",
    "redeemed": "redeems",
    "trouble": "error",
}


async def show_live(feed: Feed, console: Console, heading: str, *, lines_above: int) -> None:
    """Redraws the newest happenings below the `lines_above` printed so far, until cancelled."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            room = max(1, console.height - _FRAME_LINES)
            lines = room - lines_above if room - lines_above >= _LINES_WANTED else room
            live.update(frame(feed, heading, lines=lines, width=console.width), refresh=True)
            await asyncio.sleep(REFRESH_EVERY_S)


def frame(feed: Feed, heading: str, *, lines: int, width: int) -> Group:
    """The table of the newest happenings, as many as fit into so many lines, and the counts."""
    width = min(width, WIDTH)
    table = Table(box=None, width=width, padding=(0, 1, 0, 0), pad_edge=False, header_style="underline")
    table.add_column("time", width=8, no_wrap=True, style="dim")
    table.add_column("shopper", width=16, no_wrap=True)
    table.add_column("store", width=18, no_wrap=True)
    table.add_column("", width=7, no_wrap=True)
    table.add_column("what happened", ratio=1, no_wrap=True)
    table.add_column("fix→FCM", width=7, no_wrap=True, justify="right")
    for row in _newest(feed.rows, lines=lines):
        style = _STYLES[row.kind]
        what = Text(row.text, style=style)
        if row.detail:
            what.append(f"\n{row.detail}", style="default")
        took = "" if row.latency_ms is None else f"{row.latency_ms:.0f} ms"
        mark = Text(_MARKS[row.kind], style=style)
        table.add_row(clock_time(row.at_us), row.shopper, row.store, mark, what, Text(took, style=style))
    return Group(
        Text(heading, style="bold", no_wrap=True, overflow="ellipsis"),
        table,
        Padding(counts(feed), (1, 0, 0, 0)),
    )


def counts(feed: Feed) -> Text:
    """Everything that was counted, in at most two lines."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{feed.fixes:,} fixes · {feed.moments:,} moments · ")
    text.append(f"{feed.pushes:,} pushes", style="bold green")
    if feed.median_latency_ms is not None:
        slowest = max(feed.latencies_ms)
        text.append(f" (median {feed.median_latency_ms:.0f} ms, slowest {slowest:.0f} ms)")
    text.append(" · ")
    text.append(f"{feed.redeemed:,} redeemed", style="bold magenta")
    text.append("\nsilence: ", style="yellow")
    text.append(
        " · ".join(f"{reason} {count:,}" for reason, count in feed.silences.most_common(5)) or "none yet"
    )
    return text


def plain_line(row: Happening) -> str:
    """A happening on one line of at most 100 characters."""
    took = "" if row.latency_ms is None else f" {row.latency_ms:.0f} ms"
    what = f"{row.text}. {row.detail}" if row.detail else row.text
    line = f"{clock_time(row.at_us)} {_MARKS[row.kind]:<7} {row.shopper} | {row.store} |{took} {what}"
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def clock_time(at_us: int) -> str:
    """The time of day where the terminal is."""
    return f"{from_us(at_us).astimezone():%H:%M:%S}"


def _newest(rows: Iterable[Happening], *, lines: int) -> list[Happening]:
    """The newest rows that fit into so many lines, the newest last."""
    chosen: list[Happening] = []
    for row in reversed(list(rows)):
        lines -= 2 if row.detail else 1
        if lines < 0:
            break
        chosen.append(row)
    return chosen[::-1]
