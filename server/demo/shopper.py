"""One simulated shopper: what she looks at, where she walks, and her way to the till."""

import asyncio
import random

from server.demo.cast import Habit, Role, consents_of, preferences_of, spot_of
from server.demo.client import ApiError, App, redeem
from server.demo.handset import FIX_EVERY_S, Handset
from server.demo.helsinki import PLANE
from server.demo.plane import Spot
from server.demo.retail import Bargain
from server.demo.scene import Delivery, Scene, watch_decisions
from server.demo.streets import Streets
from server.demo.walker import Path, Walker

LINGER_S = 12.0  #: at a store, before going on or to the till
#: How far away she comes from and goes to.
FAR_M = (300.0, 700.0)


async def live(scene: Scene, role: Role, *, fcm_token: str, rng: random.Random) -> None:
    """A shopper from installing the app to leaving the town. Raises ApiError (in a group) if refused."""
    app = await App.install(scene.api, scene.keys, fcm_token=fcm_token, consents=consents_of(role))
    preferences = preferences_of(role, scene.clock.now_us())
    if preferences is not None:
        await app.prefer(preferences)
    handset = Handset(scene, role, app, fcm_token=fcm_token, rng=rng)
    async with asyncio.TaskGroup() as group:
        watchers = (
            group.create_task(handset.watch()),
            group.create_task(watch_decisions(scene, role.label, handset.device_id)),
        )
        await Shopper(scene, role, handset, rng).shop()
        for watcher in watchers:
            watcher.cancel()


class Shopper:
    """Her way through the town."""

    def __init__(self, scene: Scene, role: Role, handset: Handset, rng: random.Random) -> None:
        self._scene = scene
        self._role = role
        self._handset = handset
        self._rng = rng
        self._spot: Spot | None = None  #: where she is; None before she has appeared
        self._store: str | None = None  #: the store where she is going, or is

    async def shop(self) -> None:
        """All her errands, one after the other. Raises ApiError."""
        if self._role.habit is Habit.RIDES:
            await self._ride_past(self._role.errands[0])
            return
        for errand in self._role.errands:
            await self._run(errand)
        await self._handset.read_inbox()
        await self._go_home()

    async def _run(self, errand: Bargain) -> None:
        if self._role.habit is Habit.LOOKS and self._spot is None:
            # She is in the store already: the look is what makes the moment.
            await self._walk(Path.along([self._shelf_of(errand)]), errand.outlet.external_id)
            await self._handset.browse(errand)
        else:
            await self._handset.browse(errand)
            await self._walk(self._path_to(errand), errand.outlet.external_id)
        await self._linger()
        await self._use_offers()

    async def _ride_past(self, errand: Bargain) -> None:
        """Past a store whose product she has looked at, without stopping."""
        roads = self._scene.town.roads
        middle = roads.nearest(spot_of(errand))
        start, end = self._far_from(roads, spot_of(errand)), self._far_from(roads, spot_of(errand))
        await self._handset.browse(errand)
        await self._walk(Path.along([*roads.way(start, middle), *roads.way(middle, end)[1:]]), None)

    async def _go_home(self) -> None:
        streets, here = self._scene.town.footways, self._here()
        path = Path.along(streets.way(streets.nearest(here), self._far_from(streets, here)))
        await self._walk(path, None)
        await self._use_offers()

    async def _use_offers(self) -> None:
        """Goes to the store of each offer she wants to use, unless she is there, and to its till."""
        while self._handset.accepted:
            push = self._handset.accepted.pop(0)
            store = push.data["store"]
            if store != self._store:
                await self._walk(self._path_from_here(store), store, straight=True)
                await self._linger()
            await self._show_code(push)

    async def _show_code(self, push: Delivery) -> None:
        scene, store = self._scene, self._scene.store_name(push.data["store"])
        try:
            await redeem(scene.api, scene.keys, push.data["code"])
        except ApiError as refused:
            # A till may say no to a good shopper: she came too late.
            scene.feed.troubled(scene.clock.now_us(), self._role.label, store, f"the till says {refused}")
        else:
            scene.feed.used(scene.clock.now_us(), self._role.label, store, push.title)

    def _shelf_of(self, errand: Bargain) -> Spot:
        """Somewhere inside the store."""
        door = spot_of(errand)
        return Spot(
            door.east_m + self._rng.uniform(-12.0, 12.0), door.north_m + self._rng.uniform(-12.0, 12.0)
        )

    def _path_to(self, errand: Bargain) -> Path:
        """To the store; the first time from just so far outside its geofence as her part says."""
        streets, stop = self._scene.town.footways, spot_of(errand)
        if self._spot is not None:
            return self._path_from_here(errand.outlet.external_id)
        path = Path.along(streets.way(self._far_from(streets, stop), streets.nearest(stop)))
        return path.rest(max(0.0, path.last_outside_m(stop, errand.outlet.radius_m) - self._role.lead_m))

    def _path_from_here(self, store: str) -> Path:
        streets, outlet = self._scene.town.footways, self._scene.outlet(store)
        goal = streets.nearest(PLANE.spot(outlet.lat_deg, outlet.lon_deg))
        return Path.along(streets.way(streets.nearest(self._here()), goal))

    def _far_from(self, streets: Streets, spot: Spot) -> int:
        return self._rng.choice(streets.within(spot, *FAR_M))

    async def _walk(self, path: Path, store: str | None, *, straight: bool = False) -> None:
        """Along the path, a fix at each step; turns aside for an offer of another store unless `straight`."""
        self._store = store
        walker = Walker(path=path, speed_mps=self._role.speed_mps)
        while True:
            self._spot = walker.spot
            if walker.arrived:
                await self._handset.ping(walker.spot, 0.0, None)
                return
            await self._handset.ping(walker.spot, walker.speed_mps, path.course_deg(walker.along_m))
            if not straight and any(push.data["store"] != store for push in self._handset.accepted):
                return
            await asyncio.sleep(FIX_EVERY_S)
            walker = walker.after(FIX_EVERY_S)

    async def _linger(self) -> None:
        for _ in range(round(LINGER_S / FIX_EVERY_S)):
            await asyncio.sleep(FIX_EVERY_S)
            await self._handset.ping(self._here(), 0.0, None)

    def _here(self) -> Spot:
        assert self._spot is not None, "she has appeared"
        return self._spot
