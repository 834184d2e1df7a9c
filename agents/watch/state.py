"""Stage 2: numbers that somebody named to findings ``WatchAnomaly``.

An interval is over when the watermark has passed its end; what comes for it later is ignored here.
Then its values are put together, whatever the order in which they came, and the detector of each
series judges the result. Its state is kept in a changelog as what it was given: a detector that
meets the same numbers again is the same detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from math import inf, isnan
from typing import NamedTuple

import msgspec

from agents.common.stage2 import Progress, WatermarkState, pieces
from agents.common.watermark import Reached, Source
from agents.watch.answers import Answers
from agents.watch.report import STAGE, odd
from agents.watch.series import FollowedSeries, together
from agents.watch.settings import Watch
from agents.watch.told import AnsweredCall, Followed, Measured, ScoreGiven, WatchPlace
from schemas.findings import Finding
from streams.effects import Effects

SETTLE = 30
"""Seconds after its end until an interval is judged: what is published a little late counts."""
MAX_SERIES = 200
"""Per partition, the longest unheard gives way. One takes up to 150 kB."""
FORGOTTEN = 7 * 86_400
"""Seconds without a value after which nought is no longer taken for one."""
MAX_PENDING = 200_000
"""Numbers and scores of intervals that are not over."""
_PIECE, _PIECE_OF_SERIES = 1_000, 4


class Interval(NamedTuple):
    """An interval of a watch. ``end``: epoch seconds."""

    end: int
    watch: str


Judgement = tuple[WatchPlace, int, float, bool]
"""A series was given a number: the end of its interval, whether it had values. A negative end: it
was forgotten."""


class SavedWatch(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``closed``: the last interval that was judged; ``over``:
    those up to there are."""

    closed: Interval
    over: int
    clocks: list[Reached] = []
    measured: list[Measured] = []
    answered: list[AnsweredCall] = []
    scores: list[ScoreGiven] = []
    series: list[tuple[WatchPlace, FollowedSeries]] = []
    judged: list[Judgement] = []
    kinds: dict[str, str] = {}
    """Of the watches that ``judged`` is of."""


_decode = msgspec.msgpack.Decoder(Followed).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedWatch).decode
_NOTHING = Interval(0, "")


