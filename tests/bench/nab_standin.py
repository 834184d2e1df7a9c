"""Series like those of the Numenta Anomaly Benchmark, generated: its families, lengths, sampling intervals and numbers of labelled windows.

Made from its published windows and what a page or two of a dozen of its files shows (no value is taken from them): machines that repeat
themselves nearly exactly until a spike towers over everything; a machine's temperature that fails slowly; taxi rides with daily and weekly
seasons and holidays; prices of advertisements; road traffic with gaps; counts of posts with bursts of any size; artificial days that miss
their jump. Every family also holds what is odd and not labelled: lone spikes, bursts, drifts.

Realistic is what treats detectors as NAB does (tests/bench/points.py prints it): that, and never our own detector's score, is what its
constants are checked by.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.bench.nab import Array, Labelled

_START = 1_396_310_400.0
"""2014-04-01 00:00 UTC, a Tuesday."""
_DAY = 86_400.0

_MISLABELLED = 0.08
"""Share of labels that lie where nothing is to be seen: people labelled what they saw, and saw other things."""
_LONG = 5_000
_MADE_UP = ("artificial_usual", "artificial")

Rng = np.random.Generator
Made = tuple[Array, list[int]]
"""Values, and the rows at which anomalies begin."""


def corpus(seed: int, *, scale: float = 1.0) -> list[Labelled]:
    """58 series; ``scale`` shortens the long ones. The same seed gives the same series."""
    found = []
    for family, step, series in _FAMILIES:
        for number, (make, full, count) in enumerate(series):
            rng = np.random.default_rng([seed, len(found)])
            n = int(full * scale) if full > _LONG else full
            times = _START + np.arange(n) * step
            if family == "traffic":
                times = times + np.cumsum(np.where(rng.random(n) < 0.02, rng.uniform(0, 6 * 3600, n), rng.uniform(0, 60, n)))
            values, rows = make(rng, times, count)
            if family not in _MADE_UP:
                values = values + _wander(rng, values)
                rows = [int(rng.uniform(0.2, 0.95) * n) if rng.random() < _MISLABELLED else row for row in rows]
            found.append(Labelled(f"{family}/{make.__name__}_{number}", times, values, _windows(rows, n)))
    return found


def _windows(rows: list[int], n: int) -> tuple[tuple[int, int], ...]:
    """A tenth of the file, shared by its anomalies, each in the middle of its window."""
    half = int(0.05 * n / max(len(rows), 1))
    windows: list[tuple[int, int]] = []
    for row in sorted(rows):
        first, last = max(0, row - half), min(n - 1, row + half)
        if windows and first <= windows[-1][1]:
            first = windows[-1][1] + 1
        windows.append((first, last))
    return tuple(windows)


def _wander(rng: Rng, values: Array) -> Array:
    """Changes nobody labels: the level wanders by some of the series' spread, and steps once or twice."""
    n = len(values)
    low, high = np.quantile(values, [0.1, 0.9])
    spread = max(high - low, 1e-9)
    slow = np.interp(np.arange(n), np.linspace(0, n, 12), np.cumsum(rng.normal(0, 0.12, 12)))
    steps = np.zeros(n)
    for _ in range(rng.poisson(0.3)):
        steps[int(rng.integers(0, n)) :] += rng.uniform(-0.5, 0.5)
    return np.asarray(np.where(values > 0, (slow + steps) * spread, 0.0)) if low > spread else np.zeros(n)


def _places(rng: Rng, n: int, count: int, *, length: int = 0) -> list[int]:
    """Rows for anomalies: behind the probation and well apart."""
    low, high = int(0.22 * n), int(0.96 * n) - length
    width = (high - low) / count
    return [int(low + width * (k + rng.uniform(0.15, 0.85))) for k in range(count)]


def _noise(rng: Rng, n: int, memory: float) -> Array:
    """Autocorrelated, variance 1."""
    white = rng.normal(0, 1, n)
    out = np.empty(n)
    last = white[0]
    for at in range(n):
        last = memory * last + (1 - memory**2) ** 0.5 * white[at]
        out[at] = last
    return out


def _daily(times: Array, peak: float, power: float = 1.0) -> Array:
    """0 to 1, highest at ``peak`` o'clock."""
    wave = 0.5 + 0.5 * np.cos((times / 3600 - peak) * 2 * np.pi / 24)
    return np.asarray(wave**power)


