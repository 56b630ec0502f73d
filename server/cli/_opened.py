"""The database of a command: migrated, and shared with a server that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.config import Config
from server.db import Database
from server.migrate import migrate
from server.postgres import database_url


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Database]:
    """Raises what the server would: BadUse, and the database's errors."""
    async with database_url(config, share=True) as url:
        await migrate(url)
        async with await Database.open(url) as database:
            yield database
