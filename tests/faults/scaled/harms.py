"""What can go wrong with several processes, by name: each is told the scene, and does its harm.

Whatever is dead, cut or slow when it returns is healed then.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random

import msgspec

from tests.faults.crowd import Crowd
from tests.faults.processes import Server
from tests.faults.scaled.cluster import Cluster

RECOVERY_S = 90.0  #: within this something is acknowledged; far more than it takes
SESSION_S = 3.0  #: after which an engine that says nothing has its partitions taken away
OUT_S = SESSION_S + 1.5  #: for longer than that
DIES_S = 90.0  #: within this an engine comes past any place to die at


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what is there."""

    cluster: Cluster
    crowd: Crowd
    random: Random

    async def meanwhile(self) -> None:
        """Something is acknowledged."""
        await self.crowd.until_taken(self.random.randint(10, 40), RECOVERY_S)


Harm = Callable[[Scene], Awaitable[None]]


async def nothing(scene: Scene) -> None:
    """A run without a fault, to compare with."""
    await scene.meanwhile()


async def kill_engine(scene: Scene) -> None:
    """`kill -9` of one engine: the other takes over what was its."""
    await scene.meanwhile()
    await scene.random.choice(scene.cluster.engines).kill()
    await scene.meanwhile()


async def kill_engines(scene: Scene) -> None:
    """`kill -9` of all engines: phones are acknowledged all the same."""
    await scene.meanwhile()
    await asyncio.gather(*(engine.kill() for engine in scene.cluster.engines))
    await scene.crowd.until_taken(1, RECOVERY_S)


async def kill_edge(scene: Scene) -> None:
    """`kill -9` of one edge: phones come to the other."""
    await scene.meanwhile()
    await scene.random.choice(scene.cluster.edges).kill()
    await scene.meanwhile()


async def kill_push(scene: Scene) -> None:
    """`kill -9` of the push process, with what it has leased."""
    await scene.meanwhile()
    await scene.cluster.push[0].kill()
    await scene.meanwhile()


async def kill_broker(scene: Scene) -> None:
    """`kill -9` of one of three brokers: others lead what it led."""
    await scene.meanwhile()
    await scene.random.choice(scene.cluster.kafka.brokers).kill()
    await scene.meanwhile()


async def change_leaders(scene: Scene) -> None:
    """A broker is stopped in good order: what it leads is led by others before it goes."""
    await scene.meanwhile()
    await scene.random.choice(scene.cluster.kafka.brokers).stop()
    await scene.meanwhile()


async def kill_broker_and_engine(scene: Scene) -> None:
    """A machine with a broker and an engine on it is gone."""
    await scene.meanwhile()
    await scene.random.choice(scene.cluster.kafka.brokers).kill()
    await scene.random.choice(scene.cluster.engines).kill()
    await scene.meanwhile()


async def join_in_transactions(scene: Scene) -> None:
    """A third engine joins while transactions of another take long, and leaves again."""
    scene.cluster.far_postgres.delay_s = scene.random.uniform(0.01, 0.04)
    await scene.meanwhile()
    third = scene.cluster.another("engine")
    await third.start()
    await scene.meanwhile()
    await third.stop()


async def zombie(scene: Scene, out_s: float = OUT_S) -> None:
    """An engine hangs in the middle of what it does until others own what was its, and wakes."""
    await scene.meanwhile()
    engine = scene.random.choice(scene.cluster.engines)
    engine.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(out_s)
        await scene.meanwhile()
    finally:
        engine.signal(signal.SIGCONT)
    await scene.meanwhile()


async def zombie_60_s(scene: Scene) -> None:
    """Likewise for a minute."""
    await zombie(scene, 60.0)


async def zombies(scene: Scene) -> None:
    """All engines hang, one after the other, so that partitions go to and fro."""
    await scene.meanwhile()
    for engine in scene.random.sample(scene.cluster.engines, 2):
        engine.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(OUT_S)
        finally:
            engine.signal(signal.SIGCONT)


