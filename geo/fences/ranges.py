"""Many runs of numbers at once, which is what most of the index is made of."""

from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[Any]


def as_view(array: Any) -> memoryview:
    """An array's numbers for Python, which reads them one by one much faster so."""
    return memoryview(array)


def spread(begin: Integers, count: Integers) -> tuple[npt.NDArray[np.int32], Integers]:
    """`begin[i]`, `begin[i] + 1`, … `count[i]` numbers for every i, beside the i they are of."""
    return np.arange(len(begin), dtype=np.int32).repeat(count), numbers(begin, count)


def numbers(begin: Integers, count: Integers) -> Integers:
    """`begin[i]`, `begin[i] + 1`, … `count[i]` numbers for every i, one after the other."""
    ends = count.cumsum(dtype=begin.dtype)
    found = np.arange(ends[-1] if len(ends) else 0, dtype=begin.dtype)
    shift = begin - ends
    shift += count
    found += shift.repeat(count)
    return found


def places_of(first: Integers, index: Integers) -> tuple[Integers, Integers]:
    """Of rows in runs `first[i]` … `first[i + 1] - 1`: those of the runs `index`, and where each begins then.

    The second array has one more entry, the number of rows.
    """
    begin = first[index]
    count = first[index + 1] - begin
    return numbers(begin, count), np.concatenate([[0], count.cumsum()]).astype(first.dtype)
