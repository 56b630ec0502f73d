"""What an operator would look at first: each thing a server needs, and what to do where it is not well."""

import asyncio
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import msgspec
from aiokafka.errors import KafkaError

from notifications.errors import CredentialsUnusable
from notifications.providers.google_token import AccessTokens, load_service_account
from server.clock import SystemClock, to_us
from server.config import Config
from server.db import OLDEST_MAJOR, Database, DatabaseError
from server.errors import BadUse
from server.kafka.cluster import Cluster
from server.kafka.topics import KafkaUnfit, Topics, described
from server.migrate import MIGRATIONS
from server.parts import number_of_parts

APART_S = 2.0  #: clocks may be: more would make fixes stale, or come from the future
ROOM_BYTES = 1 << 30  #: that should be free where data is kept
REPLICAS = 3  #: of each record of Kafka, so that one broker may go
_NOT_REACHED = "check VICINO_DATABASE_URL, and that the server takes connections"
#: What connecting to a database may end with; the last is of an address that is none.
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    what: str
    well: bool
    told: str
    remedy: str = ""


async def examine_server(config: Config, url: str) -> list[Finding]:
    """Everything that a server of this configuration needs. Nothing is changed."""
    database = await _database(url)
    reached = database.remedy != _NOT_REACHED
    looks: list[Callable[[], Awaitable[Finding]]] = [
        *((lambda: _schema(url), lambda: _clock(url)) if reached else ()),  # else only the same again
        lambda: _room(config.data_dir),
        lambda: _push(config),
        lambda: _kafka(config, url if reached else None),
    ]
    return [database, *[await look() for look in looks]]


async def _database(url: str) -> Finding:
    what = "PostgreSQL"
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except _UNREACHABLE as error:
        return _bad(what, _of(error), _NOT_REACHED)
    try:
        major = connection.get_server_version().major
        durable = await connection.fetchval("SHOW synchronous_commit")
        most = int(await connection.fetchval("SHOW max_connections"))
    finally:
        await connection.close()
    if major < OLDEST_MAJOR:
        return _bad(what, f"version {major}", f"use {OLDEST_MAJOR} or newer")
    if durable == "off":
        return _bad(what, "synchronous_commit is off: a crash loses what was acknowledged", "set it to on")
    if most < 20:
        return _bad(what, f"takes {most} connections", "set max_connections to 12 a process, and some more")
    return _good(what, f"version {major}, {most} connections, commits are durable")


async def _schema(url: str) -> Finding:
    what = "schema"
    wanted = {path.name.partition("_")[0] for path in MIGRATIONS.glob("*.sql")}
    try:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            rows = await connection.fetch("SELECT version FROM schema_migrations")
        finally:
            await connection.close()
        async with await Database.open(url, connections=1):
            pass  # the role that row-level security binds can be taken
    except (*_UNREACHABLE, DatabaseError) as error:
        return _bad(what, _of(error), "run ./vicino migrate as the owner of the database")
    there = {row["version"] for row in rows}
    if missing := wanted - there:
        return _bad(what, f"{len(missing)} migrations are missing", "run ./vicino migrate")
    if newer := there - wanted:
        return _bad(what, f"{len(newer)} migrations of a newer Vicino", "run the newer version")
    return _good(what, "up to date; the server's role can be taken")


async def _clock(url: str) -> Finding:
    what = "clock"
    try:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            theirs_us = to_us(await connection.fetchval("SELECT clock_timestamp()"))
        finally:
            await connection.close()
    except _UNREACHABLE as error:
        return _bad(what, _of(error), "the clock is compared with PostgreSQL's")
    apart_s = abs(SystemClock().now_us() - theirs_us) / 1e6
    if apart_s > APART_S:
        return _bad(what, f"{apart_s:.1f} s apart from PostgreSQL's", "run NTP on both machines")
    return _good(what, "as PostgreSQL's")


async def _room(folder: Path) -> Finding:
    what = "disk"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < ROOM_BYTES:
        return _bad(what, f"{free >> 20} MiB free at {folder}", "make room: a full disk refuses all writing")
    return _good(what, f"{free >> 30} GiB free at {folder}")


async def _push(config: Config) -> Finding:
    what, path = "FCM", config.fcm_credentials
    if path is None:
        return _good(what, "no VICINO_FCM_CREDENTIALS: offers stay in the inbox")
    try:
        if _read_by_others(path):
            return _bad(what, f"{path} can be read by others", f"chmod 600 {path}")
        credentials, project = await asyncio.to_thread(load_service_account, path)
    except (OSError, CredentialsUnusable) as error:
        return _bad(what, str(error), "make a new key of the service account in the Firebase console")
    told = await AccessTokens(credentials, now_us=SystemClock().now_us).current()
    if not isinstance(told, str):
        return _bad(what, f"no access token: {told}", "check the network, the clock, and the account's key")
    return _good(what, f"project {project}: an access token was given")


async def _kafka(config: Config, url: str | None) -> Finding:
    """`url`: where partitions are noted; None where that is out of reach, and Kafka alone is looked at."""
    what, parts = "Kafka", None
    try:
        if url is not None:
            async with await Database.open(url, connections=1) as database, database.system() as connection:
                parts = await number_of_parts(connection)
    except (DatabaseError, asyncpg.PostgresError) as error:
        return _bad(what, _of(error), "its partitions are noted in the database: run ./vicino migrate")
    if config.kafka is None:
        if parts:
            return _bad(what, "the journal of this database is in Kafka", "set VICINO_KAFKA")
        return _good(what, "not used: the journal is in PostgreSQL")
    if config.kafka_key is not None and _read_by_others(config.kafka_key):
        return _bad(what, f"{config.kafka_key} can be read by others", f"chmod 600 {config.kafka_key}")
    try:
        cluster = Cluster.of(config)
        if trouble := await cluster.trouble():
            return _bad(what, trouble.told, trouble.remedy)
        there, replicas = await described(cluster, Topics(config.kafka_topics))
    except BadUse as error:
        told, _, remedy = str(error).partition(": ")
        return _bad(what, told, remedy)
    except (KafkaUnfit, KafkaError) as error:
        return _bad(
            what, str(error), "check that the brokers advertise addresses you reach, and the user's ACLs"
        )
    if url is not None and (not there or not parts):
        return _bad(what, "the topics are not set up for this database", "run ./vicino kafka setup")
    if parts is not None and there != parts:
        return _bad(
            what, f"{there} partitions, and {parts} noted", "run ./vicino kafka grow, never Kafka's tool"
        )
    if replicas < REPLICAS:
        return _bad(what, f"{replicas} copies of each record", "give the topics 3 replicas: a broker may die")
    return _good(what, f"{there} partitions, {replicas} copies of each record, {cluster.protocol}")


def _read_by_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _good(what: str, told: str) -> Finding:
    return Finding(what=what, well=True, told=told)


def _bad(what: str, told: str, remedy: str) -> Finding:
    return Finding(what=what, well=False, told=told, remedy=remedy)


def _of(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
