"""How well anomalies are found, and how often nothing is. Run it: `python -m tests.bench.anomaly`.

Without options: generated LLM traffic with known incidents, and the real traces (if the shared data are there) with injected ones; for
the detectors of the agent `anomaly` and, on sessions that loop, that of `budgets`; and in the same run for two baselines on the same
buckets of 30 s:

- *z-score*: a metric is more than 4 standard deviations from its mean of the last day;
- *3 x mean*: a metric is more than three times its mean of the last 7 days, or traffic less than a third.

*Recall*: incidents found under a name that fits. *Precision*: alarms that overlap an incident. *Delay*: from the incident's first second
until the alarm (the end of what was looked at and 30 s until it is judged). *In time*: within two minutes, or the creep's first day.
*Best possible*: how many incidents a test could find in time that knows when and what they are, with as few false alarms
(tests/bench/anomaly_bound.py). *False alarms*: at no incident, per
week of 100 series, with what they are at most with 95% confidence (Poisson: Garwood, Biometrika 1936); *pages* are those that would wake
somebody. The baselines know no severities: theirs are tickets, and one of their many false alarms that falls into an incident counts as
found.

With `--csv DIR --out DIR`: the point-anomaly core over every `timestamp,value` CSV below DIR; writes `timestamp,value,anomaly_score` to
the same path below the other folder. One threshold fits all files: 0.5.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import chi2

from agents.anomaly.monitor import NAMES, Condition, Kind, SeriesMonitor
from agents.anomaly.report import severity
from agents.anomaly.settings import AnomalySettings
from agents.budgets.recent import Lap
from agents.budgets.rules import RunawayTable
from agents.budgets.runaway import find_loop
from agents.detectors.pace import PER_DAY, PER_HOUR, PER_MINUTE, SECONDS, STEP
from deploy.cli.anomaly import scored
from schemas.outputs import Severity
from tests.bench import smoke
from tests.bench.anomaly_bound import SETTLE, best_possible, halfway, seen, soon
from tests.bench.anomaly_streams import EACH, FOUND_BY, JOINT, JOINTLY, LASTS, Array, Incident, Stream, generated, served, traced, usual

T = TypeVar("T")
AFTER = 900.0
"""Seconds after an incident during which an alarm still belongs to it: things return to normal."""
URGENT: tuple[Severity, ...] = ("page", "ticket", "info")
METRIC_OF = {
    "cost": "CostAnomaly",
    "requests": "TrafficAnomaly",
    "refusals": "RefusalRate",
    "errors": "ErrorRate",
    "latency": "LatencyAnomaly",
}
NAME_OF = {kind: JOINTLY if kind == "joint" else name for kind, name in NAMES.items()}


class Alarm(NamedTuple):
    name: str
    start: float
    """Seconds after the stream's start at which it was raised."""
    end: float
    severity: Severity = "ticket"


class Outcome(NamedTuple):
    """``delay``: in seconds, None if it was missed; ``rate``: requests per minute in the hour before; ``best``: the chance of the best test
    to find it in time, if that is known."""

    incident: Incident
    delay: float | None
    rate: float
    best: float | None


@dataclass
class Result:
    """What one method made of one stream."""

    incidents: list[Outcome] = field(default_factory=list)
    right: int = 0
    wrong: list[Alarm] = field(default_factory=list)
    buckets: int = 0


class Watch:
    """The agent's detectors of one series, and what they raise."""

    def __init__(self, settings: AnomalySettings) -> None:
        self._settings = settings
        self._monitor = SeriesMonitor.of(settings, whole=True)
        self._held: dict[Kind, Alarm] = {}
        self._over: list[Alarm] = []
        self._first: float | None = None

    def see(self, stream: Stream) -> None:
        """What follows. Alarms count from the start of the first stream seen."""
        whole = self._first is not None  # the very first bucket is not
        first = self._first = stream.start if self._first is None else self._first
        for number, bucket in enumerate(stream.buckets):
            start = stream.start + number * float(SECONDS)
            for step in range(1, EACH) if self._monitor.suspicious else ():
                for condition in self._monitor.look(start, stream.part(number, step), step * STEP):
                    self._raise(condition, start + step * STEP + SETTLE - first)
            now = start + SECONDS + SETTLE - first
            found = self._monitor.update(start, bucket) if number or whole else []
            for kind in self._held.keys() - {condition.kind for condition in found}:
                self._over.append(self._held.pop(kind)._replace(end=now))
            for condition in found:
                self._raise(condition, now)

    def _raise(self, condition: Condition, now: float) -> None:
        urgent = severity(condition, self._settings)
        alarm = self._held.setdefault(condition.kind, Alarm(NAME_OF[condition.kind], now, inf, urgent))
        self._held[condition.kind] = alarm._replace(severity=min(alarm.severity, urgent, key=URGENT.index))

    @property
    def alarms(self) -> list[Alarm]:
        return [*self._over, *self._held.values()]


