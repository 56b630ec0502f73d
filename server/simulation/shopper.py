"""The simulated shoppers: what they do on a day, and an app that sends everything until it is answered."""

from collections.abc import Callable

from geo.fix import Fix
from offers.consent import PURPOSES, Consent
from offers.event import Event
from offers.hours import DAY_US, HOUR_US
from server.admit import Admitted
from server.inputs import Input, RecordEvents, RecordFixes, RecordOutcome, RegisterDevice, SetConsents
from server.simulation.durable import Durable
from server.simulation.loop import SECOND_US, Loop
from server.simulation.node import Node, Redeem
from server.simulation.plan import Rates
from server.simulation.promises import Promises
from server.simulation.town import APART_M, SHOPS, SKUS, place

WALK_MPS = 1.3
LATE_S = 900.0
TRIP_M = 260.0  #: from where a walk begins to the row of shops

#: Given the time at which the server has it: the input.
Make = Callable[[int], Input | Redeem]


class App:
    """Sends a request until it is answered; the net between loses, doubles, delays and reorders."""

    def __init__(self, loop: Loop, node: Node, rates: Rates) -> None:
        self._loop = loop
        self._node = node
        self._rates = rates

    def send(self, make: Make, told: Callable[[Admitted | int], None] = lambda _: None) -> None:
        """`told` is called once, before the app takes the answer for given."""
        answered = False

        def answer(what: Admitted | int) -> None:
            nonlocal answered
            if not answered and not self._loop.chance(self._rates.answer_lost):
                answered = True
                told(what)

        def attempt() -> None:
            if answered:
                return
            if not self._loop.chance(self._rates.request_lost):
                self._on_its_way(make, answer)
                if self._loop.chance(self._rates.request_doubled):
                    again_s = self._loop.random.uniform(0.1, LATE_S)
                    self._loop.after(again_s, lambda: self._arrive(make, answer))
            self._loop.after(self._loop.random.uniform(2, 40), attempt)

        attempt()

    def _on_its_way(self, make: Make, answer: Callable[[Admitted | int], None]) -> None:
        late = self._loop.chance(self._rates.request_late)
        delay_s = self._loop.random.uniform(1, LATE_S) if late else self._loop.random.uniform(0.02, 0.3)
        self._loop.after(delay_s, lambda: self._arrive(make, answer))

    def _arrive(self, make: Make, answer: Callable[[Admitted | int], None]) -> None:
        if self._node.up:
            self._node.receive(make(self._loop.now_us), answer)


