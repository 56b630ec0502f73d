"""The simulated engine: what `server/lane.py` and `server/pipeline.py` do, on a durable and a volatile part.

A crash takes the volatile part with everything that was not answered. A recovery reads the checkpoint and
decides the rest of the journal again (`replay.py`).
"""

import heapq
from collections.abc import Callable, Sequence

import msgspec

from notifications.push import PushAddress
from offers.coupon import coupon_code
from offers.decision import Decision
from offers.hours import DAY_US
from offers.learn.learner import Learner
from offers.learn.stored import stored
from offers.receipt import receipt
from server.admit import Admitted
from server.effects.offers import inbox_item
from server.effects.states import record_wake_at_us
from server.inputs import Input, RecordFixes, RegisterDevice, SetConsents, Wake
from server.journal import Entry, split
from server.phones import Phones
from server.records import Record, pack_record
from server.simulation.durable import Coupon, Durable, OutboxRow
from server.simulation.loop import SECOND_US, Loop
from server.simulation.plan import Rates
from server.simulation.promises import Promises
from server.simulation.replay import Replay
from server.turn import Turn, begin, decide_all
from server.world import World

GATHERS_S = 2.0  #: what comes within this at most makes one batch
CHECKPOINT_ENTRIES = 40
DOWN_S = (0.5, 8.0)


class Redeem(msgspec.Struct, frozen=True, kw_only=True):
    """A till asks, under its Idempotency-Key."""

    decision_id: str
    key: str


#: What somebody sends, and who is told what became of it: the admission, or the status for a till.
Waiting = tuple[Input | Redeem, Callable[[Admitted | int], None]]


