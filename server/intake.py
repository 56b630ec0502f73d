"""Devices that are known by their client's own name: they appear at first sight, and are listened to.

Whoever holds the app key, which is public, may speak for such a device: what it says is a claim. A device
that registered has a token, and speaks with that alone.
"""

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from geo.fix import Fix
from offers.ids import derived_id
from server.admit import Admitted
from server.attestation import Attestors, Statement, trust_in
from server.auth import Caller
from server.clients.heard import Heard, Refused
from server.clients.radar import Happened
from server.clients.regions import NOTHING, Change
from server.clock import Clock, from_us, to_us
from server.db import Database
from server.desk import Desk
from server.edge.room import Worth
from server.inputs import RecordFixes, RegisterDevice
from server.lane import Poison
from server.metrics import Metrics
from server.problems import Problem
from server.sql import queries
from server.watched import Watched, request_of
from server.wire import MOST_RECORDS, rfc3339

SQL = queries("phones")

KNOWN_MOST = 200_000  #: devices whose shopper is remembered
TROUBLES_MOST = 20  #: kinds of trouble that are kept of one request
KNOWN_US = 900 * 1_000_000  #: … for so long; a device that changes hands here is looked up anew at once
ADDRESS_US = 86_400 * 1_000_000  #: a push address that has not changed is confirmed once a day


