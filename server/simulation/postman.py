"""The simulated relays, by the rules of `notifications/outbox.py`, and the FCM and phones that they reach."""

from collections.abc import Callable

from notifications.outbox import PushRow, Settlement, check, push_of, settle
from notifications.push import Accepted, AddressGone, Ambiguous, Outcome, Push, RetryLater
from server.records import unpack_record
from server.simulation.durable import Durable
from server.simulation.loop import SECOND_US, Loop
from server.simulation.plan import Rates
from server.simulation.promises import Promises
from server.standin.phone import Delivery, Phone
from server.wanted import why_not

LEASE_US = 30 * SECOND_US
LATE_US = 3 * SECOND_US
TIMEOUT_S = 25.0
AT_ONCE = 20


class Fcm:
    """Takes pushes over, or not, and does not always say what it did."""

    def __init__(self, loop: Loop, durable: Durable, promises: Promises, rates: Rates) -> None:
        self.attempts = self.accepted = 0
        self._loop = loop
        self._durable = durable
        self._promises = promises
        self._rates = rates
        self._phones: dict[str, Phone] = {}

    def take(self, push: Push) -> tuple[Outcome, float]:
        """What the sender hears of a push, and after how many seconds."""
        self.attempts += 1
        draw, rates, chosen = self._loop.random.random(), self._rates, self._loop.random
        if draw < rates.fcm_says_gone:
            return AddressGone(reason="unregistered"), 0.1
        draw -= rates.fcm_says_gone
        if draw < rates.fcm_refuses:
            after_s = chosen.choice((None, 1.0, 30.0, 60.0))
            return chosen.choice(
                (
                    (RetryLater(reason="unavailable", after_s=after_s), 0.1),
                    (RetryLater(reason="quota_exceeded", after_s=60.0), 0.1),
                    (Ambiguous(reason="timeout"), TIMEOUT_S),
                )
            )
        self._deliver(push)
        if draw - rates.fcm_refuses < rates.fcm_delivers_unsaid:
            return chosen.choice(
                (
                    (RetryLater(reason="unavailable"), 0.1),
                    (Ambiguous(reason="connection_lost"), 0.1),
                    (Ambiguous(reason="timeout"), TIMEOUT_S),
                )
            )
        return Accepted(provider_id=f"m-{self.attempts}"), 0.1

    def _deliver(self, push: Push) -> None:
        now_us = self._loop.now_us
        row = self._durable.outbox[push.push_id]
        self._promises.accepted(row, now_us)
        self.accepted += 1
        phone = self._phones.setdefault(push.address.value, Phone(push.address.value))
        before = len(phone.appeared)
        if self._loop.chance(self._rates.phone_offline):
            phone.go_offline()
            self._loop.after(self._loop.random.uniform(1, 1800), lambda: self._back(phone))
        ttl_us = max(0, push.expires_at_us - now_us) // SECOND_US * SECOND_US
        phone.accept(
            Delivery(
                message_name=f"m-{self.attempts}",
                accepted_at_us=now_us,
                expires_at_us=now_us + ttl_us,
                title=push.item["title"],
                body=push.item["body"],
                data={**push.item, "push_id": push.push_id},
                tag=push.push_id,
                collapse_key=push.collapse,
            )
        )
        self._seen(phone, before)

    def _back(self, phone: Phone) -> None:
        before = len(phone.appeared)
        phone.go_online(now_us=self._loop.now_us)
        self._seen(phone, before)

    def _seen(self, phone: Phone, before: int) -> None:
        for delivery in phone.appeared[before:]:
            self._promises.shown(self._durable.outbox[str(delivery.push_id)], self._loop.now_us)


class Postman:
    """One relay. Several share the outbox and know nothing of each other."""

    def __init__(self, loop: Loop, durable: Durable, fcm: Fcm, rates: Rates) -> None:
        self.deaths = 0
        self._loop = loop
        self._durable = durable
        self._fcm = fcm
        self._rates = rates
        self._up = True
        self._next_us: int | None = None  #: when it looks at the outbox next

    def wake(self) -> None:
        """Something was committed to the outbox."""
        self._look_at(self._loop.now_us + self._loop.random.randint(1_000, 20_000))

    def die(self) -> None:
        """It forgets what it holds; another is started after a while."""
        self._up = False
        self.deaths += 1
        self._loop.after(self._loop.random.uniform(0.5, 10), self._start)

    def _start(self) -> None:
        self._up, self._next_us = True, None
        self.wake()

    def _look_at(self, at_us: int) -> None:
        if self._up and (self._next_us is None or at_us < self._next_us):
            self._next_us = at_us
            self._later(at_us, lambda: self._look(at_us))

    def _later(self, at_us: int, act: Callable[[], None]) -> None:
        """Lets this relay do something, if it lives to see the time."""
        deaths = self.deaths
        self._loop.at(at_us, lambda: act() if deaths == self.deaths and self._up else None)

    def _look(self, at_us: int) -> None:
        if self._next_us != at_us:
            return  # it looks at another time now
        self._next_us = None
        if self._dies():  # before the claim is committed
            return
        now_us = self._loop.now_us
        rows = [
            self._durable.claim(row, now_us, now_us + LEASE_US) for row in self._durable.due(now_us, AT_ONCE)
        ]
        refusals = {row.push_id: reason for row in rows if (reason := self._refusal(row)) is not None}
        for row in rows:
            settlement = check(row, refusals, now_us=now_us, late_us=LATE_US)
            if settlement is not None:
                self._durable.settle(row, settlement)
            else:
                sends_at_us = now_us + self._loop.random.randint(1_000, 200_000)
                self._later(sends_at_us, lambda row=row: self._send(row))  # type: ignore[misc]
        if (due_us := self._durable.next_due_us()) is not None:
            self._look_at(max(due_us, now_us + 1))
        if rows:
            self._dies()  # the claim is committed, nothing is sent

    def _refusal(self, row: PushRow) -> str | None:
        state = self._durable.states.get(row.shopper_id)
        return why_not(row, None if state is None else unpack_record(state), self._loop.now_us)

    def _send(self, row: PushRow) -> None:
        assert row.address is not None, "check() lets no push without an address pass"
        outcome, after_s = self._fcm.take(push_of(row, row.address))
        if self._dies():  # it is sent, and that is not recorded
            return
        if self._loop.chance(self._rates.relay_sleeps):
            after_s += self._loop.random.uniform(10, 90)
        answered_us = self._loop.now_us + round(after_s * SECOND_US)
        self._later(answered_us, lambda: self._record(row, settle(row, outcome, now_us=self._loop.now_us)))

    def _record(self, row: PushRow, settlement: Settlement) -> None:
        if self._dies():
            return
        self._durable.settle(row, settlement)
        if (due_us := self._durable.next_due_us()) is not None:
            self._look_at(due_us)

    def _dies(self) -> bool:
        if self._loop.chance(self._rates.relay_dies):
            self.die()
            return True
        return False
