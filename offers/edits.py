"""Tables that are published anew with some entries changed."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def edited(table: dict[str, T], changes: Mapping[str, T | None]) -> dict[str, T]:
    """A table in the order of its keys after changes; None takes an entry out."""
    if not changes:
        return table
    changed = {**table, **changes}
    keys = changed if len(changed) == len(table) else sorted(changed)
    return {key: value for key in keys if (value := changed[key]) is not None}
