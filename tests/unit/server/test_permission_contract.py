"""No sequence of events, settings and clocks yields a push that breaks a consent or a permission contract.

The machine lives a shopper's life through the pure functions of the pipeline and of the relay, with any order
of fixes, looks, answers, limits, publications, retries and clocks set forward or back. What is sent is judged
by a model of a few lines that knows nothing of gates: her newest answers and limits, and `zoneinfo`.
"""

import math
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from geo.fences.roll import Roll
from geo.fix import Fix
from notifications.outbox import PushRow, check
from notifications.push import PushAddress
from offers.consent import PURPOSES, consents_from_body
from offers.decision import Decision
from offers.event import Event
from offers.preferences import preferences_from_body
from server.clock import from_us, to_us
from server.effects.permissions import stopped
from server.inputs import Input, RecordEvents, RecordFixes, RegisterDevice, SetConsents, SetPreferences
from server.journal import split
from server.phones import Phones
from server.records import Record, pack_record, unpack_record
from server.turn import begin, decide_all
from server.wanted import why_not
from server.world import World
from tests.unit.offers.scene import Granting

SHE, PHONE = "shp_she", "dev_hers"
STORES = {"helsinki": (60.1686, 24.9419, "Europe/Helsinki"), "havana": (60.1786, 24.9419, "America/Havana")}
CATEGORIES = {"T-1": "Shoes > Trainers", "H-1": "Hats"}
ZONES = ["Europe/Helsinki", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
PERCENT = 15
M_PER_DEGREE = 111_412.0
#: Just before clocks are set forward or back somewhere, and one ordinary noon.
BEGINNINGS = [
    "2026-03-29T00:30:00+00:00",  # Helsinki, 03:00 becomes 04:00
    "2026-10-25T00:20:00+00:00",  # Helsinki, 04:00 becomes 03:00
    "2026-03-08T04:30:00+00:00",  # Havana, midnight becomes 01:00
    "2026-11-01T04:30:00+00:00",  # Havana, 01:00 becomes midnight
    "2026-04-04T14:40:00+00:00",  # Lord Howe, half an hour back
    "2026-06-10T10:00:00+00:00",
]

clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
windows = st.fixed_dictionaries({"from": clocks, "until": clocks})
#: One limit. In a visit quiet hours come as minutes from now until they begin, and how long they are.
limit = st.one_of(
    st.builds(lambda n: {"max_per_day": n}, st.integers(0, 2)),
    st.builds(lambda n: {"max_per_week": n}, st.integers(1, 3)),
    st.builds(lambda window: {"quiet_hours": window}, windows),
    st.builds(lambda zone: {"timezone": zone}, st.sampled_from(ZONES)),
    st.builds(lambda name: {"muted_categories": [name]}, st.sampled_from(["Shoes", "Hats"])),
    st.builds(lambda name: {"muted_stores": [name]}, st.sampled_from(sorted(STORES))),
    st.builds(lambda n: {"minimum_percent": n}, st.sampled_from([10, 20])),
    st.builds(lambda n: {"maximum_distance_m": n}, st.sampled_from([10, 60, 1000])),
    st.builds(lambda n: {"pause_s": n}, st.sampled_from([-60, 60, 7200])),
)
limits = st.lists(limit, max_size=2).map(lambda chosen: {k: v for one in chosen for k, v in one.items()})
visit = st.fixed_dictionaries(
    {
        "permits_all": st.sampled_from([True, True, False]),
        "first": st.just({}) | limits,
        "quiet_in": st.sampled_from(
            [None, None, None, (1, 30), (5, 2), (7, 30), (9, 600), (14, 30), (-20, 600)]
        ),
        "later_s": st.sampled_from([0, 3_600, 80_000, 86_400, 90_000, 100_000]),
        "store": st.sampled_from(sorted(STORES)),
        "sku": st.sampled_from(sorted(CATEGORIES)),
        "meanwhile": st.none() | limits | st.sampled_from(PURPOSES),
        "wait_s": st.sampled_from([0, 10, 200, 700]),
    }
)
#: Mostly she just goes on; sometimes the clock leaps, or is set back.
waits_s = st.sampled_from(
    [1, 5, 30, 61, 600, 1500, 3600, 7200, 86_400 // 2, 86_399, 6 * 86_400, 200 * 86_400, -30, -3600]
)


def world(
    version: int, quiet_hours: dict[str, str] | None, per_day: int, *, roll: Roll | None = None
) -> World:
    fence = {"radius": 100, "dwell_s": 60}
    offer = {
        "name": "off",
        "discount": {"kind": "percent", "value": PERCENT},
        "valid": {"from": "2025-01-01T00:00:00Z", "until": "2029-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount}", "body": "{store}"}},
    }
    chosen = {"quiet_hours": quiet_hours, "shopper_per_day": per_day, "shopper_per_week": 9}
    bodies: dict[str, dict[str, Any]] = {
        "settings": {"settings": chosen},
        "store": {
            name: {"external_id": name, "name": name, "lat": lat, "lon": lon, "timezone": zone}
            for name, (lat, lon, zone) in STORES.items()
        },
        "geofence": {
            name: {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {"external_id": name, "store": name, **fence},
            }
            for name, (lat, lon, _) in STORES.items()
        },
        "product": {
            sku: {"sku": sku, "name": sku, "category": category, "price": "90", "currency": "EUR"}
            for sku, category in CATEGORIES.items()
        },
        "offer": {
            f"off-{sku}": offer | {"external_id": f"off-{sku}", "applies_to": {"skus": [sku]}}
            for sku in CATEGORIES
        },
    }
    return World.build("rtl_x", b"secret", version, bodies, roll=roll)


class HerLife(RuleBasedStateMachine):
    """One shopper with one phone, her retailer, the outbox and the relay."""

    sent = 0  #: in all runs: a machine that never sends shows nothing

    @initialize(beginning=st.sampled_from(BEGINNINGS), granted=st.sampled_from([True, True, True, False]))
    def installs_the_app(self, beginning: str, granted: bool) -> None:
        self.now_us = to_us(datetime.fromisoformat(beginning))
        self.world = world(1, None, 2)
        self.fleet = Phones(self.world.fences.roll)
        self.decided: set[str] = set()
        self.records: dict[str, Record] = {}
        self.outbox: dict[str, tuple[PushRow, Decision]] = {}
        self.offered_at: list[int] = []
        self.permits: dict[str, int] = {}  #: purpose -> when it was granted
        self.limits: dict[str, Any] = {}
        self.where, self.where_at_us = (0.0, 0.0), 0
        self._runs(
            RegisterDevice(
                shopper_id=SHE, received_at_us=self.now_us, device_id=PHONE, platform="ios", consents={}
            )
        )
        if granted:
            for purpose in PURPOSES:
                self.answers(purpose=purpose, granted=True)

    @rule(purpose=st.sampled_from(PURPOSES), granted=st.sampled_from([True, True, False]))
    def answers(self, purpose: str, granted: bool) -> None:
        self.permits.pop(purpose, None)
        if granted:
            self.permits[purpose] = self.now_us
        body = {purpose: {"granted": granted}}
        consents = consents_from_body(body, at_us=self.now_us)
        self._runs(SetConsents(shopper_id=SHE, received_at_us=self.now_us, consents=consents))

    @rule(body=limits)
    def sets_her_limits(self, body: dict[str, Any]) -> None:
        body = dict(body)
        if (pause_s := body.pop("pause_s", None)) is not None:
            body["paused_until"] = from_us(self.now_us + pause_s * 1_000_000).isoformat()
        if (quiet_in := body.pop("quiet_in", None)) is not None:
            zone = ZoneInfo(body.get("timezone", "Europe/Helsinki"))
            local = from_us(self.now_us).astimezone(zone).replace(tzinfo=None)
            begins = local + timedelta(minutes=quiet_in[0])
            ends = begins + timedelta(minutes=quiet_in[1])
            body["quiet_hours"] = {"from": f"{begins:%H:%M}", "until": f"{ends:%H:%M}"}
        self.limits = body
        preferences = preferences_from_body(body)
        self._runs(SetPreferences(shopper_id=SHE, received_at_us=self.now_us, preferences=preferences))

    @rule(store=st.sampled_from(sorted(STORES)), north_m=st.sampled_from([0.0, 20.0, 45.0, 80.0, 400.0]))
    def walks(self, store: str, north_m: float) -> None:
        lat, lon, _ = STORES[store]
        there = (lat + north_m / M_PER_DEGREE, lon)
        if there != self.where:
            self.now_us += 200_000_000  # nobody jumps: such a fix would not be believed
        if self.now_us > self.where_at_us:  # by a clock that was set back she is still where she was later
            self.where, self.where_at_us = there, self.now_us
        fix = Fix(lat_deg=there[0], lon_deg=lon, fixed_at_us=self.now_us, accuracy_m=5.0, speed_mps=1.0)
        self._runs(RecordFixes(shopper_id=SHE, received_at_us=self.now_us, device_id=PHONE, fixes=(fix,)))

    @rule(sku=st.sampled_from(sorted(CATEGORIES)))
    def looks(self, sku: str) -> None:
        event = Event(kind="cart", at_us=self.now_us, sku=sku, id=f"{self.now_us}")
        self._runs(RecordEvents(shopper_id=SHE, received_at_us=self.now_us, device_id=PHONE, events=(event,)))

    @rule(visits=st.lists(visit, min_size=2, max_size=5))
    def goes_shopping(self, visits: list[dict[str, Any]]) -> None:
        for one in visits:
            self._comes_to_shop(**one)

    def _comes_to_shop(
        self,
        *,
        permits_all: bool,
        first: dict[str, Any],
        quiet_in: tuple[int, int] | None,
        later_s: int,
        store: str,
        sku: str,
        meanwhile: dict[str, Any] | str | None,
        wait_s: int,
    ) -> None:
        """What most often leads to a push; FCM does not take it at once, and something may happen before."""
        self.time_passes(wait_s=later_s)
        self.walks(store=store, north_m=400.0)
        self.time_passes(wait_s=240)
        for purpose in PURPOSES if permits_all else ():
            self.answers(purpose=purpose, granted=True)
        quiet = {} if quiet_in is None else {"quiet_in": quiet_in, "timezone": STORES[store][2]}
        self.sets_her_limits(body=first | quiet)
        self.looks(sku=sku)
        self.walks(store=store, north_m=20.0)
        self.the_relay_comes_by(provider_answers=False)
        if isinstance(meanwhile, dict):
            self.sets_her_limits(body=meanwhile)
        elif meanwhile is not None:
            self.answers(purpose=meanwhile, granted=False)
        self.time_passes(wait_s=wait_s)
        self.the_relay_comes_by(provider_answers=True)

    @rule(wait_s=waits_s)
    def time_passes(self, wait_s: int) -> None:
        self.now_us += wait_s * 1_000_000

    @rule(
        quiet=st.none() | st.fixed_dictionaries({"from": clocks, "until": clocks}), per_day=st.integers(1, 3)
    )
    def the_retailer_publishes(self, quiet: dict[str, str] | None, per_day: int) -> None:
        roll = self.world.fences.roll
        self.world = world(self.world.version + 1, quiet, per_day, roll=roll)

    @rule(provider_answers=st.booleans())
    def the_relay_comes_by(self, provider_answers: bool) -> None:
        record = self.records[SHE]
        kept = unpack_record(pack_record(record, self.fleet))
        for push_id, (row, decision) in list(self.outbox.items()):
            claimed = _claimed(row, self.now_us)
            reason = why_not(claimed, kept, self.now_us)
            refusals = {} if reason is None else {push_id: reason}
            ended = check(claimed, refusals, now_us=self.now_us, late_us=3_000_000)
            if ended is None:
                self._judge(claimed, decision)
                HerLife.sent += 1
            if ended is not None or provider_answers:
                del self.outbox[push_id]
            else:
                self.outbox[push_id] = (claimed, decision)

    def _runs(self, item: Input) -> None:
        """A micro-batch with one input."""
        turn = begin(*split([item]), self.records, self.fleet, self.world)
        moments = [moment for moment in turn.moments if moment.moment_id not in self.decided]
        self.decided |= {moment.moment_id for moment in moments}
        decisions = decide_all(turn, moments, self.world, Granting(), now_us=self.now_us)
        self.records = dict(turn.records)
        for shopper_id in stopped(turn.inputs):
            assert shopper_id == SHE
            self.outbox.clear()
        for decision in decisions:
            if decision.chosen is not None:
                self._may_be_offered(decision)
                self.offered_at.append(self.now_us)
            if decision.delivery == "push":
                self.outbox[decision.decision_id] = (_row(decision), decision)

    def _may_be_offered(self, decision: Decision) -> None:
        """What holds at the time of the decision: how often, how near, what."""
        zone = ZoneInfo(self._zone(decision.moment.store))
        for field, days in (("max_per_day", 1), ("max_per_week", 7)):
            limit = self.limits.get(field)
            if limit is None:
                continue
            since_us = self.now_us - days * 86_400_000_000
            today = from_us(self.now_us).astimezone(zone).date()
            first = today - timedelta(days=days - 1)
            recent = [at for at in self.offered_at if since_us < at <= self.now_us]
            of_days = [at for at in self.offered_at if first <= from_us(at).astimezone(zone).date() <= today]
            assert len(recent) < limit
            assert len(of_days) < limit
        lat, lon, _ = STORES[decision.moment.store]
        east = math.cos(math.radians(lat)) * (self.where[1] - lon)
        away_m = M_PER_DEGREE * math.hypot(self.where[0] - lat, east)
        assert away_m <= self.limits.get("maximum_distance_m", math.inf) + 1
        assert self.limits.get("minimum_percent", 0) <= PERCENT

    def _judge(self, row: PushRow, decision: Decision) -> None:
        """What holds whenever a push leaves."""
        for purpose in ("push", "nearby_offers"):
            assert purpose in self.permits
            assert self.now_us < self.permits[purpose] + 365 * 86_400_000_000
        until = self.limits.get("paused_until")
        assert until is None or datetime.fromisoformat(until) <= from_us(self.now_us)
        assert row.store not in self.limits.get("muted_stores", ())
        assert decision.chosen is not None
        category = CATEGORIES[str(decision.chosen.sku)]
        assert not any(category.startswith(muted) for muted in self.limits.get("muted_categories", ()))
        # FCM may hand it over until it expires: her quiet hours must not have begun by then.
        zone = ZoneInfo(self._zone(row.store))
        minutes = range(0, row.expires_at_us - self.now_us, 60_000_000)
        assert [
            local
            for after_us in minutes
            if self._quiet(local := from_us(self.now_us + after_us).astimezone(zone))
        ] == []

    def _zone(self, store: str) -> str:
        return str(self.limits.get("timezone", STORES[store][2]))

    def _quiet(self, local: datetime) -> bool:
        if (window := self.limits.get("quiet_hours")) is None:
            return False
        begins, ends = time.fromisoformat(window["from"]), time.fromisoformat(window["until"])
        if begins <= ends:
            return begins <= local.time() < ends
        return not ends <= local.time() < begins


def _row(decision: Decision) -> PushRow:
    """The row of the outbox that the decision's transaction writes."""
    assert decision.push_expires_at_us is not None
    return PushRow(
        retailer_id="rtl_x",
        push_id=decision.decision_id,
        decision_id=decision.decision_id,
        shopper_id=SHE,
        device_id=PHONE,
        store=decision.moment.store,
        item={},
        attempts=0,
        fencing=0,
        received_at_us=decision.moment.received_at_us,
        decided_at_us=decision.decided_at_us,
        claimed_at_us=0,
        leased_until_us=0,
        expires_at_us=decision.push_expires_at_us,
        address=PushAddress(kind="fcm_token", value="x", platform="ios"),
    )


def _claimed(row: PushRow, now_us: int) -> PushRow:
    return msgspec.structs.replace(row, attempts=row.attempts + 1, claimed_at_us=row.claimed_at_us or now_us)


TestHerLife = HerLife.TestCase
HerLife.TestCase.settings = settings(
    max_examples=60, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_machine_does_send() -> None:
    assert HerLife.sent > 50
