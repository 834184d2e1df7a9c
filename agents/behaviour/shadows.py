"""Shadow and canary calls beside the live calls they repeat: pairs, and what the pairs say so far.

For each comparison (feature, variant, both models and both prompt versions) four metrics are followed, each as the mean of a bounded
difference shadow minus live with a confidence sequence (agents/detectors/sequential.py); they share ``shadow_alpha``. ``ok``: one ended ok
and the other not; ``score``: difference of the first mean evaluations; ``cost`` and ``latency``: logarithm of the ratio, clipped to a
factor of 8 and scaled to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import log2
from typing import Literal, NamedTuple

import msgspec

from agents.behaviour.items import Ran, Scored
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.table import Table
from agents.behaviour.text import likeness
from agents.detectors.sequential import Mean
from schemas.behaviour_rows import ShadowPairRow, ShadowVerdictRow
from schemas.findings import Finding
from schemas.rows import picodollars

STAGE = "behaviour"
OCTAVES = 3.0
"""Ratios count up to a factor of 2 to this power."""
QUIET = 3_600.0
"""Seconds without a pair after which nothing more is said of a comparison."""
KEEP = 300.0
MAX_COMPARISONS = 500

Verdict = Literal["better", "worse", "no difference yet"]
Metric = Literal["ok", "score", "cost", "latency"]
METRICS: tuple[Metric, ...] = ("ok", "score", "cost", "latency")
_MORE_IS_BETTER = frozenset({"ok", "score"})


class Side(msgspec.Struct, array_like=True, gc=False):
    """One of the two calls."""

    request_id: str
    response_id: str
    asked: float
    variant: str
    model: str
    prompt_sha: str
    outcome: str
    chars: int
    cost: int | None
    latency_ms: float | None
    answer: str


class ShadowPair(msgspec.Struct, array_like=True, gc=False):
    """``told``: how many scores its row held when last written; ``compared``: its scores have been compared."""

    shadow: Side
    live: Side
    similarity: float | None
    told: int = 0
    compared: bool = False


class ScoreSum(msgspec.Struct, array_like=True, gc=False):
    total: float = 0.0
    count: int = 0


class Comparison(NamedTuple):
    tenant: str
    feature: str
    variant: str
    model: str
    live_model: str
    prompt_sha: str
    live_prompt_sha: str


class Standing(msgspec.Struct, array_like=True, gc=False):
    """What the pairs of a comparison say. ``means`` in the order of METRICS; ``worse``: what is told as a regression, since when."""

    means: list[Mean]
    last: float = 0.0
    shown: list[str] = []
    worse: dict[Metric, float] = {}


CallKey = tuple[str, str, str]
"""Tenant, feature, request_id."""
ScoreKey = tuple[str, str]
"""Tenant, response_id."""


class Shadows:
    """Of one partition."""

    def __init__(self, settings: BehaviourSettings) -> None:
        self._settings = settings
        self.live: Table[CallKey, Side] = Table(settings.max_live)
        self.waiting: Table[CallKey, list[Side]] = Table(settings.max_live)
        self.pairs: Table[CallKey, ShadowPair] = Table(settings.max_live)
        self.scores: Table[ScoreKey, ScoreSum] = Table(settings.max_live)
        self.standings: Table[Comparison, Standing] = Table(MAX_COMPARISONS)
        self._index: dict[ScoreKey, list[CallKey]] | None = None
        self._verdicts: dict[tuple[Comparison, Metric], ShadowVerdictRow] = {}

    def take(self, call: Ran, now: float) -> Iterator[ShadowPairRow | Finding]:
        """A call: a live one waits for its shadows, a shadow for its live one."""
        side = Side(
            call.id, call.response_id, call.asked, call.variant, call.model, call.prompt_sha, call.outcome, call.output_chars, call.cost,
            call.latency_ms, call.answer,
        )  # fmt: skip
        if call.shadow_of and call.variant != "live":
            key = (call.tenant, call.feature, call.shadow_of)
            live = self.live.get(key)
            if live is None:
                self.waiting.put(key, [*(self.waiting.get(key) or ()), side])
            else:
                yield from self._pair(key, side, live, now)
        elif call.variant == "live":
            key = (call.tenant, call.feature, call.id)
            self.live.put(key, side)
            for shadow in self.waiting.drop(key) or ():
                yield from self._pair(key, shadow, side, now)

    def score(self, event: Scored, now: float) -> Iterator[ShadowPairRow | Finding]:
        """A score, of whatever response; that of a pair is compared."""
        if not (len(self.live) or len(self.waiting)):
            return
        key = (event.tenant, event.response_id)
        score = self.scores.get(key) or ScoreSum()
        score.total += event.score
        score.count += 1
        self.scores.put(key, score)
        for at in sorted(self._pairs_of.get(key, ())):
            pair = self.pairs.get(at)
            if pair is not None:
                yield from self._compare_scores(at, pair, now)

    def pass_time(self, now: float) -> Iterator[Finding]:
        """Regressions are told while pairs come."""
        for comparison, standing in self.standings:
            if not standing.worse:
                continue
            over = now - standing.last > QUIET
            for metric in METRICS:
                if metric in standing.worse:
                    yield self._regression(comparison, standing, metric, now, active=not over)
            if over:
                standing.worse = {}
                self.standings.put(comparison, standing)

    def take_verdicts(self) -> list[ShadowVerdictRow]:
        """The rows of the comparisons that have changed since the last call."""
        rows, self._verdicts = list(self._verdicts.values()), {}
        return rows

    # Pairs

    def _pair(self, key: CallKey, shadow: Side, live: Side, now: float) -> Iterator[ShadowPairRow | Finding]:
        at = (key[0], key[1], shadow.request_id)
        if at in self.pairs:
            return
        pair = ShadowPair(shadow, live, likeness(shadow.answer, live.answer) if shadow.answer or live.answer else None)
        self._enter(at, pair)
        for gone, old in self.pairs.put(at, pair):
            self._forget(gone, old)
        comparison, standing = self._standing(at, pair)
        standing.last = now
        standing.shown = [*standing.shown[-4:], shadow.response_id]
        differences: dict[Metric, float | None] = {
            "ok": (shadow.outcome == "ok") - (live.outcome == "ok"),
            "cost": _ratio(shadow.cost, live.cost),
            "latency": _ratio(shadow.latency_ms, live.latency_ms),
        }
        for metric, difference in differences.items():
            if difference is not None:
                yield from self._observe(comparison, standing, metric, difference, now)
        self.standings.put(comparison, standing)
        if self._scores(at, pair) != (None, None):
            yield from self._compare_scores(at, pair, now)
        else:
            yield self._row(at, pair)

    def _compare_scores(self, at: CallKey, pair: ShadowPair, now: float) -> Iterator[ShadowPairRow | Finding]:
        score, live_score = self._scores(at, pair)
        pair.told += 1
        if score is not None and live_score is not None and not pair.compared:
            pair.compared = True
            comparison, standing = self._standing(at, pair)
            yield from self._observe(comparison, standing, "score", score - live_score, now)
            self.standings.put(comparison, standing)
        self.pairs.put(at, pair)
        yield self._row(at, pair)

    def _scores(self, at: CallKey, pair: ShadowPair) -> tuple[float | None, float | None]:
        found = (self.scores.get((at[0], side.response_id)) for side in (pair.shadow, pair.live))
        score, live = (None if s is None else s.total / s.count for s in found)
        return score, live

    @property
    def _pairs_of(self) -> dict[ScoreKey, list[CallKey]]:
        """Response -> its pairs; made anew when state has been restored."""
        if self._index is None:
            self._index = {}
            for at, pair in sorted(self.pairs, key=lambda item: item[0]):
                self._enter(at, pair)
        return self._index

    def _enter(self, at: CallKey, pair: ShadowPair) -> None:
        for side in (pair.shadow, pair.live):
            self._pairs_of.setdefault((at[0], side.response_id), []).append(at)

    def _forget(self, at: CallKey, pair: ShadowPair) -> None:
        for side in (pair.shadow, pair.live):
            key = (at[0], side.response_id)
            left = [other for other in self._pairs_of.pop(key, ()) if other != at]
            if left:
                self._pairs_of[key] = left

    # What they say

    def _standing(self, at: CallKey, pair: ShadowPair) -> tuple[Comparison, Standing]:
        shadow, live = pair.shadow, pair.live
        comparison = Comparison(at[0], at[1], shadow.variant, shadow.model, live.model, shadow.prompt_sha, live.prompt_sha)
        return comparison, self.standings.get(comparison) or Standing([Mean() for _ in METRICS])

    def _observe(
        self, comparison: Comparison, standing: Standing, metric: Metric, difference: float, now: float
    ) -> Iterator[Finding]:
        mean = standing.means[METRICS.index(metric)]
        mean.update(now, difference, alpha=self._settings.shadow_alpha / len(METRICS))
        verdict = self.verdict(metric, mean)
        self._verdicts[comparison, metric] = ShadowVerdictRow(
            **comparison._asdict(), metric=metric, version=mean.n, time=_moment(now), pairs=mean.n, difference=in_unit(metric, mean.mean),
            low=in_unit(metric, mean.low), high=in_unit(metric, mean.high), verdict=verdict,
        )  # fmt: skip
        if verdict == "worse" and metric not in standing.worse:
            standing.worse = {**standing.worse, metric: now}
            yield self._regression(comparison, standing, metric, now, active=True)

    def verdict(self, metric: Metric, mean: Mean) -> Verdict:
        """By where the confidence sequence lies: wholly beyond the margin, or not yet."""
        margin = self._settings.shadow_margin if metric in _MORE_IS_BETTER else log2(1 + self._settings.shadow_margin) / OCTAVES
        more, less = mean.low > margin, mean.high < -margin
        if metric not in _MORE_IS_BETTER:
            more, less = less, more
        return "better" if more else "worse" if less else "no difference yet"

    def _regression(self, comparison: Comparison, standing: Standing, metric: Metric, now: float, *, active: bool) -> Finding:
        labels = {
            "tenant": comparison.tenant, "feature": comparison.feature, "variant": comparison.variant, "model": comparison.model,
            "live_model": comparison.live_model, "prompt_sha": comparison.prompt_sha, "live_prompt_sha": comparison.live_prompt_sha,
            "metric": metric,
        }  # fmt: skip
        if not active:
            return Finding(name="ShadowRegression", labels=labels, time=now, active=False, keep=KEEP, generator=STAGE)
        mean = standing.means[METRICS.index(metric)]
        low, high = in_unit(metric, mean.low), in_unit(metric, mean.high)
        return Finding(
            name="ShadowRegression", labels=labels, time=now, active=True, since=standing.worse[metric], keep=KEEP,
            value=in_unit(metric, mean.mean), expected=0.0, requests=mean.n, response_ids=list(standing.shown), generator=STAGE,
            facts={
                "kind": "shadow", "metric": metric, "value": in_unit(metric, mean.mean), "low": low, "high": high, "pairs": mean.n,
            },
        )  # fmt: skip

    def _row(self, at: CallKey, pair: ShadowPair) -> ShadowPairRow:
        shadow, live = pair.shadow, pair.live
        score, live_score = self._scores(at, pair)
        return ShadowPairRow(
            time=_moment(shadow.asked), request_id=shadow.request_id, version=1 + pair.told, variant=shadow.variant,
            response_id=shadow.response_id, live_request_id=live.request_id, live_response_id=live.response_id, tenant=at[0],
            feature=at[1], model=shadow.model, live_model=live.model, prompt_sha=shadow.prompt_sha, live_prompt_sha=live.prompt_sha,
            outcome=shadow.outcome, live_outcome=live.outcome, output_chars=shadow.chars, live_output_chars=live.chars,
            similarity=pair.similarity, cost_usd=None if shadow.cost is None else picodollars(shadow.cost),
            live_cost_usd=None if live.cost is None else picodollars(live.cost), latency_ms=shadow.latency_ms,
            live_latency_ms=live.latency_ms, score=score, live_score=live_score,
        )  # fmt: skip


def in_unit(metric: Metric, difference: float) -> float:
    """A mean as people say it: the difference itself, or for ratios the relative difference."""
    return difference if metric in _MORE_IS_BETTER else 2.0 ** (difference * OCTAVES) - 1


def _ratio(shadow: float | None, live: float | None) -> float | None:
    if not shadow or not live:
        return None
    return min(1.0, max(-1.0, log2(shadow / live) / OCTAVES))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
