"""What the nightly model learns from: outcomes with their features at the time, as columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """n rows. A category's value is a text."""

    categories: dict[str, NDArray[np.str_]]
    numbers: dict[str, Floats] = {}
    context: tuple[str, ...]  #: categories that tell of the moment and the offer; the others tell of her
    shopper: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.shopper)

    @classmethod
    def of(
        cls,
        categories: Mapping[str, Sequence[str]],
        *,
        shopper: Sequence[str],
        context: Sequence[str] = (),
        numbers: Mapping[str, Floats] | None = None,
    ) -> "Table":
        return cls(
            categories={name: np.asarray(column, dtype=np.str_) for name, column in categories.items()},
            numbers=dict(numbers or {}),
            context=tuple(context),
            shopper=np.asarray(shopper, dtype=np.str_),
        )

    def take(self, rows: NDArray[np.intp]) -> "Table":
        """Some of its rows."""
        return Table(
            categories={name: column[rows] for name, column in self.categories.items()},
            numbers={name: column[rows] for name, column in self.numbers.items()},
            context=self.context,
            shopper=self.shopper[rows],
        )


class Levels:
    """The values that a column had, each with its place: all, or those of most rows."""

    def __init__(self, values: NDArray[Any], most: int | None = None) -> None:
        self.values, rows = np.unique(values, return_counts=True)
        if most is not None and len(self.values) > most:
            self.values = self.values[np.sort(np.argsort(-rows, kind="stable")[:most])]

    def __len__(self) -> int:
        return len(self.values)

    def codes(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """The place of each value; -1 for one that was not there."""
        places = np.minimum(np.searchsorted(self.values, values), len(self.values) - 1)
        return np.where(self.values[places] == values, places, -1)


class Coder:
    """Turns a table's texts into numbers as they were when a model was fitted: -1 is a text not seen then, or
    where only so many of each category are told apart, one of the rarer.
    """

    def __init__(self, table: Table, most: int | None = None) -> None:
        self.levels = {name: Levels(values, most) for name, values in table.categories.items()}
        self.levels[SHOPPER] = Levels(table.shopper)

    def codes(self, table: Table) -> dict[str, NDArray[np.intp]]:
        """Of each category and of `SHOPPER`."""
        columns = {**table.categories, SHOPPER: table.shopper}
        return {name: levels.codes(columns[name]) for name, levels in self.levels.items()}

    def crossed(self, codes: dict[str, NDArray[np.intp]], one: str, other: str) -> NDArray[np.intp]:
        """A number for each pair of values; -1 where either was not seen."""
        pair = codes[one] * len(self.levels[other]) + codes[other]
        return np.where((codes[one] >= 0) & (codes[other] >= 0), pair, -1)


SHOPPER = "shopper"
