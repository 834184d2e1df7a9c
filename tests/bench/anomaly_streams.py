"""Labelled traffic for the bench of the anomaly detection: minutes of LLM calls with known incidents.

Generated traffic has a daily and a weekly season, bursts (an autocorrelated gamma factor), heavy-tailed tokens and latencies, a mix that
shifts with the hour, a latency that grows with load, and now and then a single request that costs a hundred others. The real traces give
arrivals and tokens; they last an hour, so blocks of five minutes are drawn from them again and again. ServeGen's clients (Xiang et al.,
"ServeGen: Workload characterization and generation of large language model serving in production", 2025) give two weeks of arrivals.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from math import gamma
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.anomaly.breakdown import Amounts
from agents.anomaly.bucket import Bucket
from agents.budgets.recent import Lap
from agents.detectors.pace import PER_DAY, PER_HOUR, SECONDS
from schemas.aggregates import OUTCOME_INDEX
from schemas.sketch import GAMMA

Array = npt.NDArray[np.float64]

MONDAY = 1_788_739_200.0
"""2026-09-07 00:00 UTC."""
MINUTE, DAY = 60.0, 86_400.0
REFUSALS, ERRORS = 0.02, 0.005
"""Usual shares; of the errors a fifth are timeouts."""
LATENCY_SIGMA = 0.55
USD_PER_TOKEN = 5e-6
EACH = SECONDS // 10
"""Windows of 10 s in a bucket."""
_COSTS = 50_000
"""Requests that show what is usual, about."""

LASTS = {"cost_x3": 60, "loop": 30, "latency_tail_x2": 60, "refusal_2_to_6": 60, "provider_outage": 20, "traffic_drop": 60}
"""Incidents and their minutes; the creep lasts until the end."""
JOINT = {"other_model": 60}
"""Another model answers: tokens +10%, latency +12%, time to first token -15%, refusals 2% -> 3%; none of them an incident by itself."""
JOINTLY = "TrafficAnomaly of several metrics"
"""What the alarm of several metrics together is called here."""
FOUND_BY = {
    "cost_x3": {"CostAnomaly"},
    "loop": {"RunawayLoop", "CostAnomaly", "TrafficAnomaly"},
    "latency_tail_x2": {"LatencyAnomaly", "LatencySLOBurn"},
    "refusal_2_to_6": {"RefusalRate"},
    "provider_outage": {"ErrorRate", "UnansweredRequests"},
    "traffic_drop": {"TrafficAnomaly"},
    "creep_2_percent": {"CostAnomaly"},
    "traffic_gap": {"TrafficAnomaly"},
    "other_model": {JOINTLY, "CostAnomaly", "LatencyAnomaly", "RefusalRate"},
}


@dataclass(frozen=True)
class Incident:
    """Times are seconds after the stream's start."""

    kind: str
    start: float
    end: float


@dataclass
class Stream:
    """Buckets of one series. ``metrics``: per bucket, what the baselines look at."""

    name: str
    start: float
    learn: int
    """Buckets that are not judged."""
    buckets: list[Bucket]
    incidents: list[Incident] = field(default_factory=list)
    metrics: dict[str, Array] = field(default_factory=dict)
    loops: list[list[tuple[int, Lap]]] = field(default_factory=list)
    """Of each session that loops: start of each 10 s, and what it used in them."""
    uneven: float = 0.0
    """Variance of counts of 90 s beyond a Poisson count's, relative to their squared mean of the hour, while learning."""
    costs: Array = field(default_factory=lambda: np.zeros(0))
    """Logarithms of what requests cost, each, of some while learning."""
    part: Callable[[int, int], Bucket] = lambda number, steps: Bucket()
    """The first so many 10 s of a bucket."""


@dataclass
class Calls:
    """Requests of a stream, one entry each. ``window``: of 10 s, counted from the start."""

    window: npt.NDArray[np.int64]
    tokens: Array
    latency: Array
    ttft: Array
    outcome: npt.NDArray[np.int64]
    loops: list[list[tuple[int, Lap]]] = field(default_factory=list)


