# ruff: noqa: INP001 - a script beside the pages it writes, not a package
"""Writes `data-map.md` from `server/privacy/datamap.py`.

Run from the checkout: `PYTHONPATH=. .venv/bin/python docs/generate_data_map.py`. A test says when it is due.
"""

from pathlib import Path

from server.privacy.datamap import DATA_MAP
from server.privacy.table import Table

PAGE = Path(__file__).with_name("data-map.md")
HEAD = """# Data map

Every table, and of each every column that can say something of a person. It is written by
`docs/generate_data_map.py` from `server/privacy/datamap.py`, which a test compares with the schema.
How erasure, copies and retention work: [privacy](privacy.md).
"""


def page() -> str:
    """The page."""
    about = [table for table in DATA_MAP if table.personal]
    rest = [table for table in DATA_MAP if not table.personal]
    parts = [HEAD, *map(_section, about), "## Without shoppers\n", "| table | holds |", "|---|---|"]
    return "\n".join([*parts, *(f"| `{table.name}` | {table.about} |" for table in rest)]) + "\n"


def _section(table: Table) -> str:
    facts = [
        f"## {table.name}\n",
        f"{table.about[0].upper()}{table.about[1:]}.\n",
        f"- **Purpose**: {table.purpose}",
        f"- **Kept**: {table.kept}",
        f"- **Erasure**: {table.erased}",
        f"- **In a copy**: {_copied(table)}\n",
        "| column | says |",
        "|---|---|",
    ]
    columns = [f"| `{name}` | {says} |" for name, says in table.personal.items()]
    return "\n".join([*facts, *columns, ""])


def _copied(table: Table) -> str:
    if not table.exported:
        return table.copied
    held = [f"`{name}`" for name in table.withheld if name != "retailer_id"]
    return f"`{table.name}.ndjson`" + (f", without {' and '.join(held)}" if held else "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
