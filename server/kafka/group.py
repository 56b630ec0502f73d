"""The consumer group of the engines: how one joins, and how soon it is missed."""

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from server.kafka.cluster import Cluster
from server.kafka.topics import Topics

SESSION_MS = 3_000  #: a member that is not heard of for so long has its partitions taken away …
UNCHANGED_SESSION_MS = 6_000  #: … where Kafka's group.min.session.timeout.ms was not lowered
HEARTBEAT_MS = 500


def member_of(
    cluster: Cluster, topics: Topics, listener: ConsumerRebalanceListener, session_ms: int
) -> AIOKafkaConsumer:
    """A consumer that joins the group when it is started."""
    consumer = AIOKafkaConsumer(
        **cluster.client,
        group_id=topics.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=HEARTBEAT_MS,
        max_poll_interval_ms=60_000,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    consumer.subscribe([topics.journal], listener=listener)
    return consumer
