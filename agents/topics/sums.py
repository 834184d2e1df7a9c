"""What the calls of a topic add up to in a window: a row of ``topic_windows``."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agents.topics.inbox import Weighed
from schemas.rows import money
from schemas.sketch import Bins, bin_of, quantile
from schemas.topic_rows import TopicWindowRow

WINDOW = 300
"""Seconds."""
ERRORS = frozenset({"api_error", "timeout"})
REFUSALS = frozenset({"refusal", "content_filter"})

SumsKey = tuple[int, str, str, str]
"""Start of the window, feature, tenant, topic."""


class TopicSums(msgspec.Struct, array_like=True, gc=False):
    """``calls`` were sampled; the others are sums over all those that they stand for.

    ``bins``: of latencies, in sampled calls. ``priced``: of ``calls`` those with a known cost."""

    calls: int = 0
    requests: float = 0.0
    cost_usd: float = 0.0
    refusals: float = 0.0
    errors: float = 0.0
    bins: Bins = {}
    refused: int = 0
    failed: int = 0
    priced: int = 0
    spent: float = 0.0

    def add(self, one: Weighed) -> None:
        """Count a sampled call."""
        sample, weight = one
        refused, failed = sample.outcome in REFUSALS, sample.outcome in ERRORS
        self.calls += 1
        self.requests += weight
        self.refusals += weight * refused
        self.errors += weight * failed
        self.refused += refused
        self.failed += failed
        if sample.cost_usd is not None:
            self.cost_usd += weight * sample.cost_usd
            self.priced += 1
            self.spent += sample.cost_usd
        if sample.latency_ms is not None:
            at = bin_of(sample.latency_ms)
            self.bins[at] = self.bins.get(at, 0) + 1

    def join(self, other: TopicSums) -> None:
        """Add the counts of sampled calls that another holds, which is all that tests ask for."""
        self.calls += other.calls
        self.refused += other.refused
        self.failed += other.failed
        self.priced += other.priced
        self.spent += other.spent

    def row(self, key: SumsKey) -> TopicWindowRow:
        """The row of the window that ``key`` names."""
        start, feature, tenant, topic_id = key
        return TopicWindowRow(
            window_start=datetime.fromtimestamp(start, UTC),
            window_seconds=WINDOW,
            tenant=tenant,
            feature=feature,
            topic_id=topic_id,
            calls=self.calls,
            requests=round(self.requests),
            cost_usd=money(round(self.cost_usd, 12)),
            refusals=round(self.refusals),
            errors=round(self.errors),
            latency_p99_ms=quantile(self.bins, 0.99),
        )
