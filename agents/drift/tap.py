"""What stage 1 tells the agent ``drift``: of each series and half minute the answers of the sessions with the smallest hashes.

Bottom-k sampling: which are kept depends on the hashes alone, so it is unbiased, and the smallest of several parts of a period contain
the smallest of the whole. So nothing need be remembered over a crash: the agent takes the smallest of what it was sent.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import inf
from operator import itemgetter

import msgspec

from agents.common.taps import Call, Head
from agents.drift.text import MAX_ANSWER, MAX_QUESTION
from agents.inspection.pii import name_of
from schemas.events import Evaluation, Feedback, Request
from schemas.samples import AnswerScore, Sample, Samples
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of

PERIOD = 30.0
"""Seconds of event time in which answers are chosen together."""
MAX_GROUPS = 20_000
"""Series and periods that are told of in one checkpoint."""

_OPERATIONS = frozenset({"chat", "text_completion", None})

_encode = msgspec.msgpack.Encoder().encode

Group = tuple[str, str, int]
"""Feature, model as requested, period."""


Entry = tuple[int, str, Call]
"""Rank, response_id, call."""

_order = itemgetter(0, 1)


class Smallest:
    """The ``most`` entries with the smallest ranks, ties by response. Sorted now and then: what is surely too large is not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: list[Entry] = []
        self._limit = inf

    def add(self, entry: Entry) -> None:
        """Take an entry in if it may be among the smallest."""
        if entry[0] > self._limit:
            return
        self._entries.append(entry)
        if len(self._entries) >= 2 * self._most:
            self.take()

    def take(self) -> list[Entry]:
        """In their order."""
        entries = self._entries
        entries.sort(key=_order)
        if len(entries) >= self._most:
            del entries[self._most :]
            self._limit = entries[-1][0]
        return entries


class SamplesTap:
    """Of one partition (see :class:`agents.common.taps.Tap`). ``most``: answers per series and period."""

    def __init__(self, topic: str, partitions: int, most: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._most = most
        self._held: dict[Group, Smallest] = {}
        self._scores: list[AnswerScore] = []
        self._missed = 0

    def answered(self, call: Call) -> None:
        request = call.request
        if request.operation not in _OPERATIONS or (request.variant or "live") != "live":
            return
        group = request.feature or "", request.model, int(call.ended // PERIOD)
        held = self._held.get(group)
        if held is None:
            if len(self._held) >= MAX_GROUPS:
                self._missed += 1
                return
            held = self._held[group] = Smallest(self._most)
        held.add((rank_of(request.session_id or request.request_id), call.response.response_id, call))

    def unanswered(self, request: Request, time: float) -> None:
        """It has no answer to compare; the agent ``anomaly`` watches these."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        """What users say becomes a label first (the agent ``labels``), which may be sent here as a score."""

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        self._scores.append(AnswerScore(event.event_id, event.response_id, event.time.timestamp(), event.name, event.score))

    def close(self, head: Head, announce: bool, effects: Effects) -> None:
        homes: dict[int, list[Sample]] = {}
        for (feature, _, _), held in self._held.items():
            homes.setdefault(home_of(feature, self._partitions), []).extend(_sample(rank, call) for rank, _, call in held.take())
        told = range(self._partitions) if announce or self._scores else sorted(homes)
        for home in told:
            message = Samples(head.source, head.partition, head.complete, head.rests, homes.get(home, []), self._scores)
            effects.messages.append(OutgoingMessage(self._topic, home, None, _encode(message)))
        if self._missed:
            effects.count("drift_unsampled", by=self._missed)
        self._held, self._scores, self._missed = {}, [], 0


def home_of(feature: str, partitions: int) -> int:
    """All series of a feature meet in one partition: a new model of a feature is compared with the one before."""
    return partition_of(feature.encode(), partitions)


@lru_cache(maxsize=16_384)
def rank_of(session: str) -> int:
    """The rank of a session's answers, the same everywhere. Sessions have several."""
    return int.from_bytes(blake2b(session.encode(), digest_size=8, person=b"drift").digest(), "big") >> 1


def _sample(rank: int, call: Call) -> Sample:
    request, response, row = call.request, call.response, call.row
    scores = [document.score for document in request.documents or () if document.score is not None]
    return Sample(
        rank=rank,
        response_id=response.response_id,
        session=request.session_id or request.request_id,
        time=call.ended,
        tenant=request.tenant or "",
        feature=request.feature or "",
        model=request.model,
        served=row.model,
        fingerprint=name_of(row.system_fingerprint),
        environment=row.environment,
        prompt_sha=row.prompt_sha,
        index_version=row.index_version,
        finish_reason=name_of(row.finish_reason),
        tool=name_of(response.tool_calls[0].name or "") if response.tool_calls else "",
        outcome=row.outcome,
        question=call.question[:MAX_QUESTION],
        answer=call.answer[:MAX_ANSWER],
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=None if row.cost_usd is None else float(row.cost_usd),
        latency_ms=row.latency_ms,
        ttft_ms=row.ttft_ms,
        retrieval_score=sum(scores) / len(scores) if scores else None,
        json_valid=row.json_valid,
        rail_blocked=any(rail.verdict == "block" for rail in response.rails or ()),
    )
