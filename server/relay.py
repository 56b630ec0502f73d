"""The relay: claims pushes from the outbox, checks them once more, sends them, records what became of them.

    wake or due time -> pace -> claim (lease, fencing token) -> check consent, expiry, lateness -> send
    -> record

Relays need not know of each other: a claim skips what another holds, and a result counts only under the
fencing token of its claim. A relay that dies leaves leases that run out; the push then goes out again under
the same push id, which a phone shows once (unless its retailer wants at most once: then it fails).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct

from notifications.outbox import PushRow, check, push_of, settle
from notifications.pace import Pace, PaceRules
from notifications.providers.base import Provider
from notifications.push import AddressGone, Ambiguous, Misconfigured, Outcome, PushAddress, RetryLater
from server import crash
from server.backoff import Backoff
from server.clock import Clock
from server.db import Connection, Database
from server.outbox import Result, due_retailers, lease, save
from server.recorder import Observer, Recorder, failed
from server.waiting import set_within

_LOG = structlog.get_logger("vicino.relay")
_MICROSECONDS = 1_000_000
#: The backoff of questions that concern no single retailer.
_EVERYBODY = ""

#: Given claimed pushes, in their retailer's transaction: the reason for each that is not to be sent any more
#: (consent withdrawn, no longer near), by push id.
StillWanted = Callable[[Connection, Sequence[PushRow]], Awaitable[Mapping[str, str]]]


class RelayRules(Struct, frozen=True, kw_only=True, gc=False):
    """How a relay works."""

    #: Pushes claimed and not yet recorded, at most; no more than the provider sends at once.
    in_flight: int = 400
    #: How long a claim waits for half of that room: to claim many costs little more than to claim one.
    gather_s: float = 0.05
    #: A claim that is not recorded within this is open to every relay again.
    lease_s: float = 30.0
    #: An attempt is given up within the lease, so that its result still counts.
    attempt_s: float = 25.0
    #: A push that is older than this at its first claim, counted from the fix, stays in the inbox.
    late_s: float = 3.0
    #: How often the outbox is looked at when nobody wakes the relay.
    poll_s: float = 0.5
    #: How long a stop waits for attempts under way.
    stop_grace_s: float = 10.0
    #: How fast pushes may leave; what may not yet stays in the outbox, unclaimed.
    pace: PaceRules = PaceRules()


class Relay:
    """One relay; any number may run at once. `run` until `stop`, or `run_once`."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        clock: Clock,
        *,
        still_wanted: StillWanted,
        rules: RelayRules = RelayRules(),  # noqa: B008 - frozen
        observe: Observer | None = None,
    ) -> None:
        self._database = database
        self._provider = provider
        self._clock = clock
        self._still_wanted = still_wanted
        self._rules = rules
        self._pace = Pace(rules.pace)
        self._backoff = Backoff()
        self._recorder = Recorder(database, clock, self._backoff, observe)
        self._wake = asyncio.Event()
        self._told: set[str] = set()  # whose outbox something was committed to
        self._sends: set[asyncio.Task[None]] = set()
        self._rounds = 0
        self._stopping = False
        self._stopped = asyncio.Event()
        self._stopped.set()

    def wake(self, *retailer_ids: str) -> None:
        """Tells the relay that something was committed to the outbox, maybe whose: then it need not ask."""
        self._told.update(retailer_ids)
        self._wake.set()

    async def run(self) -> None:
        """Relays until `stop`. Outlives every failure of the database, the provider and a single push."""
        self._stopped.clear()
        try:
            async with self._recorder.recording(self._sends, grace_s=self._rules.stop_grace_s):
                while not self._stopping:
                    self._wake.clear()
                    if await self._claim_round():
                        continue
                    # Woken or not, nothing leaves before its time.
                    wait_s = self._wait_s()
                    if wait_s > 0:
                        await asyncio.sleep(min(wait_s, self._rules.poll_s))
                    else:
                        await set_within(self._wake, self._rules.poll_s)
        finally:
            self._stopped.set()

    async def run_once(self) -> int:
        """Relays what is due and may leave now, until all of it is recorded; the number of claims."""
        claims = 0
        async with self._recorder.recording(self._sends, grace_s=self._rules.stop_grace_s):
            while claimed := await self._claim_round():
                claims += claimed
            while self._recorder.in_flight:
                await self._recorder.freed()
        return claims

    async def stop(self) -> None:
        """Claims nothing more; waits for the attempts under way, then gives the rest back to the outbox."""
        self._stopping = True
        self._wake.set()
        self._recorder.wake()
        await self._stopped.wait()

    def _wait_s(self) -> float:
        """How long until another push may leave; 0 where one may now."""
        now_us = self._clock.now_us()
        return 0.0 if self._pace.allows(now_us) else max(0.001, self._pace.wait_s(now_us))

    async def _claim_round(self) -> int:
        """Claims for every retailer with due pushes, each its share of the room; the number of claims."""
        await self._room()
        if not (allowed := self._pace.allows(self._clock.now_us())):
            return 0
        told, self._told = sorted(self._told), set()
        retailers = [one for one in told or await self._due_retailers() if self._backoff.ready(one)]
        if not retailers or self._stopping:
            return 0
        self._rounds += 1  # another begins each: where there is not room for all, none is always last
        first = self._rounds % len(retailers)
        claims = 0
        for waiting, retailer_id in enumerate([*retailers[first:], *retailers[:first]]):
            room = min(self._rules.in_flight - self._recorder.in_flight, allowed - claims)
            if room > 0:
                claims += await self._claim(retailer_id, max(1, room // (len(retailers) - waiting)))
        return claims

    async def _room(self) -> None:
        """Waits for room for one push, and a little for more."""
        most = self._rules.in_flight
        with suppress(TimeoutError):
            async with asyncio.timeout(self._rules.gather_s):
                while self._recorder.in_flight > most // 2 and not self._stopping:
                    await self._recorder.freed()
        while self._recorder.in_flight >= most and not self._stopping:
            await self._recorder.freed()

    async def _due_retailers(self) -> list[str]:
        if not self._backoff.ready(_EVERYBODY):
            return []
        try:
            async with self._database.system() as connection:
                retailers = await due_retailers(connection, now_us=self._clock.now_us())
        except Exception:  # noqa: BLE001 - whatever is wrong, the next round may find it mended
            failed(self._backoff, _EVERYBODY, "due_retailers")
            return []
        self._backoff.succeeded(_EVERYBODY)
        return retailers

    async def _claim(self, retailer_id: str, limit: int) -> int:
        """Claims up to `limit` pushes, ends those not to be sent, starts the attempts of the others."""
        now_us, lease_us = self._clock.now_us(), round(self._rules.lease_s * _MICROSECONDS)
        try:
            async with self._database.transaction(retailer_id) as connection:
                rows = await lease(connection, retailer_id, limit, now_us=now_us, until_us=now_us + lease_us)
                refusals = await self._still_wanted(connection, rows) if rows else {}
                refused, wanted = self._sort_out(rows, refusals)
                await save(connection, retailer_id, refused, now_us=now_us)
                crash.passing("claiming")
        except Exception:  # noqa: BLE001 - one retailer's trouble must not stop the pushes of the others
            failed(self._backoff, retailer_id, "claim")
            return 0
        self._backoff.succeeded(retailer_id)
        crash.passing("claimed")
        for row, settlement in refused:
            self._recorder.report(row, settlement)
        self._pace.take(len(wanted), now_us)
        for row in wanted:
            self._recorder.in_flight += 1
            task = asyncio.create_task(self._send(row), name=f"push-{row.push_id}")
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)
        return len(rows)

    def _sort_out(
        self, rows: Sequence[PushRow], refusals: Mapping[str, str]
    ) -> tuple[list[Result], list[PushRow]]:
        now_us, late_us = self._clock.now_us(), round(self._rules.late_s * _MICROSECONDS)
        refused, wanted = [], []
        for row in rows:
            if (settlement := check(row, refusals, now_us=now_us, late_us=late_us)) is None:
                wanted.append(row)
            else:
                refused.append((row, settlement))
        return refused, wanted

    async def _send(self, row: PushRow) -> None:
        assert row.address is not None, "check() lets no push without an address pass"
        outcome = await self._attempt(row, row.address)
        crash.passing("sent")
        if isinstance(outcome, Misconfigured) or (isinstance(outcome, AddressGone) and outcome.alert):
            _LOG.error("push_needs_operator", push_id=row.push_id, reason=outcome.reason)
        now_us = self._clock.now_us()
        settlement = settle(row, outcome, now_us=now_us)
        if isinstance(outcome, RetryLater) and outcome.everybody and outcome.after_s is not None:
            self._pace.pause(outcome.after_s, now_us)
        self._recorder.settled(row, settlement)

    async def _attempt(self, row: PushRow, address: PushAddress) -> Outcome:
        try:
            async with asyncio.timeout(self._rules.attempt_s):
                return await self._provider.send(push_of(row, address))
        except TimeoutError:
            return Ambiguous(reason="timeout")
        except asyncio.CancelledError:
            return Ambiguous(reason="relay_stopped")
        except Exception:  # noqa: BLE001 - a provider's bug is not to cost more than this attempt
            _LOG.exception("push_attempt_failed", push_id=row.push_id)
            return Ambiguous(reason="provider_error")