async def cut_off_kafka(scene: Scene) -> None:
    """An edge and an engine do not reach Kafka, but PostgreSQL."""
    await _cut(scene, kafka=True, postgres=False)


async def cut_off_postgres(scene: Scene) -> None:
    """An edge and an engine do not reach PostgreSQL, but Kafka."""
    await _cut(scene, kafka=False, postgres=True)


async def cut_off(scene: Scene) -> None:
    """An edge and an engine reach nobody but phones."""
    await _cut(scene, kafka=True, postgres=True)


async def link_down(scene: Scene) -> None:
    """The network of an engine has no link to the others for a while; where it has none of its own, it is cut
    off by the proxies.
    """
    if (apart := scene.cluster.apart) is None:
        await _cut(scene, kafka=True, postgres=True)
        return
    await scene.meanwhile()
    await apart.down()
    try:
        await asyncio.sleep(OUT_S + scene.random.uniform(0, 2))
        await scene.meanwhile()
    finally:
        await apart.up()
    await scene.meanwhile()


async def _cut(scene: Scene, *, kafka: bool, postgres: bool) -> None:
    await scene.meanwhile()
    wires = [
        *(scene.cluster.far_brokers if kafka else ()),
        *([scene.cluster.far_postgres] if postgres else ()),
    ]
    for wire in wires:
        wire.cut()
    await asyncio.sleep(OUT_S + scene.random.uniform(0, 2))
    await scene.meanwhile()
    for wire in wires:
        wire.mend()
    await scene.meanwhile()


async def restart_postgres(scene: Scene) -> None:
    """`kill -9` of all of PostgreSQL; it recovers."""
    await scene.meanwhile()
    scene.cluster.postgres.kill_tree()
    await scene.meanwhile()


async def pause_postgres(scene: Scene) -> None:
    """PostgreSQL stands still for longer than a transaction may."""
    await scene.meanwhile()
    await scene.cluster.postgres.pause(5)


async def dies_before_commit(scene: Scene) -> None:
    """An engine dies with a batch decided and not committed."""
    await _dies(scene, "before_commit")


async def dies_after_commit(scene: Scene) -> None:
    """An engine dies with a batch committed and nobody answered."""
    await _dies(scene, "after_commit")


async def _dies(scene: Scene, place: str) -> None:
    engine = scene.random.choice(scene.cluster.engines)
    await engine.stop()
    await engine.start(fault=f"{place}:{scene.random.randint(1, 20)}")
    await _killed_itself(engine)
    await scene.meanwhile()


async def _killed_itself(engine: Server) -> None:
    status = await engine.ended(DIES_S)
    assert status == -signal.SIGKILL, f"it ended with {status}: {engine.last_words()}"


HARMS: dict[str, Harm] = {
    harm.__name__: harm
    for harm in (
        nothing,
        kill_engine,
        kill_edge,
        kill_broker,
        zombie,
        cut_off_kafka,
        join_in_transactions,
        kill_engines,
        cut_off_postgres,
        change_leaders,
        restart_postgres,
        dies_before_commit,
        cut_off,
        link_down,
        kill_broker_and_engine,
        zombies,
        dies_after_commit,
        pause_postgres,
        kill_push,
        zombie_60_s,
    )
}
#: What the tests run. A process that starts takes some 4 s of processor time, a broker more.
TESTED = (
    *(
        "kill_engine",
        "kill_edge",
        "zombie",
        "cut_off_kafka",
        "kill_engine",
        "restart_postgres",
        "cut_off_postgres",
    ),
    *("kill_broker", "zombie", "join_in_transactions", "kill_edge", "cut_off", "kill_engine", "zombies"),
    *("change_leaders", "dies_before_commit", "kill_engines", "link_down", "dies_after_commit", "zombie"),
)
