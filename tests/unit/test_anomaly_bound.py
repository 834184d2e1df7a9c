"""The bench's bound on what any test could find, held against cases with a closed form."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from scipy.stats import norm

from agents.anomaly.settings import AnomalySettings
from tests.bench.anomaly_bound import best_possible
from tests.bench.anomaly_streams import Stream

SETTINGS = AnomalySettings()


@pytest.mark.parametrize(("spread", "requests"), [(0.6, 8), (0.6, 15), (1.1, 15), (1.1, 30), (1.1, 60)])
def test_the_bound_for_lognormal_costs_is_the_power_of_the_normal_test(spread: float, requests: int) -> None:
    costs = np.random.default_rng(1).normal(-6, spread, 50_000)
    found = best_possible(Stream("", 0.0, 0, [], costs=costs), "cost_x3", requests, SETTINGS)
    chance = 3 * exp(-SETTINGS.page_evidence)
    assert found == pytest.approx(norm.cdf(requests**0.5 * log(3) / spread - norm.isf(chance)), abs=0.03)


def test_the_bound_for_costs_grows_with_requests_and_nothing_is_told_by_none() -> None:
    stream = Stream("", 0.0, 0, [], costs=np.random.default_rng(2).standard_t(3, 50_000))
    found = [best_possible(stream, "cost_x3", requests, SETTINGS) or 0.0 for requests in (0, 5, 20, 80, 200, 1000)]
    assert found == sorted(found) and found[0] == 0.0 and found[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("spread", "requests"), [(0.6, 5_000), (0.6, 20_000), (1.1, 60_000)])
def test_the_bound_for_creep_is_the_power_of_the_normal_test_that_knows_the_ramp(spread: float, requests: int) -> None:
    costs = np.random.default_rng(3).normal(-6, spread, 50_000)
    found = best_possible(Stream("", 0.0, 0, [], costs=costs), "creep_2_percent", requests, SETTINGS)
    ramp = log(1.02) * np.linspace(0, 1, requests)
    known = float((ramp**2).sum()) ** 0.5 / spread
    assert found == pytest.approx(norm.cdf(known - norm.isf(SETTINGS.false_alarms / 7)), abs=0.05)
