"""Checkpoints: the one mechanism by which an agent's work becomes durable.

About once a second, and on revoke and stop, for all partitions of the agent at once:

    1. messages to their topics, each acknowledged
    2. rows to ClickHouse, each insert acknowledged; rows it refuses for their own sake become dead letters
    3. dead letters to their topic and table, each acknowledged
    4. state and the input offsets up to which it is true, one changelog group per partition  (the commit point)
    5. the batches are acknowledged to Faust, whose next commit moves the group's offsets

A crash before 4 repeats 1 to 3, which are idempotent (docs/architecture.md). While a checkpoint is carried out the agent goes on
applying records into the next one; it waits when that holds ``max_pending_rows``.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.outputs import DeadLetter
from streams.batches import store
from streams.changelog import Changelog, ChangelogWriter
from streams.damage import STAGE, Damage
from streams.deadletters import POISON, dead_letter, origin_of
from streams.effects import Effects, OutgoingMessage
from streams.fetching import Unreadable
from streams.in_hand import InHand, Work
from streams.metrics import Metrics
from streams.pieces import Piece, pieces
from streams.processing_time import ProcessingTime
from streams.sink import Sink
from streams.state import Batch, Buries, InPieces, KeepsEvents, PartitionState

log = logging.getLogger(__name__)

SILENT_AFTER = 3.0
"""Seconds without a record, with nothing left to read, after which a topic no longer holds event time back."""

UNREAD_AFTER = 60.0
"""The same of a topic that was never read from although there was something in it."""

RETRY_DELAY = 1.0


class Acknowledge(Protocol):
    """Tells Faust that a batch is done."""

    def __call__(self) -> None: ...


class ForeignState(RuntimeError):
    """State was written by a version whose states this one does not know."""


@dataclass(slots=True)
class _Partition:
    """A partition this worker owns."""

    state: PartitionState
    writer: ChangelogWriter
    offsets: dict[str, int]
    """Topic -> next offset to apply."""
    stored: dict[str, int]
    """The same of what is durable."""
    heard: dict[str, float]
    """Topic -> processing time of its last record."""
    held: frozenset[str] = frozenset()
    """Topics that are not read for the moment because they are ahead of others."""
    applied: int = 0
    durable: int = 0
    """How often the state has changed, and how much of that is durable."""


@dataclass(slots=True)
class _CapturedState:
    number: int
    partition: _Partition
    applied: int
    offsets: dict[str, int]
    changes: bytes | None
    snapshot: list[bytes] | None
    appended: bool = False


@dataclass(slots=True)
class _Captured:
    """What one checkpoint makes durable. State is captured at the same instant as the effects it explains."""

    effects: Effects
    states: list[_CapturedState]
    acks: list[Acknowledge]
    oldest: float | None


class Checkpointer:
    """Owns the partition states of one agent and makes them durable together with their effects."""

    def __init__(
        self,
        agent: str,
        inputs: Sequence[str],
        new_state: Callable[[int], PartitionState],
        *,
        changelog: Changelog,
        producer: AIOKafkaProducer,
        sink: Sink,
        metrics: Metrics,
        damage: Damage,
        deadletter_topic: str,
        deadletter_partitions: int,
        interval: float,
        max_pending_rows: int,
        hold: Callable[[int, frozenset[str]], None],
        end: Callable[[str, int], int | None],
        prompt: bool = False,
        in_hand: InHand | None = None,
    ) -> None:
        """``hold(partition, topics)``: of the agent's inputs of that partition, do not read these for the moment; read all others.
        ``end(topic, partition)``: the end that the last fetch has shown, if that was just now.

        ``prompt``: a checkpoint is due as soon as there is a message to send. ``in_hand``: where it is
        noted what the agent works on.
        """
        self._prompt = prompt
        self._in_hand = in_hand or InHand()
        self.agent = agent
        self._hold_topics = hold
        self._end = end
        self._inputs = inputs
        self._new_state = new_state
        self._changelog = changelog
        self._producer = producer
        self._sink = sink
        self._metrics = metrics
        self._damage = damage
        self._deadletter_topic = deadletter_topic
        self._deadletter_partitions = deadletter_partitions
        self._interval = interval
        self._max_pending_rows = max_pending_rows
        self._partitions: dict[int, _Partition] = {}
        self._effects = Effects()
        self._acks: list[Acknowledge] = []
        self._oldest: float | None = None
        self._flushing = asyncio.Lock()
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._generation = 0
        """Counts changes of ownership: a batch fetched before one may begin behind the offset restored by it."""
        self._trims: dict[int, int] = {}
        self._can_trim = True
        self._time = ProcessingTime(longest_gap=2 * interval + 1.0)
        self._last_rows = self._time.now()
        self.last_success = time.monotonic()

    @property
    def partitions(self) -> set[int]:
        """The partitions that are this worker's."""
        return set(self._partitions)

    def stored(self) -> dict[TopicPartition, int]:
        """Per input partition, the offset up to which everything is durable."""
        return {TopicPartition(topic, n): offset for n, p in self._partitions.items() for topic, offset in p.stored.items()}

    def reads(self, tp: TopicPartition) -> bool:
        """Whether the agent reads this partition, and this worker owns it."""
        return tp.topic in self._inputs and tp.partition in self._partitions

    @property
    def waiting(self) -> int:
        """Entries of all its states of which something may still come
        (:meth:`streams.state.PartitionState.waiting`)."""
        return sum(partition.state.waiting() for partition in self._partitions.values())

    @property
    def quiet_seconds(self) -> float:
        """Seconds since anything came of the input, 0 while anything is not durable.

        Not since the last input: partitions with nothing to do go on telling each other that time passes.
        """
        if self._flushing.locked() or any(p.applied != p.durable for p in self._partitions.values()):
            return 0.0
        return self._time.now() - self._last_rows

    # Ownership

    async def restore(self, partitions: set[int]) -> dict[int, dict[str, int]]:
        """Own exactly these partitions; returns partition -> topic -> next offset to read.

        States kept from before are used only if nobody else has written to their changelog since.
        """
        begun = time.monotonic()
        before, self._partitions = self._partitions, {}  # nothing is applied, and no time passes, while this is under way
        self._effects, self._acks = Effects(), []
        self._generation += 1
        self._room.set()
        read = await self._changelog.read(sorted(partitions))
        kept: dict[int, _Partition] = {}
        for number in sorted(partitions):
            restored, mine = read[number], before.get(number)
            if mine is not None and mine.applied == mine.durable and mine.writer.is_last(restored):
                mine.heard = dict.fromkeys(self._inputs, self._time.now())  # nobody listened during the rebalance
                kept[number] = mine
                continue
            writer, restored = await self._changelog.take_over(number, restored)
            state = self._new_state(number)
            if isinstance(state, KeepsEvents):
                state.in_hand = self._in_hand
            try:
                for piece in restored.pieces:
                    state.load(piece)
            except msgspec.ValidationError as error:
                raise ForeignState(
                    f"{self.agent}: another version of Mirante wrote the state of partition {number}, and this one cannot read "
                    f"it ({error}). Run that version, or go on without the state as docs/operations.md says "
                    "(Stopping, upgrading, losing things)"
                ) from error
            heard = dict.fromkeys(self._inputs, self._time.now())
            kept[number] = _Partition(state, writer, dict(restored.offsets), dict(restored.offsets), heard)
        for number, partition in kept.items():
            partition.held = frozenset()
            self._hold_topics(number, partition.held)
        self._partitions = kept
        self._last_rows = self._time.now()
        seconds = time.monotonic() - begun
        self._metrics.restored(self.agent, seconds)
        self._metrics.owned(self.agent, self._inputs, partitions)
        log.info("%s: owns partitions %s, state restored in %.2f s", self.agent, sorted(partitions), seconds)
        return {number: dict(p.offsets) for number, p in kept.items()}

    def _abandon(self) -> None:
        """Forget what is not durable, and the partitions it belongs to until they are restored: their next owner will do it again."""
        self._effects = Effects()
        self._acks = []
        self._generation += 1
        self._partitions = {n: p for n, p in self._partitions.items() if p.applied == p.durable}
        self._room.set()

    # Work

    async def apply(self, batch: Batch, acknowledge: Acknowledge) -> None:
        """Apply one batch; ``acknowledge`` is called once its effects are durable. Waits while too much is pending."""
        generation = self._generation
        await self._room.wait()
        partition = self._partitions.get(batch.partition)
        if partition is not None:
            await self._proceed(partition)  # what a former owner left
        if partition is None or generation != self._generation:
            return  # revoked while the batch waited: its next owner reads it
        wanted = partition.offsets.get(batch.topic, 0)
        if batch.next_offset > wanted:
            if batch.records:
                written = batch.records[0].timestamp / 1000
                self._oldest = written if self._oldest is None else min(self._oldest, written)
            now = self._time.now()
            for unreadable in batch.unreadable:
                if unreadable.last_offset >= wanted:
                    self._bury(unreadable)
            suspects = self._in_hand.deaths.suspects(self.agent, batch.topic, batch.partition)
            for index, piece in enumerate(pieces(batch, wanted, suspects)):
                if index:
                    await asyncio.sleep(0)  # so that a batch of large events holds nobody up for long
                    await self._room.wait()
                    if generation != self._generation:
                        return
                self._apply(partition, piece)
                self._limit()
            partition.offsets[batch.topic] = batch.next_offset
            partition.applied += 1
            partition.heard[batch.topic] = now
            behind = max(0, (batch.highwater or 0) - batch.next_offset)
            self._hold(batch.partition, partition)
            self._metrics.batch(batch.topic, len(batch.records))
            self._metrics.behind(batch.topic, batch.partition, behind)
        self._acks.append(acknowledge)
        self._limit()
        await self._proceed(partition)

    def _apply(self, partition: _Partition, piece: Piece) -> None:
        """Apply a piece of a batch, unless it is an event that has killed workers."""
        work = Work(self.agent, "apply", piece.topic, piece.partition, piece.first, piece.last, piece.mark)
        reason = self._in_hand.deaths.reason(work) if piece.mark else None
        if reason is None:
            with self._in_hand.at(work):
                partition.state.apply(piece, self._effects)
        else:
            self._condemn(partition.state, piece.records[0], reason)
        partition.offsets[piece.topic] = piece.next_offset
        partition.applied += 1

    def _condemn(self, state: PartitionState, record: Any, reason: str) -> None:
        log.warning("dead letter: %s/%d/%d: %s", record.topic, record.partition, record.offset, reason)
        origin = state.origin(record) if isinstance(state, Buries) else origin_of(record)
        self._effects.count("dead_letter", POISON)
        self._effects.letters.append(dead_letter(origin, source=self._damage.source, stage=POISON, reason=reason))

    def _bury(self, batch: Unreadable) -> None:
        self._effects.letters.append(self._damage.letter(batch))
        self._effects.count("dead_letter", STAGE)
        self._effects.count("unreadable", batch.topic, by=batch.count)

    async def _proceed(self, partition: _Partition) -> None:
        """Let the state finish what is due, and everything else run in between."""
        generation = self._generation
        while isinstance(partition.state, InPieces) and generation == self._generation:
            with self._in_hand.at(Work(self.agent, "proceed")):
                more = partition.state.proceed(self._effects)
            partition.applied += 1
            self._limit()
            if not more:
                return
            await asyncio.sleep(0)
            await self._room.wait()

    def _limit(self) -> None:
        """A checkpoint is due when too much is pending, and for some agents as soon as there is anything to send."""
        if self._effects.row_count >= self._max_pending_rows:
            self._room.clear()
            self._due.set()
        elif self._prompt and self._effects.messages:
            self._due.set()

    async def run(self) -> None:
        """Take checkpoints until cancelled, one interval from the beginning of one to that of the next."""
        begun = time.monotonic()
        while True:
            try:
                await asyncio.wait_for(self._due.wait(), max(0.0, begun + self._interval - time.monotonic()))
            except TimeoutError:
                pass  # the interval has passed: that is what was waited for
            begun = time.monotonic()
            self._let_time_pass()
            await self.flush()

    async def flush(self) -> None:
        """Take a checkpoint now; returns when everything applied so far is durable. Retries until it is."""
        async with self._flushing:
            captured = self._capture()
            if captured is None:
                self.last_success = time.monotonic()
                return
            try:
                await self._carry_out(captured)
            except BaseException:
                # Cancelled by a revoke that took too long. The next flush would store offsets without what was captured here.
                self._abandon()
                raise
            await self._trim()

    async def _carry_out(self, captured: _Captured) -> None:
        begun = time.monotonic()
        await self._until_done("messages", lambda: store(self._producer, captured.effects.messages))
        refused = await self._sink.write(captured.effects.rows)
        letters = captured.effects.letters + refused
        await self._until_done("dead letters", lambda: self._send_letters(letters))
        await self._until_done("state", lambda: self._append_states(captured))
        for state in captured.states:
            state.partition.durable = state.applied
            state.partition.stored = state.offsets
        for acknowledge in captured.acks:
            acknowledge()
        self.last_success = time.monotonic()
        self._metrics.checkpoint(self.agent, self.last_success - begun)
        self._metrics.applied(captured.effects)
        if captured.oldest is not None:
            self._metrics.durable(time.time() - captured.oldest)

    def _let_time_pass(self) -> None:
        now = self._time.now()
        for number, partition in self._partitions.items():
            silent = {
                topic: now - heard
                for topic, heard in partition.heard.items()
                if now - heard > SILENT_AFTER and topic not in partition.held and self._is_at_end(number, partition, topic, now - heard)
            }
            with self._in_hand.at(Work(self.agent, "tick")):
                partition.applied += partition.state.tick(now, silent, self._effects)
            self._hold(number, partition)

    def _is_at_end(self, number: int, partition: _Partition, topic: str, unheard: float) -> bool:
        """Whether a fetch has just shown that nothing is left to read: that nothing was heard for so long may have other reasons."""
        end, applied = self._end(topic, number), partition.offsets.get(topic)
        if end is None:
            return False
        if applied is None:  # it was never read from: it is empty, or its records have been deleted, or have not come yet
            return end == 0 or unheard > UNREAD_AFTER
        return end <= applied

    def _hold(self, number: int, partition: _Partition) -> None:
        ahead = partition.state.ahead()
        if ahead != partition.held:
            now = self._time.now()
            partition.heard.update((topic, now) for topic in partition.held - ahead)
            partition.held = ahead
            self._hold_topics(number, ahead)

    def _capture(self) -> _Captured | None:
        self._due.clear()
        states = []
        for number, partition in self._partitions.items():
            if partition.applied == partition.durable:
                continue
            with self._in_hand.at(Work(self.agent, "checkpoint")):
                partition.state.close_interval(self._effects)
                changes = partition.state.changes()
                snapshot = list(partition.state.snapshot()) if partition.writer.snapshot_due else None
            states.append(
                _CapturedState(number, partition, partition.applied, dict(partition.offsets), changes, snapshot)
            )
        if not states and not self._acks:
            return None
        captured = _Captured(self._effects, states, self._acks, self._oldest)
        if captured.effects.row_count or captured.effects.letters:
            self._last_rows = self._time.now()
        self._effects, self._acks, self._oldest = Effects(), [], None
        self._room.set()
        self._gauges()
        return captured

    def _gauges(self) -> None:
        for number, partition in self._partitions.items():
            self._metrics.state(self.agent, number, partition.state.gauges())

    async def _until_done(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await step()
            except KafkaError as error:
                self._metrics.retried(self.agent, what)
                log.warning("%s: %s not stored by Kafka, trying again in %.0f s: %r", self.agent, what, RETRY_DELAY, error)
                await asyncio.sleep(RETRY_DELAY)

    async def _send_letters(self, letters: list[DeadLetter]) -> None:
        if not letters:
            return
        topic, n = self._deadletter_topic, self._deadletter_partitions
        keyed = [(x, base64.b64decode(x.key) if x.key else None) for x in letters]
        await store(self._producer, [OutgoingMessage(topic, x.partition % n, key, msgspec.json.encode(x)) for x, key in keyed])
        await self._sink.write_letters(letters)

    async def _append_states(self, captured: _Captured) -> None:
        """Append each partition's state once. Those that fail are tried again, after the others have ended: appends keep their order."""
        left = [state for state in captured.states if not state.appended]
        errors = await asyncio.gather(*map(self._append_state, left), return_exceptions=True)
        for error in errors:
            if error is not None:
                raise error

    async def _append_state(self, state: _CapturedState) -> None:
        writer = state.partition.writer
        if state.snapshot is None:
            await writer.append(state.offsets, state.changes)
        else:
            trim = await writer.append_snapshot(state.offsets, state.snapshot)
            if trim is not None:
                self._trims[state.number] = trim
        state.appended = True

    async def _trim(self) -> None:
        """Drop changelog entries that a snapshot has replaced. Failing to is not fatal: the log is longer, not wrong."""
        if not self._trims or not self._can_trim:
            return
        trims, self._trims = self._trims, {}
        try:
            await self._changelog.trim(trims)
        except (KafkaError, OSError) as error:
            self._can_trim = False
            log.warning("%s: the broker does not delete old changelog records (%r); set retention on that topic", self.agent, error)

