"""Freeing much in parts."""

import asyncio

from server.letting_go import AT_ONCE, let_go


async def test_others_have_their_turn_while_much_is_freed() -> None:
    things = {number: [number] for number in range(3 * AT_ONCE)}
    left = []

    async def other() -> None:
        while things:
            left.append(len(things))
            await asyncio.sleep(0)

    await asyncio.gather(let_go(things), other())
    assert not things
    assert left == [2 * AT_ONCE, AT_ONCE]
