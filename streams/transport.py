"""Faust with one message per fetched topic-partition batch, and a commit that never passes unfinished work.

Build an app::

    app = BatchApp("mirante", broker="kafka://h1:9092;kafka://h2:9092", stream_buffer_maxsize=8,
                   topic_disable_leader=True, batches=BatchOptions(max_records=2000, drain_timeout=20.0))
    app.batches.on_restore = restore        # async (frozenset[TP]) -> Mapping[TP, int]
    app.batches.on_drain = checkpoint_now   # async () -> None
    requests = batch_topic(app, "llm.requests", "llm.responses")

    @app.agent(requests)
    async def interactions(stream):
        async for batch in stream.noack():  # batch: RecordBatch
            for record in batch.records: ...  # aiokafka ConsumerRecord: offset, timestamp (ms), key, value, headers
            pending.append(batch.ack)       # keep the handle, drop the batch: its memory is free before the checkpoint

    # when a checkpoint made it durable, in the event loop of the app:
    for ack in pending: ack()               # any order; False if the work was lost to a rebalance, a seek or a timeout
    await app.consumer.commit()             # or wait for broker_commit_interval

`BatchApp` is `faust.App` with its own consumer transport (every Faust setting holds: several brokers,
`broker_credentials`, `broker_session_timeout`, `broker_rebalance_timeout`, `broker_max_poll_interval`,
`consumer_group_instance_id`, `broker_check_crcs`, `consumer_max_fetch_size` = bytes per partition and fetch,
`stream_buffer_maxsize` = batches per stream). Topics that are not made with `batch_topic` (reply topics, the
leader's) keep one message per record; the same topic can not be both.

Contract
--------
**Delivery.** Per partition, batches arrive in offset order, each offset once, beginning at the restored offset.
`first_offset` is that of the first record, `next_offset` that after the last (further with compacted or transactional
records). What cannot be read among them is in `unreadable` (streams/fetching.py). A batch holds at most `max_records`
records of one fetch of `consumer_max_fetch_size` bytes, or one larger record.

**Back-pressure.** Fetching pauses while `max_unacked_batches` or `max_unacked_bytes` are delivered and not
acknowledged, or a stream is full. The consumer stays in its group, however long that takes. Whoever acknowledges must
not wait for more input to do so.

**Acknowledge** with `batch.ack()` (one subscriber per topic) or `event.ack()` (when all subscribers have). An
exception in an agent that uses `stream.noack()` acknowledges nothing; without `noack()` Faust acknowledges whatever
happens (streams.py, the `finally` around the yield).

**Revoke and stop.** Fetching stops, queued batches are dropped, then `on_drain()` is awaited: it makes durable and
acknowledges what was applied. It is called again while agents still finish batches they hold, so it must be cheap
when there is nothing to do. After `drain_timeout` it is cancelled. What is then unacknowledged is abandoned: the next
owner repeats it, late acks return False and commit nothing. A hook that raises is logged and counts as a timeout. When
the app has crashed there is no drain. Keep `drain_timeout` below `broker_rebalance_timeout`; the embedded broker waits
for a member only for half of `broker_session_timeout` and then gives its partitions away.

**Assignment.** Eager protocol: every rebalance revokes all and assigns anew. `on_restore(assigned)` gets *all*
assigned partitions, those kept included, and returns the offsets to begin at; partitions it leaves out begin at the
committed offset, or at `consumer_auto_offset_reset`. No batch flows until it returns; heartbeats go on. It is
cancelled when the next rebalance begins, and an exception from it crashes the app. A restored offset beyond the
committed one is committed. State kept in memory from before is only right for partitions whose work was acknowledged:
`consumer.abandoned` lists the others.

**Co-partitioning.** Faust's assignor always, which gives partition p of all topics with equal partition counts to one
worker, provided that all workers subscribe to the same topics. (Faust takes a plain round robin, which does not, when
there are no tables and `table_standby_replicas=0`.)

`await app.consumer.seek(tp, offset)` repeats or skips: batches of the partition which are queued are dropped, acks of
earlier ones void.

What is replaced, in Faust 0.15.3
---------------------------------
`drivers/aiokafka.AIOKafkaConsumerThread`: `_create_worker_consumer` (the assignor; fetch bounds; isolation level),
`getmany` (a batch per partition instead of a list of records, with the positions before and after).
`consumer.Consumer`: `getmany` and `_drain_messages` (batches; what was fetched and could not be delivered is kept,
not dropped and fetched again), `ack`, `_filter_tps_with_pending_acks`, `_new_offset`, `_add_gap` (the ledger, see
`streams.ledger`), `wait_empty`, `on_partitions_revoked` (it forgets acks before the callback that commits them,
upstream #502; and it waits without a limit), `on_partitions_assigned` and `perform_seek` (restore; Faust bounds the
seek by `broker_request_timeout` and goes on without it).
"""

