"""The relay: claims pushes from the outbox, checks them once more, sends them, records what became of them.

    wake or due time -> claim (lease, fencing token) -> check consent, expiry, lateness -> send -> record

Relays need not know of each other: a claim skips what another holds, and a result counts only under the
fencing token of its claim. A relay that dies leaves leases that run out; the push then goes out again under
the same push id, which a phone shows once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby

import structlog
from msgspec import Struct

from notifications.outbox import PushRow, Settlement, check, push_of, settle
from notifications.providers.base import Provider
from notifications.push import AddressGone, Ambiguous, Misconfigured, Outcome, PushAddress
from server import crash
from server.backoff import Backoff
from server.clock import Clock
from server.db import Connection, Database
from server.outbox import Result, due_retailers, lease, save

_LOG = structlog.get_logger("vicino.relay")
_MICROSECONDS = 1_000_000
#: How long a stop waits for its last results to be written.
_RECORD_GRACE_S = 5.0
#: The backoff of questions that concern no single retailer.
_EVERYBODY = ""

#: Given claimed pushes, in their retailer's transaction: the reason for each that is not to be sent any more
#: (consent withdrawn, no longer near), by push id.
StillWanted = Callable[[Connection, Sequence[PushRow]], Awaitable[Mapping[str, str]]]

#: Told of every push that a relay settled, after the commit: for metrics and live views.
Observer = Callable[[PushRow, Settlement], None]


class RelayRules(Struct, frozen=True, kw_only=True, gc=False):
    """How a relay works."""

    #: Pushes claimed and not yet recorded, at most; no more than the provider sends at once.
    in_flight: int = 100
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
        self._observe = observe
        self._backoff = Backoff()
        self._wake = asyncio.Event()
        self._told: set[str] = set()  # whose outbox something was committed to
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._sends: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._freed = asyncio.Event()
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
            async with self._recording():
                while not self._stopping:
                    self._wake.clear()
                    if not await self._claim_round():
                        await _wait(self._wake, self._rules.poll_s)
        finally:
            self._stopped.set()

    async def run_once(self) -> int:
        """Relays what is due now, and waits until all of it is recorded; the number of claims."""
        claims = 0
        async with self._recording():
            while claimed := await self._claim_round():
                claims += claimed
            await self._until_in_flight_below(1)
        return claims

    async def stop(self) -> None:
        """Claims nothing more; waits for the attempts under way, then gives the rest back to the outbox."""
        self._stopping = True
        self._wake.set()
        self._freed.set()
        await self._stopped.wait()

    @asynccontextmanager
    async def _recording(self) -> AsyncIterator[None]:
        recorder = asyncio.create_task(self._record_results(), name="relay-recorder")
        try:
            yield
        finally:
            if not await self._drained(self._rules.stop_grace_s):
                # A cancelled attempt counts as ambiguous: its push is pending again, under the same id.
                for task in self._sends:
                    task.cancel()
                if not await self._drained(_RECORD_GRACE_S):
                    _LOG.warning("relay_left_leases", pushes=self._in_flight)
            recorder.cancel()
            with suppress(asyncio.CancelledError):
                await recorder

    async def _drained(self, grace_s: float) -> bool:
        try:
            async with asyncio.timeout(grace_s):
                await self._until_in_flight_below(1)
        except TimeoutError:
            return False
        return True

    async def _until_in_flight_below(self, limit: int) -> None:
        while self._in_flight >= limit:
            self._freed.clear()
            await self._freed.wait()

    async def _claim_round(self) -> int:
        """Claims for every retailer with due pushes, each its share of the room; the number of claims."""
        while self._in_flight >= self._rules.in_flight and not self._stopping:
            self._freed.clear()
            await self._freed.wait()
        told, self._told = sorted(self._told), set()
        retailers = [one for one in told or await self._due_retailers() if self._backoff.ready(one)]
        if not retailers or self._stopping:
            return 0
        self._rounds += 1  # another begins each: where there is not room for all, none is always last
        first = self._rounds % len(retailers)
        claims = 0
        for waiting, retailer_id in enumerate([*retailers[first:], *retailers[:first]]):
            room = self._rules.in_flight - self._in_flight
            if room > 0:
                claims += await self._claim(retailer_id, max(1, room // (len(retailers) - waiting)))
        return claims

    async def _due_retailers(self) -> list[str]:
        if not self._backoff.ready(_EVERYBODY):
            return []
        try:
            async with self._database.system() as connection:
                retailers = await due_retailers(connection, now_us=self._clock.now_us())
        except Exception:  # noqa: BLE001 - whatever is wrong, the next round may find it mended
            self._failed(_EVERYBODY, "due_retailers")
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
                await save(connection, retailer_id, refused)
                crash.passing("claiming")
        except Exception:  # noqa: BLE001 - one retailer's trouble must not stop the pushes of the others
            self._failed(retailer_id, "claim")
            return 0
        self._backoff.succeeded(retailer_id)
        crash.passing("claimed")
        for row, settlement in refused:
            self._report(row, settlement)
        for row in wanted:
            self._in_flight += 1
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
        self._results.put_nowait((row, settle(row, outcome, now_us=self._clock.now_us())))

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

    async def _record_results(self) -> None:
        while True:
            results = [await self._results.get()]
            # Whatever came in while the last results were written goes into the next transaction together.
            while not self._results.empty():
                results.append(self._results.get_nowait())
            results.sort(key=_retailer)
            for retailer_id, group in groupby(results, key=_retailer):
                await self._record(retailer_id, list(group))

    async def _record(self, retailer_id: str, results: list[Result]) -> None:
        try:
            async with self._database.transaction(retailer_id) as connection:
                counted = await save(connection, retailer_id, results)
                crash.passing("recording")
        except Exception:  # noqa: BLE001 - kept and tried again as long as the leases last
            self._record_later(self._failed(retailer_id, "record"), results)
            return
        self._free(len(results))
        for row, settlement in results:
            if row.push_id in counted:
                self._report(row, settlement)
            else:
                _LOG.warning("push_result_ignored", push_id=row.push_id, fencing=row.fencing)

    def _record_later(self, delay_s: float, results: list[Result]) -> None:
        now_us = self._clock.now_us()
        kept = [result for result in results if result[0].leased_until_us > now_us]
        if len(kept) < len(results):
            _LOG.warning("push_results_lost", pushes=len(results) - len(kept))
            self._free(len(results) - len(kept))
        for result in kept:
            asyncio.get_running_loop().call_later(delay_s, self._results.put_nowait, result)

    def _free(self, pushes: int) -> None:
        self._in_flight -= pushes
        self._freed.set()

    def _report(self, row: PushRow, settlement: Settlement) -> None:
        log = _LOG.debug if settlement.state == "sent" else _LOG.info
        log("push_settled", push_id=row.push_id, state=settlement.state, reason=settlement.reason)
        if self._observe is None:
            return
        try:
            self._observe(row, settlement)
        except Exception:  # noqa: BLE001 - who watches must not stop what is watched
            _LOG.exception("push_observer_failed", push_id=row.push_id)

    def _failed(self, key: str, step: str) -> float:
        delay_s = self._backoff.failed(key)
        _LOG.exception("relay_trouble", step=step, retailer_id=key or None, again_in_s=delay_s)
        return delay_s


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def _retailer(result: Result) -> str:
    return result[0].retailer_id
