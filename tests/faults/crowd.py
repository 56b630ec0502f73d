"""Phones and tills, as plain HTTP clients, and what they know from outside: what was acknowledged to them.

A phone does what an app is asked to do: it sends again what was not acknowledged, under the same ids, until
it is. Some phones give up in the middle, some send twice, some late.
"""

import asyncio
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp

from server.clock import Clock
from tests.faults.town import LAT, LON, M_PER_DEGREE, RADIUS_M, Retailer

PURPOSES = ("nearby_offers", "background_location", "push", "personalisation", "insight")
TIMEOUT_S = 20.0
AGAIN_S = 0.5  #: more often, and they take the processor from the server that starts
WALK_MPS = 1.3


class Outside:
    """What the people of a run can swear to."""

    def __init__(self) -> None:
        self.retailer_of: dict[str, str] = {}  #: by shopper, device and address
        self.device_at: dict[str, str] = {}  #: by address
        self.acknowledged: set[tuple[str, str]] = set()  #: (device, fix id)
        self.sent: set[tuple[str, str]] = set()  #: these, and those without an answer
        self.withdrew_at_us: dict[str, int] = {}  #: by address: when no consent to push was acknowledged
        self.granted: dict[str, set[str]] = defaultdict(set)  #: by code: keys of requests that were granted
        self.granted_decisions: set[str] = set()
        self.answers: Counter[int] = Counter()  #: by status; 0: none came
        self.slowest_s = 0.0

    @property
    def taken(self) -> int:
        """How much was acknowledged so far."""
        return len(self.acknowledged)


class GaveUp(Exception):  # noqa: N818 - it names what happened
    """The run is over, or this phone has had enough."""


