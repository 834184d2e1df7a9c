"""Series like those of the Numenta Anomaly Benchmark, generated: its families, lengths, sampling intervals and numbers of labelled windows.

Made from descriptions of the families, not from their data: server metrics with spikes, level shifts and silences; a machine's temperature
that fails slowly; taxi rides with daily and weekly seasons and holidays; prices of advertisements; road traffic with gaps; counts of posts
with bursts; artificial days that miss their jump. Every family also holds what is odd and not labelled: lone spikes, bursts, drifts.
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
    for family, step, lengths, makers in _FAMILIES:
        for number, make in enumerate(makers):
            rng = np.random.default_rng([seed, len(found)])
            full = lengths[number % len(lengths)]
            n = int(full * scale) if full > _LONG else full
            times = _START + np.arange(n) * step
            if family == "traffic":
                times = times + np.cumsum(np.where(rng.random(n) < 0.02, rng.uniform(0, 6 * 3600, n), rng.uniform(0, 60, n)))
            values, rows = make(rng, times)
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
    for _ in range(rng.poisson(1.0)):
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


def flat(rng: Rng, times: Array) -> Made:
    return np.full(len(times), 45.0), []


def noisy(rng: Rng, times: Array) -> Made:
    return 20 + rng.uniform(-3, 3, len(times)), []


def _square(rng: Rng, times: Array, noise: float) -> Array:
    hour = times / 3600 % 24
    return np.where((hour >= 9) & (hour < 18), 80.0, 20.0) + rng.uniform(-noise, noise, len(times))


def days_exact(rng: Rng, times: Array) -> Made:
    return _square(rng, times, 0.0), []


def days_small_noise(rng: Rng, times: Array) -> Made:
    return _square(rng, times, 1.0), []


def days_noise(rng: Rng, times: Array) -> Made:
    return _square(rng, times, 8.0), []


def _one_day(rng: Rng, times: Array, change: Callable[[Array], Array]) -> Made:
    values = _square(rng, times, rng.uniform(3, 8))
    day = int(rng.integers(8, 13))
    first = day * 288 + 9 * 12
    values[first : first + 9 * 12] = change(values[first : first + 9 * 12])
    return values, [first]


def day_flat(rng: Rng, times: Array) -> Made:
    return _one_day(rng, times, lambda v: v * 0 + rng.uniform(20, 80))


def day_missing(rng: Rng, times: Array) -> Made:
    return _one_day(rng, times, lambda v: v - 60)


def day_higher(rng: Rng, times: Array) -> Made:
    return _one_day(rng, times, lambda v: v * rng.uniform(1.5, 2.0))


def day_lower(rng: Rng, times: Array) -> Made:
    return _one_day(rng, times, lambda v: v - 60 - rng.uniform(10, 20))


def spikes_denser(rng: Rng, times: Array) -> Made:
    n = len(times)
    first = int(rng.uniform(0.55, 0.8) * n)
    rate = np.where(np.arange(n) < first, 1 / 150, 1 / 12)
    return np.where(rng.random(n) < rate, 20.0, 0.0), [first]


def spikes_higher(rng: Rng, times: Array) -> Made:
    n = len(times)
    values = rng.uniform(0, 0.3, n) + (rng.random(n) < 0.03) * rng.uniform(0.5, 1.2, n)
    first = int(rng.uniform(0.5, 0.8) * n)
    values[first : first + 60] += (rng.random(60) < 0.5) * rng.uniform(1.5, 3.2, 60)
    return values, [first]


# Servers


def cpu_quiet(rng: Rng, times: Array) -> Made:
    """Nearly constant, with small regular spikes; a large one, or a new level."""
    n = len(times)
    base = rng.uniform(0.1, 3)
    values = base * (1 + 0.03 * rng.standard_t(3, n))
    values[:: int(rng.integers(60, 300))] += base * rng.uniform(0.2, 0.6)
    rows = _places(rng, n, int(rng.integers(1, 3)))
    for row in rows:
        if rng.random() < 0.5:
            values[row : row + int(rng.integers(1, 6))] += base * rng.uniform(1, 8)
        else:
            values[row:] += base * rng.uniform(0.15, 0.8)
    _odd(rng, values, 4, (0.3, 4), base)
    return values, rows


def cpu_busy(rng: Rng, times: Array) -> Made:
    """Around 40%, wandering; a level shift for hours, a drop, or a spike."""
    n = len(times)
    level = rng.uniform(30, 60)
    values = level + 4 * _noise(rng, n, 0.9) + 2 * rng.normal(0, 1, n) + rng.uniform(0, 6) * _daily(times, 14)
    rows = _places(rng, n, int(rng.integers(1, 3)), length=200)
    for row in rows:
        kind = rng.integers(0, 3)
        if kind == 0:
            values[row : row + int(rng.integers(40, 300))] += rng.uniform(8, 22) * rng.choice([-1, 1])
        elif kind == 1:
            values[row : row + int(rng.integers(2, 12))] = rng.uniform(0, 10)
        else:
            values[row : row + int(rng.integers(2, 12))] = rng.uniform(85, 99)
    _odd(rng, values, 5, (10, 30), 1)
    return np.clip(values, 0, 100), rows


def cpu_batch(rng: Rng, times: Array) -> Made:
    """Jobs every few hours; one runs on, or none comes."""
    n = len(times)
    period, length = int(rng.integers(24, 100)), int(rng.integers(4, 16))
    phase = np.arange(n) % period
    values = 5 + rng.normal(0, 1, n) + np.where(phase < length, rng.uniform(30, 70), 0.0)
    rows = _places(rng, n, 1, length=period * 3)
    row = rows[0]
    span = int(period * rng.uniform(1.5, 3))
    values[row : row + span] = (5 if rng.random() < 0.5 else rng.uniform(40, 80)) + rng.normal(0, 1, span)
    return values, rows


def network(rng: Rng, times: Array) -> Made:
    """Bytes: heavy-tailed bursts on a low level; an enormous one, or a lasting rise."""
    n = len(times)
    values = np.exp(rng.normal(11, 0.5, n)) * (1 + 2 * _daily(times, rng.uniform(0, 24), 3))
    burst = rng.random(n) < 0.01
    values[burst] *= rng.uniform(3, 25, int(burst.sum()))
    rows = _places(rng, n, int(rng.integers(1, 3)), length=60)
    for row in rows:
        if rng.random() < 0.6:
            values[row : row + int(rng.integers(3, 20))] += np.exp(rng.uniform(13, 15.5))
        else:
            values[row : row + int(rng.integers(100, 300))] *= rng.uniform(3, 6)
    return values, rows


def disk(rng: Rng, times: Array) -> Made:
    """Zeros, and writes now and then; a long series of large ones."""
    n = len(times)
    values = np.where(rng.random(n) < 0.05, np.exp(rng.normal(15, 1.0, n)), 0.0)
    rows = _places(rng, n, 1, length=40)
    values[rows[0] : rows[0] + 24] = np.exp(rng.normal(16.5, 0.7, 24))
    return values, rows


def database(rng: Rng, times: Array) -> Made:
    """CPU of a database: a slow wave and steps; a spike, then a dip."""
    n = len(times)
    values = 10 + 3 * _daily(times, 16) + 0.8 * _noise(rng, n, 0.8) + 0.5 * rng.standard_t(4, n)
    rows = _places(rng, n, 2, length=80)
    values[rows[0] : rows[0] + int(rng.integers(3, 20))] += rng.uniform(5, 12)
    values[rows[1] : rows[1] + int(rng.integers(20, 80))] -= rng.uniform(4, 8)
    _odd(rng, values, 5, (3, 9), 1)
    return np.maximum(values, 0), rows


def requests(rng: Rng, times: Array) -> Made:
    """Counts at a load balancer: by the hour, with overdispersion; a flood and an absence."""
    n = len(times)
    mean = 20 + 80 * _daily(times, 15, 2)
    values = rng.poisson(mean * rng.gamma(6, 1 / 6, n)).astype(float)
    rows = _places(rng, n, 2, length=40)
    values[rows[0] : rows[0] + int(rng.integers(3, 15))] += rng.uniform(120, 400)
    values[rows[1] : rows[1] + int(rng.integers(40, 120))] *= 0.05
    _odd(rng, values, 5, (80, 350), 1)
    return values, rows


def latency(rng: Rng, times: Array) -> Made:
    n = len(times)
    values = 45 + 1.5 * _noise(rng, n, 0.7) + rng.normal(0, 1, n)
    rows = _places(rng, n, 3, length=60)
    for row in rows:
        span = int(rng.integers(2, 40))
        values[row : row + span] += rng.uniform(8, 40) * rng.uniform(0.6, 1.4, span)
    _odd(rng, values, 7, (4, 25), 1)
    return values, rows


# Known causes


def cpu_scaled(rng: Rng, times: Array) -> Made:
    """A group of machines that follows its load; then a wrong setting holds it at a level for days."""
    n = len(times)
    values = 30 + 35 * _daily(times, 17, 1.5) * (1 - 0.3 * _weekend(times)) + 5 * _noise(rng, n, 0.8) + 4 * rng.normal(0, 1, n)
    rows = [int(n * rng.uniform(0.7, 0.9))]
    span = int(n * 0.08)
    values[rows[0] : rows[0] + span] = 85 + 4 * rng.normal(0, 1, len(values[rows[0] : rows[0] + span]))
    return np.clip(values, 0, 100), rows


def room_temperature(rng: Rng, times: Array) -> Made:
    n = len(times)
    values = 70 + 2 * _noise(rng, n, 0.99) + 2.5 * _daily(times, 15) * (1 - 0.5 * _weekend(times)) + 0.5 * rng.normal(0, 1, n)
    rows = _places(rng, n, 2, length=150)
    for row in rows:
        span = int(rng.integers(60, 150))
        values[row : row + span] -= rng.uniform(6, 11) * np.sin(np.linspace(0, np.pi, span))
    return values, rows


def machine_temperature(rng: Rng, times: Array) -> Made:
    """Wanders; dips with planned stops, and fails slowly."""
    n = len(times)
    values = 88 + 4 * _noise(rng, n, 0.998) + 1.5 * _noise(rng, n, 0.9) + 0.5 * rng.normal(0, 1, n)
    rows = _places(rng, n, 4, length=400)
    for row in rows:
        span, depth = int(rng.integers(100, 400)), rng.uniform(25, 70)
        shape = np.minimum(np.linspace(0, 3, span), 1) * np.minimum(np.linspace(4, 0, span), 1)
        values[row : row + span] -= depth * shape
    for at in rng.integers(0, n, 3):
        values[at : at + 60] -= rng.uniform(5, 12) * np.sin(np.linspace(0, np.pi, len(values[at : at + 60])))
    return values, rows


def taxi(rng: Rng, times: Array) -> Made:
    """Rides per half hour: days, weeks, and five days that are like no other."""
    n = len(times)
    weekend = _weekend(times)
    shape = 0.15 + 0.75 * _daily(times, 19, 0.8) + 0.3 * _daily(times, 9, 4) * (1 - weekend) + 0.35 * _daily(times, 1, 4) * weekend
    values = 18_000 * shape * (1 + 0.04 * _noise(rng, n, 0.9)) + 300 * rng.normal(0, 1, n)
    rows = [row // 48 * 48 + 12 for row in _places(rng, n, 5, length=60)]
    for row in rows:
        span = int(rng.integers(16, 60))
        values[row : row + span] *= rng.choice([rng.uniform(0.3, 0.65), rng.uniform(1.35, 1.6)])
    return values, rows


def keys(rng: Rng, times: Array) -> Made:
    """Seconds a key is held: small, skewed; a stranger types for a while."""
    n = len(times)
    values = rng.gamma(3, 0.03, n) + (rng.random(n) < 0.02) * rng.uniform(0.2, 0.8, n)
    rows = _places(rng, n, 2, length=60)
    for row in rows:
        span = int(rng.integers(20, 60))
        values[row : row + span] = rng.gamma(3, rng.uniform(0.07, 0.12), span)
    return values, rows


# Prices, roads, posts


def price(rng: Rng, times: Array) -> Made:
    """Cost per click or per thousand views, by the hour."""
    n = len(times)
    values = rng.uniform(0.05, 1) * (1 + 0.3 * _daily(times, 20)) * np.exp(0.15 * _noise(rng, n, 0.7) + 0.1 * rng.standard_t(4, n))
    rows = _places(rng, n, int(rng.integers(1, 4)))
    for row in rows:
        values[row : row + int(rng.integers(1, 5))] *= rng.uniform(1.8, 4)
    _odd(rng, values, 5, (0.5, 2.5), float(np.median(values)))
    return values, rows


def speed(rng: Rng, times: Array) -> Made:
    """Miles an hour: free flow, slower at rush hours; a jam at the wrong time."""
    n = len(times)
    rush = _daily(times, 17, 8) * (1 - _weekend(times))
    values = 70 - 15 * rush + 3 * rng.standard_t(5, n)
    rows = _places(rng, n, int(rng.integers(1, 4)), length=20)
    for row in rows:
        span = int(rng.integers(4, 16))
        values[row : row + span] = rng.uniform(10, 35) + 4 * rng.normal(0, 1, span)
    _odd(rng, values, 6, (-45, -15), 1)
    return np.maximum(values, 5), rows


def travel(rng: Rng, times: Array) -> Made:
    n = len(times)
    values = (200 + 150 * _daily(times, 17, 4) * (1 - _weekend(times))) * np.exp(0.15 * rng.standard_t(5, n))
    rows = _places(rng, n, int(rng.integers(2, 4)), length=20)
    for row in rows:
        values[row : row + int(rng.integers(3, 15))] *= rng.uniform(2, 4)
    _odd(rng, values, 6, (200, 1200), 1)
    return values, rows


def occupancy(rng: Rng, times: Array) -> Made:
    n = len(times)
    values = (1 + 8 * _daily(times, 17, 2)) * np.exp(0.35 * rng.normal(0, 1, n))
    rows = _places(rng, n, int(rng.integers(1, 3)), length=20)
    for row in rows:
        span = int(rng.integers(3, 15))
        values[row : row + span] = rng.uniform(14, 30, span)
    _odd(rng, values, 6, (8, 25), 1)
    return values, rows


def posts(rng: Rng, times: Array) -> Made:
    """Mentions per five minutes: season, overdispersion, small bursts every few days; a few great ones are labelled."""
    n = len(times)
    base = np.exp(rng.uniform(1.5, 5))
    mean = base * (0.4 + 0.9 * _daily(times, 16)) * (1 - 0.3 * _weekend(times)) * np.exp(0.15 * _noise(rng, n, 0.95))
    for at in rng.integers(0, n, int(n / 900)):
        span = int(rng.integers(2, 12))
        mean[at : at + span] *= rng.uniform(2, 12)
    rows = _places(rng, n, int(rng.integers(2, 5)), length=100)
    for row in rows:
        span = int(rng.integers(6, 60))
        mean[row : row + span] += base * rng.uniform(2, 12) * np.exp(-np.linspace(0, 3, len(mean[row : row + span])))
    shape = rng.uniform(3, 10)
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, n)).astype(float), rows


Maker = Callable[[Rng, Array], Made]
_FAMILIES: tuple[tuple[str, float, tuple[int, ...], tuple[Maker, ...]], ...] = (
    ("artificial_usual", 300, (4032,), (flat, noisy, days_exact, days_small_noise, days_noise)),
    ("artificial", 300, (4032,), (day_flat, day_missing, day_higher, day_lower, spikes_denser, spikes_higher)),
    (
        "servers",
        300,
        (4032,),
        (*[cpu_quiet] * 4, *[cpu_busy] * 4, cpu_batch, *[network] * 3, *[disk] * 2, *[database] * 2, requests),
    ),
    ("prices", 3600, (1600,), (price,) * 6),
    ("known", 300, (18_050, 4032, 22_695), (cpu_scaled, latency, machine_temperature)),
    ("known_slow", 1800, (10_320,), (taxi,)),
    ("known_hourly", 3600, (7267, 1882, 5315), (room_temperature, keys, keys)),
    ("traffic", 300, (2500, 1100, 2380), (*[speed] * 3, *[travel] * 2, *[occupancy] * 2)),
    ("posts", 300, (15_900,), (posts,) * 10),
)
