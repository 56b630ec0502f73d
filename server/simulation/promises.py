"""What must hold after each step of a simulation. Where it does not, the simulation ends there.

The numbers are those of `tests/faults/invariants.py`, which asks a real server for the same.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from geo.fleet import Fleet
from notifications.outbox import TERMINAL
from offers.catalogue import Catalogue
from offers.hours import local_time
from server.errors import VicinoError
from server.inputs import RecordRedemption
from server.records import Record, slot_of
from server.simulation.durable import Durable, OutboxRow
from server.simulation.loop import SECOND_US
from server.turn import Turn

#: A withdrawal of consent reaches a push that was on its way already within this.
WITHDRAWAL_US = 5 * SECOND_US


class PromiseBroken(VicinoError):  # noqa: N818 - it names what was found
    """The simulated Vicino broke a promise: a defect of the real one, or of the simulation."""


class Promises:
    """Watches a simulation."""

    def __init__(self, durable: Durable, catalogue: Catalogue) -> None:
        self._durable = durable
        self._catalogue = catalogue
        self._journaled: set[tuple[str, str]] = set()
        self._redeemed: set[str] = set()
        self._granted: dict[str, str] = {}
        self._shown: Counter[str] = Counter()
        self._withdrew_at_us: dict[str, int] = {}
        self.acknowledged = 0

    def committed(self, turn: Turn) -> None:
        """After each commit: I1, I3, I4, I10."""
        for number, ping in enumerate(turn.pings.items):
            names = {(ping.device_id, str(turn.pings.fix(row).id)) for row in turn.pings.rows(number)}
            if twice := names & self._journaled:
                raise PromiseBroken(f"I1: {min(twice)} is in the journal twice")
            self._journaled |= names
        for item in turn.inputs:
            if isinstance(item, RecordRedemption):
                if item.decision_id in self._redeemed:
                    raise PromiseBroken(f"I4: the coupon of {item.decision_id} is redeemed twice")
                self._redeemed.add(item.decision_id)
        for one in (one.transition for one in turn.seen):
            if one.at_us < one.entered_at_us:
                raise PromiseBroken(f"I10: {one.kind} of {one.geofence} before its visit began")
        self._budgets()

    def acknowledge_fixes(self, device_id: str, names: Iterable[str]) -> None:
        """Before a phone is told that fixes are taken: I1."""
        for name in names:
            if (device_id, name) not in self._journaled:
                raise PromiseBroken(f"I1: fix {name} of {device_id} is acknowledged, not journaled")
            self.acknowledged += 1

    def grant(self, decision_id: str, key: str) -> None:
        """Before a till is told that a coupon is good: I4."""
        if self._granted.setdefault(decision_id, key) != key:
            raise PromiseBroken(f"I4: the coupon of {decision_id} was granted at two tills")

    def acknowledge_consent(self, shopper_id: str, granted: bool, now_us: int) -> None:
        """Before a phone is told that her consent to pushes is noted."""
        if granted:
            self._withdrew_at_us.pop(shopper_id, None)
        else:
            self._withdrew_at_us.setdefault(shopper_id, now_us)

    def accepted(self, row: OutboxRow, now_us: int) -> None:
        """When FCM takes a push over: I6."""
        withdrew_at_us = self._withdrew_at_us.get(row.shopper_id)
        if withdrew_at_us is not None and now_us > withdrew_at_us + WITHDRAWAL_US:
            raise PromiseBroken(f"I6: {row.push_id} is sent without consent")
        if now_us > row.expires_at_us:
            raise PromiseBroken(f"I6: {row.push_id} is sent after its end")

    def shown(self, row: OutboxRow, now_us: int) -> None:
        """When a notification appears: I2, and I6 once more, for FCM may have kept it."""
        self._shown[row.moment_id] += 1
        if self._shown[row.moment_id] > 1:
            raise PromiseBroken(f"I2: moment {row.moment_id} is shown twice")
        settings = self._catalogue.settings
        local = local_time(now_us, settings.timezone)
        if settings.quiet_hours is not None and settings.quiet_hours.holds(local):
            raise PromiseBroken(f"I6: {row.push_id} is shown in quiet hours")

    def recovered(self, states: dict[str, bytes], learner: bytes) -> None:
        """After checkpoint and journal were read: I5."""
        if learner != self._durable.learner:
            raise PromiseBroken("I5: the journal teaches otherwise")
        if states != self._durable.states:
            differ = [name for name, state in self._durable.states.items() if states.get(name) != state]
            raise PromiseBroken(f"I5: the journal leads elsewhere for {differ[:3]} of {len(differ)}")

    def places(self, record: Record, fleet: Fleet) -> None:
        """After a shopper's devices moved: I10."""
        for device in record.devices:
            fences = Counter(one.geofence for one in fleet.present(slot_of(fleet, record, device.device_id)))
            if fences and max(fences.values()) > 1:
                raise PromiseBroken(f"I10: {device.device_id} is in one fence twice")

    def at_the_end(self) -> None:
        """When nothing is left to happen: I8, I9."""
        left = [row.push_id for row in self._durable.outbox.values() if row.state not in TERMINAL]
        if left:
            raise PromiseBroken(f"I8: {len(left)} pushes have not come to an end, {left[0]} among them")
        if [entry.seq for entry in self._durable.journal] != list(range(1, len(self._durable.journal) + 1)):
            raise PromiseBroken("I9: the journal has gaps")

    @property
    def screens(self) -> int:
        return self._shown.total()

    def _budgets(self) -> None:
        """I3, from the coupons themselves."""
        for name, offer in self._catalogue.offers.items():
            coupons = self._durable.coupons_of(name)
            held = [one for one in coupons if one.status != "expired"]
            spend = sum((one.spend for one in held), Decimal(0))
            budget = offer.budget
            if budget.issued is not None and len(coupons) > budget.issued:
                raise PromiseBroken(f"I3: {len(coupons)} coupons of {name} issued, of {budget.issued}")
            if budget.redemptions is not None and len(held) > budget.redemptions:
                raise PromiseBroken(f"I3: {len(held)} coupons of {name} held, of {budget.redemptions}")
            if budget.spend is not None and spend > budget.spend:
                raise PromiseBroken(f"I3: {name} may cost {spend}, of {budget.spend}")
            redeemed = sum(1 for one in held if one.status == "redeemed")
            if self._durable.ledger(name) != (len(coupons), len(held) - redeemed, redeemed, spend):
                raise PromiseBroken(f"I3: the ledger of {name} disagrees with its coupons")
