"""What is compiled is compiled before a server listens: it could answer nobody meanwhile.

`make setup` does so. After an upgrade without it the first start takes half a minute longer, and says so.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from geo.compiled import is_kept
from server.errors import BadUse

PACKAGES = ("geo", "offers")
ROOT = Path(__file__).parents[1]


async def compile_what_is_new(say: Callable[[str], None]) -> None:
    """Compiles in processes of their own, which keep it, what no earlier start has. Raises BadUse."""
    for package in PACKAGES:
        if not is_kept(package):
            say(f"Compiling {package}/, which takes up to half a minute and is kept …")
            program = (sys.executable, "-m", f"{package}.warm")
            process = await asyncio.create_subprocess_exec(*program, cwd=ROOT)
            if await process.wait() != 0:
                raise BadUse(f"python -m {package}.warm failed: see above")