def monitored(stream: Stream, settings: AnomalySettings) -> list[Alarm]:
    """What the agents raise."""
    watch = Watch(settings)
    watch.see(stream)
    return [*watch.alarms, *(alarm for laps in stream.loops if (alarm := _looping(laps)) is not None)]


def quiet(seed: int, settings: AnomalySettings, weeks: int) -> Result:
    """Of a series without incidents; the first 7 days are for learning."""
    watch = Watch(settings)
    for stream in usual(seed, weeks=weeks, learn_days=7):
        watch.see(stream)
    wrong = [alarm for alarm in watch.alarms if alarm.end >= 7 * PER_DAY * SECONDS and alarm.severity != "info"]
    return Result(wrong=wrong, buckets=(weeks - 1) * 7 * PER_DAY)


def _looping(laps: list[tuple[int, Lap]]) -> Alarm | None:
    """When the agent ``budgets`` reports a session; what it has used is known when the 10 s are over, at the latest."""
    rule = RunawayTable()
    ends = (window + 10 for window, _ in laps)
    found = next((end for end in ends if find_loop([lap for lap in laps if lap[0] < end], end, rule) is not None), None)
    return None if found is None else Alarm("RunawayLoop", float(found), float(laps[-1][0]), rule.severity)


def z_score(stream: Stream) -> list[Alarm]:
    def odd(x: Array) -> Array:
        mean, square = _trailing(x, PER_DAY), _trailing(x * x, PER_DAY)
        return np.abs(x - mean) > 4 * np.sqrt(np.maximum(square - mean**2, 1e-12))

    return [alarm for metric, x in stream.metrics.items() for alarm in _raised(METRIC_OF[metric], odd(x))]


def three_times_mean(stream: Stream) -> list[Alarm]:
    alarms = []
    for metric, x in stream.metrics.items():
        mean = _trailing(x, 7 * PER_DAY)
        alarms += _raised(METRIC_OF[metric], (x < mean / 3) if metric == "requests" else (x > 3 * mean))
    return alarms


