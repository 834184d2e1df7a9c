"""Whether a topic is new, and whether it got worse than its own past."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Literal, NamedTuple

import msgspec

from agents.detectors.costs import PriceTest, Spend
from agents.detectors.detector import Score
from agents.detectors.rates import RateTest, Share
from agents.topics.sums import WINDOW, TopicSums
from schemas.findings import Finding
from schemas.outputs import AlertName

EVIDENCE = 16.0
"""Log of the windows in which each test of each topic has one false alarm: a hundred topics with
three tests each have one in some hundred days."""
NEW = 10.0
"""Log of how many times less likely than once in all that was asked a topic's beginning must be."""
WARM = 300
"""Questions of a feature after which a topic can be new."""
KEEP = 2.0 * WINDOW
NEW_KEEP = 3_600.0

Metric = Literal["errors", "refusals", "cost"]


class TopicHealth(msgspec.Struct, array_like=True, gc=False):
    """What a topic's calls usually do. ``since``: what is worse now, and since when."""

    errors: RateTest
    refusals: RateTest
    price: PriceTest
    since: dict[Metric, float] = {}

    @classmethod
    def unknown(cls) -> TopicHealth:
        """Of a topic whose calls have not been seen yet."""
        return cls(RateTest(EVIDENCE), RateTest(EVIDENCE), PriceTest(EVIDENCE))

    def update(self, time: float, sums: TopicSums) -> Iterator[tuple[Metric, Score]]:
        """The window that began at ``time``: what is worse, and once what is no longer."""
        scores: dict[Metric, Score] = {
            "errors": self.errors.update(time, Share(sums.failed, sums.calls)),
            "refusals": self.refusals.update(time, Share(sums.refused, sums.calls)),
            "cost": self.price.update(time, Spend(sums.spent, sums.priced)),
        }
        before = self.since
        self.since = {name: before.get(name, time) for name, score in scores.items() if score.alarm}
        for name, score in scores.items():
            if score.alarm or name in before:
                yield name, score


class TopicId(NamedTuple):
    """Whose topic, its id, and what it is called."""

    feature: str
    topic_id: str
    name: str


def is_new(founded: int, asked: int, questions: int) -> bool:
    """Whether a topic that begins after ``founded`` questions of its feature, and has ``questions``
    of all that ``asked`` since the first, was not asked before by more than chance: if they came in
    any order, with equal chance, all of them would be among the last with probability
    ((asked - founded) / asked) ** questions. The founding one speaks for nothing; any of the
    questions might have founded a topic, so this must be rarer by their number."""
    if founded < WARM:
        return False
    return (questions - 1) * log(asked / (asked - founded)) >= log(asked) + NEW


def news(
    topic: TopicId, questions: int, first: float, examples: list[str], end: float
) -> list[Finding]:
    """That users ask about something new: told once, over at once."""
    labels = {"feature": topic.feature, "topic": topic.topic_id}
    told = Finding(
        name="NewTopic",
        labels=labels,
        time=end - 0.001,
        active=True,
        severity="info",
        since=first,
        keep=NEW_KEEP,
        value=float(questions),
        window=(first, end),
        requests=questions,
        response_ids=examples,
        generator="topics",
        facts={"kind": "topic_new", "topic": topic.name, "calls": questions},
    )
    return [told, _over("NewTopic", labels, end, NEW_KEEP)]


def degraded(
    topic: TopicId,
    metric: Metric,
    score: Score,
    since: float,
    calls: int,
    examples: list[str],
    end: float,
) -> Finding:
    """That a topic's calls fail, are refused or cost more than they did."""
    return Finding(
        name="TopicDegraded",
        labels={"feature": topic.feature, "topic": topic.topic_id, "metric": metric},
        time=end,
        active=True,
        since=since,
        keep=KEEP,
        value=score.value,
        expected=score.expected,
        window=(since, end),
        requests=calls,
        response_ids=examples,
        generator="topics",
        facts={"kind": f"topic_{metric}", "topic": topic.name},
    )


def recovered(feature: str, topic_id: str, metric: Metric, end: float) -> Finding:
    """That this is over, or that nobody asks about the topic any more."""
    labels = {"feature": feature, "topic": topic_id, "metric": metric}
    return _over("TopicDegraded", labels, end, KEEP)


def _over(name: AlertName, labels: dict[str, str], end: float, keep: float) -> Finding:
    return Finding(name=name, labels=labels, time=end, active=False, keep=keep, generator="topics")
