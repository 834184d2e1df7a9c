"""A worker: the Faust app that feeds batches to the agents' states and takes checkpoints.

Topics and tables exist before it starts (streams/prepare.py). ``/health`` and ``/metrics`` are served on the settings' web port.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import AIOKafkaProducer, TopicPartition
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.transports import ConsumerT
from faust.web import Request, Response, View
from mode import Service

from streams.agent import Agent
from streams.backfill import Backfill, until_complete
from streams.changelog import Changelog
from streams.checkpoint import Checkpointer
from streams.damage import Damage
from streams.deadletters import Preview, withheld
from streams.deaths import Notes, UnusableFolder
from streams.garbage import spare_what_is_loaded
from streams.in_hand import InHand
from streams.kafka import EMBEDDED_CLUSTER, new_producer, ssl_context
from streams.metrics import Metrics
from streams.settings import Settings
from streams.sink import Sink
from streams.topics import Topics
from streams.transport import BatchApp, BatchConsumer, BatchOptions, RecordBatch, batch_topic
from streams.watchdog import Watchdog

log = logging.getLogger(__name__)

GAP_PATIENCE = 5.0
"""Seconds for which a gap in the offsets of the embedded broker may still fill (streams/gaps.py). It takes milliseconds."""

STALE_AFTER = 30.0
"""Seconds without a successful checkpoint after which the worker is not healthy."""


class Runtime(Service):
    """What a running worker holds: producer, sink, and one checkpointer per agent."""

    def __init__(
        self,
        settings: Settings,
        agents: Sequence[Agent],
        consumer: Callable[[], ConsumerT],
        cluster: str,
        backfill: Backfill | None = None,
        preview: Preview = withheld,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.backfill = backfill
        self._consumer = consumer
        self.topics = Topics.of(settings)
        self.metrics = Metrics()
        self.damage = Damage(cluster)
        self._trims = not cluster.startswith(EMBEDDED_CLUSTER)
        self.notes = _notes(settings, cluster)
        self.in_hand = InHand() if self.notes is None else self.notes.in_hand
        self.watchdog = Watchdog(self.in_hand, self.metrics, None if self.notes is None else self.notes.trace)
        self.sink = Sink(settings.clickhouse_url, self.metrics, preview)
        self.agents = agents
        self.checkpointers: dict[str, Checkpointer] = {}
        self.producer: AIOKafkaProducer | None = None
        self.readers = Counter(topic for agent in agents for topic in agent.inputs)
        self.prepared = asyncio.Event()
        """Set once the checkpointers are made."""
        self.restored = False

    async def on_start(self) -> None:
        """Connect the producer and make a checkpointer for each agent."""
        self.producer = producer = new_producer(self.settings, linger_ms=5)
        await producer.start()
        for agent in self.agents:
            self.checkpointers[agent.name] = Checkpointer(
                agent.name,
                agent.inputs,
                agent.new_state,
                changelog=Changelog(self.settings, producer, self.topics.changelog(agent.name), trims=self._trims),
                producer=producer,
                sink=self.sink,
                metrics=self.metrics,
                damage=self.damage,
                deadletter_topic=self.topics.deadletter,
                deadletter_partitions=self.settings.partitions,
                interval=self.settings.checkpoint_interval,
                max_pending_rows=self.settings.max_pending_rows,
                hold=partial(self._hold, agent),
                end=self._end,
                prompt=agent.prompt,
                in_hand=self.in_hand,
            )
        self.prepared.set()

    async def on_stop(self) -> None:
        """Close the producer and the sink. The last checkpoint was taken when partitions were given
        up."""
        if self.producer is not None:  # None: told to stop before it had partitions
            await self.producer.stop()
        self.sink.close()

    async def restore(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        """Load the state of the assigned partitions; returns where each input goes on."""
        self.restored = False
        await self.maybe_start()
        if self.notes is not None:
            self.notes.deaths.refresh()  # of other workers, whose partitions may be among these
        next_offsets: dict[TP, list[int | None]] = {tp: [] for tp in assigned}
        for agent in self.agents:
            partitions = {tp.partition for tp in assigned if tp.topic in agent.inputs}
            found = await self.checkpointers[agent.name].restore(partitions)
            for tp in assigned:
                if tp.topic in agent.inputs:
                    next_offsets[tp].append(found[tp.partition].get(tp.topic))
        self.restored = True
        starts = {} if self.backfill is None else {TP(*tp): start for tp, start in self.backfill.starts.items()}
        return where_to_begin(next_offsets, starts)

    async def drain(self) -> None:
        """Make durable everything applied so far."""
        await asyncio.gather(*(checkpointer.flush() for checkpointer in self.checkpointers.values()))

    def _hold(self, agent: Agent, partition: int, topics: frozenset[str]) -> None:
        """Stop reading these topics of a partition, and read the agent's others."""
        self._consumer().pause_partitions({TP(topic, partition) for topic in topics})
        self._consumer().resume_partitions({TP(topic, partition) for topic in agent.inputs if topic not in topics})

    def _end(self, topic: str, partition: int) -> int | None:
        return cast(BatchConsumer, self._consumer()).end_of(TP(topic, partition))

    def status(self) -> dict[str, Any]:
        """How far this worker is: what keeps it from going on, durable offsets by topic and partition, what waits for its counterpart,
        seconds since anything came of it."""
        durable: dict[str, dict[int, int]] = {}
        for tp, offset in self.durable().items():
            durable.setdefault(tp.topic, {})[tp.partition] = offset
        problems = self.problems()
        return {
            "ready": not problems,
            "problems": problems,
            "inputs": sorted(self.readers),
            "partitions": sorted(self.owned()),
            "durable": durable,
            "waiting": self.waiting(),
            "quiet_seconds": min((c.quiet_seconds for c in self.checkpointers.values()), default=0.0),
        }

    def durable(self) -> dict[TopicPartition, int]:
        """Per input partition of this worker, the offset up to which everything is durable for every agent that reads it."""
        done = [(checkpointer, checkpointer.stored()) for checkpointer in self.checkpointers.values()]
        tps = {tp for _, stored in done for tp in stored}
        return {tp: min(stored.get(tp, 0) for checkpointer, stored in done if checkpointer.reads(tp)) for tp in tps}

    def owned(self) -> set[int]:
        """The partitions whose inputs this worker reads."""
        return set() if not self.restored else set().union(*(c.partitions for c in self.checkpointers.values()))

    def waiting(self) -> int:
        """Entries of the states of all agents of which something may still come."""
        return sum(checkpointer.waiting for checkpointer in self.checkpointers.values())

    def problems(self) -> list[str]:
        """Why this worker is not ready; empty when it is."""
        if not self.restored:
            return ["no partitions assigned and recovered yet"]
        found = []
        if self.sink.failing_since:
            found.append(f"ClickHouse does not take rows: {self.sink.failing_since}")
        for name, checkpointer in self.checkpointers.items():
            silent = time.monotonic() - checkpointer.last_success
            if silent > STALE_AFTER:
                found.append(f"agent {name}: no checkpoint for {silent:.0f} s")
        return found


