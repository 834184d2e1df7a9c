"""Stage 2: partial aggregates to findings about cost, traffic, failures and latency.

Parts are absolute, as the agent ``cost`` reads them. A bucket is judged once, when the watermark has passed its end;
what comes for it later is ignored here (the cost windows count it). Series under suspicion are also looked at between.

Empty buckets are judged, too, and event time can leap: then hours of them are over at once for all series. Messages are taken one by one,
and what each makes due is done in pieces (``proceed``), in the same order however large the pieces are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import inf
from typing import NamedTuple

import msgspec

from agents.anomaly.bucket import Bucket
from agents.anomaly.monitor import Condition, Kind, SeriesMonitor
from agents.anomaly.report import KEEP, ceased, finding, slo_finding, slo_labels
from agents.anomaly.settings import AnomalySettings
from agents.anomaly.slo import Objective
from agents.anomaly.unpriced import ModelKey, Unpriced, UnpricedModels
from agents.common.messages import messages
from agents.common.stage2 import FindingsWriter, Progress, Section, Untimed, pieces
from agents.common.watermark import Reached, Source, Watermark
from agents.detectors.burn import BurnRate
from agents.detectors.pace import PER_DAY, SECONDS, STEP
from agents.inspection.flags import kinds_of
from schemas.aggregates import Aggregate, Series
from schemas.findings import Finding
from schemas.partials import Part, Parts
from streams.effects import Effects
from streams.state import Batch

STAGE = "anomaly"

_QUIET = PER_DAY
"""Empty buckets in a row that are judged one by one; of a longer silence nothing more is to be said."""
_DEAD = 900
"""Seconds without a request after which nobody waits for a series any more: its objective is not missed."""
AT_A_TIME = 100
"""Buckets of series that are judged at a time, some 20 ms of work."""
_PIECE = 50
"""Series in one piece of a snapshot."""
_PARTS_PIECE = 500


class SeriesLevel(NamedTuple):
    """What is watched as one series: ``whole``: values are (tenant, feature, model); else (provider,)."""

    whole: bool
    values: tuple[str, ...]


_WHOLE = ("tenant", "feature", "model")
_OF_A_PROVIDER: frozenset[Kind] = frozenset({"api_error", "lost"})
_EXPLAIN_WHOLE = ("prompt_sha", "provider", "environment", "variant")
_EXPLAIN_PROVIDER = ("model", "feature", "tenant")


class Watched(msgspec.Struct, array_like=True, gc=False):
    """A series and what is being said of it. ``active``: conditions reported as holding; ``burning``: objective -> since when."""

    monitor: SeriesMonitor
    seen: int
    """Start of the last bucket with requests."""
    active: list[Kind] = []
    slos: dict[str, BurnRate] = {}
    burning: dict[str, float] = {}
    provider: str = ""
    """Who serves most of it: an outage there explains what is seen here."""


class SavedAnomaly(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog.

    ``closed``: end of the last bucket judged, 0 before the first. ``untaken``: messages that were read and
    not taken yet; None: as before. ``quiet``: empty buckets in a row that the last message taken made due.
    """

    closed: int
    clocks: list[Reached] = []
    parts: list[tuple[Source, Part]] = []
    series: list[tuple[SeriesLevel, Watched]] = []
    gone: list[SeriesLevel] = []
    unpriced: list[tuple[ModelKey, Unpriced]] = []
    unpriced_gone: list[ModelKey] = []
    untaken: list[Parts] | None = None
    quiet: int = 0


_decode_parts = msgspec.msgpack.Decoder(Parts).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedAnomaly).decode

PartKey = tuple[Source, int, int, Series, int]
"""Source, segment, window, series, and the window in which it counts."""