def generated(
    seed: int, *, days: int, learn_days: int, incidents: Mapping[str, int] | None, creep: bool = False, per_minute: float | None = None
) -> Stream:
    """A series of ``days`` days that begins on a Monday. With ``incidents`` (and their minutes), one each 16 hours after the learning days.

    ``per_minute``: requests on average; without it each seed has its own, about 200.
    """
    rng = np.random.default_rng(seed)
    windows = days * PER_DAY * EACH
    planned = _plan(rng, days, learn_days, incidents) if incidents else []
    if creep:
        planned = [Incident("creep_2_percent", learn_days * DAY, days * DAY)]
    calls = _calls(rng, _rate(rng, windows, per_minute), _Service.of(rng), creep_from=learn_days * DAY if creep else None)
    for incident in planned:
        calls = _inject(rng, calls, incident)
    kind = "creep" if creep else "incidents" if incidents else "usual"
    return bucketed(f"{kind}-{seed}", calls, windows, planned, learn_days * PER_DAY)


def usual(seed: int, *, weeks: int, learn_days: int) -> Iterator[Stream]:
    """A series without incidents, one week after the other: all of it at once would not fit into memory."""
    rng = np.random.default_rng(seed)
    windows = 7 * PER_DAY * EACH
    rate = _rate(rng, weeks * windows, None)
    service = _Service.of(rng)
    for week in range(weeks):
        calls = _calls(rng, rate[week * windows : (week + 1) * windows], service)
        learn = min(7, max(0, learn_days - 7 * week)) * PER_DAY
        yield replace(bucketed(f"usual-{seed}", calls, windows, [], learn), start=MONDAY + week * 7 * DAY)


def traced(path: Path, seed: int, *, hours: int = 30, learn_hours: int = 12) -> Stream:
    """A real trace, its five-minute blocks in random order for ``hours``, with cost, loop, latency, refusal, outage and drop incidents."""
    rng = np.random.default_rng(seed)
    times, tokens = _read_trace(path)
    blocks = int(times[-1] // 300)
    window_parts, token_parts = [], []
    for number, block in enumerate(rng.integers(0, blocks, hours * 12)):
        low, high = np.searchsorted(times, [block * 300, block * 300 + 300])
        window_parts.append(((times[low:high] - block * 300) // 10).astype(np.int64) + number * 30)
        token_parts.append(tokens[low:high])
    window, tokens = np.concatenate(window_parts), np.concatenate(token_parts)
    calls = _with_answers(rng, window, tokens, np.ones(len(window)))
    planned = []
    for number, kind in enumerate(LASTS):
        start = (learn_hours + 1 + 2.5 * number) * 3600 + float(rng.integers(0, 360)) * 10
        planned.append(Incident(kind, start, start + LASTS[kind] * MINUTE))
        calls = _inject(rng, calls, planned[-1])
    return bucketed(path.stem, calls, hours * 360, planned, learn_hours * PER_HOUR)


def served(path: Path, seed: int, *, learn_days: int = 7, most: float = 5.0) -> Stream:
    """A client of ServeGen: each 600 s a renewal process with the recorded rate and distribution. ``most``: requests per second on
    average; a client with more is thinned out to that many, as bursty as it was. While the service was away, that is an incident."""
    rng = np.random.default_rng(seed)
    rows = [(float(rate), kind, float(shape)) for _, rate, _, kind, shape, _ in _rows(path)]
    scale = min(1.0, most / (sum(rate for rate, _, _ in rows) / len(rows)))
    parts = []
    for number, (rate, kind, shape) in enumerate(rows):
        expected = rate * scale * 600
        gaps: list[Array] = []
        at = 0.0
        while expected and at < 600:
            size = int(expected) + 100
            drawn = rng.gamma(shape, 1 / shape, size) if kind == "Gamma" else rng.weibull(shape, size) / gamma(1 + 1 / shape)
            gaps.append(at + np.cumsum(drawn) * 600 / expected)
            at = float(gaps[-1][-1])
        if gaps:
            times = np.concatenate(gaps)
            parts.append((times[times < 600] // 10).astype(np.int64) + number * 60)
    window = np.concatenate(parts)
    tokens = 800 * np.exp(rng.normal(0, 0.9, len(window)))
    calls = _with_answers(rng, window, tokens, np.ones(len(window)))
    return bucketed(path.stem, calls, len(rows) * 60, _gaps(path.parent, learn_days), learn_days * PER_DAY)


def _gaps(folder: Path, learn_days: int) -> list[Incident]:
    """After the learning days, while most clients of a service record less than 1% of what was in their hour before: it was away."""
    away = np.array([_away([float(rate) for _, rate, *_ in _rows(path)]) for path in sorted(folder.glob("*.csv"))])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], away.mean(axis=0) > 0.5, [0]]))).reshape(-1, 2) * 600.0
    return [Incident("traffic_gap", start, end) for start, end in edges.tolist() if start >= learn_days * DAY]


