"""Sums of scores by window and series to findings ``QualityDrop``. A window is judged when all partitions of ``labels`` have passed it.

Beside them, how well labels foretold what users said (``foresight.py``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import inf, log

import msgspec

from agents.common.label_settings import LabelSettings
from agents.common.stage2 import Progress, Section, WatermarkState, pieces
from agents.common.watermark import Reached, Source
from agents.detectors.level import Fall, Level, Sums
from agents.satisfaction.foresight import Foresights, SavedForesights
from schemas.findings import Finding
from schemas.opinions import TOLD, WINDOW, JudgedUpTo, Opinions
from streams.effects import Effects

STAGE = "satisfaction"

KEEP = 300.0
"""Seconds an alert stays after the level has recovered."""
DAY = 86_400
_PER_WEEK = 7 * 86_400 / WINDOW
_PIECE = 500

Series = tuple[str, str]
"""Tenant and feature."""


class WatchedSeries(msgspec.Struct, array_like=True, gc=False):
    level: Level
    seen: int
    """Start of the last window with answers."""
    lowest: list[tuple[float, str]] = []


class SavedSatisfaction(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``closed``: end of the last window judged."""

    closed: int = 0
    clocks: list[Reached] = []
    open: list[tuple[int, Opinions]] = []
    watched: list[tuple[Series, WatchedSeries]] = []
    gone: list[Series] = []
    foresights: SavedForesights | None = None


_decode = msgspec.msgpack.Decoder(JudgedUpTo).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedSatisfaction).decode


