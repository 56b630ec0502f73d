"""The database that the configuration asks for: the one at its URL, or an embedded one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.config import Config
from server.postgres.cluster import place_of
from server.postgres.lock import read_owner
from server.postgres.supervisor import EmbeddedPostgres


@asynccontextmanager
async def database_url(config: Config, *, share: bool = False) -> AsyncIterator[str]:
    """The URL of the database that `config` asks for, valid for the block.

    Without VICINO_DATABASE_URL that is an embedded server of this process. With `share` (short commands) it
    is the one that a running Vicino already has on the same data directory, where there is one.
    Raises DataDirectoryInUse and PostgresUnavailable.
    """
    if config.database_url is not None:
        yield config.database_url
        return
    if share:
        owner = read_owner(place_of(config.data_dir).home)
        if owner is not None and owner.url is not None:
            yield owner.url
            return
    async with EmbeddedPostgres(config.data_dir, pg_bin=config.pg_bin) as server:
        yield server.url
