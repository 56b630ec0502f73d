"""Keeps the streets busy: whenever a shopper has gone home, the next one comes."""

import asyncio
import random
import secrets
from itertools import count

from server.demo.cast import cast_role
from server.demo.client import ApiError
from server.demo.scene import Scene
from server.demo.shopper import live

#: Between two shoppers, so that their requests do not all come at once.
APART_S = 0.2
#: After one has gone, before the next one comes; and after one was refused, since the next may be too.
PAUSE_S, REFUSED_PAUSE_S = 2.0, 10.0


async def keep_busy(scene: Scene, *, shoppers: int, seed: int) -> None:
    """So many shoppers at a time, until cancelled."""
    numbers = count(1)
    # Phones of an earlier run must not get this run's pushes.
    run = secrets.token_hex(4)

    async def one_after_the_other(place: int) -> None:
        await asyncio.sleep(place * APART_S)
        while True:
            went_well = await _one(scene, next(numbers), seed, run)
            await asyncio.sleep(PAUSE_S if went_well else REFUSED_PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for place in range(shoppers):
            group.create_task(one_after_the_other(place))


async def _one(scene: Scene, number: int, seed: int, run: str) -> bool:
    """Whether the server refused her nothing."""
    refused: list[BaseException] = []
    role = cast_role(number, scene.retail.bargains, seed)
    rng = random.Random(f"{seed}/{number}/way")  # noqa: S311 - repeatable, guards nothing
    try:
        await live(scene, role, fcm_token=f"demo-{run}-{number}", rng=rng)
    except* ApiError as refusals:
        refused += refusals.exceptions
    finally:
        scene.feed.left(role.label)
    for error in refused:
        scene.feed.troubled(scene.clock.now_us(), role.label, "", str(error))
    return not refused
