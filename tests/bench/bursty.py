"""Drops, surges and quiet weeks of bursty clients: `python -m tests.bench.bursty`.

Real clients (ServeGen: Xiang et al., "ServeGen: Workload characterization and generation of large language model serving in production",
2025), each 600 s a renewal process with the recorded rate and distribution: a series is never stretched, and the recorded rate says what
was a lull. No parameter is fitted to clients and none learns from another; the constants of agents/detectors/spells.py were chosen while
looking at seed 0 of these clients: other seeds, and other clients, say more. A week is for learning, a week judged. Beside it on the
same buckets, tests/bench/anomaly.py's *z-score* and *3 x mean*.

*False pages* and *tickets*: alarms of too little traffic, per week and series, while the service was not away for all; in brackets those
while the recorded rate stayed above 30% of what it was in the hour before, and what that is at most with 95% confidence (Garwood, 1936).
*Drops*: to 20% for an hour, at least 30 requests a minute recorded. *Away*: the service was, for most clients at once. *Surges*: ten and
thirty times the mean of the hour before, for twenty minutes; *severe* are those that can be a ticket or a page (agents/anomaly/report.py).
Delays in seconds from the first request that is missing or too many, with the 30 s for which a bucket waits.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import gamma, nan
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2

from agents.anomaly.settings import AnomalySettings
from agents.detectors.counts import CountTest
from agents.detectors.pace import PER_DAY, SECONDS
from tests.bench import smoke
from tests.bench.anomaly import _shared, three_times_mean, z_score
from tests.bench.anomaly_bound import SETTLE
from tests.bench.anomaly_streams import MONDAY, Array, Stream, _away, _rows

Counts = npt.NDArray[np.int64]
WINDOW = 600 // SECONDS
"""Buckets for which a rate is recorded."""
LEARN = 7 * PER_DAY
LOW = 0.3
"""A recorded rate below this share of the hour's before is a lull."""
DROP, SURGE = 3600 // SECONDS, 1200 // SECONDS
LEAST = 30.0
"""Requests a minute of a client whose drops are counted."""
_POINTS = 6_000
"""Arrivals of a window that are drawn one by one; of more, sums of neighbours are."""
_HEAVY = 0.7
"""Shape of a Weibull distribution below which sums of many gaps are not drawn as one."""


class Client(NamedTuple):
    """``rates``: recorded, requests a minute, for each 600 s; ``kinds`` and ``shapes`` of the gaps between requests."""

    name: str
    rates: Array
    kinds: Sequence[str]
    shapes: Array

    @classmethod
    def read(cls, path: Path) -> Client:
        rows = _rows(path)
        shapes = np.array([float(row[4]) if row[4] else 1.0 for row in rows])
        return cls(path.stem.split("-")[1], np.array([float(row[1]) for row in rows]) * 60, [row[3] for row in rows], shapes)


class Alarm(NamedTuple):
    """In buckets: begin and end; ``sure``: when it became one that pages (or a surge of which severity follows money), if it did."""

    up: bool
    start: int
    end: int
    sure: int | None


@dataclass
class Found:
    """What one method made of one client. Delays are in seconds; None: missed."""

    name: str
    weeks: float
    pages: int = 0
    tickets: int = 0
    false_pages: int = 0
    false_tickets: int = 0
    drops: list[float | None] = field(default_factory=list)
    away: list[float | None] = field(default_factory=list)
    surges: list[float | None] = field(default_factory=list)
    severe: int = 0
    ends: list[float] = field(default_factory=list)
    """Seconds by which alarms of surges outlive them."""


def arrivals(client: Client, rng: np.random.Generator) -> Counts:
    """Requests of each bucket."""
    windows = [
        _window(rng, rate * 10, kind, shape) for rate, kind, shape in zip(client.rates, client.kinds, client.shapes.tolist(), strict=True)
    ]
    return np.concatenate(windows)