class WatchState(WatermarkState[Followed]):
    """State of the agent ``watch`` for one partition (see :class:`streams.state.PartitionState`
    and ``InPieces``)."""

    def __init__(
        self, partition: int, source: str, findings: str, watches: Sequence[Watch], sources: int
    ) -> None:
        """``source``: the Kafka cluster, for dead letters; ``findings``: topic; ``sources``:
        partitions of stage 1."""
        super().__init__(
            STAGE, "numbers that are followed", _decode,
            partition=partition, source=source, sources=sources, findings=findings,
        )  # fmt: skip
        self._watches = {watch.name: watch for watch in watches}
        self._closed = _NOTHING
        self._over = 0
        self._measured: dict[Interval, dict[tuple[WatchPlace, int], Measured]] = {}
        self._scores: dict[Interval, dict[int, ScoreGiven]] = {}
        self._answers = Answers()
        self._series: dict[WatchPlace, FollowedSeries] = {}
        self._forget_changes()

    # What comes

    @property
    def _progress(self) -> Progress:
        due = self._next()
        clock = self._over // SETTLE * SETTLE if due is None else due.end - 1
        return Progress(float(clock), self._watermark.rests and due is None)

    def _source_of(self, message: Followed) -> Source:
        return Source(message.source, message.partition)

    def _take(self, message: Followed, effects: Effects) -> None:
        for measured in message.measured:
            if self._is_open(measured.place.watch, measured.time, effects):
                self._hold_measured(measured)
                self._new_measured.append(measured)
        for given in message.scores:
            if self._is_open(given.watch, given.time, effects):
                self._hold_score(given)
                self._new_scores.append(given)
        for answer in message.answered:
            if self._answers.hold(answer):
                self._new_answered.append(answer)

    def _is_open(self, watch: str, time: float, effects: Effects) -> bool:
        ended = self._ended(watch, time)
        if ended is not None and ended.end <= self._over:
            effects.count("late_for_watch")
        return ended is not None and ended.end > self._over

    def _ended(self, watch: str, time: float) -> Interval | None:
        """The interval of a moment; None if nobody follows it any more."""
        found = self._watches.get(watch)
        if found is None:
            return None
        return Interval((int(time // found.interval) + 1) * found.interval, watch)

    def _hold_measured(self, one: Measured) -> None:
        ended = self._ended(one.place.watch, one.time)
        if ended is not None and ended > self._closed:
            self._measured.setdefault(ended, {})[one.place, one.id] = one

    def _hold_score(self, one: ScoreGiven) -> None:
        ended = self._ended(one.watch, one.time)
        if ended is not None and ended > self._closed:
            self._scores.setdefault(ended, {})[one.id] = one

    def _held(self) -> Set[Interval]:
        return self._measured.keys() | self._scores.keys()

    # What is over

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        clock = self._watermark.time
        if clock > -inf:
            self._over = max(self._over, int(clock) - SETTLE)
        while self._pending() > MAX_PENDING:
            effects.count("watch_closed_early")
            self._over = min(ended.end for ended in self._held() if ended.end > self._over)

    def _pending(self) -> int:
        measured = sum(len(held) for at, held in self._measured.items() if at.end > self._over)
        return measured + sum(len(held) for at, held in self._scores.items() if at.end > self._over)

    def proceed(self, effects: Effects) -> bool:
        """Judge the next interval that is over."""
        found: list[Finding] = []
        ended = self._next()
        if ended is not None:
            self._close(ended, found)
            self._dirty = True
        self._findings.tell(found, self._progress, effects)
        return self._next() is not None

    def _next(self) -> Interval | None:
        """Of what is over, the earliest that was not judged: it has values, or lacks those that are
        nought."""
        due = [ended for ended in self._held() if ended.end <= self._over]
        for place, series in self._series.items():
            watch = self._watches[place.watch]
            if watch.fills and (end := series.last + watch.interval) <= self._over:
                due.append(Interval(end, watch.name))
        return min(due, default=None)

    def _close(self, ended: Interval, found: list[Finding]) -> None:
        watch = self._watches[ended.watch]
        values: dict[WatchPlace, dict[int, float]] = {}
        for (place, one), measured in self._measured.pop(ended, {}).items():
            values.setdefault(place, {})[one] = measured.value
        for given in self._scores.pop(ended, {}).values():
            for place in self._answers.places(given.response, ended.end):
                if place.watch == watch.name:
                    values.setdefault(place, {})[given.id] = given.value
        if watch.fills:
            late = [place for place, one in self._series.items() if one.last < ended.end]
            for place in late:
                if place.watch == watch.name:
                    values.setdefault(place, {})
        for place in sorted(values):
            self._judge(watch, place, ended.end, list(values[place].values()), found)
        self._closed = ended
        self._answers.forget(ended.end)

    def _judge(
        self, watch: Watch, place: WatchPlace, end: int, values: list[float], found: list[Finding]
    ) -> None:
        number = together(watch, values)
        if isnan(number):
            return
        series = self._series.get(place)
        if not values and series is not None and end - series.heard > FORGOTTEN:
            self._drop(place)
            return
        if series is None:
            self._make_room()
            series = self._series[place] = FollowedSeries.of(watch)
        score = series.judge(end, number, bool(values))
        self._judged.append((place, end, number, bool(values)))
        if score.alarm:
            found += odd(watch, place.series, end, len(values), score)

    def _make_room(self) -> None:
        if len(self._series) >= MAX_SERIES:
            self._drop(min(self._series, key=lambda place: (self._series[place].heard, place)))

    def _drop(self, place: WatchPlace) -> None:
        del self._series[place]
        self._judged.append((place, -1, 0.0, False))

    # Persistence

    def _forget_changes(self) -> None:
        self._dirty = False
        self._new_measured: list[Measured] = []
        self._new_answered: list[AnsweredCall] = []
        self._new_scores: list[ScoreGiven] = []
        self._judged: list[Judgement] = []

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        kinds = {place.watch: self._watches[place.watch].kind for place, *_ in self._judged}
        saved = SavedWatch(
            self._closed, self._over, self._watermark.take_changes(), self._new_measured,
            self._new_answered, self._new_scores, [], self._judged, kinds,
        )  # fmt: skip
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        new = partial(SavedWatch, self._closed, self._over)
        yield _encode_saved(new(self._watermark.all()))
        measured = [one for held in self._measured.values() for one in held.values()]
        scores = [one for held in self._scores.values() for one in held.values()]
        series = sorted(self._series.items(), key=lambda item: item[0])
        yield from map(_encode_saved, pieces(new, _PIECE_OF_SERIES, series=series))
        rest = pieces(new, _PIECE, measured=measured, answered=self._answers.all(), scores=scores)
        yield from map(_encode_saved, rest)

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._watermark.load(saved.clocks)
        self._over = max(self._over, saved.over)
        for place, series in saved.series:
            watch = self._watches.get(place.watch)
            if watch is not None and watch.kind == series.kind:
                self._series[place] = series
        for place, end, number, heard in saved.judged:
            watch = self._watches.get(place.watch)
            if watch is not None and watch.kind == saved.kinds[watch.name]:
                self._again(watch, place, end, number, heard)
        if saved.closed > self._closed:
            self._closed = saved.closed
            for ended in [at for at in self._held() if at <= self._closed]:
                self._measured.pop(ended, None)
                self._scores.pop(ended, None)
        for measured in saved.measured:
            self._hold_measured(measured)
        for given in saved.scores:
            self._hold_score(given)
        for answer in saved.answered:
            self._answers.hold(answer)
        self._answers.forget(self._closed.end)
        self._findings.told = self._progress
        self._forget_changes()

    def _again(self, watch: Watch, place: WatchPlace, end: int, number: float, heard: bool) -> None:
        """What was judged before is judged again, unless it has been."""
        if end < 0:
            self._series.pop(place, None)
            return
        series = self._series.setdefault(place, FollowedSeries.of(watch))
        if end > series.last:
            series.judge(end, number, heard)

    def waiting(self) -> int:
        """Intervals that are over and not judged."""
        due = sum(ended.end <= self._over for ended in self._held())
        return max(due, int(self._next() is not None))

    def gauges(self) -> Mapping[str, float]:
        return {
            "watch_series": len(self._series),
            "watch_pending": self._pending(),
            "watch_answers": len(self._answers),
        }
