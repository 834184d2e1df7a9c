"""One finding for everything an alert can say, made by the code that makes it in production; and the life of its alert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agents.alerts.digests import counted, describe
from agents.anomaly import report as anomaly
from agents.anomaly.breakdown import Explanation
from agents.anomaly.monitor import Condition, Kind
from agents.anomaly.settings import AnomalySettings
from agents.anomaly.slo import Objective
from agents.anomaly.unpriced import ModelKey, Unpriced
from agents.anomaly.unpriced import _finding as unpriced
from agents.behaviour.items import Ran
from agents.behaviour.prompts import Prompts
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.shadows import METRICS, Comparison, Metric, Shadows, Standing
from agents.budgets import report as budgets
from agents.budgets.burn import Burn, Pair
from agents.budgets.rules import Rule, read_rules
from agents.budgets.runaway import Loop
from agents.detectors.burn import Burning
from agents.detectors.burn import BurnRule as BurnRule
from agents.detectors.detector import Score as DetectorScore
from agents.detectors.level import Fall, Level
from agents.detectors.sequential import Mean
from agents.drift.cause import Candidate
from agents.drift.monitor import Drift
from agents.drift.quality import Drop
from agents.drift.report import Key as DriftKey
from agents.drift.report import drift_finding, drop_finding
from agents.drift.witness import Heard
from agents.guards.report import appeared_findings, burst_finding
from agents.guards.seen import Appeared, Attempted, PiiPlace
from agents.guards.seen import AttemptsKey as GuardKey
from agents.satisfaction.foresight import misjudged
from agents.satisfaction.state import WatchedSeries, fallen
from agents.topics.watch import Metric as TopicMetric
from agents.topics.watch import TopicId, degraded, news
from agents.watch.report import odd
from agents.watch.settings import Watch
from schemas.findings import Finding
from schemas.opinions import Foresight
from schemas.outputs import DriftCause

T0 = 1_772_373_720.0
"""2026-03-01T14:02:00Z, when everything begins."""

SERIES = {"tenant": "acme", "feature": "chat", "model": "gpt-4o"}
PROVIDER = {"scope": "provider", "provider": "deepseek"}
SHA = Explanation("prompt_sha", "b2c4d1", True, 0.93, True)

Make = Callable[[float, float], Finding]
"""A finding of this moment, so many times as bad as the first."""


class Example(NamedTuple):
    """``kind``: of the facts. ``make``: the finding at epoch seconds, and by how much it is worse than at first."""

    title: str
    kind: str
    make: Make


def examples() -> Iterator[Example]:
    """Every kind of the facts, at least once."""
    yield from _of_anomaly()
    yield from _of_budgets()
    yield from _of_drift()
    yield from _of_the_others()


def _of_anomaly() -> Iterator[Example]:
    numbers: dict[Kind, tuple[float, float, float | None, Explanation | None]] = {
        "price": (0.021, 0.0031, 12.4, SHA), "tokens": (5_210, 1_800, None, SHA), "creep": (0.0044, 0.0031, 1.25, None),
        "cost_of_traffic": (41.2, 1.37, 39.83, None), "traffic_up": (120, 31.5, None, Explanation("user", "ana", True, 0.8, True)),
        "traffic_down": (0.4, 12.3, None, None), "api_error": (0.412, 0.01, None, Explanation("model", "r1", False, 0.9, True)),
        "content_filter": (0.08, 0.004, None, None), "truncated": (0.22, 0.013, None, SHA), "refusal": (0.31, 0.021, None, SHA),
        "lost": (0.36, 0.002, None, None), "latency": (8_400, 1_900, None, None), "ttft": (2_250, 410, None, None),
        "tpot": (62, 18.4, None, None), "joint": (41.0, 4.0, None, None), "json_invalid": (0.19, 0.011, None, SHA),
        "injection": (0.06, 0.001, None, None), "pii_question": (0.21, 0.03, None, None), "pii_context": (0.11, 0.01, None, None),
        "pii_answer": (0.012, 0.0004, None, None),
    }  # fmt: skip

    def condition(kind: Kind, time: float, times: float) -> Condition:
        value, expected, usd, cause = numbers[kind]
        worse = value / times if kind == "traffic_down" else value * times
        share = (
            min(worse, 0.97)
            if value < 1 and kind not in ("price", "creep", "traffic_down")
            else worse
        )
        moved: tuple[tuple[Kind, str], ...] = (
            (("latency", "higher"), ("tokens", "lower")) if kind == "joint" else ()
        )
        return Condition(
            kind,
            share,
            expected,
            2 * expected,
            T0,
            round(1_204 * times),
            usd and usd * times,
            cause,
            moved=moved,
        )

    for kind in numbers:
        where = PROVIDER if kind in ("api_error", "lost") else SERIES

        def make(
            time: float, times: float, kind: Kind = kind, where: dict[str, str] = where
        ) -> Finding:
            found = anomaly.finding(
                condition(kind, time, times), where, time, AnomalySettings(), "anomaly"
            )
            found.response_ids = ["resp-7f31", "resp-80aa"]
            return found

        yield Example(f"{kind}", kind, make)

    def gone(time: float, times: float) -> Finding:
        silent = Condition("traffic_down", 0.0, 12.3, 3.7, T0, 0, None, None)
        return anomaly.finding(silent, SERIES, time, AnomalySettings(), "anomaly")

    yield Example("traffic_down, nothing at all", "traffic_gone", gone)

    def slo(time: float, times: float) -> Finding:
        objective = Objective(latency_ms=2_000, name="chat-p99")
        burning = Burning(BurnRule(2, 0, 14.4, "page"), 14.9 * times, 310 * times, 60)
        return anomaly.slo_finding(burning, objective, SERIES, T0, time, "anomaly")

    yield Example("slo", "slo", slo)
    for kind, (lacking, partial, tokens) in {
        "unpriced": (1, 0, 12_000), "partial": (0, 31, 92_000), "unpriced_and_partial": (14, 3, 40_100), "no_usage": (120, 0, 0),
    }.items():  # fmt: skip

        def lack(
            time: float,
            times: float,
            lacking: int = lacking,
            partial: int = partial,
            tokens: int = tokens,
        ) -> Finding:
            known = Unpriced(int(T0), int(time), round(lacking * times), partial, tokens)
            known.features, known.examples = ["chat", "search"], ["resp-7f31"]
            return unpriced(
                ModelKey("openai", "gpt-9"), known, int(time), {}, "anomaly", least=partial > 0
            )

        yield Example(f"unpriced model, {kind}", kind, lack)


def _of_budgets() -> Iterator[Example]:
    rules = read_rules(
        budgets=[{"name": "chat-month", "scope": {"feature": "chat"}, "by": "tenant", "limit": 500, "window": "month"},
                 {"name": "per-user", "by": "user", "limit": 5, "window": "24h"},
                 {"name": "tokens", "limit": 1_000_000, "unit": "tokens", "window": "day"}],
        limits=[{"name": "per-user", "by": "user", "limit": 60, "per": "1m"}],
    )  # fmt: skip
    month, rolling, tokens, limit, session, trace = rules.by_id.values()
    end, start = int(T0) // 86_400 * 86_400 + 31 * 86_400, int(T0) // 86_400 * 86_400
    where = {"tenant": "acme", "feature": "agent", "model": "gpt-4o"}

    def exhausted(time: float, times: float) -> Finding:
        spent = round(500.0004 * times * 1e12)
        return budgets.exhausted(
            month,
            ("acme",),
            time=time,
            since=T0,
            spent=spent,
            window=(start, end),
            examples=["resp-7f31"],
        )

    def exhausted_rolling(time: float, times: float) -> Finding:
        spent, window = round(5.24 * times * 1e12), (int(T0) - 86_400, int(T0))
        return budgets.exhausted(
            rolling,
            ("ana",),
            time=time,
            since=T0,
            spent=spent,
            window=window,
            examples=["resp-7f31"],
        )

    def exhausted_tokens(time: float, times: float) -> Finding:
        spent, window = round(1_000_213 * times), (start, start + 86_400)
        return budgets.exhausted(
            tokens, (), time=time, since=T0, spent=spent, window=window, examples=[]
        )

    def burning(time: float, times: float) -> Finding:
        found = Burn(
            Pair(14.4, 3_600, 300, True),
            15.1 * times,
            0.01,
            round(213.4e12 * times),
            T0 + 9 * 3_600,
        )
        return budgets.burning(
            month,
            ("acme",),
            time=int(time),
            found=found,
            window=(start, end),
            examples=["resp-7f31"],
        )

    def limited(time: float, times: float) -> Finding:
        window = (int(T0) - 60, int(T0))
        return budgets.limited(
            limit, ("ana",), time=time, since=T0, used=round(75 * times), window=window, examples=["resp-7f31"], where=where,
        )  # fmt: skip

    yield Example("budget of a month", "budget_exhausted", exhausted)
    yield Example("budget of a user", "budget_exhausted", exhausted_rolling)
    yield Example("budget of tokens", "budget_exhausted", exhausted_tokens)
    yield Example("burn of a budget", "budget_burn", burning)
    yield Example("rate limit of a user", "rate_limit", limited)
    steps = ["execute_tool search_orders (14)", "chat (7)"]
    loops = {
        "loop_repeats": {"repeated": 21, "different": 2}, "loop_faster": {"before": 40, "after": 190},
        "loop_longer": {"before": 1_210.4, "after": 9_800.6}, "loop_cost": {},
    }  # fmt: skip
    for kind, shown in loops.items():
        rule, values = (trace, ("9f2b",)) if kind == "loop_longer" else (session, ("s-417",))

        def looping(
            time: float, times: float, kind: str = kind, shown: dict[str, float] = shown, rule: Rule = rule,
            values: tuple[str, ...] = values,
        ) -> Finding:  # fmt: skip
            loop = Loop(
                kind, 21 * times, 20, round(22 * times), 0.31 * times, int(T0), 40, steps, shown
            )
            return budgets.looping(
                rule, values, time=time, since=T0, loop=loop, window=(int(T0), int(time)), examples=["resp-7f31"],
                where={**where, "user": "ana"},
            )  # fmt: skip

        yield Example(kind, kind, looping)

    def digest(time: float, times: float) -> Finding:
        several = [
            budgets.exhausted(rolling, (f"user-{n}",), time=time, since=T0, spent=round((5 + n) * 1e12),
                              window=(int(T0) - 86_400, int(T0)), examples=[f"resp-{n}"])
            for n in range(round(6 * times))
        ]  # fmt: skip
        found = counted(several[0], None, len(several), time)
        describe(found, several, 20)
        found.since = T0
        return found

    yield Example("digest", "digest", digest)


def _of_drift() -> Iterator[Example]:
    key = DriftKey("support", "gpt-4o")
    causes: dict[DriftCause, tuple[str, str, str, float | None, float | None]] = {
        "prompt_change": (
            "answer_text",
            "prompt_sha",
            "3f2a 98% -> 0%, 77b1 2% -> 100%",
            None,
            None,
        ),
        "model_change": ("refusal", "model", "gpt-4o-05 100% -> 0%", 0.01, 0.117),
        "index_change": ("retrieval_score", "index_version", "v3 100% -> 0%", 0.71, 0.52),
        "traffic_mix": ("tenant", "tenant", "acme 80% -> 20%", None, None),
        "input_drift": ("question_text", "question", "", None, None),
        "silent_provider_change": ("answer_text", "", "fp_1 100% -> 0%", None, None),
        "unknown": ("latency_ms", "", "", 810.0, 2_340.0),
    }
    for cause, (metric, covariate, change, was, now) in causes.items():

        def drift(
            time: float, times: float, cause: DriftCause = cause, metric: str = metric, covariate: str = covariate, change: str = change,
            was: float | None = was, now: float | None = now,
        ) -> Finding:  # fmt: skip
            candidates = (
                [] if cause == "unknown" else [Candidate(cause, covariate, 0.9, 1.0, change)]
            )
            found = Drift(metric, cause, T0, 400, time, 2e6, 1e-9, was, now, candidates, {metric: 9.1, "output_tokens": 4.2},
                          ["bullets", "-certainly"], ["resp-11"], ["resp-7f31"], ["", ""])  # fmt: skip
            heard = [Heard(name, "latency_ms", 412, T0, 150) for name in ("adwin", "page_hinkley")]
            return drift_finding(key, found, time, 1e-6, heard if metric == "latency_ms" else ())

        yield Example(f"drift, {cause}", "drift", drift)

    def drop(time: float, times: float) -> Finding:
        return drop_finding(
            key, "helpful", Drop(T0, 0.91, 0.74 / times, 1e-7, 3e6, ["resp-7f31"]), None, time
        )

    yield Example("scores", "scores", drop)


def _of_the_others() -> Iterator[Example]:
    def unsatisfied(time: float, times: float) -> Finding:
        return fallen(
            ("acme", "chat"),
            Fall(T0, 0.61 / times, 0.78, round(412 * times)),
            WatchedSeries(Level(), 0, [(0.1, "resp-7f31")]),
            time,
        )

    yield Example("satisfaction", "satisfaction", unsatisfied)
    topic = TopicId("chat", "5a0c9d1f2b3e4d60", "fatura · boleto · atrasada")
    yield Example(
        "new topic",
        "topic_new",
        lambda time, times: news(topic, round(24 * times), T0, ["resp-7f31"], time)[0],
    )
    worse: dict[TopicMetric, tuple[float, float]] = {
        "errors": (0.31, 0.012), "refusals": (0.22, 0.01), "cost": (0.021, 0.0031),
    }  # fmt: skip
    for metric, (value, usual) in worse.items():
        yield Example(
            f"topic, {metric}",
            f"topic_{metric}",
            lambda time, times, metric=metric, value=value, usual=usual: degraded(
                topic, metric, DetectorScore(1.0, value * times, usual), T0, 42, ["resp-7f31"], time
            ),
        )

    def followed(time: float, times: float) -> Finding:
        watch = Watch(name="quality", score="helpfulness", detector="river:drift.ADWIN")
        score = DetectorScore(1.0, 0.61 / times, 0.85)
        return odd(watch, ("acme", "chat"), round(time), 12, score)[0]

    yield Example("a number that is followed", "watch", followed)
    def unforeseen(time: float, times: float) -> Finding:
        recent = Foresight(0, ("acme", "chat"))
        for n in range(20):
            recent.add(0.3 + n / 50, n % 3 > 0)
        return misjudged(
            ("acme", "chat"), Fall(T0, 0.61 / times, 0.78, round(412 * times)), recent, time
        )

    yield Example("labels", "labels", unforeseen)

    def attempts(key: GuardKey, time: float, times: float) -> Finding:
        calls = [
            Attempted(key, T0 + n, f"q{n}", f"resp-{n}", "chat", f"u{n % 3}")
            for n in range(round(6 * times))
        ]
        return burst_finding(key, calls, 5, 600.0, time, "guards")

    yield Example(
        "attempts of a user",
        "injection_burst",
        lambda time, times: attempts(GuardKey("user", "acme", "mallory"), time, times),
    )
    yield Example(
        "a document",
        "injection_document",
        lambda time, times: attempts(GuardKey("document", "acme", "kb-17"), time, times),
    )
    for direction in ("question", "context", "answer"):
        seen = Appeared(PiiPlace("acme", "chat", direction, "CPF"), T0, "resp-7f31")  # type: ignore[arg-type]
        yield Example(
            f"first in {direction}",
            "pii_first",
            lambda time, times, seen=seen: appeared_findings(seen, time, "guards")[0],
        )

    def prompts(kind: str, time: float, times: float) -> Finding:
        found = Prompts(BehaviourSettings(unversioned_requests=10))
        told: list[Finding] = []
        for n in range(round(150 * times)):
            sha = "a1b2c3d" if kind == "text_differs" or (kind == "no_sha" and n < 10) else ""
            call = Ran(
                f"r{n}", T0, T0, f"resp-{n}", "acme", "chat", "m1", "live", "", "greeting", sha, 1 if n < 50 else 2, "u", "ok", 10, 900.0,
                10**9, "", "", 0.5,
            )  # fmt: skip
            told += found.take(call, T0 + n / 10)
        told += found.pass_time(T0 + 10.0)
        return next(one for one in reversed(told) if one.facts.get("kind") == kind)

    for kind in ("no_sha", "never_sha", "text_differs"):

        def unversioned(time: float, times: float, kind: str = kind) -> Finding:
            finding = prompts(kind, time, times)
            finding.time = time
            finding.since = T0
            return finding

        yield Example(f"prompt, {kind}", kind, unversioned)

    def shadow(metric: Metric, time: float, times: float) -> Finding:
        comparison = Comparison("acme", "chat", "shadow", "gpt-5-mini", "gpt-4o", "77b1", "77b1")
        standing = Standing([Mean() for _ in METRICS])
        mean = standing.means[METRICS.index(metric)]
        for n in range(round(400 * times)):
            mean.update(
                T0 + n, (-0.2 if metric in ("ok", "score") else 0.06) + 0.01 * (n % 3), alpha=0.01
            )
        standing.worse = {metric: T0}
        return Shadows(BehaviourSettings())._regression(
            comparison, standing, metric, time, active=True
        )

    yield Example("shadow, outcome", "shadow", lambda time, times: shadow("ok", time, times))
    yield Example("shadow, cost", "shadow", lambda time, times: shadow("cost", time, times))
