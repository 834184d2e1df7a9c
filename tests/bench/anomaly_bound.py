"""What no test can beat: how probably an incident can be told within two minutes.

By the lemma of Neyman and Pearson ("On the problem of the most efficient tests of statistical hypotheses", Phil. Trans. R. Soc. A 1933)
for counts: of all tests with so many false alarms, the one that rejects the largest (or least) counts finds the most. It is told what a
detector has to find out: when the incident begins, how large it is, what was usual. It sees 90 s, because the last 30 s are left for
requests to end, and may raise as many false alarms per week as the detector's own test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp, log

from scipy.stats import binom, lognorm, nbinom

from agents.anomaly.pace import SECONDS
from agents.anomaly.settings import AnomalySettings
from tests.bench.anomaly_streams import ERRORS, LATENCY_SIGMA, REFUSALS, Stream

SOON = 120.0
SETTLE = 30.0


def best_possible(stream: Stream, kind: str, per_minute: float, settings: AnomalySettings) -> float | None:
    """Of an incident at this rate. None: not computed, since a handful of requests tells it (cost, loop)."""
    power = _POWERS.get(kind)
    if power is None:
        return None
    seen = SOON - SETTLE
    evidence = settings.page_evidence if kind in _PAGED else settings.ticket_evidence
    chance = exp(-evidence) * seen / SECONDS
    return power(round(per_minute * seen / 60), chance, stream)


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


_PAGED = {"provider_outage", "traffic_drop"}
_POWERS: Mapping[str, Callable[[int, float, Stream], float]] = {
    "refusal_2_to_6": _refusals,
    "provider_outage": _outage,
    "latency_tail_x2": _tail,
    "traffic_drop": _drop,
}


def halfway(kind: str, stream: Stream, settings: AnomalySettings) -> float:
    """Requests per minute at which half of the incidents can be told within two minutes."""
    low, high = log(1.0), log(100_000.0)
    for _ in range(30):
        middle = (low + high) / 2
        if (best_possible(stream, kind, exp(middle), settings) or 0.0) < 0.5:
            low = middle
        else:
            high = middle
    return exp(high)