def _trailing(x: Array, width: int) -> Array:
    """Mean of the ``width`` values before each (of as many as there are)."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    at = np.arange(len(x))
    low = np.maximum(0, at - width)
    return (sums[at] - sums[low]) / np.maximum(at - low, 1)


def _raised(name: str, odd: Array) -> list[Alarm]:
    """Alarms of a rule that looks at single buckets; less than a quarter of an hour apart they are one."""
    alarms: list[Alarm] = []
    for number in np.flatnonzero(odd).tolist():
        now = number * float(SECONDS) + SECONDS + SETTLE
        if alarms and now - alarms[-1].end <= 900:
            alarms[-1] = alarms[-1]._replace(end=now)
        else:
            alarms.append(Alarm(name, now, now))
    return alarms


def judged(stream: Stream, alarms: Iterable[Alarm], settings: AnomalySettings) -> Result:
    alarms = sorted(a for a in alarms if a.end >= stream.learn * SECONDS)
    result = Result(buckets=len(stream.buckets) - stream.learn)
    for incident in stream.incidents:
        fitting = [
            a.start - incident.start
            for a in alarms
            if a.name in FOUND_BY[incident.kind] and incident.start < a.start <= incident.end + SETTLE + 60
        ]
        first = int(incident.start // SECONDS)
        rate = float(np.mean(stream.metrics["requests"][max(0, first - PER_HOUR) : first])) * PER_MINUTE
        best = best_possible(stream, incident.kind, _seen(stream, incident, rate), settings)
        result.incidents.append(Outcome(incident, min(fitting, default=None), rate, best))
    for alarm in alarms:
        if any(i.start < alarm.end and alarm.start <= i.end + AFTER for i in stream.incidents):
            result.right += alarm.severity != "info"
        elif alarm.severity != "info":
            result.wrong.append(alarm)
    return result


def _seen(stream: Stream, incident: Incident, rate: float) -> int:
    """Requests of an incident that a test can have seen in time."""
    if incident.kind == "traffic_drop":
        return round(rate * seen(incident.kind) / 60)
    first, step = int(incident.start // SECONDS), int(incident.start % SECONDS // STEP)
    last = first + int(seen(incident.kind)) // SECONDS
    count = sum(bucket.requests for bucket in stream.buckets[first:last])
    return count + stream.part(last, step).requests - stream.part(first, step).requests


METHODS: dict[str, Callable[[Stream], list[Alarm]]] = {"z-score": z_score, "3 x mean": three_times_mean}


def measured(make: Callable[[], Stream], settings: AnomalySettings) -> dict[str, Result]:
    """Every method on one stream, which is made here: it is large."""
    stream = make()
    alarms = monitored(stream, settings)
    results = {"mirante": judged(stream, alarms, settings)}
    if any(incident.kind in JOINT for incident in stream.incidents):
        results["single metrics"] = judged(stream, [alarm for alarm in alarms if alarm.name != JOINTLY], settings)
    return results | {name: judged(stream, method(stream), settings) for name, method in METHODS.items()}


def _delay(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    middle, most = statistics.median(seconds), max(seconds)
    return f"{middle / 3600:.0f} h / {most / 3600:.0f} h" if middle > 7200 else f"{middle:.0f} s / {most:.0f} s"


def _weekly(count: int, weeks: float) -> str:
    """Events, their rate per week and 100 series, and the most it is with 95% confidence."""
    return f"{count}: {100 * count / weeks:.2g} (< {100 * float(chi2.ppf(0.95, 2 * count + 2)) / 2 / weeks:.2g})"


def _range(rates: Sequence[float]) -> str:
    return f"{min(rates):.0f} to {max(rates):.0f}"


def show(console: Console, title: str, results: Sequence[dict[str, Result]]) -> None:
    incidents = Table(title=f"{title}: incidents")
    for column in ("method", "incident", "found", "in time", "best possible", "delay median / most", "requests/min before"):
        incidents.add_column(column, justify="left" if column in ("method", "incident") else "right")
    summary = Table(title=f"{title}: summary")
    for column in ("method", "recall", "precision", "series-weeks", "false pages", "false tickets", "which"):
        summary.add_column(column, justify="left" if column in ("method", "which") else "right")
    for method in results[0]:
        of = [r[method] for r in results]
        found = [outcome for r in of for outcome in r.incidents]
        for kind in FOUND_BY:
            delays = [outcome.delay for outcome in found if outcome.incident.kind == kind]
            rates = [outcome.rate for outcome in found if outcome.incident.kind == kind]
            hits = [delay for delay in delays if delay is not None]
            if delays:
                punctual = sum(delay <= soon(kind) for delay in hits)
                best = [outcome.best for outcome in found if outcome.incident.kind == kind and outcome.best is not None]
                possible = f"{sum(best):.1f}" if best and method == "mirante" else ""
                shares = [f"{count}/{len(delays)}" for count in (len(hits), punctual)]
                incidents.add_row(method, kind, *shares, possible, _delay(hits), _range(rates))
        wrong, right = [alarm for r in of for alarm in r.wrong], sum(r.right for r in of)
        weeks = sum(r.buckets for r in of) / (7 * PER_DAY)
        recall = sum(outcome.delay is not None for outcome in found) / len(found) if found else 0.0
        precision = right / (right + len(wrong)) if right + len(wrong) else 0.0
        names = [alarm.name for alarm in wrong]
        which = ", ".join(f"{name} {names.count(name)}" for name in sorted(set(names)))
        pages = sum(alarm.severity == "page" for alarm in wrong)
        summary.add_row(
            method,
            f"{recall:.0%}" if found else "-",
            f"{precision:.0%}" if found else "-",
            f"{weeks:.0f}",
            _weekly(pages, weeks),
            _weekly(len(wrong) - pages, weeks),
            which,
        )
    console.print(incidents if any(r.incidents for r in results[0].values()) else "")
    console.print(summary)


def followed(title: str, count: int, results: Iterable[T]) -> Iterable[T]:
    """The results, while standard error shows how many there are."""
    return track(results, title, total=count, console=Console(stderr=True), transient=True)


def _shared() -> Path:
    return Path(os.environ.get("MIRANTE_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def _traces() -> list[Path]:
    names = (
        "azure_llm_2023/AzureLLMInferenceTrace_conv.csv",
        "azure_llm_2023/AzureLLMInferenceTrace_code.csv",
        "mooncake/conversation_trace.jsonl",
    )
    return [path for name in names if (path := _shared() / name).exists()]


def _clients() -> list[Path]:
    return sorted((_shared() / "servegen" / "m-mid").glob("*.csv"))


def bench(args: argparse.Namespace) -> None:
    console, settings, began = Console(width=140), AnomalySettings(false_alarms=args.false_alarms), time.monotonic()
    seed = args.seed
    groups: dict[str, list[Callable[[], Stream]]] = {
        "generated": [partial(generated, seed + n, days=args.days, learn_days=8, incidents=LASTS) for n in range(args.series)],
        **{
            f"busy ({rate:,} requests a minute)": [
                partial(generated, seed + first + n, days=args.busy_days, learn_days=2, incidents=LASTS, per_minute=rate)
                for n in range(args.series // 2)
            ]
            for rate, first in ((600, 5000), (1500, 3000))
        },
        "slow creep": [
            partial(generated, seed + 1000 + n, days=args.days, learn_days=8, incidents=None, creep=True) for n in range(args.series // 2)
        ],
        "joint change": [
            partial(generated, seed + 4000 + n, days=args.days, learn_days=8, incidents=JOINT) for n in range(args.series // 2)
        ],
        "usual traffic": [partial(generated, seed + 2000 + n, days=21, learn_days=8, incidents=None) for n in range(args.series // 2)],
        "served clients (real arrivals; the service was away at times)": [partial(served, path, seed) for path in _clients()],
        "real traces": [partial(traced, path, seed + n) for path in _traces() for n in range(3)],
    }
    with ProcessPoolExecutor(args.workers) as pool:
        for title, makers in groups.items():
            if args.groups and not any(title.startswith(name) for name in args.groups):
                continue
            if makers:
                show(console, title, list(followed(title, len(makers), pool.map(partial(measured, settings=settings), makers))))
            elif title.startswith(("real", "served")):
                console.print(f"{title}: left out, the shared data are not there (MIRANTE_SHARED names their folder)")
        if args.quiet and (not args.groups or "quiet" in args.groups):
            seeds = range(seed + 20_000, seed + 20_000 + args.quiet)
            watched = pool.map(partial(quiet, settings=settings, weeks=args.quiet_weeks), seeds)
            found = list(followed("usual traffic for long", len(seeds), watched))
            show(console, "usual traffic for long", [{"mirante": result} for result in found])
    steady = Stream("steady", 0.0, 0, [])
    half = ", ".join(f"{kind} {halfway(kind, steady, settings):.0f}" for kind in ("refusal_2_to_6", "latency_tail_x2", "provider_outage"))
    console.print(f"best possible: half of them within two minutes from so many requests a minute on: {half}")
    console.print(f"false alarms aimed at: {100 * args.false_alarms:g} per week of 100 series; {time.monotonic() - began:.0f} s")


def score_folder(source: Path, target: Path) -> int:
    """Score every CSV below ``source``; returns how many. A row is scored before the next is read."""
    paths = sorted(source.rglob("*.csv"))
    for path in paths:
        out = target / path.relative_to(source)
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "value", "anomaly_score"])
            writer.writerows((row.timestamp, row.value, f"{row.score:.6f}") for row in scored(path))
    return len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, help="folder of timestamp,value CSVs to score")
    parser.add_argument("--out", type=Path, help="folder for the scored CSVs")
    parser.add_argument("--series", type=int, default=8, help="generated series with incidents (default 8)")
    parser.add_argument("--quiet", type=int, default=75, help="generated series without incidents, for false alarms (default 75)")
    parser.add_argument("--days", type=int, default=14, help="days of a series, of which the first 8 are for learning (default 14)")
    parser.add_argument("--busy-days", type=int, default=4, help="days of the busy series, of which 2 are for learning (default 4)")
    parser.add_argument("--quiet-weeks", type=int, default=5, help="weeks of those, of which one is for learning (default 5)")
    parser.add_argument("--seed", type=int, default=77_000, help="first seed; the detectors were developed on seeds below 10000")
    parser.add_argument("--false-alarms", type=float, default=0.01, help="expected per week and series (default 0.01)")
    groups = ("generated", "busy", "slow", "joint", "usual", "quiet", "served", "real")
    parser.add_argument("--groups", nargs="+", choices=groups, help="only these (default all)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    args = smoke.parse(parser, series=1, quiet=0, days=9, busy_days=3, groups=["generated"], workers=1)
    if (args.csv is None) != (args.out is None):
        parser.error("--csv and --out belong together")
    if args.csv is None:
        bench(args)
    elif not args.csv.is_dir():
        parser.error(f"{args.csv} is not a folder")
    else:
        print(f"{score_folder(args.csv, args.out)} files scored")


if __name__ == "__main__":
    main()
