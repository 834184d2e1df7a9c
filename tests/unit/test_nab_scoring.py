"""The bench's scoring of point anomalies, held against what the Numenta Anomaly Benchmark's paper says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.nab import FALSE_POSITIVE, Labelled, evaluate, probation, scaled_sigmoid
from tests.bench.nab_standin import corpus

ROWS = 1000
FIRST, LAST = 500, 599


def series(*windows: tuple[int, int]) -> Labelled:
    return Labelled("family/one", np.arange(ROWS) * 300.0, np.zeros(ROWS), windows or ((FIRST, LAST),))


def score(*rows: int, windows: tuple[tuple[int, int], ...] = ()) -> float:
    scores = np.zeros(ROWS)
    scores[list(rows)] = 0.9
    one = series(*windows)
    return evaluate({one.name: scores}, [one], 0.5).score


def test_the_sigmoid_is_the_papers() -> None:
    assert scaled_sigmoid(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert scaled_sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert scaled_sigmoid(0.0) == 0.0
    assert scaled_sigmoid(1.0) == pytest.approx(-0.98661, abs=1e-5)
    assert scaled_sigmoid(3.1) == -1.0


def test_saying_nothing_is_0_and_the_first_row_of_every_window_100() -> None:
    assert score() == 0.0
    assert score(FIRST) == pytest.approx(100, abs=0.1)


def test_early_is_better_than_late_and_only_the_first_counts() -> None:
    assert score(FIRST) > score(FIRST + 50) > score(LAST) > score()
    assert score(FIRST + 50) == score(FIRST + 50, FIRST + 51, LAST)


def test_a_false_positive_costs_a_little_wherever_it_is_and_less_just_behind_a_window() -> None:
    alone = -100 * FALSE_POSITIVE / 2  # the range from nothing said to perfect is 2 per window
    assert score(300) == pytest.approx(alone)
    assert score(999) == pytest.approx(alone, rel=0.01)
    assert alone < score(LAST + 20) < 0


def test_the_start_of_a_file_is_not_judged() -> None:
    assert probation(ROWS) == 150
    assert probation(22_695) == 750
    assert score(0, 149) == 0.0


def test_without_a_threshold_the_best_one_is_taken() -> None:
    one, scores = series(), np.zeros(ROWS)
    scores[300], scores[FIRST] = 0.3, 0.6
    best = evaluate({one.name: scores}, [one])
    assert (best.threshold, best.found, best.false_positives) == (0.6, 1, 0)


def test_the_stand_in_is_the_same_every_time_and_its_windows_are_apart() -> None:
    first, second = corpus(7, scale=0.1), corpus(7, scale=0.1)
    assert len(first) == 58
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.values, b.values) and a.windows == b.windows
        assert np.isfinite(a.values).all() and (np.diff(a.times) > 0).all()
        ends = [row for window in a.windows for row in window]
        assert ends == sorted(ends)