class SatisfactionState(WatermarkState[JudgedUpTo]):
    """State of the agent ``satisfaction`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, partition: int, source: str, findings: str, settings: LabelSettings, sources: int) -> None:
        """``source``: the Kafka cluster, for dead letters; ``findings``: topic; ``sources``: partitions of the agent ``labels``."""
        super().__init__(
            STAGE, "sums of scores", _decode,
            partition=partition, source=source, sources=sources, findings=findings,
        )  # fmt: skip
        self._settings = settings
        self._needed = log(_PER_WEEK / settings.false_alarms)
        self._foresights = Foresights(settings, self._needed)
        self._closed = 0
        self._told = 0
        self._open: dict[int, dict[tuple[int, Series], Opinions]] = {}
        self._series: Section[Series, WatchedSeries] = Section()
        self._forget_changes()

    @property
    def _progress(self) -> Progress:
        return Progress(float(self._told), self._watermark.rests)

    def _source_of(self, message: JudgedUpTo) -> Source:
        return Source(self._source, message.partition)

    def _take(self, message: JudgedUpTo, effects: Effects) -> None:
        for opinions in message.windows:
            if opinions.window + WINDOW <= self._closed:
                effects.count("label_exceptions", "window")
                continue
            partition, window, series = message.partition, opinions.window, opinions.series
            self._open.setdefault(window, {})[partition, series] = opinions
            self._arrived[partition, window, series] = opinions

        for foresight in message.foresights:
            if foresight.window + WINDOW <= self._closed:
                effects.count("label_exceptions", "window")
            else:
                self._foresights.take(message.partition, foresight)

    def waiting(self) -> int:
        return 0

    def gauges(self) -> Mapping[str, float]:
        sizes = {"satisfaction_series": len(self._series), "satisfaction_windows": len(self._open)}
        return sizes | dict(self._foresights.gauges())

    # Judgement

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        clock = self._watermark.time
        if clock == -inf:
            return
        self._told, end = max(self._told, int(clock) // TOLD * TOLD), int(clock) // WINDOW * WINDOW
        held = {*self._open, *self._foresights.windows}
        for window in sorted(window for window in held if window + WINDOW <= end):
            self._tell_again(window, found)
            self._judge(window, self._open.pop(window, {}), found)
            self._foresights.judge(window, found, effects)
            self._closed = window + WINDOW
        if end > self._closed:
            self._tell_again(end, found)
            self._closed = end

    def _tell_again(self, end: int, found: list[Finding]) -> None:
        """What still holds in windows without answers is told again for each, for a day: else its alert would be taken for over."""
        self._foresights.tell_again(self._closed, end, found)
        falls = [(series, watched, fall) for series, watched in sorted(self._series.items()) if (fall := watched.level.fall) is not None]
        if falls:
            for window in range(self._closed, min(end, max(watched.seen for _, watched, _ in falls) + DAY), WINDOW):
                for series, watched, fall in falls:
                    if window < watched.seen + DAY:
                        found.append(fallen(series, fall, watched, float(window + WINDOW)))

    def _judge(self, window: int, held: Mapping[tuple[int, Series], Opinions], found: list[Finding]) -> None:
        whole: dict[Series, Opinions] = {}
        for (_, series), opinions in sorted(held.items(), key=lambda item: item[0]):
            whole.setdefault(series, Opinions(window, series)).merge(opinions)
        settings, end = self._settings, float(window + WINDOW)
        for series, opinions in sorted(whole.items()):
            watched = self._series.get(series) or WatchedSeries(Level(), window)
            self._series.put(series, watched)
            before = watched.level.fall
            running = watched.level.run_windows
            watched.level.update(
                window, Sums(opinions.answers, opinions.total, opinions.squares),
                drop=settings.drop, needed=self._needed, baseline=settings.baseline,
            )  # fmt: skip
            fall = watched.level.fall
            watched.seen = window
            watched.lowest = sorted([*(watched.lowest if running else []), *opinions.lowest])[:10]
            if fall is not None:
                found.append(fallen(series, fall, watched, end))
            elif before is not None:
                found.append(Finding(name="QualityDrop", labels=_labels(series), time=end, active=False, keep=KEEP, generator=STAGE))
        self._evict(end, found)

    def _evict(self, end: float, found: list[Finding]) -> None:
        over = len(self._series) - self._settings.series
        for series in sorted(self._series, key=lambda series: (self._series[series].seen, series))[: max(over, 0)]:
            if self._series.drop(series).level.fallen:
                found.append(Finding(name="QualityDrop", labels=_labels(series), time=end, active=False, keep=KEEP, generator=STAGE))

    # Persistence

    def _forget_changes(self) -> None:
        self._dirty = False
        self._arrived: dict[tuple[int, int, Series], Opinions] = {}

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        saved = SavedSatisfaction(
            self._closed, self._watermark.take_changes(),
            [(partition, opinions) for (partition, window, _), opinions in self._arrived.items() if window in self._open],
            *self._series.take_changes(), self._foresights.take_changes(),
        )  # fmt: skip
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedSatisfaction(self._closed, self._watermark.all()))
        held = [(partition, opinions) for window in self._open.values() for (partition, _), opinions in window.items()]
        watched = sorted(self._series.items(), key=lambda item: item[0])
        sections = pieces(partial(SavedSatisfaction, self._closed), _PIECE, open=held, watched=watched)
        yield from map(_encode_saved, sections)
        for part in pieces(SavedForesights, _PIECE, **self._foresights.all()):
            yield _encode_saved(SavedSatisfaction(self._closed, foresights=part))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._closed = max(self._closed, saved.closed)
        self._told = max(self._told, self._closed)
        self._watermark.load(saved.clocks)
        for partition, opinions in saved.open:
            self._open.setdefault(opinions.window, {})[partition, opinions.series] = opinions
        for window in [window for window in self._open if window + WINDOW <= self._closed]:
            del self._open[window]
        self._series.load(saved.watched, saved.gone)
        self._foresights.load(saved.foresights or SavedForesights(), self._closed)
        self._findings.told = self._progress
        self._forget_changes()


def fallen(series: Series, fall: Fall, watched: WatchedSeries, end: float) -> Finding:
    """The finding that a series' satisfaction is lower than it was."""
    return Finding(
        name="QualityDrop",
        labels=_labels(series),
        time=end,
        active=True,
        since=fall.since,
        keep=KEEP,
        value=round(fall.mean, 4),
        expected=round(fall.expected, 4),
        window=(fall.since, end),
        requests=fall.answers,
        response_ids=[response_id for _, response_id in watched.lowest],
        generator=STAGE,
        facts={"kind": "satisfaction", "answers": fall.answers},
    )


def _labels(series: Series) -> dict[str, str]:
    return {"tenant": series[0], "feature": series[1], "metric": "satisfaction"}
