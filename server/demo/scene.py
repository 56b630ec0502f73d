"""What all shoppers of the demo share, and the retailer's look at what was decided about each."""

import asyncio
from typing import Any, Protocol

import msgspec

from server.clock import Clock
from server.demo.client import Api, Keys, decisions_of
from server.demo.feed import Feed
from server.demo.helsinki import Town
from server.demo.retail import Outlet, Retail

DECISIONS_EVERY_S = 1.0


class Delivery(Protocol):
    """A notification on a phone."""

    @property
    def accepted_at_us(self) -> int:
        """When FCM took it."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def body(self) -> str: ...

    @property
    def data(self) -> dict[str, str]: ...


class Phones(Protocol):
    """Where pushes end up: the stand-in FCM."""

    async def wait_for_push(self, address: str, timeout_s: float, *, count: int = 1) -> Delivery:
        """The `count`-th notification that appeared on the phone at the address."""
        ...


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The town, its retailer, and the ways to its server."""

    api: Api
    keys: Keys
    phones: Phones
    retail: Retail
    town: Town
    feed: Feed
    clock: Clock

    def outlet(self, external_id: str) -> Outlet:
        """The store of that id."""
        return next(outlet for outlet in self.retail.outlets if outlet.external_id == external_id)

    def store_name(self, external_id: str | None) -> str:
        """What the screen calls a store; nothing where a moment had none."""
        return self.outlet(external_id).name if external_id else ""


async def watch_decisions(scene: Scene, shopper: str, device_id: str) -> None:
    """Tells the feed of every receipt of a device, until cancelled."""
    known: set[str] = set()
    while True:
        receipts = await decisions_of(scene.api, scene.keys, device_id)
        for receipt in reversed(receipts):
            if receipt["id"] not in known:
                known.add(receipt["id"])
                _tell(scene, shopper, receipt)
        await asyncio.sleep(DECISIONS_EVERY_S)


def _tell(scene: Scene, shopper: str, receipt: dict[str, Any]) -> None:
    store = scene.store_name(receipt["moment"]["store"])
    scene.feed.decided(scene.clock.now_us(), shopper, store, receipt)
