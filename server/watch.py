"""What a process of several hears of the others: what its database tells those who listen.

A connection that breaks hears nothing: until it is back nothing is remembered that another process may have
changed; and every second the newest versions are asked for, heard of or not.
"""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import structlog

log = structlog.get_logger("vicino.watch")

CONSENTS = "vicino_consents"  #: whose consents have changed: retailer, a blank, shopper
PUSHES = "vicino_pushes"  #: there are pushes to be sent
ENGINE_LOCK = 0x56494349  #: an engine that is alone holds it alone, those of several processes share it
UPKEEP_LOCK = ENGINE_LOCK + 1
POLL_S = 1.0
AGAIN_S = 0.5  #: after a broken connection


class Watch:
    """One connection that listens. `run` it."""

    def __init__(
        self,
        url: str,
        listeners: Mapping[str, Callable[[str], None]],
        *,
        on_version: Callable[[str], None] = lambda _retailer_id: None,
        on_blind: Callable[[], None] = lambda: None,
        upkeep: bool = False,
    ) -> None:
        self._url = url
        self._listeners = listeners
        self._on_version = on_version
        self._on_blind = on_blind
        self._upkeep = upkeep
        self._versions: dict[str, int] = {}
        self.hears = False
        self.keeps_up = False  #: whether upkeep is this process's

    async def run(self) -> None:
        """Listens until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("not_listening", error=type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
        try:
            await connection.execute("SELECT pg_try_advisory_lock_shared($1)", ENGINE_LOCK)
            for channel in self._listeners:
                await connection.add_listener(channel, self._heard)
            self.hears = True
            while True:
                await self._look(connection)
                await asyncio.sleep(POLL_S)
        finally:
            self.hears = self.keeps_up = False
            self._on_blind()
            connection.terminate()

    async def _look(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Finds what nobody told of."""
        if self._upkeep and not self.keeps_up:
            self.keeps_up = await connection.fetchval("SELECT pg_try_advisory_lock($1)", UPKEEP_LOCK)
        for row in await connection.fetch("SELECT retailer_id, version FROM newest_versions()"):
            if self._versions.get(row["retailer_id"]) != row["version"]:
                self._versions[row["retailer_id"]] = row["version"]
                self._on_version(row["retailer_id"])

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._listeners[channel](str(payload))
