"""Stage 2: sampled answers and scores to drift.

A period of 30 s is over when the watermark has passed its end; what comes for it later is ignored here. Then it is taken: of each series
the answers of the smallest ranks, in order of time. So the result depends neither on how the input was cut nor on the order among source
partitions. A catch-up ends hours of periods at once: they are taken series by series, a few answers at a time (``proceed``).
"""

from __future__ import annotations

import logging
from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import msgspec
import numpy as np

from agents.common.messages import messages
from agents.common.stage2 import Progress, Section, WatermarkState
from agents.common.watermark import Reached, Source
from agents.detectors.e_values import e_bh
from agents.drift.embedding import Embedding, EmbeddingError
from agents.drift.monitor import DriftMonitor, Status
from agents.drift.quality import Quality
from agents.drift.report import STAGE, Key, drift_ceased, drift_finding, drop_ceased, drop_finding, rows_of, score_row, witness_row
from agents.drift.rows import FEATURES, ROW, Rows
from agents.drift.series import KeptSeries
from agents.drift.settings import DriftSettings
from agents.drift.tap import PERIOD
from agents.drift.text import Small
from agents.drift.witness import statements_on_scores
from schemas.findings import Finding
from schemas.samples import Acceptance, AnswerScore, Sample, Samples
from streams.effects import Effects
from streams.state import Batch

log = logging.getLogger(__name__)

SETTLE = 30.0
"""Seconds after its end until a period is taken: what a service publishes a little late still counts."""
REMEMBERED = 120
"""Periods in which a score finds the answer it was given to."""
MAX_REMEMBERED = 100_000
MAX_PENDING = 200_000
"""Samples and scores of periods that are not over."""
AT_A_TIME = 50
"""Answers looked at before others may run: some 30 ms."""
JUDGES = 4
"""Names of scores that are watched per series."""

_PIECE = 20
_NONE: tuple[str, ...] = ()
"""Before every series."""


class SeriesPlace(msgspec.Struct, array_like=True, gc=False):
    """A series in the changelog: its new rows (bytes of ``ROW``), and by ``seq`` (bytes of int32) which rows are where."""

    key: Key
    kept: KeptSeries
    status: Status
    quality: dict[str, Quality]
    rows: bytes
    reference: bytes
    window: bytes
    block: bytes


