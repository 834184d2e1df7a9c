"""What no test can beat: how probably an incident can be told in time, which is within two minutes, or within its day if it creeps.

By the lemma of Neyman and Pearson ("On the problem of the most efficient tests of statistical hypotheses", Phil. Trans. R. Soc. A 1933):
of all tests with so many false alarms, the one that rejects the largest likelihood ratios finds the most. Of counts these are the largest
(or least); of what requests cost, the sum over requests, each of which is told alone. It is told what a detector has to find out: when the
incident begins, how large it is, what was usual. It sees 90 s (or all of the day but 30 s), because the last 30 s are left for requests to
end, and may raise as many false alarms per week as the detector's own test, or the two for creep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp, log

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binom, lognorm, nbinom, norm

from agents.anomaly.settings import AnomalySettings
from agents.detectors.pace import SECONDS
from tests.bench.anomaly_streams import DAY, ERRORS, LATENCY_SIGMA, REFUSALS, Array, Stream

SOON = 120.0
SETTLE = 30.0
CREEP = "creep_2_percent"


def soon(kind: str) -> float:
    """Seconds within which an incident should be found."""
    return DAY if kind == CREEP else SOON


def seen(kind: str) -> float:
    """Seconds of an incident that can have been seen by then."""
    return soon(kind) - SETTLE


def best_possible(stream: Stream, kind: str, n: int, settings: AnomalySettings) -> float | None:
    """Of an incident with so many requests until then; where they become fewer, with so many if they did not. None: not computed (a loop is
    told by its session's calls)."""
    power = _POWERS.get(kind)
    if power is None:
        return None
    if kind == CREEP:
        chance = settings.false_alarms / 7
    else:
        evidence = settings.page_evidence if kind in _PAGED else settings.ticket_evidence
        chance = exp(-evidence) * seen(kind) / SECONDS
    return power(n, chance, stream)


def _more(n: int, usual: float, then: float, chance: float) -> float:
    """Power of the test that a share has risen, randomised so that it uses up its ``chance``."""
    least = int(binom.isf(chance, n, usual)) + 1  # P(count >= least) <= chance
    left = chance - float(binom.sf(least - 1, n, usual))
    return float(binom.sf(least - 1, n, then) + left / binom.pmf(least - 1, n, usual) * binom.pmf(least - 1, n, then))


def _refusals(n: int, chance: float, stream: Stream) -> float:
    return _more(n, REFUSALS, REFUSALS + 0.04 * (1 - REFUSALS - ERRORS), chance)


def _outage(n: int, chance: float, stream: Stream) -> float:
    return _more(n, ERRORS, 0.6, chance)


def _tail(n: int, chance: float, stream: Stream) -> float:
    """Of requests slower than the best of many limits; the slowest tenth takes twice as long."""
    usual = lognorm(LATENCY_SIGMA)
    edge = usual.ppf(0.9)
    limits = [edge * 1.05**k for k in range(60)]
    return max(_more(n, float(usual.sf(limit)), min(0.1, float(usual.sf(limit / 2))), chance) for limit in limits)


def _drop(n: int, chance: float, stream: Stream) -> float:
    """Of a count that is negative binomial, as uneven as the stream's are."""
    if n == 0:
        return 0.0
    size = 1 / max(stream.uneven, 1e-4)
    usual, then = nbinom(size, size / (size + n)), nbinom(size, size / (size + 0.2 * n))
    most = int(usual.ppf(chance)) - 1  # P(count <= most) <= chance
    left = chance - float(usual.cdf(most))
    return float(then.cdf(most) + left / usual.pmf(most + 1) * then.pmf(most + 1))


_STEP = 0.02
_LARGEST = 20.0
"""Log-likelihood ratio of one request, and the step it is rounded to (at random, so that its mean stays)."""
_ENOUGH = 200
"""Requests; that many tell a triple cost of any stream here for certain, and what more of them tell would take long to compute."""


def _cost(n: int, chance: float, stream: Stream) -> float:
    """Of the likelihood ratios' sum: what a request costs is taken as the stream's own past shows it, independent of the others.

    The distribution of the sum is the n-th convolution power of one ratio's, by its Fourier transform.
    """
    n = min(n, _ENOUGH)
    if n == 0:
        return 0.0
    usual, then, ratio = _triple(stream.costs)
    lattice = ratio / _STEP
    low = np.floor(lattice).astype(np.int64)
    zero = round(_LARGEST / _STEP)
    size = 2 ** int(np.ceil(np.log2(n * (2 * zero + 2))))
    sums = []
    for density in (usual, then):
        one = np.bincount(low + zero, density * (1 - (lattice - low)), size) + np.bincount(low + zero + 1, density * (lattice - low), size)
        power = np.fft.irfft(np.fft.rfft(one) ** n, size)
        sums.append(np.cumsum(np.maximum(power, 0.0)[::-1])[::-1])
    least = int(np.argmax(sums[0] <= chance))
    return min(1.0, float(sums[1][least]))


def _density(costs: Array, width: float, beyond: float = 0.0) -> Array:
    """Of logarithms, smoothed (Silverman, 1986), in steps of ``width`` from below the least until ``beyond`` the largest."""
    bandwidth = 1.06 * float(costs.std()) * len(costs) ** -0.2
    edges = np.arange(costs.min() - 10 * bandwidth, costs.max() + beyond + 10 * bandwidth + width, width)
    counts = np.histogram(costs, edges)[0] / len(costs) / width
    return np.asarray(gaussian_filter1d(counts, bandwidth / width, mode="constant", truncate=8.0))


def _triple(costs: Array) -> tuple[Array, Array, Array]:
    """Of the logarithm of a cost: its density, that of three times as much, and their log ratio, on one grid."""
    usual = _density(costs, log(3) / 64, log(3)) * log(3) / 64
    then = np.concatenate([np.zeros(64), usual[:-64]])
    tiny = 1e-30
    return usual, then, np.clip(np.log((then + tiny) / (usual + tiny)), -_LARGEST, _LARGEST - _STEP)


def _creep(n: int, chance: float, stream: Stream) -> float:
    """Of the score, which so many requests make normal: what they tell is the Fisher information of the location of their logarithms,
    times the square of what they have grown by until each."""
    width = 0.01
    usual = _density(stream.costs, width)
    information = float((np.gradient(usual, width) ** 2 / np.maximum(usual, 1e-12)).sum() * width)
    moved = (n * information * log(1.02) ** 2 / 3) ** 0.5
    return float(norm.sf(norm.isf(chance) - moved))


_PAGED = {"provider_outage", "traffic_drop", "cost_x3"}
_POWERS: Mapping[str, Callable[[int, float, Stream], float]] = {
    "refusal_2_to_6": _refusals,
    "provider_outage": _outage,
    "latency_tail_x2": _tail,
    "traffic_drop": _drop,
    "cost_x3": _cost,
    CREEP: _creep,
}


def halfway(kind: str, stream: Stream, settings: AnomalySettings) -> float:
    """Requests per minute at which half of the incidents can be told within two minutes."""
    low, high = log(1.0), log(100_000.0)
    for _ in range(30):
        middle = (low + high) / 2
        if (best_possible(stream, kind, round(exp(middle) * seen(kind) / 60), settings) or 0.0) < 0.5:
            low = middle
        else:
            high = middle
    return exp(high)
