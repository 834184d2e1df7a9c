"""All detectors of one series: a bucket goes in, the conditions that hold come out."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Literal, NamedTuple

import msgspec

from agents.anomaly.breakdown import Breakdown, Explanation, Metric
from agents.anomaly.bucket import Bucket
from agents.anomaly.settings import AnomalySettings
from agents.detectors.costs import CreepTest, Logs, PriceTest, Spend, Spent, TypicalTest
from agents.detectors.counts import CountTest
from agents.detectors.detector import Score
from agents.detectors.evidence import Evidence
from agents.detectors.joint import JointTest
from agents.detectors.pace import PER_HOUR, PER_MINUTE, SECONDS
from agents.detectors.rates import RateTest
from agents.detectors.tail import SLOWER, TailTest
from schemas.outputs import AlertName
from schemas.sketch import Bins

Kind = Literal[
    "price", "tokens", "creep", "cost_of_traffic", "traffic_up", "traffic_down", "api_error", "content_filter", "truncated",
    "refusal", "lost", "latency", "ttft", "tpot", "joint", "unpriced",
    "json_invalid", "injection", "pii_question", "pii_context", "pii_answer",
]  # fmt: skip
"""What a condition is about; ``lost`` are requests timed out or unanswered, ``pii_answer`` answers with personal data that was not in the
question, ``tpot`` is the time per output token, ``joint`` several metrics that moved together. ``unpriced`` is in older states only."""

NAMES: dict[Kind, AlertName] = {
    "price": "CostAnomaly", "tokens": "CostAnomaly", "creep": "CostAnomaly", "cost_of_traffic": "CostAnomaly",
    "traffic_up": "TrafficAnomaly", "traffic_down": "TrafficAnomaly", "joint": "TrafficAnomaly",
    "api_error": "ErrorRate", "content_filter": "ErrorRate", "truncated": "ErrorRate",
    "refusal": "RefusalRate", "lost": "UnansweredRequests",
    "latency": "LatencyAnomaly", "ttft": "LatencyAnomaly", "tpot": "LatencyAnomaly", "unpriced": "UnpricedModel",
    "json_invalid": "OutputInvalid", "injection": "PromptInjection",
    "pii_question": "PiiLeak", "pii_context": "PiiLeak", "pii_answer": "PiiLeak",
}  # fmt: skip

_SHARES: tuple[Kind, ...] = (
    "api_error", "content_filter", "truncated", "refusal", "lost",
    "json_invalid", "injection", "pii_question", "pii_context", "pii_answer",
)  # fmt: skip
_PAGING: tuple[Kind, ...] = ("api_error", "lost")
"""Shares that can page (report.py); a provider is watched for these alone."""
_FLOORS: dict[Kind, float] = {"pii_answer": 0.005}
"""What a share must rise by at least, where it is not 2%: few answers with somebody else's data are too many."""
_METRICS: dict[Kind, Metric] = {"api_error": "errors", "refusal": "refusals", "lost": "lost", "price": "usd", "creep": "usd"}
_TOGETHER: tuple[Kind, ...] = ("traffic_up", "price", "tokens", "api_error", "refusal", "latency", "ttft", "tpot")
"""What is looked at together, the traffic first."""
_MOST_NAMED = 3


class Condition(NamedTuple):
    """One that holds. ``value`` and ``expected`` in the unit of the kind: USD or tokens per request, requests per minute, a share, ms."""

    kind: Kind
    value: float
    expected: float
    threshold: float
    since: float
    requests: int
    usd_per_hour: float | None
    cause: Explanation | None
    sure: bool = True
    """Enough to wake somebody."""
    moved: Sequence[tuple[Kind, str]] = ()
    """Of ``joint``: what moved furthest, each ``higher`` or ``lower``."""


