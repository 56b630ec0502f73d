"""A real Apache Kafka (KRaft), from its Maven artifacts: as many brokers as a test wants, on loopback.

`VICINO_KAFKA` names another one to use instead of the single broker. The jars are fetched once, into a cache
outside of the checkout.
"""

import asyncio
import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient

from server.kafka.cluster import Cluster
from tests.faults.processes import free_port
from tests.kafka.secured import Secured
from tests.support import skip_or_fail

POM = Path(__file__).with_name("pom.xml")
START_S = 90.0
#: A test's broker has little to keep, and should start soon.
JAVA = ("-Xms96m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.replica.fetchers": "1",
    "controlled.shutdown.enable": "true",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
}


def jars() -> Path:
    """The folder of Kafka's jars, fetched where they are not there. Skips the test where that cannot be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "vicino" / f"kafka-{_digest(POM)}"
    if folder.is_dir():
        return folder
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            skip_or_fail(f"no {program}: install openjdk-17-jre-headless and maven to test with Kafka")
    fetched = folder.with_name(f"{folder.name}.{os.getpid()}")
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        skip_or_fail(f"Kafka's jars cannot be fetched: {(done.stdout + done.stderr)[-300:]}")
    with suppress(OSError):  # another process may have been as quick
        fetched.rename(folder)
    return folder


def _digest(path: Path) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, path.read_text()).hex[:12]


class Broker:
    """One process of Kafka, broker and controller at once. It may be killed, paused and started again."""

    def __init__(
        self,
        number: int,
        folder: Path,
        ports: Sequence[tuple[int, int]],
        *,
        far: tuple[int, str] | None = None,
        secured: Secured | None = None,
    ) -> None:
        self.address = f"127.0.0.1:{ports[number][0]}"
        self._far = far
        self._folder = folder / str(number)
        self._number = number
        self._ports = ports
        self._secured = secured
        self._process: asyncio.subprocess.Process | None = None

    async def prepare(self, cluster_id: str) -> None:
        """Writes its configuration, and formats its storage."""
        self._folder.mkdir(parents=True)
        client, control = self._ports[self._number]
        replicas = str(min(3, len(self._ports)))
        settings = SETTINGS | {
            "node.id": str(self._number + 1),
            "controller.quorum.voters": ",".join(
                f"{number + 1}@127.0.0.1:{port}" for number, (_, port) in enumerate(self._ports)
            ),
            "listeners": f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{control}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client}",
            "log.dirs": str(self._folder / "logs"),
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
        }
        if self._far is not None:
            here, there = self._far
            settings["listeners"] += f",FAR://127.0.0.1:{here}"
            settings["advertised.listeners"] += f",FAR://{there}"
        users: tuple[str, ...] = ()
        if self._secured is not None:
            settings, users = self._secured.settings(settings), self._secured.users
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        arguments = ("format", "-t", cluster_id, "-c", str(path), *users)
        process = await self._java("kafka.tools.StorageTool", *arguments)
        assert await process.wait() == 0, self.last_words()

    async def start(self) -> None:
        """Starts the process; it takes its time to be there."""
        self._process = await self._java("kafka.Kafka", str(self._folder / "server.properties"))

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Ends it in good order: what it leads is led by others then."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-3000:]

    async def _java(self, *arguments: str) -> asyncio.subprocess.Process:
        with (self._folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *("java", *JAVA, "-cp", f"{jars()}/*", *arguments), stdout=log, stderr=log
            )


class Kafka:
    """A cluster of brokers, gone with its block.

    `far`: for each broker a port where it listens too, and the address that leads there.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        *,
        far: Sequence[tuple[int, str]] = (),
        secured: Secured | None = None,
    ) -> None:
        ports = [(free_port(), free_port()) for _ in range(brokers)]
        self.brokers = [
            Broker(number, folder, ports, far=far[number] if far else None, secured=secured)
            for number in range(brokers)
        ]
        self.servers = ",".join(broker.address for broker in self.brokers)
        self.cluster = Cluster(servers=self.servers)  #: as Vicino's own functions name it
        self.secured_servers = "" if secured is None else secured.address

    async def __aenter__(self) -> Self:
        # An id that begins with a dash would be taken for an option.
        cluster_id = "v" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:].rstrip("=")
        await asyncio.gather(*(broker.prepare(cluster_id) for broker in self.brokers))
        for broker in self.brokers:
            await broker.start()
        try:
            await self.ready()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(broker.kill() for broker in self.brokers))

    async def ready(self) -> None:
        """Returns when all running brokers are known to each other."""
        wanted = sum(1 for broker in self.brokers if broker.running)
        async with asyncio.timeout(START_S):
            while await _brokers_at(self.servers) < wanted:
                for broker in self.brokers:
                    assert broker.running, broker.last_words()
                await asyncio.sleep(0.1)  # another process: it can only be asked

    async def in_sync(self, topic: str) -> None:
        """Returns when every broker has all that the topic has."""
        async with asyncio.timeout(START_S):
            while await _least_in_sync(self.servers, topic) < len(self.brokers):
                await asyncio.sleep(0.1)


async def _least_in_sync(servers: str, topic: str) -> int:
    """How many copies of the partition with the fewest are in sync; 0 where nobody says so."""
    client = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=2000)
    try:
        await client.start()
        [told] = await client.describe_topics([topic])
        return min(len(one["isr"]) for one in told["partitions"])
    except Exception:  # noqa: BLE001 - whatever it says, they are not
        return 0
    finally:
        await client.close()


async def _brokers_at(servers: str) -> int:
    """How many brokers a cluster says it has."""
    client = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=2000)
    try:
        await client.start()
        return len((await client.describe_cluster())["brokers"])
    except Exception:  # noqa: BLE001 - whatever it says, it is not there yet
        return 0
    finally:
        await client.close()
