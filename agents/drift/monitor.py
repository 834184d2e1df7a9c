"""One series: when it is looked at, what evidence that gives, and what is said when it has drifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.detectors.e_values import CYCLE, e_value
from agents.detectors.shares import change_evidence
from agents.detectors.two_sample import kernel_direction
from agents.drift.cause import Candidate, explain
from agents.drift.metrics import INPUT, SPEED, WEIGHTS, Test, Units, asked, features_of, leading, scaled, test_of, tests
from agents.drift.rows import BINARIES, CATEGORIES, NUMBERS, Rows, answers, questions
from agents.drift.series import BLOCK, WINDOW, DriftSeries, KeptSeries
from agents.drift.text import STYLE, STYLE_NAMES, Floats, Small, words_of
from agents.drift.witness import Heard, remembered, statements
from schemas.outputs import DriftCause
from schemas.samples import Sample

SCALES: Mapping[int, tuple[int, float]] = {50: (1, 0.35), 100: (2, 0.3), 200: (2, 0.35)}
"""Answers of the present window -> looked at every so many blocks, with this share of a cycle's evidence. While there are not so many, all
there are take their place."""
FOLLOWED = sum(WEIGHTS[metric] for metric in BINARIES)
"""Share of the evidence of what is followed with every answer."""
RETURNED = 3
"""Looks in a row at the largest window that find nothing, after which a drift has ceased."""
UNREMARKABLE = 1e-3
CLEAR = 1e-6
"""p-value of a metric that is said to have moved as well."""


class Drift(msgspec.Struct, array_like=True, gc=False):
    """A change that was reported. ``seq``: of the first answer after it; moments are epoch seconds of event time."""

    metric: str
    cause: DriftCause
    since: float
    seq: int
    seen: float
    """When it was found: the last answer looked at."""
    evidence: float
    p: float
    was: float | None
    now: float | None
    candidates: list[Candidate]
    moved: dict[str, float]
    """Metric -> statistic, of all that moved."""
    terms: list[str]
    """Words and marks of style that came, or (after ``-``) went."""
    before: list[str]
    after: list[str]
    """Response ids."""
    examples: list[str]
    """An answer from before and one from after."""
    returned: int = 0


class Status(msgspec.Struct, array_like=True, gc=False):
    """What the evidence is. ``blocks``: that were looked at with this reference; ``seen``: blocks of the current cycle."""

    blocks: int = 0
    evidence: float = 0.0
    by_metric: dict[str, float] = {}
    drift: Drift | None = None
    heard: list[Heard] = []
    """What other detectors said of late."""


class Look(NamedTuple):
    """One look at a series, with the window of ``size`` answers up to ``time``."""

    time: float
    size: int
    version: int
    tests: list[Test]


class DriftMonitor:
    """A series with its evidence. ``add`` answers in order of time; ``evidence`` and ``drift`` say where it stands."""

    def __init__(self, kept: KeptSeries | None = None, status: Status | None = None) -> None:
        self.series = DriftSeries(kept)
        self.status = status or Status()
        self.said: list[Heard] = []
        """What other detectors say of the block that the latest answer has filled."""
        self._usual: dict[int, NDArray[np.int8]] | None = None
        """Of the reference, as ``_usual_binaries`` gives it, until the window moves."""

    @property
    def evidence(self) -> float:
        """E-value of the current cycle against "nothing has changed"."""
        return self.status.evidence

    @property
    def drift(self) -> Drift | None:
        """The drift that lasts, if there is one."""
        return self.status.drift

    @property
    def watched(self) -> bool:
        """Whether there is a reference to compare with."""
        return self.status.blocks > 0

    def add(self, sample: Sample, enough: float, embedded: Small | None = None) -> list[Look]:
        """Take the next answer; every ``BLOCK`` answers all metrics are looked at, binaries with each.

        ``enough``: the evidence that would be reported if no other series had any.
        """
        full, self.said = self.series.add(sample, embedded), []
        if self.status.drift is None:
            self._follow_binaries()
        if not full:
            return []
        self._roll()
        looks = []
        status = self.status
        if len(self.series.window):
            self.said = statements(self.series)
            status.heard = remembered(status.heard, self.said)
        block = status.blocks
        for size, share in self._due(block).items():
            groups = self.series.compared(size, anyway=status.drift is not None)
            if groups is None:
                continue
            if status.blocks == block:
                if block % (CYCLE // BLOCK) == 0 and status.drift is None:
                    status.evidence, status.by_metric = 0.0, {}
                status.blocks += 1
            units = Units.of_groups(*groups)
            found = tests(units)
            looks.append(Look(float(groups[1]["time"][-1]), size, self.series.kept.version, found))
            if status.drift is None:
                self._weigh(found, share * BLOCK / CYCLE, enough)
            elif size == max(SCALES):
                self._look_for_return(found)
        return looks

    def _sizes(self) -> dict[int, int]:
        """Of each scale, as many answers as it looks at now."""
        here = max(min(SCALES), len(self.series.window))
        return {scale: min(scale, here) for scale in SCALES}

    def _due(self, block: int) -> dict[int, float]:
        """Sizes of the windows to look at in this block, each with its share of the evidence of a block."""
        found: dict[int, float] = {}
        for scale, size in self._sizes().items():
            every, share = SCALES[scale]
            if (block + 1) % every == 0:
                found[size] = found.get(size, 0.0) + share * every
        return found

    def latest(self) -> Look:
        """A look at the smallest window, as it is now."""
        size = min(SCALES)
        groups = self.series.compared(size, anyway=True)
        assert groups is not None
        return Look(float(groups[1]["time"][-1]), size, self.series.kept.version, tests(Units.of_groups(*groups)))

    def _roll(self) -> None:
        self.series.roll(learn=self.status.drift is None)
        self._usual = None

    def _follow_binaries(self) -> None:
        """Evidence that the share of a binary changed, at any answer since which there is at least a block: what is shorter is an incident,
        of which ``anomaly`` tells. Each beginning is compared with the reference of its window size."""
        usual = self._usual = self._usual_binaries() if self._usual is None else self._usual
        if not usual:
            return
        status, rows = self.status, (self.series.window, self.series.block)
        present = np.concatenate([part["binaries"] for part in rows])
        chosen, learning = leading(np.concatenate([part["session"] for part in rows])), not self.series.frozen
        varying = (np.concatenate([present, *usual.values()]) != present[0]).any(axis=0)
        weight = FOLLOWED / max(sum(WEIGHTS[metric] for at, metric in enumerate(BINARIES) if varying[at]), 1e-9)
        for at, metric in enumerate(BINARIES):
            status.by_metric.pop(metric, None)
            if not varying[at]:
                continue
            index = np.flatnonzero(chosen & (present[:, at] >= 0))
            flags, since = present[index, at] == 1, len(present) - index
            found, least = 0.0, BLOCK
            for size, known in usual.items():
                reference = known[known[:, at] >= 0, at] == 1
                starts = np.flatnonzero((since >= least) & (since <= size))
                found += change_evidence(reference, flags, starts, learning=learning)
                least = size + 1
            status.by_metric[metric] = found * weight * WEIGHTS[metric] / CYCLE
        status.evidence = sum(status.by_metric.values())

    def _usual_binaries(self) -> dict[int, NDArray[np.int8]]:
        """For each window size, binaries of the reference answers that the present is compared with: of each unit the first."""
        window = self.series.window
        groups = {size: self.series.compared(size) for size in SCALES}
        found = {size: group[0][group[0]["seq"] < window["seq"][0]] for size, group in groups.items() if group is not None}
        return {size: rows["binaries"][leading(rows["session"])] for size, rows in found.items()}

    def _weigh(self, found: list[Test], weight: float, enough: float) -> None:
        status = self.status
        # binaries are followed with every answer; the others share what is left, what does not vary takes none of it
        shares = {test.metric: WEIGHTS[test.metric] for test in found if test.metric not in BINARIES}
        weight *= (1 - FOLLOWED) / max(sum(shares.values()), 1e-9)
        for test in found:
            share = weight * shares.get(test.metric, 0.0)
            gained = share * e_value(test.tested.p, enough / share) if share else 0.0
            if gained:
                status.by_metric[test.metric] = status.by_metric.get(test.metric, 0.0) + gained
        status.evidence = sum(status.by_metric.values())

    def _look_for_return(self, found: list[Test]) -> None:
        drift = self.status.drift
        assert drift is not None
        quiet = all(test.tested.p * len(found) > UNREMARKABLE for test in found)
        drift.returned = drift.returned + 1 if quiet else 0
        if drift.returned >= RETURNED:
            self._settle()

    def _settle(self) -> None:
        """The drift is over: its evidence is spent, a new cycle begins with the answers since the first quiet look."""
        self.status.drift = None
        self.series.window = self.series.window[-(RETURNED - 1) * SCALES[WINDOW][0] * BLOCK :]
        self.status.evidence, self.status.by_metric = 0.0, {}
        self._usual = None

    def renew(self) -> None:
        """What came since the drift, or without one the latest window, is the new reference."""
        drift = self.status.drift
        window = self.series.window
        start = int(window["seq"][0]) if len(window) else self.series.kept.next
        self.series.renew(start if drift is None else max(start, drift.seq))
        self.status = Status()
        self._usual = None

    # Explanation

    def declare(self) -> Drift:
        """The evidence is enough: say since when, why, and what shows it."""
        status, series = self.status, self.series
        if len(series.block):
            self._roll()
        size, metric, p = self._clearest()
        groups = series.compared(size, anyway=True)
        assert groups is not None
        old = groups[0]
        position = self._change_point(metric, old, groups[1])
        # once more, without the answers before it that the window held
        position = self._change_point(metric, old[old["seq"] < series.window["seq"][position]], series.window[position:])
        window = series.window
        new, between = window[position:], window[:position]
        if not series.frozen:  # the window before the change is part of what it is compared with
            between = between[:0]
            clean = old[old["seq"] < new["seq"][0]]
            old = clean if len(clean) >= BLOCK else old
        explained = explain(metric, old, new, between[-2 * BLOCK :], series.kept.names)
        units = Units.of_groups(old, new)
        moved = {test.metric: round(test.tested.statistic, 2) for test in tests(units) if test.tested.p <= CLEAR}
        was, now = _levels(metric, old, new)
        kept = series.kept
        first = int(new["seq"][0])
        after = [example for example in kept.after if example.seq >= first][-5:]
        before = kept.before[:5] or [example for example in kept.after if example.seq < first][:5]
        status.drift = Drift(
            metric, explained.cause, float(new["time"][0]), first, float(window["time"][-1]), status.evidence, p, was, now,
            explained.candidates, moved, self._terms(units, metric),
            [example.response_id for example in before], [example.response_id for example in after],
            [example.excerpt for example in (*before[:1], *after[-1:])],
        )  # fmt: skip
        return status.drift

    def _clearest(self) -> tuple[int, str, float]:
        """Window size, metric and p-value of what moved most; what comes back says more than what is asked, if both moved clearly."""
        candidates = []
        leading = max(self.status.by_metric, key=lambda metric: self.status.by_metric[metric])
        for size in dict.fromkeys(self._sizes().values()):
            groups = self.series.compared(size, anyway=True)
            if groups is None:
                continue
            units = Units.of_groups(*groups)
            for test in (test_of(metric, units) for metric in sorted(self.status.by_metric)):
                candidates.append((test.tested.p, -size, test.metric))
        best: dict[str, tuple[float, int]] = {}
        for p, size, metric in sorted(candidates):
            best.setdefault(metric, (p, -size))
        outcome = [metric for metric in best if metric not in INPUT and best[metric][0] <= CLEAR]
        telling = [metric for metric in outcome if metric not in SPEED]
        if leading in SPEED and not telling:  # what is written comes more slowly: less evidence of it says more than how fast
            telling = [metric for metric in best if metric not in INPUT | SPEED and best[metric][0] <= UNREMARKABLE / len(best)]
        if leading in INPUT | SPEED and (telling or (leading in INPUT and outcome)):
            leading = min(telling or outcome, key=lambda metric: (best[metric][0], metric))
        p, size = best.get(leading, (1.0, min(SCALES)))
        return size, leading, p

    def _change_point(self, metric: str, old: Rows, new: Rows) -> int:
        """Position in the window of the first answer after the change: the likeliest one for a step in the metric's mean."""
        window = self.series.window
        before, present = _projected(metric, old, new, old), _projected(metric, old, new, window)
        low = float(np.nanmean(before)) if not np.isnan(before).all() else 0.0
        tail = present[-min(len(new), 2 * BLOCK) :]
        high = float(np.nanmean(tail)) if not np.isnan(tail).all() else 0.0
        gain = np.nan_to_num((present - (low + high) / 2) * (high - low))
        after = np.cumsum(gain[::-1])[::-1]
        least = min(BLOCK, len(window))
        return int(np.argmax(after[: len(window) - least + 1]))

    def _terms(self, units: Units, metric: str) -> list[str]:
        """Words of recent examples and marks of style that distinguish the new answers, most telling first."""
        if not units.rows["text"].any():
            return []
        features, new = features_of("answer_text", units)
        if min(new.sum(), (~new).sum()) < 8:
            return []
        direction = kernel_direction(features, new)
        difference = features[new].mean(axis=0) - features[~new].mean(axis=0)
        style = (difference * direction)[-STYLE:]
        found = [(float(style[i]), ("" if difference[i - STYLE] > 0 else "-") + STYLE_NAMES[i]) for i in np.argsort(-style)[:4]]
        total = float(difference @ direction)
        terms = [name for gain, name in found if gain > 0.03 * total]
        kept = self.series.kept
        first = int(units.rows["seq"][units.new[units.of]][0])
        after = [words_of(example.excerpt) for example in kept.after if example.seq >= first]
        before = [words_of(example.excerpt) for example in kept.before]
        return [*terms, *_words(after, before, ""), *_words(before, after, "-")]


