"""What can go wrong in a run, by name: each is told the town, does its harm, and has it heal."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.crash import POINTS
from tests.faults.scenario import RECOVERY_S, Summary, Town, run

DIES_S = 180.0  #: within this a crowd comes past any place to die at

Harm = Callable[[Town], Awaitable[None]]


async def nothing(town: Town) -> None:
    """A run without a fault, to compare with."""
    await town.crowd.until_taken(150, RECOVERY_S)


async def kill_server(town: Town) -> None:
    """`kill -9` of the server, three times, somewhere."""
    for _ in range(3):
        await town.crowd.until_taken(town.random.randint(10, 80), RECOVERY_S)
        await town.server.kill()
        await town.server.start()


async def kill_postgres(town: Town) -> None:
    """`kill -9` of all of PostgreSQL, three times, somewhere. The server goes on."""
    for _ in range(3):
        await town.crowd.until_taken(town.random.randint(10, 80), RECOVERY_S)
        town.postgres.kill_tree()


async def kill_both(town: Town) -> None:
    """The machine resets: server and PostgreSQL are gone at once."""
    for _ in range(2):
        await town.crowd.until_taken(town.random.randint(10, 80), RECOVERY_S)
        town.postgres.kill_tree()
        await town.server.kill()
        await town.server.start()


async def kill_backend(town: Town) -> None:
    """`kill -9` of one of PostgreSQL's processes: it drops all connections and recovers."""
    for _ in range(3):
        await town.crowd.until_taken(town.random.randint(10, 80), RECOVERY_S)
        async with asyncio.timeout(RECOVERY_S):
            while not town.postgres.kill_backend(town.random):  # all have just ended: the server comes back
                await asyncio.sleep(0.05)


async def pause_postgres(town: Town) -> None:
    """PostgreSQL stands still for a second, twice."""
    for _ in range(2):
        await town.crowd.until_taken(town.random.randint(10, 80), RECOVERY_S)
        await town.postgres.pause(1)


async def pause_postgres_10_s(town: Town) -> None:
    """PostgreSQL stands still for longer than any statement may take."""
    await town.crowd.until_taken(50, RECOVERY_S)
    await town.postgres.pause(10)


async def pause_postgres_60_s(town: Town) -> None:
    """PostgreSQL stands still for a minute."""
    await town.crowd.until_taken(50, RECOVERY_S)
    await town.postgres.pause(60)


async def slow_postgres(town: Town) -> None:
    """Every message to and from PostgreSQL is late, then all connections break, then it is well again."""
    town.wire.delay_s = town.random.uniform(0.005, 0.03)
    await town.crowd.until_taken(60, RECOVERY_S)
    town.wire.break_all()
    await town.crowd.until_taken(30, RECOVERY_S)
    town.wire.delay_s = 0.0


async def fcm_errors(town: Town) -> None:
    """FCM refuses in every way that may pass."""
    for kind in ("quota_exceeded", "unavailable", "internal", "bad_gateway", "unspecified"):
        await town.fcm.fail_next(kind, times=2, retry_after_s=town.random.choice((None, 1, 30)))
        await town.crowd.until_taken(40, RECOVERY_S)


async def fcm_ambiguous(town: Town) -> None:
    """FCM delivers and does not say so: an error, a broken connection, no answer at all."""
    for kind in ("delivered_unavailable", "delivered_reset", "delivered_hang"):
        await town.fcm.fail_next(kind, times=3)
        await town.crowd.until_taken(60, RECOVERY_S)


async def fcm_hangs(town: Town) -> None:
    """FCM stands still, with everything it has accepted in its hands; the server dies meanwhile."""
    await town.crowd.until_taken(40, RECOVERY_S)
    town.fcm.send_signal(signal.SIGSTOP)
    try:
        await town.crowd.until_taken(100, RECOVERY_S)
        await town.server.kill()
        await town.server.start()
        await town.crowd.until_taken(40, RECOVERY_S)
    finally:
        town.fcm.send_signal(signal.SIGCONT)