class Known(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device as it was looked up last."""

    shopper_id: str
    until_us: int
    by_app_key: bool  #: the app key is enough to speak for it
    address: tuple[str, str] | None = None  #: the push address that was written last …
    confirmed_us: int = 0  #: … and when


class Speaker(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who sends, for which device, by which client."""

    caller: Caller
    client: str
    device_id: str

    @property
    def retailer_id(self) -> str:
        return self.caller.retailer_id


class Intake:
    """Takes what clients say to the engine, under the shopper whose device it is."""

    def __init__(
        self, database: Database, engine: Desk, clock: Clock, metrics: Metrics, attestors: Attestors
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._metrics = metrics
        self._known: dict[tuple[str, str], Known] = {}
        self._watched = Watched(database)
        self._attestors = attestors
        engine.when_erased(self._forget_shoppers)

    async def take(self, speaker: Speaker, heard: Heard, received_at_us: int) -> bytes:
        """Has everything processed, durably. Raises Problem 403, or what the database is to blame for.

        What is refused for itself (no consent, too old, in a sensitive place) is counted and not told: a
        client has no ear for it. Returns the JSON of when the device should report next; empty where that
        is not known.
        """
        await self._watched.name_numbers(speaker.retailer_id, speaker.device_id, heard)
        shopper_id = await self._shopper(speaker, heard.address)
        hint = await self._submit(speaker, shopper_id, heard, received_at_us)
        if hint is None:
            self.forget(speaker.retailer_id, speaker.device_id)  # it is another shopper's by now
            shopper_id = await self._shopper(speaker, heard.address)
            hint = await self._submit(speaker, shopper_id, heard, received_at_us)
        return hint or b""

    async def regions(self, speaker: Speaker, heard: Heard, body: bytes, hint: bytes) -> Change:
        """What the answer to this request has to say of the circles to watch, by the hint of `take`."""
        if not hint:
            return NOTHING
        return await self._watched.tell(speaker.retailer_id, speaker.device_id, heard, hint, body)

    def nothing_to_tell(self, speaker: Speaker, fix: Fix, body: bytes, hint: bytes) -> bool:
        """Whether it can be seen at a glance that `regions` would find nothing."""
        return not hint or self._watched.unchanged(
            speaker.retailer_id, speaker.device_id, fix, hint, request_of(body)
        )

    def known(self, speaker: Speaker) -> str | None:
        """The device's shopper, where nothing has to be looked up or refused for that."""
        known = self._known.get((speaker.retailer_id, speaker.device_id))
        if known is None or known.until_us <= self._clock.now_us():
            return None
        return known.shopper_id if known.by_app_key or speaker.caller.kind != "app" else None

    def put(self, speaker: Speaker, shopper_id: str, fix: Fix, at_us: int) -> "asyncio.Future[Admitted]":
        """Has a known shopper's one fix processed; for a retailer for whom there is an `outlook`. What comes
        of it is for `counted`. Raises Busy.
        """
        item = RecordFixes(
            shopper_id=shopper_id,
            received_at_us=at_us,
            device_id=speaker.device_id,
            fixes=(fix,),
            backlog=True,
        )
        return self._engine.put(speaker.retailer_id, item, Worth.ALL)

    def counted(self, admitted: Admitted) -> bytes | None:
        """The hint for the device after its fixes, which are counted; None where it is another shopper's."""
        if any(one.reason == "unknown_device" for one in admitted.refusals):
            return None
        self._metrics.fixes_accepted.inc(admitted.accepted)
        for one in admitted.refusals:
            self._metrics.fixes.labels(one.reason).inc()
        return admitted.next

    async def happened(self, speaker: Speaker, received_at_us: int) -> tuple[list[str], list[Happened]]:
        """The geofences that the device is in, and what came of the fixes received at that time."""
        names = (speaker.retailer_id, speaker.device_id)
        async with self._database.transaction(speaker.retailer_id) as connection:
            rows = await connection.fetch(SQL["happened"], *names, from_us(received_at_us))
            visiting = [row["geofence"] for row in await connection.fetch(SQL["visiting"], *names)]
        events = [
            Happened(
                id=row["transition_id"],
                kind=row["kind"],
                geofence=row["geofence"],
                at=rfc3339(to_us(row["at"])),
                confidence=row["confidence"],
            )
            for row in rows
        ]
        return visiting, events

    async def trust_in(self, statement: Statement) -> float | None:
        """What the retailer's verifier thinks of a registration. Raises Problem 403 and 503."""
        async with self._database.transaction(statement.retailer_id) as connection:
            name = await connection.fetchval(SQL["attestor_of"], statement.retailer_id)
        return await trust_in(self._attestors, name or "none", statement)

    def forget(self, retailer_id: str, device_id: str) -> None:
        """The device's shopper has changed."""
        self._known.pop((retailer_id, device_id), None)
        self._watched.forget(retailer_id, device_id)

    def _forget_shoppers(self, _: str, shopper_ids: Collection[str]) -> None:
        """They were erased: what their devices watch tells where they were."""
        for name in [name for name, known in self._known.items() if known.shopper_id in shopper_ids]:
            self.forget(*name)

    async def put_aside(
        self, retailer_id: str, client: str, device_id: str | None, refused: Sequence[Refused]
    ) -> None:
        """Keeps what was wrong with records, never what they said: each kind of trouble once a day."""
        for one in refused:
            self._metrics.fixes.labels(one.reason).inc()
        if not refused:
            return
        now = from_us(self._clock.now_us())
        rows = [
            (retailer_id, now, device_id or "", one.reason, f"{client}: {one.detail}; {one.shape}")
            for one in list(dict.fromkeys(refused))[:TROUBLES_MOST]
        ]
        async with self._database.transaction(retailer_id) as connection:
            await connection.executemany(SQL["put_aside"], rows)

    async def _submit(
        self, speaker: Speaker, shopper_id: str, heard: Heard, received_at_us: int
    ) -> bytes | None:
        """The hint for the device; None where it is another shopper's."""
        hint = b""
        fixes = sorted(heard.fixes, key=lambda fix: fix.fixed_at_us)
        reports = tuple(heard.reports[-MOST_RECORDS:])
        for start in range(0, max(len(fixes), 1 if reports else 0), MOST_RECORDS):
            part = RecordFixes(
                shopper_id=shopper_id,
                received_at_us=received_at_us,
                device_id=speaker.device_id,
                fixes=tuple(fixes[start : start + MOST_RECORDS]),
                reports=reports if start + MOST_RECORDS >= len(fixes) else (),
                background=heard.background,
                backlog=True,
            )
            try:
                admitted = await self._engine.submit(speaker.retailer_id, part)
            except Poison:
                continue  # it was put aside; told of it, the client would send it for ever
            told = self.counted(admitted)
            if told is None:
                return None
            hint = told
        return hint

    async def _shopper(self, speaker: Speaker, address: tuple[str, str] | None) -> str:
        """The device's shopper; both appear where they are not known. Keeps a new push address."""
        name, now_us = (speaker.retailer_id, speaker.device_id), self._clock.now_us()
        known = self._known.get(name)
        if known is None or known.until_us <= now_us:
            known = await self._look_up(speaker, now_us, known)
        if known is not None and not known.by_app_key and speaker.caller.kind == "app":
            raise Problem(403, "other_device", "this device has registered: send its access token with it")
        new_address = address is not None and (
            known is None or address != known.address or now_us - known.confirmed_us > ADDRESS_US
        )
        if known is None or new_address:
            shopper_id = (
                derived_id("shp", speaker.retailer_id, "client", speaker.device_id)
                if known is None
                else known.shopper_id
            )
            await self._register(speaker, shopper_id, address, now_us)
            known = Known(
                shopper_id=shopper_id,
                until_us=now_us + KNOWN_US,
                by_app_key=known is None or known.by_app_key,
                address=address,
                confirmed_us=now_us,
            )
        if len(self._known) >= KNOWN_MOST:
            self._known.clear()
        self._known[name] = known
        return known.shopper_id

    async def _look_up(self, speaker: Speaker, now_us: int, before: Known | None) -> Known | None:
        async with self._database.transaction(speaker.retailer_id) as connection:
            row = await connection.fetchrow(SQL["find_phone"], speaker.retailer_id, speaker.device_id)
        if row is None:
            return None
        return Known(
            shopper_id=row["shopper_id"],
            until_us=now_us + KNOWN_US,
            by_app_key=row["by_app_key"],
            address=None if before is None else before.address,
            confirmed_us=0 if before is None else before.confirmed_us,
        )

    async def _register(
        self, speaker: Speaker, shopper_id: str, address: tuple[str, str] | None, now_us: int
    ) -> None:
        await self._engine.submit(
            speaker.retailer_id,
            RegisterDevice(
                shopper_id=shopper_id,
                received_at_us=now_us,
                device_id=speaker.device_id,
                platform=speaker.client,
                address=address,
                by_app_key=True,
            ),
        )
