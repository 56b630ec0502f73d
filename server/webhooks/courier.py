"""The courier: claims messages from the queue, posts them, records what became of them.

    poll -> claim (lease, fencing token) -> sign, post -> record

The same discipline as the relay of pushes: a claim skips what another courier holds, a result counts only
under its claim's fencing token, and what a dead courier held is due again when its leases have run out. So a
message may arrive twice, under the same `webhook-id`. Every endpoint has a few places of its own: a slow one
keeps nobody else waiting.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Collection
from contextlib import suppress
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import structlog
from standardwebhooks import Webhook

from server.backoff import Backoff
from server.clock import Clock, from_us, to_us
from server.db import Database
from server.sql import queries
from server.webhooks.guard import BlockedAddress, GuardedResolver, refuse_url
from server.webhooks.rules import SECOND_US, Attempt, secret_of, verdict

SQL = queries("webhooks")
log = structlog.get_logger("vicino.webhooks")

PLACES = 8  #: messages on their way to one endpoint
LEASE_S = 60.0
ATTEMPT_S = 20.0  #: how long a receiver may take, resolving and connecting included
POLL_S = 0.5
FORGET_EVERY_S = 600.0
KEEP_DAYS = 7  #: how long a settled message is kept, and so can be replayed
_ANSWER_BYTES = 4_096  #: of an answer's body that are read; nothing is made of them
_EVERYBODY = ""

_encode = msgspec.json.encode


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where messages go, and what signs them."""

    retailer_id: str
    endpoint_id: str
    url: str
    secrets: tuple[str, ...]  #: the newest first; two while a rotation overlaps


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A claimed message."""

    message_id: str
    body: bytes
    attempts: int
    fencing: int
    queued_at_us: int


class Courier:
    """One courier; any number may run at once. `run` it until it is cancelled."""

    def __init__(self, database: Database, clock: Clock, *, private_hosts: Collection[str]) -> None:
        self._database = database
        self._clock = clock
        self._private_hosts = private_hosts
        self._backoff = Backoff()
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._forgotten_at_s = 0.0

    async def run(self) -> None:
        """Sends until cancelled. Outlives every failure of the database and of receivers."""
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(self._private_hosts), limit=0)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            asyncio.TaskGroup() as sends,
        ):
            while True:
                if self._backoff.ready(_EVERYBODY):
                    await self._try("round", self._round(session, sends))
                await asyncio.sleep(POLL_S)

    async def _round(self, session: aiohttp.ClientSession, sends: asyncio.TaskGroup) -> None:
        """Claims for every endpoint that has something due and a place left."""
        async with self._database.system() as connection:
            due = await connection.fetch(SQL["due_endpoints"], from_us(self._clock.now_us()))
        for retailer_id, endpoint_id in due:
            if (room := PLACES - self._under_way[retailer_id, endpoint_id]) > 0:
                endpoint, messages = await self._claim(retailer_id, endpoint_id, room)
                for message in messages:
                    self._under_way[retailer_id, endpoint_id] += 1
                    sends.create_task(self._send(session, endpoint, message))
        await self._forget()

    async def _claim(self, retailer_id: str, endpoint_id: str, room: int) -> tuple[Endpoint, list[Message]]:
        now_us = self._clock.now_us()
        now, until = from_us(now_us), from_us(now_us + round(LEASE_S * SECOND_US))
        async with self._database.transaction(retailer_id) as connection:
            endpoint = await connection.fetchrow(SQL["endpoint"], retailer_id, endpoint_id)
            secret = await connection.fetchval(SQL["retailer_secret"], retailer_id)
            rows = await connection.fetch(SQL["claim_messages"], retailer_id, endpoint_id, now, until, room)
        assert endpoint is not None, "a message has an endpoint: the foreign key says so"
        messages = [
            Message(
                message_id=row["message_id"],
                body=_encode(row["payload"]),
                attempts=row["attempts"],
                fencing=row["fencing"],
                queued_at_us=to_us(row["queued_at"]),
            )
            for row in rows
        ]
        return endpoint_of(endpoint, secret, now_us), messages

    async def _send(self, session: aiohttp.ClientSession, endpoint: Endpoint, message: Message) -> None:
        try:
            attempt = await self._attempt(session, endpoint, message)
            await self._try("record", self._record(endpoint, message, attempt))
        finally:
            self._under_way[endpoint.retailer_id, endpoint.endpoint_id] -= 1

    async def _attempt(self, session: aiohttp.ClientSession, endpoint: Endpoint, message: Message) -> Attempt:
        if refuse_url(endpoint.url, self._private_hosts) is not None:  # allowed once, and no more
            return Attempt(reason="blocked_address")
        headers = signed(message.message_id, message.body, endpoint.secrets, self._clock.now_us())
        try:
            async with session.post(
                endpoint.url, data=message.body, headers=headers, allow_redirects=False
            ) as response:
                await response.content.read(_ANSWER_BYTES)
                return Attempt(status=response.status, after_s=_after_s(response.headers.get("Retry-After")))
        except TimeoutError:
            return Attempt(reason="timeout")
        except aiohttp.ClientConnectorError as error:
            blocked = isinstance(error.os_error, BlockedAddress)
            return Attempt(reason="blocked_address" if blocked else "unreachable")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("webhook_attempt_failed", message_id=message.message_id, error=type(error).__name__)
            return Attempt(reason="broken_connection")

    async def _record(self, endpoint: Endpoint, message: Message, attempt: Attempt) -> None:
        now_us = self._clock.now_us()
        made = verdict(message.message_id, message.attempts, message.queued_at_us, attempt, now_us=now_us)
        due_at = None if made.due_at_us is None else from_us(made.due_at_us)
        async with self._database.transaction(endpoint.retailer_id) as connection:
            await connection.execute(
                SQL["settle_message"],
                endpoint.retailer_id,
                message.message_id,
                message.fencing,
                made.state,
                made.reason,
                attempt.status,
                due_at,
                from_us(now_us),
            )
            if made.disables:
                await connection.execute(
                    SQL["disable_endpoint"],
                    endpoint.retailer_id,
                    endpoint.endpoint_id,
                    from_us(now_us),
                    "the receiver answered 410 Gone",
                )

    async def _forget(self) -> None:
        """Lets settled messages go after a week."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._forgotten_at_s + FORGET_EVERY_S:
            return
        self._forgotten_at_s = now_s
        before = from_us(self._clock.now_us()) - timedelta(days=KEEP_DAYS)
        async with self._database.system() as connection:
            retailers = [row[0] for row in await connection.fetch(queries("engine")["retailer_ids"])]
        for retailer_id in retailers:
            async with self._database.transaction(retailer_id) as connection:
                await connection.execute(SQL["forget_messages"], retailer_id, before)

    async def _try(self, step: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the database may be away: leases bring back what was held
            delay_s = self._backoff.failed(_EVERYBODY)
            told = {"error": type(error).__name__, "again_in_s": round(delay_s, 1)}
            log.warning("webhooks_trouble", step=step, **told)
        else:
            self._backoff.succeeded(_EVERYBODY)


def endpoint_of(row: Any, retailer_secret: bytes, now_us: int) -> Endpoint:
    """An endpoint as its row has it, with the secrets that sign now."""
    overlaps = row["overlap_until"] is not None and to_us(row["overlap_until"]) > now_us
    generations = (row["generation"], row["generation"] - 1) if overlaps else (row["generation"],)
    return Endpoint(
        retailer_id=row["retailer_id"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        secrets=tuple(secret_of(retailer_secret, row["endpoint_id"], one) for one in generations),
    )


def signed(message_id: str, body: bytes, secrets: Collection[str], now_us: int) -> dict[str, str]:
    """The headers of an attempt, signed with each of the secrets."""
    text, at = body.decode(), from_us(now_us)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now_us // SECOND_US),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, text) for secret in secrets),
        "Content-Type": "application/json",
        "User-Agent": "Vicino-Webhooks/1",
    }


def _after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After names; its form as a date is not understood, and so no wait of its own."""
    with suppress(ValueError):
        return max(0.0, float(header)) if header is not None else None
    return None