def _weekend(times: Array) -> Array:
    return np.asarray(((times // _DAY + 3) % 7 >= 5).astype(float))


def _odd(rng: Rng, values: Array, count: float, size: tuple[float, float], scale: float) -> None:
    """Unlabelled lone spikes: a Poisson number of them."""
    for _ in range(rng.poisson(count)):
        at = int(rng.integers(0, len(values)))
        values[at : at + int(rng.integers(1, 4))] += rng.uniform(*size) * scale


# Artificial


def flat(rng: Rng, times: Array, count: int) -> Made:
    return np.full(len(times), 45.0), []


def noisy(rng: Rng, times: Array, count: int) -> Made:
    return 20 + rng.uniform(-3, 3, len(times)), []


def _square(rng: Rng, times: Array, noise: float) -> Array:
    hour = times / 3600 % 24
    return np.where((hour >= 9) & (hour < 18), 80.0, 20.0) + rng.uniform(-noise, noise, len(times))


def days_exact(rng: Rng, times: Array, count: int) -> Made:
    return _square(rng, times, 0.0), []


def days_small_noise(rng: Rng, times: Array, count: int) -> Made:
    return _square(rng, times, 1.0), []


def days_noise(rng: Rng, times: Array, count: int) -> Made:
    return _square(rng, times, 8.0), []


def _one_day(rng: Rng, times: Array, change: Callable[[Array], Array]) -> Made:
    values = _square(rng, times, rng.uniform(3, 8))
    day = int(rng.integers(8, 13))
    first = day * 288 + 9 * 12
    values[first : first + 9 * 12] = change(values[first : first + 9 * 12])
    return values, [first]


def day_flat(rng: Rng, times: Array, count: int) -> Made:
    return _one_day(rng, times, lambda v: v * 0 + rng.uniform(20, 80))


def day_missing(rng: Rng, times: Array, count: int) -> Made:
    return _one_day(rng, times, lambda v: v - 60)


def day_higher(rng: Rng, times: Array, count: int) -> Made:
    return _one_day(rng, times, lambda v: v * rng.uniform(1.5, 2.0))


def day_lower(rng: Rng, times: Array, count: int) -> Made:
    return _one_day(rng, times, lambda v: v - 60 - rng.uniform(10, 20))


def spikes_denser(rng: Rng, times: Array, count: int) -> Made:
    n = len(times)
    first = int(rng.uniform(0.55, 0.8) * n)
    rate = np.where(np.arange(n) < first, 1 / 150, 1 / 12)
    return np.where(rng.random(n) < rate, 20.0, 0.0), [first]


def spikes_higher(rng: Rng, times: Array, count: int) -> Made:
    n = len(times)
    values = rng.uniform(0, 0.3, n) + (rng.random(n) < 0.03) * rng.uniform(0.5, 1.2, n)
    first = int(rng.uniform(0.5, 0.8) * n)
    values[first : first + 60] += (rng.random(60) < 0.5) * rng.uniform(1.5, 3.2, 60)
    return values, [first]


# Servers


def cpu_idle(rng: Rng, times: Array, count: int) -> Made:
    """Nearly constant, in coarse steps; lone spikes, of which the tallest are labelled, or a new level."""
    n = len(times)
    base = rng.uniform(0.05, 2)
    values = base * (1 + 0.015 * np.round(rng.standard_t(4, n)))
    values[:: int(rng.integers(60, 300))] *= rng.uniform(1.1, 1.5)
    _odd(rng, values, 10, (0.3, 4), base)
    rows = _places(rng, n, count) if count else []
    for row in rows:
        if rng.random() < 0.6:
            values[row : row + int(rng.integers(1, 6))] += base * rng.uniform(3, 17)
        else:
            values[row:] += base * rng.uniform(0.15, 0.5)
    return values, rows


def cpu_cycle(rng: Rng, times: Array, count: int) -> Made:
    """Jobs of which each takes some samples; a spike, a drop, or another level for hours."""
    n = len(times)
    level, phase = rng.uniform(35, 60), np.cumsum(2 * np.pi / rng.uniform(4, 8) * (1 + 0.1 * rng.normal(0, 1, n)))
    values = level + rng.uniform(2, 5) * np.sin(phase) + rng.normal(0, 1.2, n) + 1.5 * _noise(rng, n, 0.98)
    _odd(rng, values, 2, (6, 15), 1)
    rows = _places(rng, n, count, length=200)
    for row in rows:
        kind = rng.integers(0, 3)
        if kind == 0:
            values[row : row + int(rng.integers(1, 4))] += rng.uniform(10, 25)
        elif kind == 1:
            values[row : row + int(rng.integers(4, 40))] = rng.uniform(0, 15)
        else:
            values[row : row + int(rng.integers(60, 300))] += rng.uniform(8, 30)
    return np.clip(values, 0, 100), rows


def cpu_bursts(rng: Rng, times: Array, count: int) -> Made:
    """Idle, with a bump every hour and short jobs now and then; jobs without end, full load, or jobs where there were none."""
    n = len(times)
    values = rng.uniform(1.5, 4) * (1 + 0.04 * _noise(rng, n, 0.98)) + 0.2 * rng.normal(0, 1, n) * (np.arange(n) % 2)
    values[int(rng.integers(0, 12)) :: 12] += rng.uniform(1, 2)
    job = np.array([70.0, 54.0, 45.0])
    rows = _places(rng, n, count, length=60)
    first = rows[0] if rng.random() < 0.3 else 0
    for at in rng.integers(first, n - 3, rng.poisson((n - first) / 110)):
        values[at : at + 3] = job * rng.uniform(0.1, 1.05)
    for row in rows:
        span = int(rng.integers(4, 40))
        values[row : row + span] = rng.uniform(85, 99) if rng.random() < 0.4 else rng.uniform(35, 75, span)
    return np.clip(values, 0, 100), rows


def network_jobs(rng: Rng, times: Array, count: int) -> Made:
    """Bytes: the same jobs every hour, more in working hours; one job runs amok, or none runs."""
    n = len(times)
    base = np.exp(rng.uniform(10, 13))
    work = ((times / 3600 % 24 > 14) & (times / 3600 % 24 < 20)) * (1 - _weekend(times))
    values = base * (1 + 0.5 * work) * (1 + 0.05 * rng.normal(0, 1, n))
    height = base * rng.uniform(5, 15)
    for at in rng.choice(12, 2, replace=False):
        values[at::12] += height * (1 + 0.01 * rng.normal(0, 1, len(values[at::12])))
    for at in rng.integers(0, n, rng.poisson(8)):
        values[at] += height * rng.uniform(0.2, 1)
    rows = _places(rng, n, count, length=60)
    for row in rows:
        if rng.random() < 0.7:
            values[row : row + int(rng.integers(1, 6))] += height * rng.uniform(0.7, 3)
        else:
            values[row : row + 60] = base
    return values, rows


def network(rng: Rng, times: Array, count: int) -> Made:
    """Bytes: nearly none, and bursts every some hours; a higher one, or a longer one."""
    n = len(times)
    base = np.exp(rng.uniform(4, 9))
    values = base * np.exp(rng.normal(0, 0.3, n))
    at, every = 0, int(rng.integers(60, 160))
    while at < n - 10:
        values[at : at + int(rng.integers(3, 10))] *= rng.uniform(20, 60)
        at += int(every * rng.uniform(0.8, 1.2))
    rows = _places(rng, n, count, length=60)
    for row in rows:
        values[row : row + int(rng.integers(3, 30))] = base * rng.uniform(60, 250)
    return values, rows


def network_unseen(rng: Rng, times: Array, count: int) -> Made:
    """Bytes: nobody sees in this series what its labels mean."""
    n = len(times)
    return np.exp(rng.uniform(12, 16) + rng.normal(0, 0.4, n)) * (1 + _daily(times, 15)), _places(rng, n, count)


def disk_jobs(rng: Rng, times: Array, count: int) -> Made:
    """Zeros, and the same job some times a day; several at once."""
    n = len(times)
    values, job = np.zeros(n), np.exp(rng.uniform(17, 21)) * np.array([0.05, 0.1, 1.0, 0.08, 0.006])
    rows = _places(rng, n, count, length=40)
    starts = [*rng.integers(0, n - 5, rng.poisson(n / 120)), *(row + 6 * k for row in rows for k in range(int(rng.integers(4, 7))))]
    for at in starts:
        values[at : at + 5] = job * rng.uniform(0.9, 1.1, 5)
    for at in rng.integers(0, n, rng.poisson(n / 60)):
        values[at] += job[2] * 10 ** rng.uniform(-5, -2)
    return values, rows


def disk(rng: Rng, times: Array, count: int) -> Made:
    """Zeros, and writes now and then, of any size; a long series of large ones."""
    n = len(times)
    values = np.where(rng.random(n) < 0.05, np.exp(rng.normal(15, 1.0, n)), 0.0)
    rows = _places(rng, n, count, length=40)
    for row in rows:
        values[row : row + 24] = np.exp(rng.normal(16.5, 0.7, 24))
    return values, rows


def database(rng: Rng, times: Array, count: int) -> Made:
    """CPU of a database, in thirds: a towering spike and another level from then on, or twice the load for hours."""
    n = len(times)
    level = rng.uniform(5, 15)
    values = level + 0.5 * rng.normal(0, 1, n) + 0.02 * level * _noise(rng, n, 0.99)
    _odd(rng, values, 3, (1, 3), 1)
    rows = _places(rng, n, count, length=100)
    for row in rows:
        if rng.random() < 0.6:
            values[row : row + int(rng.integers(2, 5))] += level * rng.uniform(1, 5)
            values[row:] += level * rng.uniform(-0.1, 0.25)
        else:
            values[row : row + int(rng.integers(20, 100))] += level * rng.uniform(0.5, 2.5)
    return np.maximum(np.round(values * 3) / 3, 0), rows


def requests(rng: Rng, times: Array, count: int) -> Made:
    """Counts at a load balancer: by the hour, with overdispersion; floods and absences."""
    n = len(times)
    mean = 20 + 80 * _daily(times, 15, 2)
    rows = _places(rng, n, count, length=120)
    for row in rows:
        if rng.random() < 0.6:
            mean[row : row + int(rng.integers(2, 12))] += rng.uniform(150, 500)
        else:
            mean[row : row + int(rng.integers(40, 120))] *= 0.05
    values = rng.poisson(mean * rng.gamma(6, 1 / 6, n)).astype(float)
    _odd(rng, values, 3, (80, 200), 1)
    return values, rows


def cpu_group(rng: Rng, times: Array, count: int) -> Made:
    """CPU of a group of machines: steady; half the load for hours, or more than ever."""
    n = len(times)
    values = 33 + 1.5 * _noise(rng, n, 0.9) + rng.normal(0, 1, n) + 3 * _daily(times, 18)
    rows = _places(rng, n, count, length=60)
    for row in rows:
        span = int(rng.integers(3, 60))
        values[row : row + span] *= rng.uniform(0.4, 0.75) if rng.random() < 0.6 else rng.uniform(1.25, 1.5)
    return values, rows


def latency(rng: Rng, times: Array, count: int) -> Made:
    n = len(times)
    values = 45 + 1.5 * _noise(rng, n, 0.7) + rng.normal(0, 1, n)
    _odd(rng, values, 2, (4, 8), 1)
    rows = _places(rng, n, count, length=60)
    for row in rows:
        span = int(rng.integers(2, 40))
        values[row : row + span] += rng.uniform(8, 50) * rng.uniform(0.6, 1.4, span)
    return values, rows


# Known causes


def cpu_scaled(rng: Rng, times: Array, count: int) -> Made:
    """A group of machines that follows its load; then a wrong setting holds it at a level for days."""
    n = len(times)
    values = 30 + 35 * _daily(times, 17, 1.5) * (1 - 0.3 * _weekend(times)) + 5 * _noise(rng, n, 0.8) + 4 * rng.normal(0, 1, n)
    rows = [int(n * rng.uniform(0.7, 0.9))]
    span = int(n * 0.08)
    values[rows[0] : rows[0] + span] = 85 + 4 * rng.normal(0, 1, len(values[rows[0] : rows[0] + span]))
    return np.clip(values, 0, 100), rows


def room_temperature(rng: Rng, times: Array, count: int) -> Made:
    n = len(times)
    values = 70 + 2 * _noise(rng, n, 0.99) + 2.5 * _daily(times, 15) * (1 - 0.5 * _weekend(times)) + 0.5 * rng.normal(0, 1, n)
    rows = _places(rng, n, count, length=150)
    for row in rows:
        span = int(rng.integers(60, 150))
        values[row : row + span] -= rng.uniform(6, 11) * np.sin(np.linspace(0, np.pi, span))
    return values, rows


def machine_temperature(rng: Rng, times: Array, count: int) -> Made:
    """Wanders; dips with planned stops, and fails slowly."""
    n = len(times)
    values = 88 + 4 * _noise(rng, n, 0.998) + 1.5 * _noise(rng, n, 0.9) + 0.5 * rng.normal(0, 1, n)
    rows = _places(rng, n, count, length=400)
    for row in rows:
        span, depth = int(rng.integers(100, 400)), rng.uniform(25, 70)
        shape = np.minimum(np.linspace(0, 3, span), 1) * np.minimum(np.linspace(4, 0, span), 1)
        values[row : row + span] -= depth * shape
    for at in rng.integers(0, n, 3):
        values[at : at + 60] -= rng.uniform(5, 12) * np.sin(np.linspace(0, np.pi, len(values[at : at + 60])))
    return values, rows


def taxi(rng: Rng, times: Array, count: int) -> Made:
    """Rides per half hour: days, weeks, and five days that are like no other."""
    n = len(times)
    weekend = _weekend(times)
    shape = 0.15 + 0.75 * _daily(times, 19, 0.8) + 0.3 * _daily(times, 9, 4) * (1 - weekend) + 0.35 * _daily(times, 1, 4) * weekend
    values = 18_000 * shape * (1 + 0.04 * _noise(rng, n, 0.9)) + 300 * rng.normal(0, 1, n)
    rows = [row // 48 * 48 + 12 for row in _places(rng, n, count, length=60)]
    for row in rows:
        span = int(rng.integers(16, 60))
        values[row : row + span] *= rng.choice([rng.uniform(0.3, 0.65), rng.uniform(1.35, 1.6)])
    return values, rows


def keys(rng: Rng, times: Array, count: int) -> Made:
    """Seconds a key is held: small, skewed; a stranger types for a while."""
    n = len(times)
    values = rng.gamma(3, 0.03, n) + (rng.random(n) < 0.02) * rng.uniform(0.2, 0.8, n)
    rows = _places(rng, n, count, length=60)
    for row in rows:
        span = int(rng.integers(20, 60))
        values[row : row + span] = rng.gamma(3, rng.uniform(0.07, 0.12), span)
    return values, rows


# Prices, roads, posts


def price(rng: Rng, times: Array, count: int) -> Made:
    """Cost per click or per thousand views: steady, dearer at noon, some days twice, some days four times."""
    n = len(times)
    days = rng.uniform(0.2, 1.5, int(n / 24) + 2)[((times - times[0]) // _DAY).astype(int)]
    level = rng.uniform(0.05, 1)
    values = level * np.exp(0.1 * _noise(rng, n, 0.97)) * (1 + days * _daily(times, 12, 8)) * np.exp(0.15 * rng.normal(0, 1, n))
    for at in rng.integers(0, n, rng.poisson(3)):
        values[at : at + int(rng.integers(1, 3))] *= rng.uniform(1.8, 4)
    rows = _places(rng, n, count)
    for row in rows:
        values[row : row + int(rng.integers(1, 4))] = level * rng.uniform(2, 8)
    return values, rows


def speed(rng: Rng, times: Array, count: int) -> Made:
    """Miles an hour: free flow, somewhat slower at rush hours; jams."""
    n = len(times)
    rush = _daily(times, 17, 30) * (1 - _weekend(times))
    values = 67 - 5 * rush + 3.3 * rng.normal(0, 1, n) * (1 + 0.4 * _daily(times, 2, 2))
    _odd(rng, values, 5, (-25, -10), 1)
    rows = _places(rng, n, count, length=20)
    for row in rows:
        span = int(rng.integers(2, 14))
        values[row : row + span] = rng.uniform(10, 45) + 30 * np.linspace(-1, 1, span) ** 2 * rng.random() + 3 * rng.normal(0, 1, span)
    return np.round(np.maximum(values, 5)), rows


def travel(rng: Rng, times: Array, count: int) -> Made:
    """Seconds for a stretch of road: skewed, longer at rush hours; far longer ones."""
    n = len(times)
    values = (200 + 100 * _daily(times, 17, 4) * (1 - _weekend(times))) * np.exp(0.2 * rng.normal(0, 1, n))
    _odd(rng, values, 5, (200, 1000), 1)
    rows = _places(rng, n, count, length=20)
    for row in rows:
        span = int(rng.integers(2, 12))
        values[row : row + span] *= rng.uniform(1.8, 6) * rng.uniform(0.6, 1, span)
    return values, rows


def occupancy(rng: Rng, times: Array, count: int) -> Made:
    """Percent of the time that cars are over a loop: by day, uneven; more than ever."""
    n = len(times)
    values = (2 + 7 * _daily(times, 13, 0.7)) * rng.gamma(7, 1 / 7, n)
    rows = _places(rng, n, count, length=20)
    for row in rows:
        span = int(rng.integers(3, 15))
        values[row : row + span] = rng.uniform(15, 32) * rng.uniform(0.7, 1, span)
    return np.round(values, 2), rows


def posts(rng: Rng, times: Array, count: int) -> Made:
    """Mentions per five minutes: season, overdispersion, bursts of any size (a power law) that fade by another; great ones are labelled."""
    n = len(times)
    base, day = np.exp(rng.uniform(1.6, 4.6)), 0.3 + 1.1 * _daily(times, 17)
    mean = base * day * (1 - 0.3 * _weekend(times)) * np.exp(0.15 * _noise(rng, n, 0.95))
    starts = rng.choice(n, rng.poisson(1.5 * n / 288), p=day / day.sum())
    sizes = 2 * np.minimum((1 - rng.random(len(starts))) ** (-1 / 1.6), 150)
    lasting = np.where(rng.random(len(starts)) < 0.35, 0.0, rng.exponential(4, len(starts)))
    for at, size, high in zip(starts, sizes, lasting, strict=True):
        span = int(min(400, high + 3 + size * rng.uniform(0.3, 2))) if high else 1
        mean[at : at + span] += base * size * np.maximum(1, np.arange(span) - high)[: n - at] ** -rng.uniform(0.6, 1.2)
    rows: list[int] = []
    for number in np.argsort(-np.log(sizes) - 0.5 * np.log1p(lasting) - 0.35 * rng.normal(0, 1, len(sizes))):
        at = int(starts[number])
        if len(rows) < count and 0.12 * n < at < 0.97 * n and all(abs(at - row) > 0.1 * n / count for row in rows):
            rows.append(at)
    shape = rng.uniform(4, 10)
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, n)).astype(float), rows


Maker = Callable[[Rng, Array, int], Made]
_FAMILIES: tuple[tuple[str, float, tuple[tuple[Maker, int, int], ...]], ...] = (
    ("artificial_usual", 300, tuple((make, 4032, 0) for make in (flat, noisy, days_exact, days_small_noise, days_noise))),
    (
        "artificial",
        300,
        tuple((make, 4032, 1) for make in (day_flat, day_missing, day_higher, day_lower, spikes_denser, spikes_higher)),
    ),
    (
        "servers",
        300,
        (
            (cpu_idle, 4032, 0),
            (cpu_idle, 4032, 2),
            (cpu_idle, 4032, 2),
            (cpu_cycle, 4032, 2),
            (cpu_cycle, 4032, 1),
            (cpu_cycle, 4032, 1),
            (cpu_bursts, 4032, 1),
            (cpu_bursts, 4032, 2),
            (network_jobs, 4032, 1),
            (network, 4730, 2),
            (network_unseen, 1243, 2),
            (disk_jobs, 4032, 3),
            (disk, 4730, 1),
            (database, 4032, 2),
            (database, 4032, 2),
            (requests, 4032, 2),
            (cpu_group, 4621, 3),
        ),
    ),
    ("prices", 3600, ((price, 1624, 1), (price, 1624, 2), (price, 1538, 3), (price, 1538, 1), (price, 1643, 3), (price, 1643, 4))),
    ("known", 300, ((cpu_scaled, 18_050, 1), (latency, 4032, 3), (machine_temperature, 22_695, 4))),
    ("known_slow", 1800, ((taxi, 10_320, 5),)),
    ("known_hourly", 3600, ((room_temperature, 7267, 2), (keys, 1882, 2), (keys, 5315, 2))),
    (
        "traffic",
        300,
        (
            (travel, 2500, 3),
            (travel, 2162, 1),
            (occupancy, 2380, 1),
            (occupancy, 2500, 2),
            (speed, 2500, 1),
            (speed, 1127, 4),
            (speed, 2495, 2),
        ),
    ),
    ("posts", 300, tuple((posts, 15_900, count) for count in (4, 4, 3, 3, 2, 3, 2, 3, 4, 5))),
)
"""Each series: what makes it, its rows, its labelled windows; as many of each as there are."""