class Worker(BatchApp):
    """The Faust app of a worker."""

    def __init__(
        self, settings: Settings, agents: Sequence[Agent], cluster: str, backfill: Backfill | None = None, preview: Preview = withheld
    ) -> None:
        security = settings.kafka
        super().__init__(
            settings.consumer_group,
            broker=";".join(f"kafka://{host}" for host in settings.kafka_bootstrap.split(",")),
            broker_credentials=_credentials(settings) if security.security_protocol != "PLAINTEXT" else None,
            broker_session_timeout=settings.session_timeout,
            broker_heartbeat_interval=max(0.3, settings.session_timeout / 4),
            broker_rebalance_timeout=max(60.0, settings.session_timeout),
            broker_request_timeout=max(90.0, settings.session_timeout),
            broker_commit_interval=1.0,
            consumer_group_instance_id=settings.instance_id,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=1024 * 1024,
            stream_buffer_maxsize=8,
            stream_wait_empty=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            store="memory://",
            datadir=Path(tempfile.gettempdir()) / f"{settings.consumer_group}-faust",
            autodiscover=False,
            web_enabled=True,
            web_host=settings.web_host,
            web_bind=settings.web_host,
            web_port=settings.web_port,
            web_in_thread=True,  # /health answers while an event holds the loop
            batches=BatchOptions(
                drain_timeout=settings.drain_timeout, gap_patience=GAP_PATIENCE if cluster.startswith(EMBEDDED_CLUSTER) else 0.0
            ),
        )
        self.runtime = Runtime(settings, agents, lambda: self.consumer, cluster, backfill, preview)
        self.batches.on_restore = self.runtime.restore
        self.batches.on_drain = self.runtime.drain
        for agent in agents:
            self._register(agent)
        if backfill is not None:
            self._end_with(backfill)
        self.task(self._watch)
        self._register_pages()

    def _register(self, agent: Agent) -> None:
        async def process(batches: Any) -> None:
            async for batch in batches.noack():  # none flows before restore, which makes the checkpointers
                await self.runtime.checkpointers[agent.name].apply(batch, _acknowledge(batch, self.runtime.readers[batch.topic]))

        async def checkpoints() -> None:
            await self.runtime.prepared.wait()
            await self.runtime.checkpointers[agent.name].run()

        self.agent(batch_topic(self, *agent.inputs), name=agent.name)(process)
        self.task(checkpoints)

    async def _watch(self) -> None:
        await self.runtime.watchdog.run()

    def _end_with(self, backfill: Backfill) -> None:
        runtime = self.runtime

        async def end() -> None:
            await until_complete(runtime.settings, backfill, runtime.durable, runtime.owned, runtime.waiting)
            log.info("backfill: complete")
            os.kill(os.getpid(), signal.SIGTERM)  # Faust's way of stopping in order

        self.task(end)

    async def on_stop(self) -> None:
        """Stop the app, then what it holds."""
        await super().on_stop()
        await self.runtime.stop()

    async def _in_loop(self, ask: Callable[[], Any]) -> Any:
        """From the thread of the pages: what the agents' loop answers, once it comes to it."""

        async def answer() -> Any:
            return ask()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(), self.loop))

    def _register_pages(self) -> None:
        """They are served by a thread of their own. What only the loop may look at is asked of it."""
        runtime = self.runtime

        @self.page("/health")
        async def health(view: View, request: Request) -> Response:
            problems = runtime.problems()
            # What could not be read, or took long, is no reason to stop it.
            told = [*problems, *runtime.damage.problems(), *runtime.watchdog.problems()]
            return view.json({"ready": not problems, "problems": told}, status=503 if problems else 200)

        @self.page("/status")
        async def status(view: View, request: Request) -> Response:
            return view.json(await self._in_loop(runtime.status))

        @self.page("/metrics")
        async def metrics(view: View, request: Request) -> Response:
            return view.bytes(runtime.metrics.render(), content_type="text/plain")