class Shopper:
    """One person with one phone."""

    def __init__(self, number: int, loop: Loop, app: App, durable: Durable, promises: Promises) -> None:
        self.shopper_id, self.device_id = f"shp_{number:05d}", f"dev_{number:05d}"
        self._loop = loop
        self._app = app
        self._durable = durable
        self._promises = promises
        self._fixes = 0
        self._used: set[str] = set()

    def live(self, days: int) -> None:
        """Puts everything that she will do into the loop."""
        begins_us = self._loop.now_us
        self._loop.at(begins_us + self._draw_us(9, 10), self._install)
        for day in range(days):
            noon_us = begins_us + day * DAY_US
            for _ in range(self._loop.random.randint(1, 4)):
                self._loop.at(noon_us + self._draw_us(10, 12), self._look)
            self._walk(noon_us + self._draw_us(12, 12.5))
            if self._loop.chance(0.3):
                self._walk(noon_us + self._draw_us(18.5, 19.1))
            if self._loop.chance(0.3):
                off_us = noon_us + self._draw_us(11.5, 13)
                self._loop.at(off_us, lambda: self._consent(granted=False))
                self._loop.at(off_us + HOUR_US, lambda: self._consent(granted=True))

    def _draw_us(self, from_h: float, until_h: float) -> int:
        return round(self._loop.random.uniform(from_h, until_h) * HOUR_US)

    def _install(self) -> None:
        consents = {name: Consent(granted=True, at_us=self._loop.now_us) for name in PURPOSES}
        self._app.send(
            lambda now_us: RegisterDevice(
                shopper_id=self.shopper_id,
                received_at_us=now_us,
                device_id=self.device_id,
                platform="android",
                consents=consents,
                address=("fcm_token", f"address-{self.device_id}"),
            )
        )

    def _look(self) -> None:
        event = Event(kind="cart", at_us=self._loop.now_us, sku=self._loop.random.choice(SKUS))
        self._app.send(
            lambda now_us: RecordEvents(
                shopper_id=self.shopper_id, received_at_us=now_us, device_id=self.device_id, events=(event,)
            )
        )

    def _consent(self, *, granted: bool) -> None:
        def make(now_us: int) -> Input:
            consents = {"push": Consent(granted=granted, at_us=now_us)}
            return SetConsents(shopper_id=self.shopper_id, received_at_us=now_us, consents=consents)  # type: ignore[arg-type]

        def told(_: Admitted | int) -> None:
            self._promises.acknowledge_consent(self.shopper_id, granted, self._loop.now_us)

        self._app.send(make, told)

    def _walk(self, begins_us: int) -> None:
        """From the north to the row of shops: past it, or to a door, to stay there for a while."""
        chosen = self._loop.random
        east_m, stays_s = chosen.uniform(-100, SHOPS * APART_M), chosen.choice((0, 0, 120, 600, 1800))
        ends_m = 0.0 if stays_s else -TRIP_M
        at_us, north_m, fixes = begins_us, TRIP_M, list[Fix]()
        while north_m > ends_m:
            fixes.append(self._fix(at_us, east_m, north_m))
            step_s = chosen.uniform(15, 45)
            at_us, north_m = at_us + round(step_s * SECOND_US), north_m - step_s * WALK_MPS
        leaves_us = at_us + stays_s * SECOND_US
        while at_us < leaves_us:
            fixes.append(self._fix(at_us, east_m, 0.0))
            at_us += round(chosen.uniform(100, 140) * SECOND_US)
        while stays_s and north_m < TRIP_M:
            fixes.append(self._fix(at_us, east_m, north_m))
            step_s = chosen.uniform(15, 45)
            at_us, north_m = at_us + round(step_s * SECOND_US), north_m + step_s * WALK_MPS
        while fixes:
            size = chosen.randint(1, 3)
            ping, fixes = tuple(fixes[:size]), fixes[size:]
            self._loop.at(ping[-1].fixed_at_us, lambda ping=ping: self._ping(ping))  # type: ignore[misc]
        self._loop.at(begins_us + 5 * 60 * SECOND_US, self._use_coupons)
        self._loop.at(leaves_us, self._use_coupons)

    def _fix(self, at_us: int, east_m: float, north_m: float) -> Fix:
        chosen = self._loop.random
        self._fixes += 1
        lat, lon = place(east_m + chosen.gauss(0, 5), north_m + chosen.gauss(0, 5))
        name = f"{self.device_id}-{self._fixes}"
        return Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=at_us, accuracy_m=chosen.uniform(4, 20), id=name)

    def _ping(self, fixes: tuple[Fix, ...]) -> None:
        def told(admitted: Admitted | int) -> None:
            assert isinstance(admitted, Admitted)
            refused = {one.index for one in admitted.refusals}
            taken = [str(fix.id) for index, fix in enumerate(fixes) if index not in refused]
            self._promises.acknowledge_fixes(self.device_id, taken)

        self._app.send(
            lambda now_us: RecordFixes(
                shopper_id=self.shopper_id, received_at_us=now_us, device_id=self.device_id, fixes=fixes
            ),
            told,
        )

    def _use_coupons(self) -> None:
        """What is in her inbox, at two tills at once, each under its own key."""
        for row in list(self._durable.outbox.values()):
            if row.shopper_id != self.shopper_id or row.push_id in self._used:
                continue
            self._used.add(row.push_id)
            self._opened(row.push_id, row.decision_id)
            for till in (1, 2):
                self._redeem(row.decision_id, f"{row.push_id}-{till}")

    def _opened(self, push_id: str, decision_id: str) -> None:
        self._app.send(
            lambda now_us: RecordOutcome(
                shopper_id=self.shopper_id,
                received_at_us=now_us,
                item_id=push_id,
                decision_id=decision_id,
                outcome="opened",
            )
        )

    def _redeem(self, decision_id: str, key: str) -> None:
        def told(status: Admitted | int) -> None:
            if status == 200:
                self._promises.grant(decision_id, key)

        self._app.send(lambda _: Redeem(decision_id=decision_id, key=key), told)
