"""What the nightly model learns from: outcomes with their features at the time, as columns."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """n rows. A category's value is a text; a level that was not there when the model was made counts as none."""

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
    """The texts that a category, or the pair of two, had: to columns of a matrix and back never."""

    def __init__(self, values: NDArray[np.str_]) -> None:
        self.values = np.unique(values)

    def __len__(self) -> int:
        return len(self.values)

    def codes(self, values: NDArray[np.str_]) -> NDArray[np.intp]:
        """The place of each value; -1 for one that was not there."""
        places = np.minimum(np.searchsorted(self.values, values), len(self.values) - 1)
        return np.where(self.values[places] == values, places, -1)


def crossed(one: NDArray[np.str_], other: NDArray[np.str_]) -> NDArray[np.str_]:
    """Both values as one."""
    return np.char.add(np.char.add(one, "\x1f"), other)
