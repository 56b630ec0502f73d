"""A network of its own for a process of the rig, joined to the rest by one link, which can go down.

Where that is not permitted (it takes root, or its capabilities, and `ip`) there is none: only trying tells.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

import msgspec

LOOPBACK = "127.0.0.1"


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace of the network."""

    name: str
    outer: str  #: the address of everybody else, as seen from within
    inner: str  #: that of whoever is in it

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command is preceded by to run in it, as the same process."""
        return ("ip", "netns", "exec", self.name)

    async def down(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        await self._link("down")

    async def up(self) -> None:
        """It comes through again; what was sent meanwhile is sent again by TCP."""
        await self._link("up")

    async def _link(self, state: str) -> None:
        assert await _ip("-n", self.name, "link", "set", INSIDE, state), f"the link does not go {state}"


INSIDE = "vicino"  #: the link's name in there


@asynccontextmanager
async def apart() -> AsyncIterator[Apart | None]:
    """A namespace with its link up, gone with its block; None where none may be made."""
    # Of the range of RFC 2544, which is nobody's, eight addresses: other processes have others.
    network = IPv4Address("198.18.0.0") + 8 * (os.getpid() % (1 << 14))
    made = Apart(name=f"vicino-{os.getpid()}", outer=str(network + 1), inner=str(network + 2))
    link = f"vicino-{os.getpid()}"[:15]
    steps = (
        ("netns", "add", made.name),
        ("link", "add", link, "type", "veth", "peer", "name", INSIDE, "netns", made.name),
        ("addr", "add", f"{made.outer}/30", "dev", link),
        ("link", "set", link, "up"),
        ("-n", made.name, "addr", "add", f"{made.inner}/30", "dev", INSIDE),
        ("-n", made.name, "link", "set", INSIDE, "up"),
        ("-n", made.name, "link", "set", "lo", "up"),
        ("netns", "exec", made.name, "true"),
    )
    try:
        for step in steps:
            if not await _ip(*step):
                yield None
                return
        yield made
    finally:
        await _ip("link", "del", link)
        await _ip("netns", "del", made.name)


async def _ip(*arguments: str) -> bool:
    """Whether `ip` could do that."""
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec("ip", *arguments, stdout=quiet, stderr=quiet)
    except FileNotFoundError:
        return False
    return await process.wait() == 0