from __future__ import annotations

import asyncio
import bisect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, MutableSet, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

import faust
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.exceptions import ImproperlyConfigured
from faust.transport.consumer import CONSUMER_FETCHING, CONSUMER_WAIT_EMPTY, ensure_TP, ensure_TPset
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    ensure_aiokafka_TP,
    server_list,
)
from faust.transport.drivers.aiokafka import Consumer as _Consumer
from faust.transport.drivers.aiokafka import Transport as _Transport
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth as _auth
from faust.types import TP, AppT, ConsumerMessage, EventT, Message, TopicT
from faust.types.transports import ConsumerT
from faust.types.tuples import ack_lock
from mode import Service, get_logger

from streams.fetching import Consumer, Unreadable, deliver, skip
from streams.gaps import Gaps
from streams.ledger import Delivery, OffsetLedger

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]

__all__ = ["BatchApp", "BatchConsumer", "BatchOptions", "BatchTransport", "RecordBatch", "batch_topic"]

logger = get_logger(__name__)

#: Awaited on revoke and stop: make durable, then acknowledge, everything applied so far. May be called several times.
DrainHook = Callable[[], Awaitable[None]]
#: Awaited after an assignment, before any batch: restore state, return the offsets to read next (else: the committed).
RestoreHook = Callable[[frozenset[TP]], Awaitable[Mapping[TP, int]]]

GAP_PAUSE = 0.01  # seconds until a gap is looked at again
FETCHED_WITHIN = 2.0  # seconds for which the answer to a fetch says where a partition ends

_offset_of = attrgetter("offset")
_key_size, _value_size = attrgetter("serialized_key_size"), attrgetter("serialized_value_size")  # -1 if there is none


@dataclass
class BatchOptions:
    """What the transport needs beyond Faust's settings. Hooks may be set any time before the app starts."""

    max_records: int = 2000  #: per batch
    max_unacked_batches: int = 1024  #: delivered and not acknowledged, over all partitions
    max_unacked_bytes: int = 128 << 20  #: keys and values of those; one batch may exceed it
    drain_timeout: float = 20.0  #: seconds for `on_drain` and the acks; below `broker_rebalance_timeout`
    fetch_max_bytes: int = 50 << 20  #: per fetch request and broker
    fetch_max_wait: float = 0.1  #: seconds the broker may hold an empty fetch; the embedded one does not wake up when something comes
    isolation_level: str = "read_committed"  #: hides records of aborted transactions, if there are any
    gap_patience: float = 0.0  #: seconds for which a gap in the offsets may still fill (streams/gaps.py)
    on_drain: DrainHook | None = None
    on_restore: RestoreHook | None = None


@dataclass(slots=True)
class RecordBatch:
    """The records of one partition from one fetch; the value an agent gets. Built by hand, `ack` does nothing."""

    topic: str
    partition: int
    records: list[Record]
    first_offset: int
    next_offset: int
    highwater: int | None = None  #: end of the partition when this was fetched
    size: int = 0  #: bytes of keys and values
    #: What could not be read among these offsets.
    unreadable: Sequence[Unreadable] = ()
    #: Acknowledge: True if that counted. Does not keep the batch alive.
    ack: Callable[[], bool] = bool
    #: Whom it was given to and who has done with it, where several agents read a topic.
    done: list[int] = field(default_factory=lambda: [0])

    def __len__(self) -> int:
        return len(self.records)

    @property
    def tp(self) -> TP:
        """Its topic and partition."""
        return TP(self.topic, self.partition)


class BatchSchema(faust.Schema):  # type: ignore[type-arg]
    """Hands over the value as it is, where `raw` and a `value_type` would have Faust convert it to bytes or a model."""

    def compile(self, app: AppT, **kwargs: Any) -> Callable[..., Awaitable[EventT[Any]]]:
        """A decoder that passes the batch on as it is."""
        create_event = app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> EventT[Any]:
            return create_event(None, message.value, message.headers, message)

        return decode