async def fcm_unregistered(town: Town) -> None:
    """FCM says of some addresses that they are dead."""
    for kind in ("unregistered", "invalid_address", "sender_id_mismatch"):
        await town.fcm.fail_next(kind, times=2)
        await town.crowd.until_taken(40, RECOVERY_S)


async def fcm_tokens(town: Town) -> None:
    """Google ends the sender's access tokens, again and again."""
    for _ in range(4):
        await town.fcm.revoke_tokens()
        await town.crowd.until_taken(50, RECOVERY_S)


#: Faults that a run without a special set-up can have, by name.
HARMS: dict[str, Harm] = {
    harm.__name__: harm
    for harm in (
        nothing,
        kill_server,
        kill_postgres,
        kill_both,
        kill_backend,
        pause_postgres,
        slow_postgres,
        fcm_errors,
        fcm_ambiguous,
        fcm_hangs,
        fcm_unregistered,
        fcm_tokens,
    )
}
#: Those that take long.
LONG_HARMS: dict[str, Harm] = {harm.__name__: harm for harm in (pause_postgres_10_s, pause_postgres_60_s)}


async def harmed(folder: Path, name: str, seed: int) -> Summary:
    """One run with the fault of that name: one of HARMS, or `dies_PLACE`. Raises PromiseBroken."""
    if name == "dies_recovering":
        return await died_recovering(folder, seed)
    if name.startswith("dies_"):
        return await died_at(folder, name.removeprefix("dies_"), seed)
    async with run(folder, seed=seed) as town:
        await (HARMS | LONG_HARMS)[name](town)
    assert town.summary is not None
    return town.summary


async def died_recovering(folder: Path, seed: int) -> Summary:
    """One run in which the server is killed, and dies again while it makes up for that."""
    async with run(folder, seed=seed) as town:
        await town.crowd.until_taken(60, RECOVERY_S)
        await town.server.kill()
        await town.server.start(fault=f"recovering:{1 + seed % 5}", ready=False)
        await _killed_itself(town)
        await town.server.start()
    assert town.summary is not None
    return town.summary


async def _killed_itself(town: Town) -> None:
    status = await town.server.ended(DIES_S)
    assert status == -signal.SIGKILL, f"it ended with {status}: {town.server.last_words()}"


async def _told_to_stop(town: Town) -> None:
    """It writes checkpoints at the latest then, and dies at the first, unless a batch was broken off by that:
    memory knows of nothing to write any more, so it ends, and is started for another try.
    """
    for _ in range(STOPS_MOST):
        await town.crowd.until_taken(30, RECOVERY_S)
        town.server.terminate()
        if await town.server.ended(DIES_S) != 0:
            return
        await town.server.start(fault="checkpoint:1")


async def died_at(folder: Path, place: str, seed: int) -> Summary:
    """One run in which the server dies at a place, twice, the seed says at which passing."""
    async with run(folder, seed=seed, fault=f"{place}:{_passing(place, seed)}") as town:
        for fault in (f"{place}:{_passing(place, seed + 1)}", ""):
            if place == "checkpoint":
                await _told_to_stop(town)
            await _killed_itself(town)
            await town.server.start(fault=fault)
    assert town.summary is not None
    return town.summary


STOPS_MOST = 3

#: How often a place is sure to be passed in a run, where that is not many times a second.
PASSED = {"checkpoint": 1, "claiming": 3, "claimed": 3, "sent": 3, "recording": 3}


def _passing(place: str, seed: int) -> int:
    """Which passing kills."""
    return 1 + seed % PASSED.get(place, 40)


NAMES = (*HARMS, *(f"dies_{place}" for place in POINTS), *LONG_HARMS)
#: What the tests run: a run takes some 20 s of processor time, and all of them a few minutes together. Kills
#: of the server or of PostgreSQL alone are what `test_kill_cycles.py` does.
TESTED = (
    "kill_both",
    "kill_backend",
    "slow_postgres",
    "fcm_ambiguous",
    "dies_before_commit",
    "dies_after_commit",
    "dies_checkpoint",
    "dies_recovering",
    "dies_sent",
)