def _window(rng: np.random.Generator, expected: float, kind: str, shape: float) -> Counts:
    if expected <= 0:
        return np.zeros(WINDOW, dtype=np.int64)
    together = max(1, int(expected // _POINTS))
    if kind == "Weibull" and shape < _HEAVY and expected < 60_000 * min(together, 8):
        together = min(together, 8)
    gaps = expected / together
    size, begin, times = int(gaps * 1.02) + 20, 0.0, list[Array]()
    while begin < 600 and len(times) < 1_000:
        times.append(begin + np.cumsum(_gaps(rng, kind, shape, size, together)) * 600 / gaps)
        begin = float(times[-1][-1])
    at = np.concatenate(times)
    return np.bincount((at[at < 600] // SECONDS).astype(np.int64), minlength=WINDOW) * together


def _gaps(rng: np.random.Generator, kind: str, shape: float, size: int, together: int) -> Array:
    """Means of so many gaps whose own mean is 1."""
    if kind == "Gamma":
        return rng.standard_gamma(shape * together, size) / (shape * together)
    mean = gamma(1 + 1 / shape)
    if together == 1 or shape < _HEAVY:
        each = min(together, 8)
        return np.asarray(rng.weibull(shape, size * each).reshape(size, each).mean(axis=1) / mean)
    alike = together / (gamma(1 + 2 / shape) / mean**2 - 1)
    return rng.standard_gamma(alike, size) / alike


def mirante(counts: Counts) -> list[Alarm]:
    """What the detector of the agent `anomaly` tells of traffic."""
    test, found = CountTest(AnomalySettings().page_evidence), list[Alarm]()
    on: dict[bool, list[int | None]] = {}
    for number, count in enumerate(counts.tolist()):
        score = test.update(MONDAY + number * SECONDS, count)
        pages = test.silent and score.value < 0.1 * score.expected
        for up, active, sure in ((True, test.up.active, test.surging), (False, test.down.active, pages)):
            if active:
                alarm = on.setdefault(up, [number, None])
                alarm[1] = number if sure and alarm[1] is None else alarm[1]
            elif up in on:
                begin, page = on.pop(up)
                found.append(Alarm(up, begin or 0, number, page))
    return found + [Alarm(up, begin or 0, len(counts), page) for up, (begin, page) in on.items()]


def _simple(method: Callable[[Stream], list[object]], counts: Counts) -> list[Alarm]:
    """A baseline knows no severities and no direction: what it tells is both."""
    alarms = method(Stream("", MONDAY, LEARN, [], metrics={"requests": counts.astype(float)}))
    found = []
    for alarm in alarms:
        start, end = (int((getattr(alarm, name) - SETTLE) // SECONDS) - 1 for name in ("start", "end"))
        found += [Alarm(up, start, end + 1, None) for up in (True, False)]
    return found


METHODS: dict[str, Callable[[Counts], list[Alarm]]] = {
    "mirante": mirante,
    "z-score": partial(_simple, z_score),  # type: ignore[arg-type]
    "3 x mean": partial(_simple, three_times_mean),  # type: ignore[arg-type]
}


def _delay(alarms: Sequence[Alarm], up: bool, start: int, end: int) -> tuple[float | None, Alarm | None]:
    hit = min((alarm for alarm in alarms if alarm.up == up and start <= alarm.start < end), default=None, key=lambda alarm: alarm.start)
    return (None, None) if hit is None else ((hit.start + 1 - start) * SECONDS + SETTLE, hit)


def measured(client: Client, away: Sequence[tuple[int, int]], seed: int) -> dict[str, Found]:
    rng = np.random.default_rng([seed, sum(client.name.encode())])
    usual = arrivals(client, rng)
    lowered, drops = usual.copy(), list[int]()
    raised, surges = usual.copy(), list[tuple[int, int]]()
    for day in (7, 9, 12):
        if (start := _moment(rng, client, away, day, LEAST)) is not None:
            lowered[start : start + DROP] = rng.binomial(lowered[start : start + DROP], 0.2)
            drops.append(start)
    for day, factor in ((8, 10), (11, 30)):
        if (start := _moment(rng, client, away, day, 0.0)) is not None:
            mean = max(0.05, float(usual[start - 120 : start].mean()))
            raised[start : start + SURGE] = rng.poisson(factor * mean, SURGE)
            surges.append((start, start + SURGE))
    return {name: _judged(client, method, usual, lowered, drops, raised, surges, away) for name, method in METHODS.items()}


def _moment(rng: np.random.Generator, client: Client, away: Sequence[tuple[int, int]], day: int, least: float) -> int | None:
    for _ in range(50):
        start = day * PER_DAY + int(rng.integers(0, PER_DAY - 2 * DROP))
        quiet = all(end + 2 * DROP < start or start + 2 * DROP < begin for begin, end in away)
        if quiet and client.rates[start // WINDOW - 6 : start // WINDOW + 7].min() >= least:
            return start
    return None


def _judged(
    client: Client,
    method: Callable[[Counts], list[Alarm]],
    usual: Counts,
    lowered: Counts,
    drops: Sequence[int],
    raised: Counts,
    surges: Sequence[tuple[int, int]],
    away: Sequence[tuple[int, int]],
) -> Found:
    found, alarms = Found(client.name, (len(usual) - LEARN) / PER_DAY / 7), method(usual)
    for alarm in alarms:
        if alarm.up or alarm.end < LEARN or any(begin <= alarm.end and alarm.start <= end + WINDOW for begin, end in away):
            continue
        lull = _recorded_lull(client.rates, alarm)
        if alarm.sure is None:
            found.tickets, found.false_tickets = found.tickets + 1, found.false_tickets + (not lull)
        else:
            found.pages, found.false_pages = found.pages + 1, found.false_pages + (not lull)
    found.away = [_delay(alarms, False, begin - WINDOW, end)[0] for begin, end in away]
    found.away = [None if delay is None else max(60.0, delay - WINDOW * SECONDS) for delay in found.away]
    alarms = method(lowered)
    found.drops = [_delay(alarms, False, start, start + DROP)[0] for start in drops]
    alarms = method(raised)
    for start, end in surges:
        delay, told = _delay(alarms, True, start, end)
        found.surges.append(delay)
        if told is not None:
            found.severe += told.sure is not None
            found.ends.append(max(0.0, (told.end - end) * SECONDS))
    return found


def _recorded_lull(rates: Array, alarm: Alarm) -> bool:
    first, last = max(0, alarm.start // WINDOW - 1), alarm.end // WINDOW + 1
    before = rates[max(0, first - 6) : max(1, first)].mean()
    return bool(rates[first:last].min() < LOW * before)


def gaps(clients: Sequence[Client]) -> list[tuple[int, int]]:
    """Buckets in which most clients record next to nothing of what was in their hour before."""
    away = np.array([_away(client.rates.tolist()) for client in clients]).mean(axis=0) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], away, [0]]))).reshape(-1, 2) * WINDOW
    return [(int(start), int(end)) for start, end in edges if start >= LEARN]


def made_up(days: int) -> Client:
    """A bursty client with a day and a night, for the smoke mode."""
    hours = np.arange(days * 144) / 6
    rates = 60 * (1 + 0.7 * np.cos((hours - 14) * 2 * np.pi / 24))
    return Client("made-up", rates, ["Weibull"] * len(rates), np.full(len(rates), 0.6))


def _weekly(count: int, of: int, weeks: float) -> str:
    most = float(chi2.ppf(0.95, 2 * count + 2)) / 2 / weeks
    return f"{of / weeks:.2f} ({count / weeks:.2f}, < {most:.2f})"


def _share(delays: Sequence[float | None], within: float) -> str:
    return f"{sum(delay is not None and delay <= within for delay in delays)}/{len(delays)}"


def _median(delays: Sequence[float | None]) -> str:
    hits = [delay for delay in delays if delay is not None]
    return f"{np.median(hits):.0f}" if hits else "-"


def show(console: Console, results: Sequence[dict[str, Found]], each: bool) -> None:
    table = Table(title="bursty clients")
    columns = (
        "method",
        "weeks",
        "pages",
        "tickets",
        "drops in 10 min",
        "delay",
        "away",
        "delay",
        "surges in 3 min",
        "severe",
        "ends within 2 min",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in METHODS:
        of = [result[method] for result in results]
        for name, group in [*((one.name, [one]) for one in of if each and method == "mirante"), (method, of)]:
            weeks = sum(one.weeks for one in group)
            drops, away, surges = ([d for one in group for d in getattr(one, what)] for what in ("drops", "away", "surges"))
            ends = [end for one in group for end in one.ends]
            table.add_row(
                name,
                f"{weeks:.0f}",
                _weekly(sum(one.false_pages for one in group), sum(one.pages for one in group), weeks),
                _weekly(sum(one.false_tickets for one in group), sum(one.tickets for one in group), weeks),
                _share(drops, 600.0),
                _median(drops),
                _share(away, nan if not away else 3600.0),
                _median(away),
                _share(surges, 180.0),
                str(sum(one.severe for one in group)),
                _share(ends, 120.0),
            )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the arrivals: as many times the series-weeks (default 0)")
    parser.add_argument("--clients", nargs="+", help="only these, such as 54 (default all)")
    parser.add_argument("--each", action="store_true", help="a line for each client, too")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    args = smoke.parse(parser, clients=[], workers=1)
    console, began = Console(width=170), time.monotonic()
    paths = sorted((_shared() / "servegen" / "m-mid").glob("*.csv"))
    clients = [Client.read(path) for path in paths]
    away = gaps(clients) if clients else []
    if args.smoke or not clients:
        if not clients:
            console.print(f"left out: the shared data are not there (MIRANTE_SHARED names their folder, now {os.fspath(_shared())})")
        chosen, away = [made_up(13)], []
    else:
        chosen = [client for client in clients if not args.clients or client.name in args.clients]
    with ProcessPoolExecutor(args.workers) as pool:
        jobs = [pool.submit(measured, client, away, seed) for seed in args.seeds for client in chosen]
        show(console, [job.result() for job in jobs], args.each)
    console.print(f"{len(chosen)} clients, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