def _words(here: list[list[str]], there: list[list[str]], sign: str) -> list[str]:
    """Words much more frequent here than there."""
    count: dict[str, int] = {}
    for words in here:
        for word in words:
            count[word] = count.get(word, 0) + 1
    other = [set(words) for words in there]
    scored = []
    for word, number in count.items():
        gap = number / len(here) - sum(word in words for words in other) / max(1, len(other))
        if gap >= 0.25:
            scored.append((-gap, word))
    return [sign + word for _, word in sorted(scored)[:4]]


def _projected(metric: str, old: Rows, new: Rows, rows: Rows) -> Floats:
    """One number per row along which the two groups differ; NaN where there is none."""
    if metric in NUMBERS:
        values: Floats = rows["numbers"][:, NUMBERS.index(metric)].astype(np.float64)
        reference = old["numbers"][:, NUMBERS.index(metric)]
        centre = np.nanmedian(reference) if not np.isnan(reference).all() else 0.0
        return np.arcsinh((values - centre) / max(1e-9, float(np.nanstd(reference))))
    if metric in BINARIES:
        flags = rows["binaries"][:, BINARIES.index(metric)].astype(np.float64)
        flags[flags < 0] = np.nan
        return flags
    if metric in CATEGORIES:
        at = CATEGORIES.index(metric)
        codes = np.unique(np.concatenate([old["codes"][:, at], new["codes"][:, at]]))
        gaps = {int(code): float((new["codes"][:, at] == code).mean() - (old["codes"][:, at] == code).mean()) for code in codes}
        return np.array([gaps.get(int(code), 0.0) for code in rows["codes"][:, at]])
    every = np.concatenate([old, new, rows])
    vectors, chosen = (scaled(answers(every)), rows["text"]) if metric == "answer_text" else (questions(every), asked(rows))
    both = len(old) + len(new)
    found = vectors[both:] @ kernel_direction(vectors[:both], np.arange(both) >= len(old))
    found[~chosen] = np.nan
    return found


def _levels(metric: str, old: Rows, new: Rows) -> tuple[float | None, float | None]:
    """Mean of a number, share of a binary; None for what has no level."""
    if metric in NUMBERS:
        a, b = (rows["numbers"][:, NUMBERS.index(metric)] for rows in (old, new))
        if np.isnan(a).all() or np.isnan(b).all():
            return None, None
        return float(np.nanmean(a)), float(np.nanmean(b))
    if metric in BINARIES:
        a, b = (rows["binaries"][:, BINARIES.index(metric)] for rows in (old, new))
        return float((a[a >= 0] > 0).mean()), float((b[b >= 0] > 0).mean())
    return None, None


__all__ = ["SCALES", "WINDOW", "Drift", "DriftMonitor", "Look", "Status"]