def batch_topic(app: faust.App, *names: str, **kwargs: Any) -> TopicT:
    """A topic description whose agents and streams get a `RecordBatch` per message; `kwargs` as for `app.topic`."""
    return app.topic(*names, schema=BatchSchema(), **kwargs)


class _Fetched(NamedTuple):
    """What one drain of aiokafka's buffer gave: the fetch position moved from `start` to `next`."""

    tp: TP
    records: list[Record]
    start: int
    next: int
    highwater: int | None
    size: int


class BatchMessage(ConsumerMessage):
    """A message tied to its ledger entry.

    - `acked` becoming true *is* the acknowledgement, whoever sets it: Faust's compiled stream iterator
      (`_cython/streams.pyx`, `after`) sets it and does the rest of `Consumer.ack` itself, in structures not used here.
    - `generation_id` is the app's while the delivery lives and nobody's ever after. Streams skip a message whose
      generation is not the app's, so one left in a queue by a seek or a revoke never reaches an agent, even if the
      broker's generations begin anew.
    """

    def __init__(self, consumer: BatchConsumer, delivery: Delivery[TP], *args: Any, **kwargs: Any) -> None:
        self.consumer = consumer
        self.delivery = delivery
        self._acked = False
        super().__init__(*args, **kwargs)

    @property
    def acked(self) -> bool:
        """Whether it was acknowledged; setting it does so."""
        return self._acked

    @acked.setter
    def acked(self, value: bool) -> None:
        """Acknowledge it, once."""
        if value and not self._acked:
            self._acked = True
            self.consumer.finish(self.delivery)

    @property
    def generation_id(self) -> int | None:
        """Of the consumer group; one that is never current for a batch that was dropped."""
        return self.consumer.app.consumer_generation_id if self.delivery.live else -2

    @generation_id.setter
    def generation_id(self, value: int | None) -> None:
        """Decided by the delivery."""