class Node:
    """One engine on its database."""

    def __init__(
        self,
        loop: Loop,
        world: World,
        durable: Durable,
        promises: Promises,
        rates: Rates,
        *,
        on_push: Callable[[], None],
    ) -> None:
        self.crashes = self.batches = 0
        self.up = True
        self._loop = loop
        self._world = world
        self._durable = durable
        self._promises = promises
        self._rates = rates
        self._on_push = on_push
        self._waiting: list[Waiting] = []
        self._begin_empty()

    def receive(self, item: Input | Redeem, told: Callable[[Admitted | int], None]) -> None:
        """Takes a request into the next batch; nobody is told anything before that has committed."""
        if not self._waiting:
            gathers_us = round(self._loop.random.uniform(0, GATHERS_S) * SECOND_US)
            self._later(self._loop.now_us + gathers_us, self._process)
        self._waiting.append((item, told))

    def crash(self) -> None:
        """Everything that is not durable is gone; after a while it is started again."""
        self.up = False
        self.crashes += 1
        self._begin_empty()
        self._loop.after(self._loop.random.uniform(*DOWN_S), self._recover)

    def _begin_empty(self) -> None:
        self._waiting = []
        self._epoch = self.crashes
        self._learner = Learner() if self._world.catalogue.settings.policy == "learn" else None
        self._phones = Phones(self._world.fences.roll)
        self._records: dict[str, Record] = {}
        self._wakes: list[tuple[int, str]] = []
        self._wake_at: dict[str, int] = {}

    def _later(self, at_us: int, act: Callable[[], None]) -> None:
        """Lets this process do something, if it lives to see the time."""
        epoch = self._epoch
        self._loop.at(at_us, lambda: act() if epoch == self._epoch and self.up else None)

    def _process(self) -> None:
        batch, self._waiting = self._waiting, []
        if self._loop.chance(self._rates.crash_before_commit):
            self.crash()
            return
        now_us = self._loop.now_us
        self._durable.expire_coupons(now_us)
        answers, granted = self._ask(batch, now_us)
        inputs = [item for item, _ in batch if not isinstance(item, Redeem)]
        turn = self._run([*inputs, *(redemption for _, redemption in granted.values())], now_us)
        for decision_id, (key, _) in granted.items():
            self._durable.redeemed(decision_id, key)
        self._promises.committed(turn)
        if self._loop.chance(self._rates.crash_after_commit):
            self.crash()
            return
        admitted, answered = iter(turn.admitted), iter(turn.answers)
        for (item, told), answer in zip(batch, answers, strict=True):
            told(
                answer
                if answer is not None
                else next(answered if isinstance(item, RecordFixes) else admitted)
            )

    def _ask(
        self, batch: Sequence[Waiting], now_us: int
    ) -> tuple[list[int | None], dict[str, tuple[str, Input]]]:
        """The tills' answers (None for everybody else), and by coupon the key it is granted to now."""
        answers: list[int | None] = []
        granted: dict[str, tuple[str, Input]] = {}
        for item, _ in batch:
            if not isinstance(item, Redeem):
                answers.append(None)
                continue
            status, redemption = self._durable.redeem(item.decision_id, item.key, now_us)
            if redemption is not None:  # of two tills that ask in one batch the first is granted it
                first, _ = granted.setdefault(item.decision_id, (item.key, redemption))
                status = 200 if first == item.key else 409
            answers.append(status)
        return answers, granted

    def _run(self, inputs: list[Input], now_us: int) -> Turn:
        """One micro-batch up to its commit, as the pipeline runs it."""
        self.batches += 1
        day = now_us // DAY_US
        others, pings = split(inputs)
        before = {i.shopper_id: self._records[i.shopper_id] for i in inputs if i.shopper_id in self._records}
        turn = begin(others, pings, before, self._phones, self._world)
        entry = Entry(
            seq=len(self._durable.journal) + 1,
            written_at_us=now_us,
            version=self._world.version,
            inputs=turn.inputs,
            pings=turn.pings,
        )
        moments = [one for one in turn.moments if one.moment_id not in self._durable.receipts]
        ledgers = self._durable.ledgers(self._world.catalogue, moments, now_us, day)
        learner = self._learner
        decisions = decide_all(turn, moments, self._world, ledgers, learner, now_us=now_us, took=ledgers.take)
        changed = turn.changed
        states = {name: pack_record(turn.records[name], self._phones) for name in changed}
        self._durable.commit(
            None if entry.empty else entry, states, b"" if learner is None else stored(learner)
        )
        self._durable.reserve(ledgers, [_coupon(one) for one in decisions if one.chosen], day)
        self._save(turn, entry.seq, decisions)
        self._take(turn, changed | {i.shopper_id for i in turn.inputs if isinstance(i, Wake)})
        if len(self._durable.journal) >= self._durable.checkpoint_seq + CHECKPOINT_ENTRIES:
            self._durable.keep_checkpoint()
        return turn

    def _save(self, turn: Turn, seq: int, decisions: Sequence[Decision]) -> None:
        """What follows from the batch: addresses, withdrawals, receipts and pushes."""
        for item in turn.inputs:
            if isinstance(item, RegisterDevice) and item.address is not None:
                kind, value = item.address
                address = PushAddress(kind=kind, value=value, platform=item.platform)  # type: ignore[arg-type]
                self._durable.addresses[item.device_id] = address
            elif isinstance(item, SetConsents) and not item.consents["push"].granted:
                self._durable.withdraw(item.shopper_id, "no_consent")
        for decision in decisions:
            self._durable.receipts[decision.moment.moment_id] = seq, receipt(decision)
            if decision.chosen is not None:
                self._durable.add_push(self._push(decision, turn.records[decision.moment.shopper_id]))
        if any(decision.delivery == "push" for decision in decisions):
            self._on_push()

    def _push(self, decision: Decision, record: Record) -> OutboxRow:
        assert decision.push_expires_at_us is not None
        moment, push = decision.moment, decision.delivery == "push"
        code = coupon_code(self._world.secret, decision.decision_id)
        item = inbox_item(self._world, decision, code, record.shopper)
        return OutboxRow(
            push_id=item["id"],
            decision_id=decision.decision_id,
            moment_id=moment.moment_id,
            shopper_id=moment.shopper_id,
            device_id=moment.device_id,
            store=moment.store,
            item=item,
            state="pending" if push else "inbox_only",
            reason=None if push else decision.reasons[0],
            due_at_us=decision.decided_at_us,
            received_at_us=moment.received_at_us,
            decided_at_us=decision.decided_at_us,
            expires_at_us=decision.push_expires_at_us,
        )

    def _take(self, turn: Turn, timed: set[str]) -> None:
        """Takes over what a batch has committed, with its timers."""
        self._records |= turn.records
        for name in timed:
            record = self._records[name]
            self._promises.places(record, self._phones)
            self._set_wake(name, record_wake_at_us(record, self._phones, self._world))

    def _set_wake(self, name: str, at_us: int | None) -> None:
        if at_us is None:
            self._wake_at.pop(name, None)
        elif self._wake_at.get(name) != at_us:
            self._wake_at[name] = at_us
            heapq.heappush(self._wakes, (at_us, name))
            self._later(at_us, self._wake_due)

    def _wake_due(self) -> None:
        now_us, due = self._loop.now_us, []
        while self._wakes and self._wakes[0][0] <= now_us:
            at_us, name = heapq.heappop(self._wakes)
            if self._wake_at.get(name) == at_us:
                del self._wake_at[name]
                due.append(name)
        if due:
            wakes: list[Input] = [Wake(shopper_id=name, received_at_us=now_us) for name in due]
            self._promises.committed(self._run(wakes, now_us))

    def _recover(self) -> None:
        """Starts again: the checkpoint, then the journal after it."""
        self.up = True
        replay = Replay(self._world, self._durable)
        replay.run(self._durable.checkpoint, self._durable.checkpoint_learner, self._durable.checkpoint_seq)
        self._promises.recovered(replay.packed(), replay.learned())
        self._phones, self._records = replay.phones, replay.records
        self._learner = replay.learner
        for name, record in self._records.items():
            self._set_wake(name, record_wake_at_us(record, self._phones, self._world))


def _coupon(decision: Decision) -> Coupon:
    assert decision.offer is not None
    assert decision.expires_at_us is not None
    return Coupon(
        decision_id=decision.decision_id,
        shopper_id=decision.moment.shopper_id,
        offer=decision.offer,
        sku=decision.sku,
        store=decision.moment.store,
        spend=decision.spend,
        expires_at_us=decision.expires_at_us,
    )
