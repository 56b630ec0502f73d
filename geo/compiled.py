"""Functions that run as machine code: what is done for every fix of a batch, over and over.

They are Python, which Numba compiles with LLVM. Floating point stays as written, operation by operation.
Compiling takes half a minute, so the code is kept in `__pycache__`, in a folder named after what it was made
of: Numba itself notices a change in a function, and none in what that calls.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])

_GEO = Path(__file__).parent


def _made_of() -> str:
    """A digest of all that may be compiled, and of what compiles it."""
    digest = hashlib.blake2b(f"{numba.__version__} {np.__version__}".encode(), digest_size=8)
    for path in sorted(_GEO.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_CONFIG: Any = numba.config
_CONFIG.CACHE_DIR = str(_GEO / "__pycache__" / f"compiled-{_made_of()}")


def compiled(function: _Function) -> _Function:
    """The function as machine code. It may only call others that are compiled, and take what Numba can.

    It must not make arrays: Numba then counts nobody's references, which takes most of the time otherwise.
    """
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "forceinline": True, "_nrt": False}
    return cast("_Function", numba.njit(**options)(function))