class SavedDrift(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog.

    ``closed``: periods before it were taken, 0 before the first; ``taken``: of that period, the series up to this one; ``over``: periods
    before it are over.
    """

    closed: int
    clocks: list[Reached] = []
    samples: list[Sample] = []
    scores: list[AnswerScore] = []
    series: list[SeriesPlace] = []
    gone: list[Key] = []
    remembered: list[tuple[int, Key, list[str]]] = []
    taken: Key | None = None
    over: int = 0


_decode_samples = msgspec.msgpack.Decoder(Samples).decode
_decode_acceptance = msgspec.json.Decoder(Acceptance).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedDrift).decode
_encode_row = msgspec.json.Encoder().encode


class WatchedScores:
    """A series and the scores of its answers."""

    def __init__(self, monitor: DriftMonitor | None = None, quality: dict[str, Quality] | None = None) -> None:
        self.monitor = monitor or DriftMonitor()
        self.quality = quality or {}


class DriftState(WatermarkState[Samples]):
    """State of the agent ``drift`` for one partition (see :class:`streams.state.PartitionState` and ``InPieces``).

    ``source``: the Kafka cluster, for dead letters; ``findings``: the topic for what is found; ``accepts``: the topic of acceptances;
    ``sources``: partitions of stage 1; ``embedding``: of answers. References of another make are learned anew.
    """

    def __init__(
        self, partition: int, source: str, findings: str, accepts: str, settings: DriftSettings, sources: int,
        embedding: Embedding | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            STAGE, "samples", _decode_samples,
            partition=partition, source=source, sources=sources, findings=findings,
        )  # fmt: skip
        self._accepts = accepts
        self._settings = settings
        self._embedding = embedding
        self._features = f"{FEATURES} {embedding.name}" if embedding else FEATURES
        self._closed = self._over = 0
        self._taken: Key | None = None
        self._queue: list[Key] = []
        """Series of the period being taken that are to come, the next one last."""
        self._samples: dict[int, dict[Key, list[Sample]]] = {}
        self._scores: dict[int, list[AnswerScore]] = {}
        self._pending = 0
        self._known: set[str] = set()
        self._series: Section[Key, WatchedScores] = Section()
        self._watching: set[Key] = set()
        """Series that have a reference."""
        self._remembered: deque[tuple[int, Key, list[str]]] = deque()
        self._series_of: dict[str, Key] = {}
        self._new_samples: list[Sample] = []
        self._new_scores: list[AnswerScore] = []
        self._new_remembered: list[tuple[int, Key, list[str]]] = []

    # PartitionState

    def apply(self, batch: Batch, effects: Effects) -> None:
        found: list[Finding] = []
        if batch.topic == self._accepts:
            for word in messages(batch, _decode_acceptance, "an acceptance", STAGE, self._source, effects):
                self._accept(word, found, effects)
        else:
            self._read(batch, found, effects)
        self._findings.tell(found, self._progress, effects)

    def proceed(self, effects: Effects) -> bool:
        found: list[Finding] = []
        looked_at = 0
        while looked_at < AT_A_TIME and self._closed < self._over:
            looked_at += self._take_next(found, effects)
        self._findings.tell(found, self._progress, effects)
        return self._closed < self._over

    @property
    def _progress(self) -> Progress:
        rests = self._watermark.rests and self._closed == self._over
        return Progress(self._closed * PERIOD, rests)

    def _source_of(self, message: Samples) -> Source:
        return Source(message.source, message.partition)

    def _take(self, message: Samples, effects: Effects) -> None:
        for sample in message.samples:
            self._put(sample, effects)
        for score in message.scores:
            self._put_score(score, effects)

    def waiting(self) -> int:
        """Periods that are over and whose answers or scores are still to be looked at."""
        return sum(period < self._over for period in self._samples.keys() | self._scores.keys())

    def gauges(self) -> Mapping[str, float]:
        return {
            "drift_series": len(self._series),
            "drift_watched": len(self._watching),
            "drift_drifted": sum(one.monitor.drift is not None for one in self._series.values()),
            "drift_pending": self._pending,
            "drift_due": self.waiting(),
        }

    # Samples

    def _put(self, sample: Sample, effects: Effects) -> None:
        if sample.time // PERIOD < self._over:
            effects.count("late_for_drift")
        elif self._hold(sample):
            self._new_samples.append(sample)

    def _hold(self, sample: Sample) -> bool:
        """Keep the smallest ranks of each series and period; whether this is one of them so far."""
        if sample.response_id in self._known:
            return False
        period = int(sample.time // PERIOD)
        held = self._samples.setdefault(period, {}).setdefault(Key(sample.feature, sample.model), [])
        if len(held) >= self._settings.per_period:
            if _rank(sample) > _rank(held[-1]):
                return False
            self._known.discard(held.pop().response_id)
            self._pending -= period >= self._over
        insort(held, sample, key=_rank)
        self._known.add(sample.response_id)
        self._pending += period >= self._over
        return True

    def _put_score(self, score: AnswerScore, effects: Effects) -> None:
        if score.time // PERIOD < self._over:
            effects.count("late_for_drift")
        elif self._hold_score(score):
            self._new_scores.append(score)

    def _hold_score(self, score: AnswerScore) -> bool:
        if score.event_id in self._known:
            return False
        self._known.add(score.event_id)
        period = int(score.time // PERIOD)
        self._scores.setdefault(period, []).append(score)
        self._pending += period >= self._over
        return True

    # Time

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        """Every period is over that is so for all sources; and the oldest when more is held than may be."""
        clock = self._watermark.time
        if clock > -inf:
            self._end_until(int((clock - SETTLE) // PERIOD))
        while self._pending > MAX_PENDING:
            effects.count("drift_closed_early")
            self._end_until(min(p for p in self._samples.keys() | self._scores.keys() if p >= self._over) + 1)

    def _end_until(self, end: int) -> None:
        if end > self._over:
            held = self._samples.keys() | self._scores.keys()
            self._pending -= sum(self._held(period) for period in held if self._over <= period < end)
            self._over = end

    def _held(self, period: int) -> int:
        return sum(map(len, self._samples.get(period, {}).values())) + len(self._scores.get(period, ()))

    def _take_next(self, found: list[Finding], effects: Effects) -> int:
        """The next series of the earliest period that is over; after the last one its scores. Returns how many answers were looked at."""
        self._dirty = True
        if self._taken is None:
            due = [period for period in self._samples.keys() | self._scores.keys() if period < self._over]
            if not due:
                self._close(self._over, found)
                return 0
            self._closed = min(due)
        period = self._closed
        if by_key := self._samples.get(period):
            self._queue = self._queue or sorted(by_key, reverse=True)
            key = self._queue.pop()
            held = by_key.pop(key)
            self._take_series(period, key, held, found, effects)
            self._taken = key
            return len(held)
        self._samples.pop(period, None)
        self._take_scores(self._scores.pop(period, []), effects)
        self._forget(period)
        self._close(period + 1, found)
        return 0

    def _close(self, end: int, found: list[Finding]) -> None:
        self._closed, self._taken = end, None
        for key in sorted(self._series):
            self._report(key, end * PERIOD, found)

    def _take_series(
        self, period: int, key: Key, held: list[Sample], found: list[Finding], effects: Effects
    ) -> None:
        self._known.difference_update(sample.response_id for sample in held)
        embedded = self._embedded(held, effects)
        series = self._watched(key, period * PERIOD, found)
        for sample in sorted(held, key=lambda sample: (sample.time, sample.response_id)):
            if embedded is None:
                self._look(key, series, sample, None, found, effects)
            elif (vector := embedded.get(sample.response_id)) is not None:
                self._look(key, series, sample, vector, found, effects)
        self._series.touch(key)
        self._remember(period, key, [sample.response_id for sample in held], new=True)

    def _take_scores(self, scores: list[AnswerScore], effects: Effects) -> None:
        self._known.difference_update(score.event_id for score in scores)
        judged = sum(len(one.quality) for one in self._series.values())
        enough = max(1, judged) / self._settings.score_level
        for score in sorted(scores, key=lambda score: (score.time, score.event_id)):
            self._score(score, enough, effects)

    def _embedded(self, samples: list[Sample], effects: Effects) -> dict[str, Small] | None:
        """By response, if there is a model for it; empty if it fails, and then these answers are not looked at."""
        if self._embedding is None:
            return None
        try:
            return dict(zip((s.response_id for s in samples), self._embedding([s.answer for s in samples]), strict=True))
        except EmbeddingError as error:
            log.warning("%d answers are not compared: %s", len(samples), error)
            effects.count("drift_not_embedded", by=len(samples))
            return {}

    def _look(self, key: Key, watched: WatchedScores, sample: Sample, embedded: Small | None,
              found: list[Finding], effects: Effects) -> None:  # fmt: skip
        """The next answer of a series, and what is seen with it."""
        monitor = watched.monitor
        before = monitor.drift
        looks = monitor.add(sample, max(1, len(self._watching)) / self._settings.level, embedded)
        for said in monitor.said:
            row = witness_row(key, said, monitor.series.kept.version)
            effects.row(row.TABLE, _encode_row(row))
        if monitor.watched:
            self._watching.add(key)
        if before is not None and monitor.drift is None:
            found.append(drift_ceased(key, before, looks[-1].time))
        elif before is None and monitor.evidence >= 1 / self._settings.level and key in self._discoveries():
            monitor.declare()
            looks = looks or [monitor.latest()]
        for look in looks:
            for row in rows_of(key, look, monitor.drift, monitor.evidence):
                effects.row(row.TABLE, _encode_row(row))

    def _discoveries(self) -> list[Key]:
        evidence = {key: one.monitor.evidence for key, one in self._series.items() if one.monitor.evidence > 0}
        return e_bh(evidence, len(self._watching), self._settings.level)

    def _score(self, score: AnswerScore, enough: float, effects: Effects) -> None:
        """``enough``: the evidence that would be reported if no other scores had any."""
        key = self._series_of.get(score.response_id)
        watched = None if key is None else self._series.get(key)
        if key is None or watched is None:
            effects.count("drift_scores", "not_sampled")
            return
        if score.name not in watched.quality and len(watched.quality) >= JUDGES:
            effects.count("drift_scores", "too_many_judges")
            return
        quality = watched.quality.setdefault(score.name, Quality())
        looks = quality.add(score.time, score.value, score.response_id, enough)
        if quality.drop is None and quality.evidence >= 1 / self._settings.score_level and (key, score.name) in self._drops():
            quality.declare()
        for said in statements_on_scores(score.name, quality):
            row = witness_row(key, said, 0)
            effects.row(row.TABLE, _encode_row(row))
        for size, tested in looks:
            row = score_row(key, score.name, score.time, size, tested, len(quality.reference), quality.drop, quality.evidence)
            effects.row(row.TABLE, _encode_row(row))
        self._series.touch(key)

    def _drops(self) -> list[tuple[Key, str]]:
        judged = {(key, name): quality.evidence for key, one in self._series.items() for name, quality in one.quality.items()}
        return e_bh(judged, len(judged), self._settings.score_level)

    def _report(self, key: Key, time: float, found: list[Finding]) -> None:
        """What holds is said every period, or else ``alerts`` would take it for over."""
        watched = self._series[key]
        if (drift := watched.monitor.drift) is not None:
            found.append(drift_finding(key, drift, time, self._settings.level, watched.monitor.status.heard))
        for name, quality in sorted(watched.quality.items()):
            if quality.drop is not None:
                found.append(drop_finding(key, name, quality.drop, drift, time))

    # Series

    def _watched(self, key: Key, time: float, found: list[Finding]) -> WatchedScores:
        """The series, a new one if need be: of a known feature it begins with the reference of the model last used."""
        watched = self._series.get(key)
        if watched is not None:
            return watched
        watched = self._new_watched()
        others = [other for other in self._watching if other.feature == key.feature]
        if others:
            latest = max(others, key=lambda other: (self._series[other].monitor.series.last, other))
            watched.monitor.series.inherit(self._series[latest].monitor.series, latest.model)
        self._series.put(key, watched)
        if len(self._series) > self._settings.max_series:
            others = [other for other in self._series if other != key]
            idle = min(others, key=lambda other: (self._series[other].monitor.series.last, other))
            self._withdraw(idle, time, found)
            self._series.drop(idle)
            self._watching.discard(idle)
        return watched

    def _new_watched(self, version: int = 1) -> WatchedScores:
        return WatchedScores(DriftMonitor(KeptSeries(version=version, features=self._features)))

    def _withdraw(self, key: Key, time: float, found: list[Finding]) -> None:
        watched = self._series[key]
        if (drift := watched.monitor.drift) is not None:
            found.append(drift_ceased(key, drift, max(time, drift.seen)))
        found.extend(drop_ceased(key, name, time) for name, quality in sorted(watched.quality.items()) if quality.drop is not None)

    def _accept(self, word: Acceptance, found: list[Finding], effects: Effects) -> None:
        keys = [key for key in sorted(self._series) if key.feature == word.feature and word.model in ("", key.model)]
        for key in keys:
            self._withdraw(key, self._closed * PERIOD + 1.0, found)
            watched = self._series[key]
            watched.monitor.renew()
            self._watching.discard(key)
            watched.quality = {}
            self._series.touch(key)
        effects.count("drift_accepted", "yes" if keys else "no")
        self._dirty = True

    # Which series an answer belongs to

    def _remember(self, period: int, key: Key, response_ids: list[str], *, new: bool) -> None:
        entry = period, key, response_ids
        self._remembered.append(entry)
        self._series_of.update(dict.fromkeys(response_ids, key))
        if new:
            self._new_remembered.append(entry)

    def _forget(self, period: int) -> None:
        while self._remembered and (self._remembered[0][0] < period - REMEMBERED or len(self._series_of) > MAX_REMEMBERED):
            for response_id in self._remembered.popleft()[2]:
                self._series_of.pop(response_id, None)

    # Persistence

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        changed, gone = self._series.take_changes()
        saved = SavedDrift(
            self._closed,
            self._watermark.take_changes(),
            [sample for sample in self._new_samples if sample.response_id in self._known],
            [score for score in self._new_scores if score.event_id in self._known],
            [self._place(key, whole=False) for key, _ in changed],
            gone,
            self._new_remembered,
            self._taken,
            self._over,
        )
        for _, watched in changed:
            watched.monitor.series.fresh = []
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        def saved(**what: Any) -> bytes:
            return _encode_saved(SavedDrift(self._closed, taken=self._taken, over=self._over, **what))

        yield saved(clocks=self._watermark.all(), remembered=list(self._remembered))
        for by_key in self._samples.values():
            for held in by_key.values():
                yield saved(samples=held)
        for scores in self._scores.values():
            yield saved(scores=scores)
        keys = sorted(self._series)
        for at in range(0, len(keys), _PIECE):
            yield saved(series=[self._place(key, whole=True) for key in keys[at : at + _PIECE]])

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._end_until(max(saved.over, saved.closed))  # an older state has no ``over``: all that was over was taken
        if (saved.closed, saved.taken or _NONE) > (self._closed, self._taken or _NONE):
            self._closed, self._taken = saved.closed, saved.taken
            self._drop_taken()
        self._findings.told = Progress(self._closed * PERIOD, False)
        self._watermark.load(saved.clocks)
        for sample in saved.samples:
            if not self._was_taken(int(sample.time // PERIOD), Key(sample.feature, sample.model)):
                self._hold(sample)
        for score in saved.scores:
            if score.time // PERIOD >= self._closed:
                self._hold_score(score)
        self._series.load((), saved.gone)
        self._watching.difference_update(saved.gone)
        for place in saved.series:
            self._restore(place)
        known = {(period, key) for period, key, _ in self._remembered} if saved.remembered else set()
        for period, key, response_ids in saved.remembered:
            if (period, key) not in known:
                self._remember(period, key, response_ids, new=False)
        if self._closed:
            self._forget(self._closed - 1)
        self._forget_changes()

    def _was_taken(self, period: int, key: Key) -> bool:
        return (period, key) <= (self._closed, self._taken or _NONE)

    def _drop_taken(self) -> None:
        for period in [period for period in self._samples if period <= self._closed]:
            by_key = self._samples[period]
            for key in [key for key in by_key if self._was_taken(period, key)]:
                self._known.difference_update(sample.response_id for sample in by_key.pop(key))
            if not by_key:
                del self._samples[period]
        for period in [period for period in self._scores if period < self._closed]:
            self._known.difference_update(score.event_id for score in self._scores.pop(period))

    def _place(self, key: Key, *, whole: bool) -> SeriesPlace:
        watched = self._series[key]
        series = watched.monitor.series
        rows = [series.rows()] if whole else series.fresh
        return SeriesPlace(
            key, series.kept, watched.monitor.status, watched.quality, b"".join(row.tobytes() for row in rows),
            _seqs(series.reference), _seqs(series.window), _seqs(series.block),
        )  # fmt: skip

    def _restore(self, place: SeriesPlace) -> None:
        known = self._series.get(place.key)
        if place.kept.features != self._features:
            self._series[place.key] = self._new_watched(place.kept.version + 1)
            self._watching.discard(place.key)
            return
        watched = WatchedScores(DriftMonitor(place.kept, place.status), place.quality)
        series = watched.monitor.series
        if known is not None:
            old = known.monitor.series
            series.reference, series.window, series.block = old.reference, old.window, old.block
        series.load(np.frombuffer(place.rows, ROW), *(np.frombuffer(at, np.int32) for at in (place.reference, place.window, place.block)))
        self._series[place.key] = watched
        (self._watching.add if watched.monitor.watched else self._watching.discard)(place.key)

    def _forget_changes(self) -> None:
        self._new_samples, self._new_scores, self._new_remembered = [], [], []
        self._dirty = False


def _rank(sample: Sample) -> tuple[int, str]:
    return sample.rank, sample.response_id


def _seqs(rows: Rows) -> bytes:
    return np.ascontiguousarray(rows["seq"]).tobytes()