class _Taken(MutableSet[Message]):
    """Stands in for `Consumer._unacked_messages`, to which streams add a message when they give it to an agent.

    That is a weak set, which would forget a message whose agent kept only the `ack` handle; this tells the ledger.
    """

    def __init__(self, ledger: OffsetLedger[TP]) -> None:
        self.ledger = ledger

    def add(self, value: Message) -> None:
        if isinstance(value, BatchMessage):
            self.ledger.take(value.delivery)

    def discard(self, value: Message) -> None:
        """Acknowledging does that."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, BatchMessage) and value.delivery.taken and not value.delivery.done

    def __iter__(self) -> Iterator[Message]:
        return iter(())

    def __len__(self) -> int:
        return self.ledger.taken


class _Void(dict[TP, Any]):
    """Stands in for `Consumer._acked` and `_acked_index`: the compiled stream iterator adds what the ledger knows."""

    class _Sink(list[int]):
        def append(self, value: int) -> None:
            """Dropped."""

        add = append

    def __missing__(self, tp: TP) -> _Sink:
        return self._Sink()


class BatchConsumerThread(AIOKafkaConsumerThread):
    """The thread of the aiokafka consumer. Methods beginning with an underscore run inside it, the others call it."""

    consumer: BatchConsumer

    @cached_property
    def _gaps(self) -> Gaps[TP]:
        return Gaps(self.consumer.options.gap_patience)

    def _create_worker_consumer(self, transport: _Transport) -> Consumer:
        conf, options = self.app.conf, self.consumer.options
        if conf.broker_session_timeout > conf.broker_request_timeout:
            raise ImproperlyConfigured("broker_session_timeout cannot be greater than broker_request_timeout")
        self._assignor = self.app.assignor
        return Consumer(
            unreadable=deliver,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_bytes=options.fetch_max_bytes,
            fetch_max_wait_ms=int(options.fetch_max_wait * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            isolation_level=options.isolation_level,
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def fetch(self, tps: frozenset[TP], timeout: float) -> list[_Fetched]:
        """At most one batch per partition of `tps`; waits up to `timeout` for the first."""
        return cast("list[_Fetched]", await self.call_thread(self._fetch, tps, timeout))

    async def _fetch(self, tps: frozenset[TP], timeout: float) -> list[_Fetched]:
        consumer, max_records = self._ensure_consumer(), self.consumer.options.max_records
        fetcher, subscriptions = consumer._fetcher, consumer._subscription
        if not tps or not self.consumer.flow_active or subscriptions.reassignment_in_progress:
            return []
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError()
        assigned = subscriptions.subscription.assignment
        starts = {tp: self._position(assigned, tp) for tp in tps}
        fetched: list[_Fetched] = []
        incomplete = False

        def collect(drained: Mapping[TP, list[Record]]) -> None:
            # Nothing is awaited between aiokafka's drain and this, so the position is the one the drain left.
            nonlocal incomplete
            for aiotp, records in drained.items():
                tp, state = TP(*aiotp), assigned.state_value(aiotp)
                start = starts[tp]
                if start is None:
                    start = records[0].offset
                whole = self._before_gap(tp, start, records)
                if len(whole) < len(records):
                    missing = whole[-1].offset + 1 if whole else start
                    self.log.info("%r: %s is shown before %s; reading again", tp, records[len(whole)].offset, missing)
                    consumer.seek(aiotp, missing)
                    incomplete = True
                if whole:
                    size = max(0, sum(map(_key_size, whole)) + sum(map(_value_size, whole)))
                    fetched.append(_Fetched(tp, whole, start, state.position, state.highwater, size))

        with subscriptions.fetch_context():
            collect(await fetcher.fetched_records(tps, timeout=timeout, max_records=max_records))
            if fetched:  # the others too, each with its own bound, so that a full partition does not starve them
                served = {f.tp for f in fetched}
                for aiotp in [tp for tp in fetcher._records if tp in tps and tp not in served]:
                    if subscriptions.reassignment_in_progress or not assigned.active:
                        break
                    if isinstance(fetcher._records.get(aiotp), FetchResult):  # an error waits for the next call
                        collect(await fetcher.fetched_records({aiotp}, timeout=0, max_records=max_records))
        if incomplete and not fetched:
            await asyncio.sleep(GAP_PAUSE)
        return fetched

    def _before_gap(self, tp: TP, start: int, records: list[Record]) -> list[Record]:
        """The records before a gap in the offsets that may still fill; what comes after it is fetched again."""
        if not self.consumer.options.gap_patience:
            return records
        return records[: self._gaps.before(tp, start, records, time.monotonic())]

    @staticmethod
    def _position(assigned: Any, tp: TP) -> int | None:
        state = assigned.state_value(ensure_aiokafka_TP(tp)) if assigned is not None else None
        return state.position if state is not None and state.has_valid_position else None

    def end_of(self, tp: TP, within: float) -> int | None:
        """The end of a partition as the last answer to a fetch showed it; None if there was none `within` so many seconds."""
        assigned = None if self._consumer is None else self._consumer._subscription.subscription.assignment
        aiotp = ensure_aiokafka_TP(tp)
        if assigned is None or aiotp not in assigned.tps:
            return None
        state = assigned.state_value(aiotp)
        if state.timestamp is None or time.time() - state.timestamp / 1000 > within:
            return None
        return cast("int | None", state.highwater)

    async def keep_alive(self) -> None:
        """Poll, though nothing is wanted: aiokafka leaves the group `broker_max_poll_interval` later."""
        await self.call_thread(self._keep_alive)

    async def _keep_alive(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():
            pass

    async def seek_to(self, offsets: Mapping[TP, int], epoch: int) -> None:
        """Set fetch positions, unless another rebalance has begun meanwhile."""
        await self.call_thread(self._seek_to, offsets, epoch)

    async def _seek_to(self, offsets: Mapping[TP, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            if epoch != self.consumer.epoch:
                return
            consumer.seek(ensure_aiokafka_TP(tp), offset)

    async def seek_to_start(
        self, tps: Iterable[TP], offsets: Mapping[TP, int], epoch: int
    ) -> dict[TP, tuple[int, int | None]]:
        """Seek to `offsets`, else to the committed offset, else by `consumer_auto_offset_reset`.

        Returns (position, committed offset) per partition; nothing if another rebalance has begun meanwhile.
        """
        start = await self.call_thread(self._seek_to_start, tps, offsets, epoch)
        return cast("dict[TP, tuple[int, int | None]]", start)

    async def _seek_to_start(
        self, tps: Iterable[TP], offsets: Mapping[TP, int], epoch: int
    ) -> dict[TP, tuple[int, int | None]]:
        consumer = self._ensure_consumer()
        aiotps = [ensure_aiokafka_TP(tp) for tp in tps]
        committed = dict(zip(aiotps, await asyncio.gather(*map(consumer.committed, aiotps)), strict=True))
        start = {tp: offsets.get(TP(*tp), committed[tp]) for tp in aiotps}
        unset = [tp for tp, offset in start.items() if offset is None]
        if epoch != self.consumer.epoch:
            return {}
        if unset:
            # Explicitly: a fetch that straddled the rebalance may have moved the position aiokafka chose.
            reset = self.app.conf.consumer_auto_offset_reset
            if reset not in ("earliest", "latest"):
                raise ImproperlyConfigured(f"No offset for {unset}, and consumer_auto_offset_reset={reset!r}")
            await (consumer.seek_to_beginning if reset == "earliest" else consumer.seek_to_end)(*unset)
            for tp in unset:
                start[tp] = await consumer.position(tp)
        if epoch != self.consumer.epoch:
            return {}
        for tp, offset in start.items():
            consumer.seek(tp, offset)
        return {TP(*tp): (offset, committed[tp]) for tp, offset in start.items()}


class BatchConsumer(_Consumer):
    """The consumer in the loop of the app; see the module for its contract."""

    app: BatchApp
    _thread: BatchConsumerThread

    def __init__(self, transport: BatchTransport, *args: Any, **kwargs: Any) -> None:
        self.options = transport.options
        #: What is delivered and what of it is acknowledged.
        self.ledger: OffsetLedger[TP] = OffsetLedger()
        #: Partitions of the last revoke whose work was not acknowledged in time.
        self.abandoned: frozenset[TP] = frozenset()
        #: Counts assignments: begun by each revoke and each assignment. Read by the thread.
        self.epoch = 0
        self._wanted: dict[TP, int] = {}  # the offset to deliver next
        self._waiting: dict[TP, _Fetched] = {}  # fetched, not delivered: at most one per partition
        self._rewound: dict[TP, int] = {}
        self._batched: set[str] = set()
        self._restored = asyncio.Event()
        self._wake = asyncio.Event()
        self._fetching: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._drained = True
        super().__init__(transport, *args, **kwargs)
        self._unacked_messages = _Taken(self.ledger)
        self._acked = _Void()
        self._acked_index = _Void()

    def end_of(self, tp: TP) -> int | None:
        """The end of a partition, if a fetch has just shown it. Partitions with nothing to read are fetched from all the time."""
        return self._thread.end_of(tp, within=FETCHED_WITHIN)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def restoring(self) -> bool:
        """Assigned, and no batch flows yet because `on_restore` has not returned."""
        return self._restoring is not None

    # -- fetching and delivering

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """The next messages: one per partition that has any. Ends when there are none for the moment.

        Fetched batches wait in `_waiting` until a stream takes them, so that stopping in between loses nothing and
        fetches nothing twice.
        """
        if self.app.client_only:
            async for item in super().getmany(timeout):
                yield item
            return
        if not self.flow_active:
            await self.wait_first(self.can_resume_flow.wait(), timeout=timeout)
            return
        self._wake.clear()
        active = self._get_active_partitions()
        if self._restored.is_set() and active and self._has_room():
            if not active & self._waiting.keys():
                await self._fetch_more(active, min(timeout, 0.5))
        else:
            await self._thread.keep_alive()
            await self.wait_first(self._wake.wait(), timeout=timeout)
        epoch = self.epoch
        for tp in list(self._waiting):
            while tp in self._waiting and tp in self._get_active_partitions():  # once, or once per single record
                if not self.flow_active or epoch != self.epoch or not self._has_room():
                    return
                yield tp, self._deliver(tp)

    def _has_room(self) -> bool:
        ledger, options = self.ledger, self.options
        return ledger.unfinished < options.max_unacked_batches and ledger.unfinished_size < options.max_unacked_bytes

    async def _fetch_more(self, active: set[TP], timeout: float) -> None:
        # A task of its own: whoever waits for it may be cancelled, and what it drains must not be lost.
        if self._fetching is None:
            self._fetching = asyncio.ensure_future(self._fetch(frozenset(active - self._waiting.keys()), timeout))
        await self._fetch_finished()

    async def _fetch_finished(self) -> None:
        fetching = self._fetching
        if fetching is not None:
            try:
                await asyncio.shield(fetching)
            finally:
                if fetching.done() and self._fetching is fetching:
                    self._fetching = None

    async def _fetch(self, tps: frozenset[TP], timeout: float) -> None:
        epoch = self.epoch
        fetched = await self._thread.fetch(tps, timeout)
        if epoch != self.epoch:
            return  # the restore waits for this to end, then sets every position
        rewind: dict[TP, int] = {}
        for batch in fetched:
            tp = batch.tp
            self.app.monitor.track_tp_end_offset(tp, batch.highwater or 0)
            wanted = self._wanted.get(tp, batch.start)
            if batch.start > wanted and self._rewound.get(tp) != wanted:
                rewind[tp] = self._rewound[tp] = wanted  # a seek came between
                continue
            self._rewound.pop(tp, None)
            if batch.start > wanted:
                self.log.warning("%r: records %s..%s are no longer there (retention)", tp, wanted, batch.start - 1)
            if batch.records[-1].offset < wanted:
                continue
            if batch.records[0].offset < wanted:
                kept = batch.records[bisect.bisect_left(batch.records, wanted, key=_offset_of):]
                batch = batch._replace(records=kept, size=batch.size * len(kept) // len(batch.records))
            if tp.topic not in self._batched:  # Faust's streams of single records go on without what cannot be read
                sound = [r for r in batch.records if not isinstance(r, Unreadable) or skip(r)]
                if not sound:
                    self._wanted[tp] = batch.next
                    continue
                batch = batch._replace(records=sound)
            self._waiting[tp] = batch
        if rewind:
            await self._thread.seek_to(rewind, epoch)

    def _deliver(self, tp: TP) -> Message:
        fetched = self._waiting.pop(tp)
        records = fetched.records
        first, newest = records[0].offset, records[-1]
        fields: tuple[Any, ...]
        batch: RecordBatch | None = None
        if tp.topic in self._batched:
            following, size = fetched.next, fetched.size
            unreadable = [r for r in records if isinstance(r, Unreadable)]
            if unreadable:
                records = [r for r in records if not isinstance(r, Unreadable)]
            batch = RecordBatch(tp.topic, tp.partition, records, first, following, fetched.highwater, size, unreadable)
            fields = (newest.timestamp / 1000.0, newest.timestamp_type, None, None, batch, None, 0, size, tp)
        else:
            r = records[0]
            following, size = first + 1, max(r.serialized_key_size, 0) + max(r.serialized_value_size, 0)
            if len(records) > 1:
                self._waiting[tp] = fetched._replace(records=records[1:], start=following)
            fields = (r.timestamp / 1000.0, r.timestamp_type, r.headers, r.key, r.value, r.checksum,
                      r.serialized_key_size, r.serialized_value_size, tp)  # fmt: skip
        self._wanted[tp] = following
        self._read_offset[tp] = first
        if not self.app.topics.acks_enabled_for(tp.topic):  # a changelog or a reply topic: nothing to commit
            message = ConsumerMessage(tp.topic, tp.partition, first, *fields)
            message.generation_id = self.app.consumer_generation_id
            return message
        delivery = self.ledger.delivered(tp, first, following, size)
        if batch is not None:
            batch.ack = _Ack(self, delivery)
        return BatchMessage(self, delivery, tp.topic, tp.partition, first, *fields)

    def _undeliver(self, message: Message) -> None:
        """The flow stopped before the streams had it: deliver it again."""
        tp, value = message.tp, message.value
        if isinstance(message, BatchMessage) and not self.ledger.withdraw(message.delivery):
            return  # a stream has it, or it is forgotten
        self._wanted[tp] = message.offset
        if isinstance(value, RecordBatch):
            records = sorted([*value.records, *value.unreadable], key=_offset_of) if value.unreadable else value.records
            self._waiting[tp] = _Fetched(
                tp, records, value.first_offset, value.next_offset, value.highwater, value.size)
        else:
            self._waiting.pop(tp, None)  # the next fetch begins beyond `_wanted`, and is rewound

    async def _drain_messages(self, fetcher: Service) -> None:  # type: ignore[override]
        """Deliver until stopped. As the original, but a message that did not reach its streams is put back."""
        stopped, set_flag, unset_flag = fetcher._stopped.is_set, self.diag.set_flag, self.diag.unset_flag
        try:
            while not (self._stopped.is_set() or stopped()):
                set_flag(CONSUMER_FETCHING)
                await self.sleep(0)
                async with aclosing(cast("Any", self.getmany(timeout=1.0))) as messages:
                    async for _, message in messages:
                        if self._commit_every is not None and self._n_acked >= self._commit_every:
                            self._n_acked = 0
                            await self.commit()
                        sending = asyncio.ensure_future(self.callback(message))
                        try:
                            await self.wait_first(sending, self.suspend_flow.wait())
                        finally:
                            if not sending.done() or sending.cancelled():
                                sending.cancel()
                                self._undeliver(message)
                unset_flag(CONSUMER_FETCHING)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
            self.log.info("Broker stopped consumer, shutting down...")
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise
            self.log.info("Consumer shutting down for user cancel.")
        except Exception:
            self.log.exception("Drain messages raised")
            raise
        finally:
            unset_flag(CONSUMER_FETCHING)

    def on_buffer_drop(self, tp: TP) -> None:
        """As the original, but what is paused stays paused."""
        if tp in self._paused_partitions or tp not in self._wanted:
            self._buffered_partitions.discard(tp)
        super().on_buffer_drop(tp)
        self._wake.set()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """As Faust's; the fetcher wakes up."""
        super().resume_partitions(tps)
        self._wake.set()

    # -- acknowledging and committing

    def ack(self, message: Message) -> bool:
        """Mark the message's batch as finished; False if that was known, or no longer counts."""
        if not isinstance(message, BatchMessage):
            return super().ack(message)
        with ack_lock:
            if message.acked:
                return False
            message._acked = True
            return self.finish(message.delivery)

    def finish(self, delivery: Delivery[TP]) -> bool:
        """What `RecordBatch.ack` calls. Only for what an agent was given: Faust acks what its streams skip, too."""
        if not delivery.taken or not self.ledger.complete(delivery):
            return False
        self._n_acked += 1
        self._wake.set()
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self.ledger.tps() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledger.committable(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps in the offsets need no bookkeeping here."""

    # -- revoke, stop

    @Service.transitions_to(CONSUMER_WAIT_EMPTY)
    async def wait_empty(self) -> None:
        """Have the work in progress made durable and acknowledged, in bounded time, and commit it. Once per assignment.

        Called on revoke, and by the app and by the service on stop, when the flow has stopped.
        """
        if not self._drained and not self.app.crashed and not self.crashed:
            self._drained = True
            limit = asyncio.timeout(self.options.drain_timeout)
            try:
                async with limit:
                    await self._drain()
            except Exception:
                if not limit.expired():
                    self.log.exception("The drain hook failed")
                else:
                    seconds, left = self.options.drain_timeout, list(self.ledger.in_progress())
                    self.log.error("Not acknowledged within %ss: %r", seconds, left)
        self._drained = True
        await self._commit_finished()

    async def _drain(self) -> None:
        while True:
            self._wake.clear()
            if self.options.on_drain is not None:
                await self.options.on_drain()
            if not self.ledger.taken:
                return
            await self.wait_first(self._wake.wait(), timeout=0.1)
            await asyncio.sleep(0)

    async def _commit_finished(self) -> None:
        while await self.maybe_wait_for_commit_to_finish():
            """Acks which came after that one began are not in it."""
        await self.commit_and_end_transactions()

    async def _end_epoch(self) -> frozenset[TP]:
        """Nothing of the assignment so far counts any more. Returns the partitions with work begun and unfinished."""
        self.epoch += 1
        self._restored.clear()
        restoring, self._restoring = self._restoring, None
        if restoring is not None and restoring is not asyncio.current_task():
            restoring.cancel()
            await asyncio.wait([restoring])
        lost = self.ledger.forget(self.ledger.tps())
        self._wanted.clear()
        self._waiting.clear()
        self._rewound.clear()
        self._buffered_partitions.clear()
        return frozenset(delivery.tp for delivery in lost if delivery.taken)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """As the original, after the work in progress is acknowledged and committed, while that still counts."""
        if revoked and not self.app.should_stop:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()  # batches in the streams' queues
            await self.wait_empty()
            self.abandoned = await self._end_epoch()
            if self.abandoned:
                self.log.warning("Left to the next owner: %r", sorted(self.abandoned))
        await super().on_partitions_revoked(revoked)

    async def on_stop(self) -> None:
        """Drain, whatever ``stream_wait_empty`` says, then stop fetching."""
        await self.wait_empty()  # whatever `stream_wait_empty` says
        await super().on_stop()
        await self._end_epoch()
        if self._fetching is not None:
            self._fetching.cancel()

    # -- assignment

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """As the original, then restore in a task of its own: aiokafka sends no heartbeat until this has returned."""
        await self._end_epoch()
        self.stop_flow()  # Faust resumes it when it has recovered its tables
        self._batched = self._batch_topics()
        await super().on_partitions_assigned(assigned, generation_id)
        self._drained = not assigned
        if not self.should_stop:  # with nothing assigned too: the hook lets go of what it held
            tps = frozenset(tp for tp in ensure_TPset(assigned) if not self._is_changelog_tp(tp))
            self._restoring = asyncio.ensure_future(self._restore(tps, self.epoch))

    async def _restore(self, assigned: frozenset[TP], epoch: int) -> None:
        try:
            offsets: Mapping[TP, int] = {}
            if self.options.on_restore is not None:
                offsets = await self.options.on_restore(assigned)
                if unknown := offsets.keys() - assigned:
                    raise ValueError(f"on_restore returned offsets for partitions not assigned: {sorted(unknown)}")
            await self._fetch_finished()
            start = await self._thread.seek_to_start(assigned, offsets, epoch)
        except asyncio.CancelledError:
            raise
        except Exception as exc:
            if epoch == self.epoch and not self.should_stop and not self.app.should_stop:
                self.log.exception("Restore failed")
                await self.crash(exc)
            else:
                self.log.info("Restore overtaken by a rebalance or by the stop: %r", exc)
            return
        if epoch != self.epoch:
            return
        for tp, (offset, committed) in start.items():
            self._wanted[tp] = offset
            self._read_offset[tp] = offset or None
            self._committed_offset[tp] = committed if committed is None or committed < offset else offset
            if offset and tp in offsets:
                self.ledger.start(tp, offset)
        self._restoring = None
        self._restored.set()
        self._wake.set()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch over stuck partitions reads positions that the restore has not set yet: not before it has."""
        if self._restored.is_set():
            super().verify_event_path(now, tp)

    async def perform_seek(self) -> None:
        """Nothing: positions are set by the restore, and `getmany` loses none.

        Faust calls it when it has recovered its tables, and when a fetch ended with the flow stopped.
        """

    async def seek(self, partition: TP, offset: int) -> None:
        """Read on at `offset`, which may be inside a batch. Not while restoring: the hook returns offsets instead."""
        tp = ensure_TP(partition)
        if not self._restored.is_set():
            raise IllegalStateError(f"{tp}: not restored yet")
        await self.seek_wait({tp: offset})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """`seek` for several partitions. Faust's own use is to place its changelogs, whose messages need no ack."""
        offsets = {ensure_TP(tp): max(offset, 0) for tp, offset in partitions.items()}
        self.ledger.forget(offsets)
        for tp, offset in offsets.items():
            self._waiting.pop(tp, None)
            self._wanted[tp] = offset
            self._read_offset[tp] = offset or None
        await self._thread.seek_to(offsets, self.epoch)

    def _batch_topics(self) -> set[str]:
        batched: set[str] = set()
        single: set[str] = set()
        for channel in self.app.topics:
            (batched if isinstance(channel.schema, BatchSchema) else single).update(channel.topics)
        if both := batched & single:
            raise ImproperlyConfigured(f"Read both in batches and record by record: {sorted(both)}")
        return batched


class _Ack:
    """`RecordBatch.ack`: holds the ledger entry, not the batch."""

    __slots__ = ("_consumer", "_delivery")

    def __init__(self, consumer: BatchConsumer, delivery: Delivery[TP]) -> None:
        self._consumer = consumer
        self._delivery = delivery

    def __call__(self) -> bool:
        return self._consumer.finish(self._delivery)


class BatchTransport(_Transport):
    """Faust's aiokafka transport with `BatchConsumer`; `BatchApp` makes one."""

    Consumer = BatchConsumer

    def __init__(self, url: Any, app: AppT, *args: Any, options: BatchOptions | None = None, **kwargs: Any) -> None:
        super().__init__(url, app, *args, **kwargs)
        self.options = options or BatchOptions()


class BatchApp(faust.App):
    """`faust.App` that consumes through `BatchTransport`. `batches` holds its options and hooks."""

    def __init__(self, id: str, *, batches: BatchOptions | None = None, **options: Any) -> None:
        self.batches = batches or BatchOptions()
        super().__init__(id, **options)

    async def _consumer_wait_empty(self, consumer: ConsumerT, logger: Any) -> None:
        """Whatever `stream_wait_empty` says: the wait is bounded, and on stop agents and tasks still run here."""
        await consumer.wait_empty()

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self, options=self.batches)
