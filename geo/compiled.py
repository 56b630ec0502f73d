"""Functions that run as machine code: what is done for every fix of a batch, over and over.

They are Python, which Numba compiles with LLVM. Floating point stays as written, operation by operation.
Compiling takes half a minute, so the code is kept in the package's `__pycache__`, in a folder named after
what it was made of: Numba itself notices a change in a function, and none in what that calls. Where that
folder cannot be written, every process compiles for itself.
"""

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.core.runtime.nrt import rtsys
from numba.extending import intrinsic

_Function = TypeVar("_Function", bound=Callable[..., Any])

_Scalar = TypeVar("_Scalar", bound=np.generic)

_PACKAGES = Path(__file__).parents[1]
_WHOLE = "whole"  #: a file in a package's folder: all that it has to be compiled is there
_CONFIG: Any = numba.config
_LLVM: Any = numba.core.cgutils
_Cache: Any = numba.core.caching.FunctionCache


def _made_of(package: Path) -> str:
    """A digest of all that may be compiled, and of what compiles it."""
    digest = hashlib.blake2b(f"{numba.__version__} {np.__version__}".encode(), digest_size=8)
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def _folder(package: str) -> Path:
    return _PACKAGES / package / "__pycache__" / f"compiled-{_made_of(_PACKAGES / package)}"


@cache
def _keeps(package: str) -> bool:
    """Whether the package's machine code can be kept. Where it is kept is set beforehand."""
    return _can_write(_folder(package))


_OPTIONS: dict[str, Any] = {"error_model": "numpy", "forceinline": True, "_nrt": False}


class _Kept(_Cache):  # type: ignore[misc] # Numba has no types
    """Machine code on disk. To read it in takes nothing of what compiling takes, which Numba prepares for all
    the same: half a second of processor time at every start. Where something has to be compiled, that is done
    then.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What Numba's own does, without the preparations but for what runs beside the code."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def compiled(function: _Function) -> _Function:
    """The function as machine code. It may only call others that are compiled, and take what Numba can.

    It must not make arrays: Numba then counts nobody's references, which takes most of the time otherwise.
    """
    package = function.__module__.split(".", 1)[0]
    _CONFIG.CACHE_DIR = str(_folder(package))
    made: Any = numba.njit(**_OPTIONS)(function)
    if _keeps(package):
        made._cache = _Kept(function)  # noqa: SLF001 - as its `enable_caching` does
    return cast("_Function", made)


def _touch(_context: Any, array: Any, index: Any) -> Any:
    """Has an element of an array of one dimension brought near the processor, which does not wait for it.

    For compiled functions alone: LLVM's `llvm.prefetch`. Beyond the array's end it does nothing.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind, index_kind = signature.args
        held = context.make_array(kind)(context, builder, values[0])
        at = context.cast(builder, values[1], index_kind, types.intp)
        element = _LLVM.get_item_pointer(context, builder, kind, held, [at])
        address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        takes = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        prefetch = _LLVM.get_or_insert_function(builder.module, takes, "llvm.prefetch.p0")
        to_read, keep, data = number(0), number(3), number(1)
        builder.call(prefetch, [builder.bitcast(element, address), to_read, keep, data])
        return context.get_dummy_value()

    return types.void(array, index), generate


touch: Any = intrinsic(_touch)


def behaved(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """An array as compiled functions know them, or a copy that is: for others they would be compiled anew."""
    return array if array.flags.carray else array.copy()


def is_kept(package: str) -> bool:
    """Whether nothing of a package is left to be compiled, or nothing that is compiled could be kept."""
    return (_folder(package) / _WHOLE).exists() or not _keeps(package)


def note_kept(package: str) -> None:
    """Says that all of a package is compiled."""
    if _keeps(package):
        (_folder(package) / _WHOLE).touch()


def forget_others() -> None:
    """Removes what was compiled from other versions of the code."""
    for kept in _PACKAGES.glob("*/__pycache__/compiled-*"):
        if kept != _folder(kept.parents[1].name):
            shutil.rmtree(kept, ignore_errors=True)
