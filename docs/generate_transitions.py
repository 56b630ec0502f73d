# ruff: noqa: INP001 - a script beside the pages it writes, not a package
"""Draws the transition table of `geo/transition.py` as the state diagram in `docs/architecture.md`.

    PYTHONPATH=. .venv/bin/python docs/generate_transitions.py

Run it after changing the table; a test fails where the page shows another one.
"""

from collections.abc import Mapping
from pathlib import Path

from geo.transition import TABLE, Kind, Sign, State

PAGE = Path(__file__).with_name("architecture.md")
BEGIN = "<!-- transitions: written by docs/generate_transitions.py -->"
END = "<!-- end of transitions -->"


def diagram(table: Mapping[tuple[State, Sign], tuple[State, Kind]] = TABLE) -> str:
    """The table as a Mermaid state diagram: an arrow says which signs cause it, and what is told."""
    signs: dict[tuple[State, State, Kind], list[str]] = {}
    for (state, sign), (next_state, kind) in table.items():
        signs.setdefault((state, next_state, kind), []).append(sign.name)
    arrows = [
        f"    {state.name} --> {next_state.name}: {' or '.join(names)} / {kind}"
        for (state, next_state, kind), names in signs.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {State.OUTSIDE.name}", *arrows, "```"])


def with_diagram(page: str) -> str:
    """The page with the diagram between its two markers. Raises ValueError where it has not both."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN!r} or {END!r}")
    return f"{before}{BEGIN}\n{diagram()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_diagram(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
