"""Apache Kafka 4 in KRaft mode on loopback: one node, or a cluster of three whose nodes can be stopped and killed one
by one.

For tests on the real thing, and for `mirante up --kafka apache`. Every node is broker and controller in one; there is
no ZooKeeper. Data stay in the data directory: a restart on the same directory is the same cluster with the same id,
topics and offsets.

Settings: https://kafka.apache.org/documentation/#brokerconfigs
"""

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from deploy.embedded.broker_api import serves
from deploy.embedded.ports import LOOPBACK, free_port, is_free, take_port
from deploy.embedded.processes import Exit, ManagedProcess, ProcessFailed, run_to_end
from deploy.kafka.runtime import LOG_CONFIG, Progress, ensure_jars, java, report

FORMAT_TIMEOUT = 60.0
START_TIMEOUT = 60.0
# Nodes that go together lose their quorum, and then wait in vain for its leave to shut down. What was acknowledged
# survives SIGKILL: it is in the files, and those belong to the kernel.
CLUSTER_GRACE = 1.5
MAX_MESSAGE_BYTES = 32 * 1024 * 1024

# Short-lived brokers on few cores: start quickly rather than run fastest.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData")


class ClusterIdentity(msgspec.Struct, frozen=True):
    """What must not change while the data live: `cluster.json` in the data directory."""

    cluster_id: str
    ports: list[int]
    controller_ports: list[int]