class SeriesMonitor(msgspec.Struct, array_like=True, gc=False):
    """The detectors of one series. ``whole``: of a (tenant, feature, model); a provider is watched for failures and latency only."""

    whole: bool
    h: float
    shares: dict[Kind, RateTest]
    latency: TailTest
    ttft: TailTest
    traffic: CountTest | None = None
    price: PriceTest | None = None
    tokens: PriceTest | None = None
    creep: CreepTest | None = None
    former: list[float | None] = []
    """Keeps the place of a test that states written before 0.2 have (agents/anomaly/unpriced.py looks at what it did)."""
    breakdown: Breakdown = msgspec.field(default_factory=Breakdown)
    tpot: TailTest | None = None
    joint: JointTest | None = None
    typical: TypicalTest | None = None
    typical_creep: CreepTest | None = None

    def __post_init__(self) -> None:
        # Also of a state written before they were watched.
        if self.whole and self.tpot is None:
            self.tpot = TailTest.of(self.h)
        if self.whole and self.joint is None:
            self.joint = JointTest(self.h)
        if self.price is not None and self.typical is None:
            self.typical = TypicalTest(self.price.h)
        if self.creep is not None and self.typical_creep is None:
            self.typical_creep = CreepTest(self.creep.h, typical=True)

    @classmethod
    def of(cls, settings: AnomalySettings, *, whole: bool) -> SeriesMonitor:
        """Every test that a series has; one of a part of a series (not ``whole``) has those that
        page."""
        page, h = settings.page_evidence, settings.ticket_evidence
        kinds: tuple[Kind, ...] = _SHARES if whole else _PAGING
        shares = {kind: RateTest(page if kind in _PAGING else h, floor=_FLOORS.get(kind, 0.02)) for kind in kinds}
        monitor = cls(whole, h, shares, TailTest.of(h), TailTest.of(h))
        if whole:
            monitor.traffic, monitor.price, monitor.tokens = CountTest(page), PriceTest(page), PriceTest(h)
            monitor.typical = TypicalTest(page)
            monitor.creep, monitor.typical_creep = (CreepTest(settings.hourly_evidence, typical=typical) for typical in (False, True))
        return monitor

    def look(self, time: float, bucket: Bucket, seconds: float) -> list[Condition]:
        """What so many seconds of a bucket add to a suspicion; nothing is learned from them. Without one there is nothing to look for.

        Of money only what a typical request costs: for the mean the dearest part of a bucket has to be known. Nor several metrics together.
        """
        if not self.suspicious:
            return []
        copy, found, residuals = _decode(_encode(self)), list[Condition](), dict[Kind, float]()
        copy._shares(time, bucket, found, residuals)
        copy._tails(time, bucket, found, residuals)
        if copy.typical is not None and copy.price is not None:
            spend = bucket.spend(0)
            if copy.typical.update(time, bucket.typical).alarm and spend.requests:
                copy._dear(spend.used / spend.requests, exp(copy.price.level), spend.requests / seconds * 3600, found)
        if copy.traffic is not None:
            share = seconds / SECONDS
            traffic = copy.traffic.update(time, bucket.requests, share)
            copy._drop(traffic.value / share, traffic.expected / share, found)
        return found

    def update(self, time: float, bucket: Bucket) -> list[Condition]:
        """The bucket that starts at ``time``; an empty one says that nothing came."""
        found: list[Condition] = []
        requests = bucket.requests
        if not requests and self.traffic is not None and self.traffic.silent:
            self._stop()
        if requests or self.breakdown.now:
            self.breakdown.update(bucket.values, usual=not self.suspicious)
        residuals: dict[Kind, float] = {}
        self._shares(time, bucket, found, residuals)
        self._tails(time, bucket, found, residuals)
        if self.whole:
            self._money(time, bucket, found, residuals)
            self._together(time, requests, residuals, found)
        return found

    @property
    def suspicious(self) -> bool:
        """Whether some evidence is under way."""
        sums = self._sums()
        if self.traffic is not None:
            sums += [self.traffic.up, self.traffic.down]
        return any(evidence.suspicious(self.h) for evidence in sums)

    def _stop(self) -> None:
        """The series is silent: what was told of its requests is over, and only the silence is told of."""
        for evidence in self._sums():
            evidence.stop(self.h)
        for creep in (self.creep, self.typical_creep):
            if creep is not None and creep.evidence.active:
                creep.evidence.stop(creep.h)
                creep.recent = Score()

    def _sums(self) -> list[Evidence]:
        """Of the tests of what requests are like."""
        sums = [test.evidence for test in self.shares.values()]
        sums += [test.rate.evidence for test in (self.latency, self.ttft, self.tpot) if test is not None]
        return sums + [test.evidence for test in (self.price, self.typical, self.tokens) if test is not None]

    def _shares(self, time: float, bucket: Bucket, found: list[Condition], residuals: dict[Kind, float]) -> None:
        for kind, test in self.shares.items():
            score = test.update(time, bucket.share(kind))
            residuals[kind] = score.residual
            if score.alarm:
                threshold = max(test.ratio * score.expected, score.expected + test.floor)
                found.append(self._condition(kind, score.value, score.expected, threshold, test.evidence))

    def _tails(self, time: float, bucket: Bucket, found: list[Condition], residuals: dict[Kind, float]) -> None:
        tails: tuple[tuple[Kind, TailTest | None, Bins], ...] = (
            ("latency", self.latency, bucket.latency),
            ("ttft", self.ttft, bucket.ttft),
            ("tpot", self.tpot, bucket.tpot),
        )
        for kind, test, bins in tails:
            if test is None:
                continue
            score = test.update(time, bins)
            residuals[kind] = score.residual
            if score.alarm:
                found.append(self._condition(kind, score.value, score.expected, SLOWER * score.expected, test.rate.evidence))

    def _money(self, time: float, bucket: Bucket, found: list[Condition], residuals: dict[Kind, float]) -> None:
        assert self.traffic is not None and self.price is not None and self.tokens is not None
        assert self.typical is not None
        requests, usd, spend = bucket.requests, bucket.usd, bucket.spend(0)
        price, tokens = self.price.update(time, spend), self.tokens.update(time, bucket.spend(1))
        traffic = self.traffic.update(time, requests)
        residuals |= {"price": price.residual, "tokens": tokens.residual, "traffic_up": traffic.residual}
        priced = spend.requests
        self.typical.update(time, bucket.typical)
        dear = self._dear(price.value, price.expected, priced * PER_HOUR, found)
        if not dear and tokens.alarm and self.tokens.evidence.active:
            found.append(self._condition("tokens", tokens.value, tokens.expected, 2 * tokens.expected, self.tokens.evidence))
        self._crept(time, spend, bucket.typical, found)
        if self.traffic.up.active:
            extra = max(0.0, usd * (1 - traffic.expected / requests)) * PER_HOUR if requests else 0.0
            rate, usual = requests * PER_MINUTE, traffic.expected * PER_MINUTE
            found.append(self._condition("traffic_up", rate, usual, 2 * usual, self.traffic.up, extra)._replace(sure=self.traffic.surging))
            if extra > 0 and not dear:
                expected = usd * PER_HOUR - extra
                cost = self._condition("cost_of_traffic", usd * PER_HOUR, expected, 2 * expected, self.traffic.up, extra)
                found.append(cost._replace(sure=self.traffic.surging))
        self._drop(requests, traffic.expected, found)

    def _dear(self, value: float, expected: float, per_hour: float, found: list[Condition]) -> bool:
        """Whether requests cost more than they did, on average or the typical one. ``per_hour``: such requests."""
        assert self.price is not None and self.typical is not None
        evidence = next((test.evidence for test in (self.price, self.typical) if test.evidence.active), None)
        if evidence is not None:
            extra = max(0.0, value - expected) * per_hour
            found.append(self._condition("price", value, expected, 2 * expected, evidence, extra))
        return evidence is not None

    def _crept(self, time: float, spend: Spend, logs: Logs, found: list[Condition]) -> None:
        """What requests cost on average, or the typical one, against the past days."""
        assert self.creep is not None and self.typical_creep is not None
        mean = self.creep.update(time, Spent(spend.requests, spend.used))
        typical = self.typical_creep.update(time, Spent(*logs))
        if mean.alarm or typical.alarm:
            test, grown = (self.creep, mean) if mean.alarm else (self.typical_creep, typical)
            usual = mean.value * grown.expected / grown.value
            extra = max(0.0, mean.value - usual) * spend.requests * PER_HOUR
            found.append(self._condition("creep", mean.value, usual, 1.02 * usual, test.evidence, extra))

    def _drop(self, requests: float, expected: float, found: list[Condition]) -> None:
        """``requests`` and ``expected``: in a bucket."""
        assert self.traffic is not None
        if self.traffic.down.active:
            usual = expected * PER_MINUTE
            down = self._condition("traffic_down", requests * PER_MINUTE, usual, 0.3 * usual, self.traffic.down)
            found.append(down._replace(sure=self.traffic.silent))

    def _together(self, time: float, requests: int, residuals: dict[Kind, float], found: list[Condition]) -> None:
        assert self.joint is not None
        score = self.joint.update(time, [residuals[kind] for kind in _TOGETHER])
        if score.alarm:
            moved = [(_TOGETHER[at], "higher" if size > 0 else "lower") for at, size in self.joint.furthest()[:_MOST_NAMED]]
            since = time if self.joint.since is None else self.joint.since
            events = round(requests * (1 + (time - since) / SECONDS))
            found.append(Condition("joint", score.value, score.expected, self.joint.limit(), since, events, None, None, moved=moved))

    def _condition(
        self, kind: Kind, value: float, expected: float, threshold: float, evidence: Evidence, extra: float | None = None
    ) -> Condition:
        since = evidence.since if evidence.since is not None else 0.0
        cause = self.breakdown.cause(_METRICS.get(kind, "requests")) if kind not in ("latency", "ttft", "tpot") else None
        return Condition(kind, value, expected, threshold, since, int(evidence.events), extra, cause, evidence.sure)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SeriesMonitor).decode
