"""How well labels foretell what users say, by series, and when they do so less well than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from agents.common.label_settings import LabelSettings
from agents.common.stage2 import Section
from agents.detectors.level import Fall, Level, Sums
from schemas.findings import Finding
from schemas.label_rows import LabelQualityRow
from schemas.opinions import WINDOW, Foresight
from streams.effects import Effects

FADE = 1 - 1 / 500
"""How much a feedback counts when another one has come: the figures are over about 500."""
FEWEST = 50.0
"""Feedbacks that figures for ``/metrics`` need."""
MOST_SHOWN = 100
"""Series that ``/metrics`` shows, those with the most feedback."""
KEEP = 300.0
"""Seconds an alert stays after the level has recovered."""
DAY = 86_400

Series = tuple[str, str]
"""Tenant and feature."""

_encode = msgspec.json.Encoder().encode


class WatchedForesight(msgspec.Struct, array_like=True, gc=False):
    """``recent``: faded sums; ``level``: of the probability given to what users said; ``seen``:
    start of the last window with feedback."""

    recent: Foresight
    level: Level
    seen: int


class SavedForesights(msgspec.Struct, array_like=True, gc=False):
    """``open``: with the source partition; their windows are not over."""

    open: list[tuple[int, Foresight]] = []
    watched: list[tuple[Series, WatchedForesight]] = []
    gone: list[Series] = []


class Foresights:
    """Of one partition's series. ``needed``: evidence for a fall, as of ``Level.update``."""

    def __init__(self, settings: LabelSettings, needed: float) -> None:
        self._settings = settings
        self._needed = needed
        self._open: dict[int, dict[tuple[int, Series], Foresight]] = {}
        self._arrived: dict[tuple[int, int, Series], Foresight] = {}
        self._series: Section[Series, WatchedForesight] = Section()

    def take(self, partition: int, foresight: Foresight) -> None:
        """Hold what a partition of ``labels`` says of a window; a repeat replaces it."""
        key = partition, foresight.series
        self._open.setdefault(foresight.window, {})[key] = foresight
        self._arrived[partition, foresight.window, foresight.series] = foresight

    @property
    def windows(self) -> list[int]:
        """Those that are held, by their starts."""
        return sorted(self._open)

    def judge(self, window: int, found: list[Finding], effects: Effects) -> None:
        """A window is over: rows, and findings of what has fallen or recovered."""
        whole: dict[Series, Foresight] = {}
        for (_, series), part in sorted(
            self._open.pop(window, {}).items(), key=lambda item: item[0]
        ):
            whole.setdefault(series, Foresight(window, series)).follow(part, 1.0)
        end = float(window + WINDOW)
        for series, told in sorted(whole.items()):
            watched = self._series.get(series)
            if watched is None:
                watched = WatchedForesight(Foresight(window, series), Level(), window)
            self._series.put(series, watched)
            watched.seen = window
            watched.recent.follow(told, FADE)
            before = watched.level.fall
            watched.level.update(
                window,
                Sums(told.answers, told.total, told.squares),
                drop=self._settings.drop,
                needed=self._needed,
                baseline=self._settings.baseline,
            )
            fall = watched.level.fall
            if fall is not None:
                found.append(misjudged(series, fall, watched.recent, end))
            elif before is not None:
                found.append(_over(series, end))
            row = row_of(series, told, watched.recent, end)
            effects.row(row.TABLE, _encode(row))
        self._evict(end, found)

    def tell_again(self, start: int, end: int, found: list[Finding]) -> None:
        """What still holds in windows without feedback is told again for each, for a day."""
        for series, watched in sorted(self._series.items()):
            fall = watched.level.fall
            if fall is not None:
                for window in range(start, min(end, watched.seen + DAY), WINDOW):
                    found.append(misjudged(series, fall, watched.recent, float(window + WINDOW)))

    def _evict(self, end: float, found: list[Finding]) -> None:
        over = len(self._series) - self._settings.series
        idle = sorted(self._series, key=lambda series: (self._series[series].seen, series))
        for series in idle[: max(over, 0)]:
            if self._series.drop(series).level.fallen:
                found.append(_over(series, end))

    def gauges(self) -> Iterator[tuple[str, float]]:
        """The figures of the series with the most feedback."""
        shown = [item for item in self._series.items() if item[1].recent.answers >= FEWEST]
        shown.sort(key=lambda item: (-item[1].recent.answers, item[0]))
        for series, watched in shown[:MOST_SHOWN]:
            recent, name = watched.recent, "/".join(series)
            if recent.auc is not None:
                yield f"label_auc:{name}", recent.auc
            yield f"label_log_loss:{name}", recent.log_loss
            yield f"label_calibration:{name}", recent.calibration

    # Persistence

    def take_changes(self) -> SavedForesights:
        """Since the last call."""
        arrived, self._arrived = self._arrived, {}
        held = [(p, told) for (p, window, _), told in arrived.items() if window in self._open]
        return SavedForesights(held, *self._series.take_changes())

    def all(self) -> Mapping[str, list[tuple[int, Foresight]] | list[tuple[Series, WatchedForesight]]]:
        """Everything: ``open`` and ``watched``."""
        held = [(p, told) for window in self._open.values() for (p, _), told in window.items()]
        return {"open": held, "watched": sorted(self._series.items())}

    def load(self, saved: SavedForesights, closed: int) -> None:
        """Restore what the above returned. ``closed``: end of the last window judged."""
        for partition, told in saved.open:
            self._open.setdefault(told.window, {})[partition, told.series] = told
        for window in [window for window in self._open if window + WINDOW <= closed]:
            del self._open[window]
        self._series.load(saved.watched, saved.gone)
        self._arrived = {}


def row_of(series: Series, told: Foresight, recent: Foresight, end: float) -> LabelQualityRow:
    """The row of a window of a series."""
    return LabelQualityRow(
        time=datetime.fromtimestamp(end, UTC),
        tenant=series[0],
        feature=series[1],
        feedbacks=round(told.answers),
        recent=round(recent.answers, 3),
        auc=None if recent.auc is None else round(recent.auc, 4),
        log_loss=round(recent.log_loss, 4),
        calibration=round(recent.calibration, 4),
        told=round(told.total / told.answers, 4),
    )


def misjudged(series: Series, fall: Fall, recent: Foresight, end: float) -> Finding:
    """The finding that labels of a series tell less well what users say than they did."""
    auc = None if recent.auc is None else round(recent.auc, 3)
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
        generator="satisfaction",
        facts={
            "kind": "labels", "answers": fall.answers, "auc": auc,
            "calibration": round(recent.calibration, 3), "log_loss": round(recent.log_loss, 3),
        },
    )  # fmt: skip


def _over(series: Series, end: float) -> Finding:
    return Finding(
        name="QualityDrop", labels=_labels(series), time=end, active=False, keep=KEEP,
        generator="satisfaction",
    )  # fmt: skip


def _labels(series: Series) -> dict[str, str]:
    return {"tenant": series[0], "feature": series[1], "metric": "labels"}
