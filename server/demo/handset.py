"""A simulated phone: the app on it, its GPS with its errors, and the notifications that appear on it."""

import random
from typing import Any

from server.demo.cast import Answer, Habit, Role
from server.demo.client import App, decision
from server.demo.helsinki import PLANE
from server.demo.plane import Spot
from server.demo.retail import Bargain
from server.demo.scene import Delivery, Scene
from server.demo.walker import Drift
from server.wire import rfc3339

FIX_EVERY_S = 2.0

_FOREVER_S = 86_400.0
_MINUTE_US = 60 * 1_000_000


class Handset:
    """The phone of one shopper."""

    def __init__(self, scene: Scene, role: Role, app: App, *, fcm_token: str, rng: random.Random) -> None:
        self.accepted: list[Delivery] = []  #: pushes whose offers its owner wants to use, in order
        self._scene = scene
        self._role = role
        self._app = app
        self._fcm_token = fcm_token
        self._rng = rng
        self._drift = Drift(accuracy_m=role.accuracy_m)
        self._pushed: set[str] = set()
        self._sent_at_us: list[int] = []  #: when each request went out that can cause a push

    @property
    def device_id(self) -> str:
        return self._app.device_id

    async def ping(self, spot: Spot, speed_mps: float, course_deg: float | None) -> None:
        """Measures where it is, and tells the server. Raises ApiError."""
        self._drift = self._drift.after(FIX_EVERY_S, self._rng)
        lat_deg, lon_deg = PLANE.place(self._drift.seen(spot))
        fix: dict[str, Any] = {
            "lat": round(lat_deg, 7),
            "lon": round(lon_deg, 7),
            "fixed_at": rfc3339(self._sends()),
            "accuracy_m": round(self._role.accuracy_m, 1),
            "speed_mps": round(speed_mps, 2),
        }
        if course_deg is not None:
            fix["course_deg"] = round(course_deg, 1)
        self._scene.feed.fixed(await self._app.ping([fix]))

    async def browse(self, errand: Bargain) -> None:
        """Its owner looks at a product, and perhaps puts it into the cart. Raises ApiError.

        Whoever is not in the store yet has looked before: a second view within a day shows she means it.
        """
        now_us = self._sends()
        self._scene.feed.looked(now_us, self._role.label, errand.outlet.name, errand.article.name)
        looks = [("view", now_us)]
        if self._role.habit is not Habit.LOOKS:
            looks.insert(0, ("view", now_us - _MINUTE_US))
        if self._role.carts:
            looks.append(("cart", now_us))
        await self._app.browse(
            [{"kind": kind, "sku": errand.sku, "at": rfc3339(at_us)} for kind, at_us in looks]
        )

    async def watch(self) -> None:
        """Answers every push as its owner would, until cancelled. Raises ApiError."""
        count = 0
        while True:
            count += 1
            push = await self._scene.phones.wait_for_push(self._fcm_token, _FOREVER_S, count=count)
            await self._note(push)
            await self._answer(push)

    async def read_inbox(self) -> None:
        """Its owner opens the app and finds what no push had told of. Raises ApiError."""
        for item in await self._app.inbox():
            if item["id"] not in self._pushed:
                self._scene.feed.found(
                    self._scene.clock.now_us(),
                    self._role.label,
                    self._scene.store_name(item["store"]),
                    title=item["title"],
                    body=item["body"],
                )

    def _sends(self) -> int:
        now_us = self._scene.clock.now_us()
        self._sent_at_us.append(now_us)
        return now_us

    async def _note(self, push: Delivery) -> None:
        self._pushed.add(push.data["id"])
        self._scene.feed.pushed(
            push.accepted_at_us,
            self._role.label,
            self._scene.store_name(push.data["store"]),
            title=push.title,
            body=push.body,
            latency_ms=await self._latency_ms(push),
        )

    async def _latency_ms(self, push: Delivery) -> float | None:
        """From sending the fix or look that caused the push; None where it was a timer of the server."""
        receipt = await decision(self._scene.api, self._scene.keys, push.data["decision_id"])
        if receipt["moment"]["trigger"] == "dwell":
            return None
        caused_at_us = max(at_us for at_us in self._sent_at_us if at_us <= push.accepted_at_us)
        return (push.accepted_at_us - caused_at_us) / 1000

    async def _answer(self, push: Delivery) -> None:
        item_id, answer = push.data["id"], self._role.answer
        await self._app.tell(item_id, "delivered")
        if answer in {Answer.COMES, Answer.OPENS}:
            await self._app.tell(item_id, "opened")
        elif answer is Answer.DISMISSES:
            await self._app.tell(item_id, "dismissed")
        if answer is Answer.COMES and self._role.habit is not Habit.RIDES:
            self.accepted.append(push)
