"""What these benchmarks share: a shorter run where BENCH_SHORT is set, and processes."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")
SHORT = bool(os.environ.get("BENCH_SHORT"))


def side_by_side(what: Callable[..., T], each: Iterable[Any]) -> list[T]:
    """The results in order, of one process per core, each with one thread for its arithmetic."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(what, each))