def _notes(settings: Settings, cluster: str) -> Notes | None:
    folder = settings.notes_dir or Path(tempfile.gettempdir()) / f"mirante-notes-{os.getuid()}"
    try:
        return Notes(folder, cluster)
    except UnusableFolder as error:
        log.warning("no notes are kept: %s", error)
        return None


def where_to_begin(next_offsets: Mapping[TP, Sequence[int | None]], starts: Mapping[TP, int]) -> dict[TP, int]:
    """Where each input goes on, given what the state of each agent that reads it says: next offsets, None if it has read nothing.

    Where several agents read a topic, the one ahead skips what it has, so the one behind counts. One that has read nothing is behind
    all: it may have died before its first checkpoint, when others had theirs. Then the input begins in ``starts``, those of a
    backfill, or is left out: it begins where the consumer group stands, which is nowhere before all agents are.
    """
    begins = {}
    for tp, offsets in next_offsets.items():
        known = [offset for offset in offsets if offset is not None]
        if known and len(known) == len(offsets):
            begins[tp] = min(known)
        elif tp in starts:
            begins[tp] = starts[tp]
    return begins


def _acknowledge(batch: RecordBatch, readers: int) -> Callable[[], None]:
    """For one of the agents that read a batch: the last one to have done with it acknowledges. Does not keep the batch alive."""
    ack, done = batch.ack, batch.done

    def acknowledge() -> None:
        done[0] += 1
        if done[0] == readers:
            ack()

    return acknowledge


def _credentials(settings: Settings) -> CredentialsT:
    security = settings.kafka
    context = ssl_context(settings)
    if security.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=security.sasl_username,
        password=security.sasl_password,
        ssl_context=context,
        mechanism=security.sasl_mechanism,
    )


def run(
    settings: Settings,
    agents: Sequence[Agent],
    cluster: str,
    *,
    backfill: Backfill | None = None,
    preview: Preview = withheld,
    loglevel: str = "INFO",
) -> None:
    """Run a worker until it is told to stop, or until its backfill is complete; exits the process. ``cluster``: the Kafka cluster's id.
    ``preview``: what of a dead letter its table holds."""
    spare_what_is_loaded()
    # The consumer's thread needs the interpreter briefly and often: with the default of 5 ms it reads 20% slower.
    sys.setswitchinterval(0.0001)
    worker = faust.Worker(Worker(settings, agents, cluster, backfill, preview), loglevel=loglevel, debug=False)
    worker.execute_from_commandline()
