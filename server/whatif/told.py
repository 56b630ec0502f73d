"""A what-if for people: a table for a terminal, and a chart."""

from rich import box
from rich.console import Console
from rich.table import Table

from server.charts import Bars, bars
from server.whatif.tally import Difference, Tally

_ROWS = {
    "moments": "moments",
    "offers": "offers",
    "pushes": "offers pushed",
    "ghosts": "ghosts (holdout)",
    "silences": "silences",
    "shoppers": "shoppers with a moment",
    "reached": "shoppers with an offer",
    "spend_most": "spend, at the most",
}


def show(difference: Difference, console: Console) -> None:
    """Prints what differs."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(difference.day)
    for name in ("as it was", "what if", "difference"):
        table.add_column(name, justify="right")
    before, after = difference.before, difference.after
    for field, words in _ROWS.items():
        _row(table, words, getattr(before, field), getattr(after, field))
    table.add_section()
    for code in _codes(difference):
        _row(table, f"silent: {code}", *(_moments(one, code) for one in (before, after)))
    table.add_section()
    for offer in sorted({*before.by_offer, *after.by_offer}):
        _row(table, f"offer {offer}", before.by_offer.get(offer, 0), after.by_offer.get(offer, 0))
    console.print(table)
    told = (
        f"{difference.same:,} decisions are the same to the last character, {difference.different:,} are not."
    )
    console.print(told)
    if difference.left_out:
        console.print(
            f"{difference.left_out:,} outcomes of offers that would not have been made are left out; what "
            "would have become of other offers nobody knows."
        )


def chart(difference: Difference) -> str:
    """The same as SVG."""
    before, after = difference.before, difference.after
    series = ("as it was", "what if")
    counts = [
        (words, (float(getattr(before, field)), float(getattr(after, field))))
        for field, words in _ROWS.items()
    ]
    silent = [
        (code, tuple(float(_moments(one, code)) for one in (before, after))) for code in _codes(difference)
    ]
    hours = [
        (f"{hour:02d}:00 UTC", (float(was), float(would)))
        for hour, (was, would) in enumerate(zip(before.by_hour, after.by_hour, strict=True))
        if was or would
    ]
    return bars(
        Bars(title=f"What if: {difference.day}", series=series, rows=counts),
        Bars(title="Moments silent, by reason", series=series, rows=silent),
        Bars(title="Offers by hour", series=series, rows=hours),
    )


def _row(table: Table, words: str, before: object, after: object) -> None:
    change = float(str(after)) - float(str(before))
    table.add_row(words, f"{before:,}", f"{after:,}", f"{change:+,.6g}" if change else "")


def _codes(difference: Difference) -> list[str]:
    return list(dict.fromkeys([*difference.before.reasons, *difference.after.reasons]))


def _moments(tally: Tally, code: str) -> int:
    return tally.reasons[code].moments if code in tally.reasons else 0