class AnomalyState(Untimed):
    """State of the agent ``anomaly`` for one partition (see :class:`streams.state.PartitionState` and ``InPieces``).

    ``source``: the Kafka cluster, for dead letters; ``findings``: the topic for what is found; ``sources``: how many partitions stage 1
    has. A provider's series are in all of them, so its findings carry the partition as label ``shard`` where there are several.
    """

    def __init__(
        self,
        partition: int,
        source: str,
        findings: str,
        settings: AnomalySettings,
        sources: int,
        objectives: Sequence[Objective] = (),
    ) -> None:
        self._source = source
        self._findings = FindingsWriter(STAGE, partition, findings)
        self._settings = settings
        self._objectives = objectives
        self._shard = {"shard": str(partition)} if sources > 1 else {}
        self._untaken: deque[Parts] = deque()
        self._quiet = 0
        self._closed = 0
        self._looked = 0
        """How far series under suspicion have been looked at."""
        self._watermark = Watermark(sources)
        self._open: dict[int, dict[PartKey, Aggregate]] = {}
        self._parts = 0
        self._series: Section[SeriesLevel, Watched] = Section()
        self._unpriced = UnpricedModels()
        self._changed_parts: dict[PartKey, Part] = {}
        self._dirty = False

    def apply(self, batch: Batch, effects: Effects) -> None:
        for message in messages(batch, _decode_parts, "partial aggregates", STAGE, self._source, effects):
            self._untaken.append(message)
            self._dirty = True

    def proceed(self, effects: Effects) -> bool:
        found: list[Finding] = []
        judged = 0
        while judged < AT_A_TIME and self._has_work:
            if self._is_over:
                self._close_next(found)
            elif self._is_worth_a_look:
                self._look(self._over, found)
            elif self._holds_too_much:
                effects.count("anomaly_closed_early")
                self._close_next(found)
            else:
                self._take(self._untaken.popleft(), found, effects)
            judged += 1 + len(self._series)
        self._findings.tell(found, self._progress, effects)
        return self._has_work

    @property
    def _has_work(self) -> bool:
        return bool(self._untaken) or self._is_over or self._is_worth_a_look or self._holds_too_much

    @property
    def _progress(self) -> Progress:
        return Progress(float(self._reached), self._watermark.rests and not self._has_work)

    def _take(self, message: Parts, found: list[Finding], effects: Effects) -> None:
        source = Source(message.source, message.partition)
        for part in message.parts:
            self._put(source, part, found, effects)
        self._watermark.hear(source, message.clock, message.rests)
        self._quiet = 0
        self._dirty = True

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        saved = SavedAnomaly(
            self._closed,
            self._watermark.take_changes(),
            [(key[0], part) for key, part in self._changed_parts.items()],
            *self._series.take_changes(),
            *self._unpriced.take_changes(),
            list(self._untaken),
            self._quiet,
        )
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedAnomaly(self._closed, self._watermark.all(), untaken=list(self._untaken), quiet=self._quiet))
        parts = [
            (source, Part(segment, window, series, aggregate, 0 if judged == window else judged))
            for held in self._open.values()
            for (source, segment, window, series, judged), aggregate in held.items()
        ]
        saved = partial(SavedAnomaly, self._closed)
        yield from map(_encode_saved, pieces(saved, _PARTS_PIECE, parts=parts))
        series = sorted(self._series.items(), key=lambda item: item[0])
        yield from map(_encode_saved, pieces(saved, _PIECE, series=series))
        yield _encode_saved(SavedAnomaly(self._closed, unpriced=self._unpriced.all()))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._closed = max(self._closed, saved.closed)
        self._watermark.load(saved.clocks)
        for start in [start for start in self._open if start + SECONDS <= self._closed]:
            self._parts -= len(self._open.pop(start))
        for source, part in saved.parts:
            self._hold(source, part)
        self._series.load(saved.series, saved.gone)
        self._unpriced.load(saved.unpriced, saved.unpriced_gone)
        if saved.untaken is not None:
            self._untaken, self._quiet = deque(saved.untaken), saved.quiet
        self._findings.told = self._progress
        self._forget_changes()

    def waiting(self) -> int:
        """Whether buckets that everybody has passed are still to be judged."""
        return int(self._has_work)

    def gauges(self) -> Mapping[str, float]:
        return {"anomaly_series": len(self._series), "anomaly_parts": self._parts, "anomaly_due": float(self._has_work)}

    def _forget_changes(self) -> None:
        self._changed_parts, self._dirty = {}, False

    @property
    def _reached(self) -> int:
        return max(self._closed, self._looked)

    # Parts and clocks

    def _put(self, source: Source, part: Part, found: list[Finding], effects: Effects) -> None:
        if part.judged // SECONDS * SECONDS + SECONDS <= self._closed:
            found.extend(self._unpriced.late(self._closed, part.series, part.aggregate, self._shard, STAGE))
            if not part.aggregate.overdue:  # else its services gave calls up when it had been judged
                effects.count("late_for_anomaly")
        elif self._hold(source, part):
            self._changed_parts[source, part.segment, part.window, part.series, part.judged] = part
            self._dirty = True

    def _hold(self, source: Source, part: Part) -> bool:
        """Take a part of a bucket that is still open, unless one that holds as much is known."""
        start = part.judged // SECONDS * SECONDS
        if start + SECONDS <= self._closed:
            return False
        held = self._open.setdefault(start, {})
        key = (source, part.segment, part.window, part.series, part.judged)
        old = held.get(key)
        if old is not None and old.version >= part.aggregate.version:
            return False
        self._parts += old is None
        held[key] = part.aggregate
        return True

    @property
    def _over(self) -> int:
        """Up to here the buckets are over for all sources, and those of ten seconds that a look is worth."""
        clock = self._watermark.time
        return int((clock - self._settings.settle) // STEP) * STEP if clock > -inf else 0

    @property
    def _is_over(self) -> bool:
        """Whether a bucket is over, and is to be judged."""
        # What was before the first part is not known, so nothing is said of it.
        begin = self._closed or min(self._open, default=inf)
        return begin + SECONDS <= self._over

    @property
    def _is_worth_a_look(self) -> bool:
        return self._closed > 0 and self._over > self._reached

    @property
    def _holds_too_much(self) -> bool:
        """Then the oldest bucket is judged early."""
        return self._parts > self._settings.max_parts

    def _close_next(self, found: list[Finding]) -> None:
        """Judge a bucket."""
        start = self._closed or min(self._open)
        held = self._open.pop(start, None)
        self._quiet = 0 if held else self._quiet + 1
        if self._quiet > _QUIET:
            over = self._over // SECONDS * SECONDS
            self._closed, self._quiet = min([*([over] if start < over else []), *self._open]), 0
            return
        self._closed = start + SECONDS
        self._judge(start, held or {}, found)
        self._parts -= len(held or ())
        for key in held or ():
            self._changed_parts.pop(key, None)
        self._dirty = True

    # Judgement

    def _look(self, end: int, found: list[Finding]) -> None:
        """What the first seconds of the open bucket show of series under suspicion; nothing is learned from them."""
        start, self._looked = self._closed, end
        held = {key: part for key, part in self._open.get(start, {}).items() if key[4] < end}
        buckets: dict[SeriesLevel, Bucket] | None = None
        for level, watched in sorted(self._series.items(), key=lambda item: item[0]):
            if not watched.monitor.suspicious:
                continue
            buckets = _buckets(held) if buckets is None else buckets
            bucket = buckets.get(level, Bucket())
            new = [c for c in watched.monitor.look(start, bucket, end - start) if c.kind not in watched.active]
            if new := self._heeded(level, new):
                found.extend(self._report(condition, level, watched, bucket, float(end)) for condition in new)
                watched.active = [*watched.active, *(condition.kind for condition in new)]
                self._series.touch(level)
                self._dirty = True

    def _judge(self, start: int, held: Mapping[PartKey, Aggregate], found: list[Finding]) -> None:
        buckets = _buckets(held)
        for level in sorted(buckets.keys() - self._series.keys()):
            self._series.put(level, Watched(SeriesMonitor.of(self._settings, whole=level.whole), start))
        nothing = Bucket()
        for level, watched in sorted(self._series.items(), key=lambda item: item[0]):
            bucket = buckets.get(level, nothing)
            if bucket is not nothing:
                watched.seen = start
            self._watch(level, watched, start, bucket, found)
            self._series.touch(level)
        parts = ((key[3], part) for key, part in sorted(held.items(), key=lambda item: item[0]))
        found.extend(self._unpriced.judge(start + SECONDS, parts, self._shard, STAGE))
        self._evict(start + SECONDS, found)

    def _watch(self, level: SeriesLevel, watched: Watched, start: int, bucket: Bucket, found: list[Finding]) -> None:
        where, end = self._where(level), float(start + SECONDS)
        conditions = self._heeded(level, watched.monitor.update(start, bucket))
        if shares := {value: amounts.requests for (name, value), amounts in bucket.values.items() if name == "provider"}:
            watched.provider = max(sorted(shares), key=lambda provider: shares[provider])
        found.extend(self._report(condition, level, watched, bucket, end) for condition in conditions)
        kinds = [condition.kind for condition in conditions]
        found.extend(ceased(kind, where, end, STAGE) for kind in watched.active if kind not in kinds)
        watched.active = kinds
        if not level.whole:
            return
        for objective in self._objectives:
            if not objective.covers(*level.values):
                continue
            burn = watched.slos.setdefault(objective.label, BurnRate())
            burn.update(end, objective.slow(bucket), budget=objective.budget)
            burning = burn.burning(objective.budget) if start - watched.seen < _DEAD else None
            if burning is not None:
                since = watched.burning.setdefault(objective.label, float(start))
                found.append(slo_finding(burning, objective, where, since, end, STAGE))
            elif watched.burning.pop(objective.label, None) is not None:
                found.append(_slo_ceased(objective, where, end))

    @staticmethod
    def _heeded(level: SeriesLevel, conditions: list[Condition]) -> list[Condition]:
        """Features tell most; what concerns all of them is that the provider fails."""
        return [condition for condition in conditions if level.whole or condition.kind in _OF_A_PROVIDER]

    def _report(self, condition: Condition, level: SeriesLevel, watched: Watched, bucket: Bucket, end: float) -> Finding:
        report = finding(condition, self._where(level), end, self._settings, STAGE)
        report.response_ids = bucket.shown_by(condition.kind)
        report.detail = {**report.detail, "provider": watched.provider}
        if report.name == "PiiLeak":
            report.detail["kinds"] = kinds_of(report.labels["direction"], bucket.flags)
        return report

    def _evict(self, end: int, found: list[Finding]) -> None:
        """Keep as many series, and as many providers, as the settings allow: the longest idle go; what was said of them is withdrawn."""
        for whole in (True, False):
            levels = [level for level in self._series if level.whole == whole]
            over = len(levels) - self._settings.max_series
            if over <= 0:
                continue
            for level in sorted(levels, key=lambda level: (self._series[level].seen, level))[:over]:
                watched, where = self._series.drop(level), self._where(level)
                found.extend(ceased(kind, where, float(end), STAGE) for kind in watched.active)
                found.extend(_slo_ceased(o, where, float(end)) for o in self._objectives if o.label in watched.burning)

    def _where(self, level: SeriesLevel) -> dict[str, str]:
        if level.whole:
            return dict(zip(_WHOLE, level.values, strict=True))
        return {"scope": "provider", "provider": level.values[0], **self._shard}


def _buckets(held: Mapping[PartKey, Aggregate]) -> dict[SeriesLevel, Bucket]:
    buckets: dict[SeriesLevel, Bucket] = {}
    for (_, _, _, series, window), aggregate in sorted(held.items(), key=lambda item: item[0]):
        if aggregate.requests <= aggregate.overdue:  # such as a late answer to what was counted as unanswered
            continue
        whole = SeriesLevel(True, (series.tenant, series.feature, series.model))
        buckets.setdefault(whole, Bucket()).add(window, series, aggregate, _EXPLAIN_WHOLE)
        if series.provider:
            provider = SeriesLevel(False, (series.provider,))
            buckets.setdefault(provider, Bucket()).add(window, series, aggregate, _EXPLAIN_PROVIDER)
    return buckets


def _slo_ceased(objective: Objective, where: Mapping[str, str], end: float) -> Finding:
    labels = slo_labels(objective, where)
    return Finding(name="LatencySLOBurn", labels=labels, time=end, active=False, keep=KEEP, generator=STAGE)
