"""Access to PostgreSQL: a pool whose connections run as the role that row-level security binds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import asyncpg
import msgspec
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from server.errors import VicinoError

if TYPE_CHECKING:
    #: What a transaction's block works with.
    Connection: TypeAlias = PoolConnectionProxy[Record]
else:  # generic in the stubs alone
    Connection = PoolConnectionProxy

#: The role that the migrations make: it owns nothing, so it sees only the rows of the transaction's retailer.
APP_ROLE = "vicino_app"
OLDEST_MAJOR = 15

_ACQUIRE_TIMEOUT_S = 5.0
_COMMAND_TIMEOUT_S = 10.0

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    # A connection used between the server's last message and the end of the stream.
    asyncpg.InternalClientError,
)


class DatabaseError(VicinoError):
    """Base of what can be wrong with the database itself."""


class DatabaseBusy(DatabaseError):  # noqa: N818 - errors are named for the next move: shed the request
    """No connection was free, or no answer came, within the time-out. Nothing is known to be committed."""


class DatabaseGone(DatabaseError):  # noqa: N818 - try again when it is back
    """The server cannot be reached, or went away. If during a commit, whether it took effect is unknown."""


class DatabaseUnfit(DatabaseError):  # noqa: N818 - an operator must act
    """The server is reached but of no use: too old, not migrated, or it refuses the user."""


class Database:
    """A pool of connections. Each runs as `vicino_app`, reads and writes jsonb as Python values."""

    def __init__(self, pool: asyncpg.Pool[Record]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, connections: int = 10, idle_s: float | None = None) -> Self:
        """Connects to the migrated database at `url`. Raises DatabaseGone and DatabaseUnfit.

        A command may take 10 s, unless it is given another `timeout`. A transaction in which nothing happens
        for `idle_s` ends: its process hangs, and others wait for what it has locked.
        """
        pool = asyncpg.create_pool(
            url,
            min_size=0,  # the pool's own refilling would fill the log while the server is away
            max_size=connections,
            timeout=_ACQUIRE_TIMEOUT_S,
            command_timeout=_COMMAND_TIMEOUT_S,
            init=_prepare,
            # Everything that is set is set for a transaction: nothing has to be taken back afterwards.
            reset=_as_it_is,
            # As a start-up setting the role is the session's default: no reset undoes it.
            server_settings={"role": APP_ROLE, "application_name": "vicino", "timezone": "UTC"}
            | ({} if idle_s is None else {"idle_in_transaction_session_timeout": str(round(idle_s * 1000))}),
        )
        try:
            await pool
            async with pool.acquire(timeout=_ACQUIRE_TIMEOUT_S):
                return cls(pool)
        except BaseException as error:
            pool.terminate()
            if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError | ValueError):
                raise _cannot_open(error) from error
            raise

    async def close(self) -> None:
        """Waits for the running transactions, then closes every connection."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self, retailer_id: str, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """A transaction that sees and writes the rows of `retailer_id` alone; committed when the block ends.

        With `snapshot` all its statements see the database as it was at the first (for long reads).
        Raises DatabaseBusy and DatabaseGone, also for what goes wrong inside the block.
        """
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN"
        async with self._acquire() as connection:
            # In hexadecimal no id can be anything but an id; so both go in one round trip.
            name = f"convert_from('\\x{retailer_id.encode().hex()}', 'UTF8')"
            try:
                await connection.execute(f"{begin}; SELECT set_config('vicino.retailer_id', {name}, true)")
                yield connection
            except BaseException:
                try:
                    await connection.execute("ROLLBACK")
                except Exception:  # noqa: BLE001 - it is gone, or in the middle of something: nobody uses it again
                    with suppress(asyncpg.InterfaceError):  # the pool has let it go already
                        connection.terminate()
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """A connection on which every statement is a transaction of its own, of no retailer at first: for
        functions that set theirs.
        """
        async with self._acquire() as connection:
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """A transaction of no retailer: every table of tenants is empty to it. For the questions that are
        asked before the tenant is known (the SECURITY DEFINER functions) and for `signing_keys`.
        """
        async with self._acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[Connection]:
        try:
            # This time-out bounds the release too, where a paused server would hold the caller for ever.
            connection = await self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S)
        except (asyncpg.TooManyConnectionsError, TimeoutError) as error:
            raise DatabaseBusy("the database has no connection to spare") from error
        except (*_GONE, OSError) as error:
            # A refused connection is refused without a pause: a caller that tries again at once would
            # otherwise keep everything else from running, the supervisor of the database included.
            await asyncio.sleep(0)
            raise DatabaseGone(f"the database is not reachable: {_first_line(error)}") from error
        try:
            try:
                yield connection
            finally:
                await self._pool.release(connection)
        except TimeoutError as error:
            raise DatabaseBusy("the database did not answer in time") from error
        except (*_GONE, ConnectionError, asyncpg.InterfaceError) as error:
            if isinstance(error, asyncpg.InterfaceError) and "closed" not in str(error):
                raise  # our own mistake
            raise DatabaseGone(f"the database went away: {_first_line(error)}") from error


async def _prepare(connection: asyncpg.Connection[Record]) -> None:
    major = connection.get_server_version().major
    if major < OLDEST_MAJOR:
        raise DatabaseUnfit(f"PostgreSQL {major} is too old: Vicino needs {OLDEST_MAJOR} or newer")
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode, format="text"
        )


async def _as_it_is(_: object) -> None:
    """Leaves a connection as its last user did."""


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def out_of_order(error: Exception) -> DatabaseError | None:
    """What an error says of the database, rather than of what it was asked; None where that is to blame.

    To blame are values that are wrong, break a constraint or exceed a limit (SQLSTATE classes 22, 23 and 54).
    Everything else passes or is an operator's to mend: read-only, full, deadlock, another schema.
    """
    if isinstance(error, DatabaseError):
        return error
    if not isinstance(error, asyncpg.PostgresError) or str(error.sqlstate)[:2] in {"22", "23", "54"}:
        return None
    if isinstance(error, asyncpg.SyntaxOrAccessError):
        return DatabaseUnfit("the database has another schema or refuses its role: run ./vicino migrate")
    return DatabaseBusy(f"the database refuses just now ({type(error).__name__})")


def _cannot_open(error: Exception) -> DatabaseError:
    if isinstance(error, (OSError, *_GONE)):
        return DatabaseGone(f"the database is not reachable: {_first_line(error)}")
    if f'"{APP_ROLE}" does not exist' in str(error):
        return DatabaseUnfit("the database is not migrated: run ./vicino migrate")
    return DatabaseUnfit(f"the database cannot be used: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