def _away(rates: list[float]) -> list[bool]:
    """Of each 600 s."""
    found: list[bool] = []
    usual = 0.0
    for at, rate in enumerate(rates):
        if not (found and found[-1]):
            usual = sum(rates[max(0, at - 6) : at]) / 6
        found.append(rate < 0.01 * usual)
    return found


def _rows(path: Path) -> list[list[str]]:
    with path.open() as file:
        return list(csv.reader(file))


def _rate(rng: np.random.Generator, windows: int, per_minute: float | None) -> Array:
    """Expected requests per window of 10 s."""
    hours = np.arange(windows) / 360
    drawn = float(np.clip(np.exp(rng.normal(np.log(200), 0.6)), 60, 800))
    base = (drawn if per_minute is None else per_minute) / 6
    amplitude, peak = rng.uniform(0.3, 0.8), rng.uniform(10, 18)
    day = 1 + amplitude * np.cos((hours - peak) * 2 * np.pi / 24)
    weekend = np.where((hours // 24) % 7 >= 5, rng.uniform(0.4, 1.0), 1.0)
    smooth = np.convolve(np.pad(weekend, (360, 359), mode="edge"), np.ones(720) / 720, mode="valid")
    blocks = windows // 30 + 1  # bursts last about five minutes
    shape = 1 / rng.uniform(0.1, 0.3) ** 2
    burst = np.repeat(rng.gamma(shape, 1 / shape, blocks), 30)[:windows]
    return np.asarray(base * day * smooth * burst)


class _Service(NamedTuple):
    """What a series' calls have in common: when their mix shifts, and how much their tokens differ."""

    shift: float
    spread: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> _Service:
        return cls(rng.uniform(0, 24), rng.uniform(0.6, 1.1))


def _calls(rng: np.random.Generator, rate: Array, service: _Service, *, creep_from: float | None = None) -> Calls:
    counts = rng.poisson(rate)
    window = np.repeat(np.arange(len(rate)), counts)
    hours = window / 360
    mix = 1 + 0.1 * np.sin((hours - service.shift) * 2 * np.pi / 24)
    tokens = 800 * mix * np.exp(rng.normal(0, service.spread, len(window)))
    giant = rng.random(len(window)) < 2e-5
    tokens[giant] *= 100
    if creep_from is not None:
        past = np.maximum(0.0, window * 10 - creep_from) / DAY
        tokens *= 1.02**past
    load = (rate / rate.mean())[window]
    return _with_answers(rng, window, tokens, 0.9 + 0.1 * load)


def _with_answers(rng: np.random.Generator, window: npt.NDArray[np.int64], tokens: Array, load: Array) -> Calls:
    n = len(window)
    latency = 1500 * load * np.exp(rng.normal(0, LATENCY_SIGMA, n))
    ttft = 0.25 * latency * np.exp(rng.normal(0, 0.2, n))
    outcome = np.zeros(n, dtype=np.int64)
    draw = rng.random(n)
    at = 0.0
    for name, share in (("refusal", REFUSALS), ("api_error", 0.8 * ERRORS), ("truncated", 0.006), ("timeout", 0.2 * ERRORS)):
        outcome[(draw >= at) & (draw < at + share)] = OUTCOME_INDEX[name]
        at += share
    return Calls(window, tokens, latency, ttft, outcome)


def _plan(rng: np.random.Generator, days: int, learn_days: int, lasts: Mapping[str, int]) -> list[Incident]:
    kinds = list(lasts)
    first = int(rng.integers(0, len(kinds)))
    planned = []
    at = learn_days * DAY + 4 * 3600
    while at < (days - 0.3) * DAY:
        kind = kinds[(first + len(planned)) % len(kinds)]
        start = at + float(rng.integers(0, 360)) * 10
        planned.append(Incident(kind, start, start + lasts[kind] * MINUTE))
        at += 16 * 3600
    return planned


def _inject(rng: np.random.Generator, calls: Calls, incident: Incident) -> Calls:
    time = calls.window * 10
    inside = (time >= incident.start) & (time < incident.end)
    ok = calls.outcome == 0
    n = len(time)
    if incident.kind == "cost_x3":
        calls.tokens[inside] *= 3
    elif incident.kind == "latency_tail_x2":
        # The slowest tenth takes twice as long, and the rest is as much faster as keeps the mean.
        if not inside.any():
            return calls
        edge = np.quantile(calls.latency[inside], 0.9)
        slow = inside & (calls.latency > edge)
        fast = inside & ~slow
        extra = calls.latency[slow].sum()
        calls.latency[slow] *= 2
        calls.latency[fast] *= 1 - extra / calls.latency[fast].sum()
    elif incident.kind == "refusal_2_to_6":
        calls.outcome[inside & ok & (rng.random(n) < 0.04)] = OUTCOME_INDEX["refusal"]
    elif incident.kind == "provider_outage":
        failed = inside & (rng.random(n) < 0.6)
        calls.outcome[failed] = np.where(rng.random(n) < 0.7, OUTCOME_INDEX["api_error"], OUTCOME_INDEX["timeout"])[failed]
    elif incident.kind == "traffic_drop":
        return _take(calls, ~inside | (rng.random(n) < 0.2))
    elif incident.kind == "other_model":
        calls.tokens[inside] *= 1.1
        calls.latency[inside] *= 1.12
        calls.ttft[inside] *= 0.85
        calls.outcome[inside & ok & (rng.random(n) < 0.01)] = OUTCOME_INDEX["refusal"]
    elif incident.kind == "loop":
        return _with_loop(rng, calls, incident)
    return calls


def _with_loop(rng: np.random.Generator, calls: Calls, incident: Incident) -> Calls:
    """One agent calls itself: as many calls again as there are, each with a longer context than the one before."""
    time = calls.window * 10
    usual = int(((time >= incident.start - 3600) & (time < incident.start)).sum() / 60)
    minutes = (incident.end - incident.start) / 60
    count = int(max(30, 1.5 * usual) * minutes)
    window = np.sort(rng.integers(int(incident.start // 10), int(incident.end // 10), count))
    more = _with_answers(rng, window, np.linspace(1500, 15_000, count), np.ones(count))
    joined = Calls(*(np.concatenate([getattr(calls, f), getattr(more, f)]) for f in ("window", "tokens", "latency", "ttft", "outcome")))
    joined.loops = [*calls.loops, _session(more, repeats=bool(rng.random() < 0.5))]
    return _take(joined, np.argsort(joined.window, kind="stable"))


def _session(calls: Calls, *, repeats: bool) -> list[tuple[int, Lap]]:
    """The loop's session, as the agent ``budgets`` sees it. ``repeats``: every call asks the same, else each asks something else."""
    laps = []
    answered = calls.outcome < OUTCOME_INDEX["api_error"]
    for window in np.unique(calls.window).tolist():
        inside = calls.window == window
        requests, tokens = int(inside.sum()), int(calls.tokens[inside & answered].sum())
        same = ((1, requests),) if repeats else ()
        laps.append((window * 10, Lap(requests, requests, tokens, int(tokens * USD_PER_TOKEN * 10**12), same, ())))
    return laps


def _take(calls: Calls, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Calls:
    return Calls(
        calls.window[which], calls.tokens[which], calls.latency[which], calls.ttft[which], calls.outcome[which], calls.loops
    )


def bucketed(name: str, calls: Calls, windows: int, incidents: list[Incident], learn: int) -> Stream:
    """Requests as buckets."""
    minutes = windows // EACH
    answered = calls.outcome < OUTCOME_INDEX["api_error"]
    usd = np.where(answered, calls.tokens * USD_PER_TOKEN, 0.0)
    outcomes = np.bincount(calls.window // EACH * 16 + calls.outcome, minlength=minutes * 16).reshape(minutes, 16)[:, : len(OUTCOME_INDEX)]
    usd10 = np.bincount(calls.window, usd, windows)
    tokens10 = np.bincount(calls.window, np.where(answered, calls.tokens, 0.0), windows)
    priced10 = np.bincount(calls.window[answered], minlength=windows)
    cost, at_minute = _bin_of_cost(usd[answered]), calls.window[answered] // EACH
    bins, squares = ([int(total) for total in np.bincount(at_minute, value, minutes)] for value in (cost, cost**2))
    buckets = []
    for minute in range(minutes):
        bucket = Bucket()
        bucket.outcomes = outcomes[minute].tolist()
        for at in range(minute * EACH, (minute + 1) * EACH):
            bucket.windows[at * 10] = [float(usd10[at]), float(tokens10[at]), int(priced10[at])]
        counts, lost = bucket.outcomes, bucket.lost
        amounts = Amounts(
            sum(counts), float(usd10[minute * EACH : (minute + 1) * EACH].sum()), bucket.count("api_error"), bucket.count("refusal"), lost
        )
        bucket.values = {("provider", "openai"): amounts}
        bucket.paid = int(priced10[minute * EACH : (minute + 1) * EACH].sum())
        bucket.paid_bins, bucket.paid_squares = bins[minute], squares[minute]
        buckets.append(bucket)
    late = answered  # only answers have a latency
    for minute, index, count in _bins(calls.window[late] // EACH, calls.latency[late]):
        buckets[minute].latency[index] = count
    for minute, index, count in _bins(calls.window[late] // EACH, calls.ttft[late]):
        buckets[minute].ttft[index] = count
    requests = outcomes.sum(axis=1).astype(float)
    share = 1 / np.maximum(requests, 1)
    metrics = {
        "cost": usd10.reshape(-1, EACH).sum(axis=1),
        "requests": requests,
        "refusals": outcomes[:, OUTCOME_INDEX["refusal"]] * share,
        "errors": (outcomes[:, OUTCOME_INDEX["api_error"]] + outcomes[:, OUTCOME_INDEX["timeout"]]) * share,
        "latency": _p99(calls.window[late] // EACH, calls.latency[late], minutes),
    }
    learned = np.flatnonzero(answered & (calls.window < learn * EACH))
    costs = np.log(usd[learned[:: len(learned) // _COSTS + 1]])
    calls = _take(calls, np.argsort(calls.window, kind="stable"))
    return Stream(name, MONDAY, learn, buckets, incidents, metrics, calls.loops, _uneven(requests[:learn]), costs, partial(_part, calls))


def _uneven(requests: Array) -> float:
    hours = requests[: len(requests) // PER_HOUR * PER_HOUR].reshape(-1, PER_HOUR // 3, 3).sum(axis=2)
    means = hours.mean(axis=1)
    relative = [(hour.var(ddof=1) - mean) / mean**2 for hour, mean in zip(hours, means, strict=True) if mean > 0]
    return max(0.0, float(np.mean(relative))) if relative else 0.0


def _part(calls: Calls, number: int, steps: int) -> Bucket:
    bucket = Bucket()
    first, last = np.searchsorted(calls.window, [number * EACH, number * EACH + steps])
    outcome, tokens = calls.outcome[first:last], calls.tokens[first:last]
    bucket.outcomes = np.bincount(outcome, minlength=len(OUTCOME_INDEX)).tolist()
    late = outcome < OUTCOME_INDEX["api_error"]
    used = tokens[late]
    bucket.windows[number * SECONDS] = [float(used.sum()) * USD_PER_TOKEN, float(used.sum()), len(used)]
    cost = _bin_of_cost(used * USD_PER_TOKEN)
    bucket.paid, bucket.paid_bins, bucket.paid_squares = len(used), int(cost.sum()), int((cost**2).sum())
    for bins, values in ((bucket.latency, calls.latency[first:last]), (bucket.ttft, calls.ttft[first:last])):
        bins.update((index, count) for _, index, count in _bins(np.zeros(int(late.sum()), dtype=np.int64), values[late]))
    return bucket


def _bin_of_cost(usd: Array) -> Array:
    return np.asarray(np.ceil(np.log(usd * 1e12) / np.log(GAMMA)))


def _bins(minute: npt.NDArray[np.int64], values: Array) -> Iterator[tuple[int, int, int]]:
    index = np.ceil(np.log(values) / np.log(GAMMA)).astype(np.int64)
    pairs, counts = np.unique(minute * 4096 + index, return_counts=True)
    return zip((pairs // 4096).tolist(), (pairs % 4096).tolist(), counts.tolist(), strict=True)


def _p99(minute: npt.NDArray[np.int64], values: Array, minutes: int) -> Array:
    order = np.lexsort((values, minute))
    ends = np.searchsorted(minute[order], np.arange(minutes), side="right")
    starts = np.concatenate([[0], ends[:-1]])
    at = np.maximum(starts, np.floor(starts + 0.99 * (ends - starts - 1)).astype(np.int64))
    found = values[order][np.minimum(at, len(values) - 1)]
    return np.where(ends > starts, found, 0.0)


def _read_trace(path: Path) -> tuple[Array, Array]:
    """Seconds from the first request, and tokens in and out."""
    times, tokens = [], []
    with path.open() as file:
        if path.suffix == ".csv":
            for row in csv.DictReader(file):
                times.append(datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp())
                tokens.append(float(row["ContextTokens"]) + float(row["GeneratedTokens"]))
        else:
            for line in file:
                call = json.loads(line)
                times.append(call["timestamp"] / 1000)
                tokens.append(float(call["input_length"] + call["output_length"]))
    at = np.array(times)
    order = np.argsort(at, kind="stable")
    return at[order] - at.min(), np.maximum(np.array(tokens)[order], 1.0)