class Client:
    """Sends until it is answered."""

    def __init__(self, crowd: "Crowd", credential: str) -> None:
        self.credential = credential
        self._crowd = crowd

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", patience_s: float | None = None
    ) -> tuple[int, Any]:
        """One request. (0, None) where no answer came in time, or the connection broke."""
        headers = {"Authorization": f"Bearer {self.credential}", **({"Idempotency-Key": key} if key else {})}
        data = None if body is None else json.dumps(body).encode()
        outside, began = self._crowd.outside, time.monotonic()
        status, answer = 0, None
        try:
            async with (
                asyncio.timeout(patience_s or self._crowd.patience_s),
                self._crowd.session.request(
                    method, next(self._crowd.edges) + path, data=data, headers=headers
                ) as response,
            ):
                text = await response.text()
                status, answer = response.status, json.loads(text) if text else None
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass
        outside.answers[status] += 1
        outside.slowest_s = max(outside.slowest_s, time.monotonic() - began)
        return status, answer

    async def insist(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """The first answer that is one. Raises GaveUp when the run is over before that."""
        while True:
            status, answer = await self.call(method, path, body, key=key)
            if status and status < 500 and status != 429:
                return status, answer
            if self._crowd.over:
                raise GaveUp
            await asyncio.sleep(AGAIN_S)


class Crowd:
    """Any number of phones at a time, one shopper's life after the other, until it is told to go home."""

    def __init__(
        self,
        urls: Sequence[str],
        retailers: list[Retailer],
        outside: Outside,
        clock: Clock,
        *,
        seed: int,
        phones: int,
        patience_s: float = TIMEOUT_S,
    ) -> None:
        self.edges = itertools.cycle(urls)  #: one after the other, as a load balancer has it
        self.outside = outside
        self.patience_s = patience_s  #: with a request that gets no answer
        self.over = False
        self.session: aiohttp.ClientSession
        self.clock_us = clock.now_us
        self._retailers = retailers
        self._seed = seed
        self._phones = phones
        self._next = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0)
        self.session = aiohttp.ClientSession(connector=connector)
        self._tasks = [asyncio.create_task(self._phone()) for _ in range(self._phones)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_home()
        await self.session.close()

    async def go_home(self) -> None:
        """Everybody ends what they are at; the server must be there for that. Raises what a phone met."""
        self.over = True
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    async def until_taken(self, more: int, within_s: float) -> None:
        """Waits until so many more fixes are acknowledged. Raises TimeoutError, and what a phone met."""
        goal = self.outside.taken + more
        await self._until(lambda: self.outside.taken >= goal, within_s)

    async def until_answered(self, more: int, within_s: float) -> None:
        """Waits for so many more requests, however they end."""
        goal = self.outside.answers.total() + more
        await self._until(lambda: self.outside.answers.total() >= goal, within_s)

    async def until_refused(self, more: int, within_s: float) -> None:
        """Waits until so many more requests are told to come back."""
        goal = self.outside.answers[503] + more
        await self._until(lambda: self.outside.answers[503] >= goal, within_s)

    async def _until(self, reached: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not reached():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.02)

    async def _phone(self) -> None:
        while not self.over:
            number, self._next = self._next, self._next + 1
            life = Life(self, random.Random(f"{self._seed}.{number}"), self._retailers, number)
            try:
                await life.live()
            except GaveUp:
                continue


class Life:
    """A shopper: installs the app, looks at something, walks to the shop or past it, uses what she got."""

    def __init__(self, crowd: Crowd, chosen: random.Random, retailers: list[Retailer], number: int) -> None:
        self._crowd = crowd
        self._outside = crowd.outside
        self._random = chosen
        self._retailer = retailers[0] if chosen.random() < 0.75 else retailers[-1]
        self._name = f"{self._retailer.name}-{number:06d}"
        self._address = f"{self._name}:" + "x" * 100
        self._phone = Client(crowd, "")

    async def live(self) -> None:
        await self._install()
        sku = self._random.choice(("T-1", "B-1", "H-1", "H-1"))
        look = {"kind": "cart", "sku": sku, "at": self._time(0)}
        await self._insist("POST", "/v1/events", {"events": [look]})
        if self._random.random() < 0.1:
            await self._insist("PUT", "/v1/me/consents", {"push": {"granted": False}})
            self._outside.withdrew_at_us[self._address] = time.time_ns() // 1000
        await self._walk()
        await self._use_coupons()

    async def _install(self) -> None:
        app = Client(self._crowd, self._retailer.app_key)
        body = {
            "platform": "android",
            "push": {"kind": "fcm_token", "value": self._address},
            "consents": {purpose: {"granted": True} for purpose in PURPOSES},
        }
        status, answer = await app.insist("POST", "/v1/devices", body, key=f"install-{self._name}")
        assert status == 201, answer
        self._phone.credential, self._refresh_token = answer["access_token"], answer["refresh_token"]
        self._device = answer["device_id"]
        for name in (answer["device_id"], answer["shopper_id"], self._address):
            self._outside.retailer_of[name] = self._retailer.retailer_id
        self._outside.device_at[self._address] = self._device

    async def _walk(self) -> None:
        """From 130 m north to the door: she stays, walks on, or stops before it. The end is yet to come."""
        turns_at_m = self._random.choice((-140.0, 0.0, 0.0, RADIUS_M + 40))
        start_us = self._crowd.clock_us() - 80_000_000
        fixes = []
        for number in range(22):
            north_m = max(turns_at_m, 130 - WALK_MPS * 6 * number)
            place = {"lat": LAT + north_m / M_PER_DEGREE, "lon": LON + self._random.gauss(0, 2e-5)}
            at = datetime.fromtimestamp((start_us + 6_000_000 * number) / 1e6, UTC).isoformat()
            fixes.append(place | {"fixed_at": at, "accuracy_m": 6.0, "id": f"{self._name}-{number}"})
        pings = [fixes[start : start + 4] for start in range(0, len(fixes), 4)]
        if self._random.random() < 0.15:  # one comes late
            pings.insert(len(pings) - 1, pings.pop(self._random.randrange(len(pings) - 1)))
        if self._random.random() < 0.2:  # one comes twice
            pings.append(self._random.choice(pings))
        for ping in pings:
            await self._ping(ping)

    async def _ping(self, fixes: list[dict[str, Any]]) -> None:
        names = {(self._device, fix["id"]) for fix in fixes}
        self._outside.sent |= names
        if self._random.random() < 0.05:  # the net is gone before the answer comes; she does not try again
            await self._phone.call("POST", "/v1/pings", {"fixes": fixes}, patience_s=0.003)
            return
        status, answer = await self._insist("POST", "/v1/pings", {"fixes": fixes})
        assert status == 200, answer
        refused = {fixes[one["index"]]["id"] for one in answer["rejected"]}
        self._outside.acknowledged |= {name for name in names if name[1] not in refused}

    async def _use_coupons(self) -> None:
        """At two tills at once, each under its own key, and at one of them twice."""
        status, inbox = await self._insist("GET", "/v1/inbox")
        assert status == 200, inbox
        for item in inbox["items"]:
            await self._insist("POST", f"/v1/notifications/{item['id']}/opened")
            if self._random.random() < 0.7:
                keys = [f"{item['id']}-{till}" for till in (1, 2, 1)]
                await asyncio.gather(*(self._redeem(item["code"], key) for key in keys))

    async def _redeem(self, code: str, key: str) -> None:
        till = Client(self._crowd, self._retailer.till_key)
        status, answer = await till.insist("POST", "/v1/redemptions", {"code": code}, key=key)
        assert status in (200, 409, 410), (status, answer)
        if status == 200:
            self._outside.granted[code].add(key)
            self._outside.granted_decisions.add(answer["decision_id"])

    async def _insist(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """As an app does it: a token that has run out is refreshed; where that fails she installs again."""
        status, answer = await self._phone.insist(method, path, body)
        if status != 401:
            return status, answer
        again = {"refresh_token": self._refresh_token}
        status, tokens = await self._phone.insist("POST", "/v1/devices/token", again)
        if status != 200:
            raise GaveUp
        self._phone.credential, self._refresh_token = tokens["access_token"], tokens["refresh_token"]
        return await self._phone.insist(method, path, body)

    def _time(self, ago_s: float) -> str:
        return datetime.fromtimestamp(self._crowd.clock_us() / 1e6 - ago_s, UTC).isoformat()