class ApacheKafka:
    """A cluster of Apache Kafka nodes. `async with ApacheKafka(data_dir=..., log_dir=...) as kafka: kafka.bootstrap`.

    Nodes are numbered from 1. Node n is the process `NAME-n` (NAME alone when there is one node).
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        log_dir: Path,
        nodes: int = 1,
        port: int = 0,
        heap_mb: int = 512,
        name: str = "kafka",
        jvm_flags: Sequence[str] = QUICK_START,
        progress: Progress = report,
    ) -> None:
        """`port` is that of the first node; 0 takes a free one, or the one used before on this data directory if it is
        free.

        Raises OSError when the port asked for is in use, ValueError when the directory holds a cluster of another size.
        """
        self._name = name
        self._data_dir = data_dir.absolute()
        self._log_dir = log_dir.absolute()
        self._heap_mb = heap_mb
        self._jvm_flags = tuple(jvm_flags)
        self._progress = progress
        self._identity = self._identify(nodes, port)
        self._nodes: list[ManagedProcess] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        """How many brokers it has."""
        return len(self._identity.ports)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{LOOPBACK}:{port}" for port in self._identity.ports)

    @property
    def cluster_id(self) -> str:
        """The same for as long as the data directory lives."""
        return self._identity.cluster_id

    @property
    def pids(self) -> dict[str, int]:
        return {name: pid for node in self._nodes for name, pid in node.pids.items()}

    def node(self, number: int) -> ManagedProcess:
        """The process of node `number`, from 1, to send it signals or ask whether it lives."""
        if not self._nodes:
            raise RuntimeError("Apache Kafka was not started")
        return self._nodes[number - 1]

    async def start(self) -> None:
        """Format the storage if it is new, start all nodes and wait until they form the cluster.

        Raises KafkaUnavailable when Java or Maven is missing and ProcessFailed when a node does not come up.
        """
        java_path, class_path = await asyncio.gather(java(), ensure_jars(self._progress))
        command = [java_path, f"-Xmx{self._heap_mb}m", *self._jvm_flags, f"-Dlog4j2.configurationFile={LOG_CONFIG}"]
        command += ["-cp", class_path]
        self._data_dir.mkdir(parents=True, exist_ok=True)
        (self._data_dir / "cluster.json").write_bytes(msgspec.json.encode(self._identity))
        self._nodes = [self._process(number, command) for number in range(1, self.size + 1)]
        try:
            await _all(self._format(number, command) for number in range(1, self.size + 1))
            await _all(node.start() for node in self._nodes)
            await self._until_complete()
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, grace: float | None = None) -> None:
        """Stop all nodes; the data stay."""
        if grace is None and self.size > 1:
            grace = CLUSTER_GRACE
        await _all(node.stop(grace) for node in self._nodes)

    async def stop_node(self, number: int, grace: float | None = None) -> None:
        """Stop one node in an orderly way: it hands its partitions over first."""
        await self.node(number).stop(grace)

    async def kill_node(self, number: int) -> None:
        """SIGKILL one node."""
        await self.node(number).kill()

    async def start_node(self, number: int) -> None:
        """Start a node again after `stop_node` or `kill_node`, with its data; wait until the cluster is complete."""
        await self.node(number).start()
        if all(node.alive for node in self._nodes):
            await self._until_complete()

    async def restart_node(self, number: int) -> None:
        """Stop a node and start it again."""
        await self.stop_node(number)
        await self.start_node(number)

    async def wait(self) -> Exit:
        """Return when any node has ended."""
        if not self._nodes:
            raise RuntimeError("Apache Kafka was not started")
        watches = [asyncio.ensure_future(node.wait()) for node in self._nodes]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _identify(self, nodes: int, port: int) -> ClusterIdentity:
        """The cluster of the data directory, or a new one.

        Node addresses may change between runs, its id and size may not.
        """
        try:
            old = msgspec.json.decode((self._data_dir / "cluster.json").read_bytes(), type=ClusterIdentity)
        except FileNotFoundError:
            old = None
        if old is not None and len(old.ports) != nodes:
            raise ValueError(
                f"{self._data_dir} holds a cluster of {len(old.ports)} nodes, not {nodes}: use another directory"
            )
        if old is None:
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
            # StorageTool reads an id that begins with a dash as an option.
            cluster_id = cluster_id.replace("-", "A", 1) if cluster_id.startswith("-") else cluster_id
            first = take_port(port, "Apache Kafka")
            return ClusterIdentity(cluster_id, [first, *_free_ports(nodes - 1)], _free_ports(nodes))
        ports = [old_port if is_free(old_port) else free_port() for old_port in old.ports]
        if port:
            ports[0] = take_port(port, "Apache Kafka")
        controllers = [old_port if is_free(old_port) else free_port() for old_port in old.controller_ports]
        return ClusterIdentity(old.cluster_id, ports, controllers)

    def _node_name(self, number: int) -> str:
        return self._name if self.size == 1 else f"{self._name}-{number}"

    def _process(self, number: int, command: list[str]) -> ManagedProcess:
        config = self._data_dir / f"node-{number}.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self._config(number).items()))
        address = f"{LOOPBACK}:{self._identity.ports[number - 1]}"
        return ManagedProcess(
            self._node_name(number),
            [*command, "kafka.Kafka", str(config)],
            log_dir=self._log_dir,
            ready=lambda: serves(address, self.cluster_id),
            ready_timeout=START_TIMEOUT,
            hint=f"Check that {self._heap_mb} MB of memory are free, "
            f"or remove {self._data_dir} to begin with an empty cluster.",
        )

    def _config(self, number: int) -> dict[str, str | int]:
        ports, controllers = self._identity.ports, self._identity.controller_ports
        broker, controller = f"{LOOPBACK}:{ports[number - 1]}", f"{LOOPBACK}:{controllers[number - 1]}"
        replicas, in_sync = min(3, self.size), min(2, self.size)
        return {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": ",".join(f"{n}@{LOOPBACK}:{port}" for n, port in enumerate(controllers, 1)),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._storage(number),
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            # 50 each by default: half a second of file creation when the first group appears.
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
            "replica.fetch.response.max.bytes": 2 * MAX_MESSAGE_BYTES,
            # A killed node is noticed in 3 s instead of 9.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "num.network.threads": 2,
            "num.io.threads": 4,
            # 128 MB by default: a quarter of the heap.
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "log.segment.bytes": 128 * 1024 * 1024,
        }

    def _storage(self, number: int) -> str:
        return str(self._data_dir / f"node-{number}")

    async def _format(self, number: int, command: list[str]) -> None:
        if (Path(self._storage(number)) / "meta.properties").exists():
            return
        config = str(self._data_dir / f"node-{number}.properties")
        process = ManagedProcess(
            f"{self._node_name(number)}-format",
            [*command, "kafka.tools.StorageTool", "format", "--cluster-id", self.cluster_id, "--config", config],
            log_dir=self._log_dir,
        )
        await run_to_end(process, FORMAT_TIMEOUT)

    async def _until_complete(self) -> None:
        """Every node answers for itself before; here they must know of each other."""

        async def complete() -> None:
            while not await serves(self.bootstrap, self.cluster_id, self.size):  # noqa: ASYNC110 (a probe, no event)
                await asyncio.sleep(0.05)

        try:
            await asyncio.wait_for(complete(), START_TIMEOUT)
        except TimeoutError:
            raise ProcessFailed(
                f"{self._name}: the {self.size} nodes did not form a cluster in {START_TIMEOUT:g} s. "
                f"Logs: {self._log_dir}"
            ) from None


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return sorted(ports)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """Run the steps together, each to its end, then raise the first failure."""
    for failure in await asyncio.gather(*steps, return_exceptions=True):
        if failure is not None:
            raise failure
