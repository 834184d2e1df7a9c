"""Stage 2 of single calls: prompt versions, shadows beside live calls, repeated questions, and what a judge should see.

Calls of one tenant and feature meet in one partition and are taken in the order of event time (agents/behaviour/inbox.py), so what is
found does not depend on batches, speed or restarts. Everything that is remembered has a bound in number (agents/behaviour/settings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from agents.behaviour.inbox import SavedInbox, SettlingInbox
from agents.behaviour.items import Disliked, Item, Items, Ran
from agents.behaviour.judging import Judging, Reserve, Stratum, StratumKey, Task
from agents.behaviour.prompts import Feature, FeatureKey, Prompts, Version, VersionKey
from agents.behaviour.questions import QuestionGroup, Questions
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.shadows import CallKey, Comparison, ScoreKey, ScoreSum, ShadowPair, Shadows, Side, Standing
from agents.common.messages import messages
from agents.common.stage2 import FindingsWriter, Untimed, pieces
from agents.common.watermark import Source
from schemas.findings import Finding
from schemas.rows import TableRow
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of
from streams.state import Batch

STAGE = "behaviour"

STEP = 30
"""Seconds of event time after which conditions are looked at again, and ``alerts`` told how far this agent is."""
REMEMBERED = 100_000
"""Ids known as repeats."""
_PIECE = 200


class SavedBehaviour(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of state in the changelog. ``told``: the last step of time that ``alerts`` knows of."""

    inbox: SavedInbox
    told: int = 0
    versions: list[tuple[VersionKey, Version | None]] = []
    features: list[tuple[FeatureKey, Feature | None]] = []
    live: list[tuple[CallKey, Side | None]] = []
    waiting: list[tuple[CallKey, list[Side] | None]] = []
    pairs: list[tuple[CallKey, ShadowPair | None]] = []
    scores: list[tuple[ScoreKey, ScoreSum | None]] = []
    standings: list[tuple[Comparison, Standing | None]] = []
    groups: list[tuple[str, QuestionGroup | None]] = []
    pace: list[tuple[str, tuple[int, int] | None]] = []
    strata: list[tuple[StratumKey, Stratum | None]] = []
    held: list[tuple[tuple[str, str], Reserve | None]] = []


_decode_items = msgspec.msgpack.Decoder(Items).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedBehaviour).decode
_encode_json = msgspec.json.Encoder().encode


class BehaviourState(Untimed):
    """State of the agent ``behaviour`` for one partition (see :class:`streams.state.PartitionState`).

    ``source``: the Kafka cluster; ``findings`` and ``tasks``: topics; ``partitions``: of stage 1 and of ``tasks``.
    """

    def __init__(
        self, partition: int, source: str, *, findings: str, tasks: str, partitions: int, settings: BehaviourSettings
    ) -> None:
        self._source = source
        self._findings = FindingsWriter(STAGE, partition, findings)
        self._tasks = tasks
        self._partitions = partitions
        self._inbox = SettlingInbox(partitions, settings.settle, settings.max_waiting, REMEMBERED)
        self._prompts = Prompts(settings)
        self._shadows = Shadows(settings)
        self._questions = Questions(settings)
        self._judging = Judging(settings)
        self._told = 0
        self._dirty = False
        self._tables: dict[str, Any] = {
            "versions": self._prompts.versions, "features": self._prompts.features, "live": self._shadows.live,
            "waiting": self._shadows.waiting, "pairs": self._shadows.pairs, "scores": self._shadows.scores,
            "standings": self._shadows.standings, "groups": self._questions.groups, "pace": self._questions.pace,
            "strata": self._judging.strata,
            "held": self._judging.held,
        }  # fmt: skip

    def apply(self, batch: Batch, effects: Effects) -> None:
        found: list[Finding] = []
        rested = self._inbox.rests
        for message in messages(batch, _decode_items, "calls", STAGE, self._source, effects):
            late = self._inbox.late
            for item in message.items:
                self._inbox.put(item)
            self._inbox.hear(Source(message.source, message.partition), message.clock, message.rests)
            for item in self._inbox.due():
                self._step(found, effects)
                self._take(item, found, effects)
            self._step(found, effects)
            self._dirty = True
            if self._inbox.late > late:
                effects.count("late_for_behaviour", by=self._inbox.late - late)
        self._tell(found, effects, float(self._told * STEP) if self._inbox.rests != rested else None)

    def _take(self, item: Item, found: list[Finding], effects: Effects) -> None:
        now = self._inbox.now
        if isinstance(item, Ran):
            found.extend(self._prompts.take(item, now))
            self._emit(self._shadows.take(item, now), found, effects)
            self._questions.take(item, now)
            self._ask_judge(self._judging.take(item, now), effects)
        elif isinstance(item, Disliked):
            self._ask_judge(self._judging.dislike(item, now), effects)
        else:
            self._emit(self._shadows.score(item, now), found, effects)

    def _step(self, found: list[Finding], effects: Effects) -> None:
        """Look again at what holds, once per step of event time."""
        step = int(self._inbox.now) // STEP
        if step > self._told:
            self._told = step
            now = float(step * STEP)
            found.extend(self._prompts.pass_time(now))
            found.extend(self._shadows.pass_time(now))
            self._tell(found, effects, now)

    def _tell(self, found: list[Finding], effects: Effects, clock: float | None = None) -> None:
        if clock is None and not found:
            return
        clock = None if self._inbox.rests else self._inbox.now if clock is None else clock
        self._findings.send(found, clock, effects)
        found.clear()

    def _emit(self, told: Iterable[TableRow | Finding], found: list[Finding], effects: Effects) -> None:
        for one in told:
            if isinstance(one, Finding):
                found.append(one)
            else:
                effects.row(one.TABLE, _encode_json(one))

    def _ask_judge(self, tasks: Iterable[Task], effects: Effects) -> None:
        for task in tasks:
            key = task.response_id.encode()
            effects.count("judge_tasks")
            effects.messages.append(OutgoingMessage(self._tasks, partition_of(key, self._partitions), key, task.value))

    def close_interval(self, effects: Effects) -> None:
        for row in (*self._questions.take_rows(), *self._shadows.take_verdicts()):
            effects.row(row.TABLE, _encode_json(row))

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        self._dirty = False
        changed = {name: table.take_changes() for name, table in self._tables.items()}
        return _encode_saved(SavedBehaviour(self._inbox.take_changes(), self._told, **changed))

    def snapshot(self) -> Iterator[bytes]:
        for kept in self._inbox.snapshot():
            yield _encode_saved(SavedBehaviour(kept, self._told))
        saved = partial(SavedBehaviour, SavedInbox(self._inbox.now), self._told)
        yield from map(_encode_saved, pieces(saved, _PIECE, **self._tables))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._told = max(self._told, saved.told)
        self._inbox.load(saved.inbox)
        for name, table in self._tables.items():
            table.load(getattr(saved, name))

    def waiting(self) -> int:
        return 0

    def gauges(self) -> Mapping[str, float]:
        return {
            "calls_waiting": len(self._inbox),
            "calls_taken_early": self._inbox.early,
            "prompt_versions": len(self._prompts.versions),
            "shadow_live": len(self._shadows.live),
            "shadow_pairs": len(self._shadows.pairs),
            "question_groups": len(self._questions.groups),
            "judge_candidates": len(self._judging.held),
        }
