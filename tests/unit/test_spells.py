"""Lulls and surges are judged by how long the series' own last, and end when traffic is back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.anomaly.monitor import Condition
from agents.anomaly.report import severity
from agents.anomaly.settings import AnomalySettings
from agents.detectors.costs import PriceTest, Spend
from agents.detectors.counts import CountTest
from agents.detectors.pace import PER_DAY, PER_HOUR, SECONDS
from agents.detectors.spells import Spells

SETTINGS = AnomalySettings()
H = SETTINGS.page_evidence
MEAN = 20.0
DAY = PER_DAY * SECONDS


def lulls() -> Spells:
    return Spells(0.4, 0.2)


class Days:
    """A series of spells, and its time."""

    def __init__(self, spells: Spells) -> None:
        self.spells, self.at = spells, 0

    def usual(self, buckets: int) -> None:
        for _ in range(buckets):
            self.spells.update(self.at * SECONDS, (MEAN, MEAN))
            self.at += 1

    def lull(self, buckets: int) -> float | None:
        """After how many buckets it was told, if it was."""
        told = None
        for number in range(1, buckets + 1):
            if self.spells.update(self.at * SECONDS, (0.0, MEAN)).alarm and told is None:
                told = number
            self.at += 1
        # One whose count brings the whole back to its mean.
        self.spells.update(self.at * SECONDS, (MEAN * (buckets + 1), MEAN))
        self.at += 1
        return told


def test_a_series_without_lulls_is_silent_for_too_long_after_a_minute() -> None:
    days = Days(lulls())
    days.usual(PER_DAY)
    assert days.lull(10) == 2


def test_the_shorter_the_history_the_longer_a_lull_must_be() -> None:
    def told_after(buckets: int) -> float:
        days = Days(lulls())
        days.usual(buckets)
        return days.lull(100) or 100.0

    assert told_after(PER_HOUR) > told_after(PER_DAY) >= told_after(7 * PER_DAY)


def test_a_series_with_lulls_of_minutes_by_habit_is_told_of_only_when_one_is_far_longer() -> None:
    # Given: a week with ten lulls a day of up to eight minutes, most of them short
    rng, days = np.random.default_rng(3), Days(lulls())
    for _ in range(70):
        days.usual(PER_DAY // 10)
        days.lull(int(min(16, 2 * (1 + rng.pareto(1.5)))))
    # Then: eight minutes are nothing, an hour or two are
    assert days.lull(16) is None
    days.usual(PER_HOUR)
    told = days.lull(6 * PER_HOUR)
    assert told is not None and 16 < told < 4 * PER_HOUR


def test_an_outage_a_day_does_not_make_a_series_deaf_and_many_in_a_day_do() -> None:
    days = Days(lulls())
    days.usual(PER_DAY)
    # Given: five outages at different hours, a day apart
    for _ in range(5):
        days.usual(PER_DAY + 4 * PER_HOUR)
        assert (days.lull(PER_HOUR) or 99) <= 3
    # When: it is away every other hour
    told = []
    for _ in range(8):
        days.usual(PER_HOUR + 5)
        told.append(days.lull(PER_HOUR))
    # Then: that is what it does
    assert told[0] is not None
    assert told[-1] is None


def test_a_lull_at_the_same_hour_every_night_is_a_habit_and_one_at_noon_is_not() -> None:
    days = Days(lulls())
    nights = []
    for _ in range(7):
        days.usual(3 * PER_HOUR)
        nights.append(days.lull(40))
        days.usual(PER_DAY - 3 * PER_HOUR - 41)
    assert nights[0] is not None
    assert nights[4:] == [None] * 3
    days.usual(12 * PER_HOUR)
    assert (days.lull(40) or 99) <= 3


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=40))
def test_what_is_too_long_is_never_less_than_a_bucket_and_spells_make_it_no_shorter(stretches: list[tuple[bool, int]]) -> None:
    days = Days(lulls())
    days.usual(PER_HOUR)
    for lull, buckets in stretches:
        if lull:
            days.lull(buckets)
        else:
            days.usual(buckets)
        assert 1.0 <= days.spells.limit < 1e12
        assert len(days.spells.lasted) <= 32 and len(days.spells.habit) <= 24
        assert days.spells.now == 0.0


# Traffic


def seen(test: CountTest, counts: list[int], begin: int = 0) -> list[tuple[bool, bool]]:
    """Whether an alarm of too many, and of too few, is on after each bucket."""
    found = []
    for number, count in enumerate(counts, begin):
        test.update(number * SECONDS, count)
        found.append((test.up.active, test.down.active))
    return found


@pytest.mark.parametrize("calls", [3, 20])
def test_a_nightly_job_is_neither_a_surge_at_night_nor_a_drop_at_noon(calls: int) -> None:
    night = [0] * PER_DAY
    night[3 * PER_HOUR : 3 * PER_HOUR + 2] = [calls // 2, calls - calls // 2]
    found = seen(CountTest(H), 10 * night)
    assert not any(down for _, down in found)
    assert not any(up for up, _ in found[3 * PER_DAY :])


@pytest.mark.parametrize("factor", [10, 30])
@pytest.mark.parametrize("usual", [0.5, 5.0, 100.0])
def test_a_surge_is_told_within_three_minutes_ends_with_it_and_leaves_no_drop(factor: int, usual: float) -> None:
    rng, test = np.random.default_rng(5), CountTest(H)
    seen(test, rng.poisson(usual, 2 * PER_DAY).tolist())
    # When: for an hour ten or thirty times as much comes
    surge = seen(test, rng.poisson(factor * usual, PER_HOUR).tolist(), 2 * PER_DAY)
    after = seen(test, rng.poisson(usual, 9 * PER_HOUR).tolist(), 2 * PER_DAY + PER_HOUR)
    # Then: with the 30 s for which a bucket waits
    assert any(up for up, _ in surge[:5])
    assert surge[-1] == (True, False)
    assert not any(up for up, _ in after[2:])
    assert not any(down for _, down in after)
    assert test.level == pytest.approx(usual, rel=0.5)


def test_an_outage_of_three_hours_is_told_until_it_ends_and_what_comes_back_is_no_surge() -> None:
    rng, test = np.random.default_rng(6), CountTest(H)
    seen(test, rng.poisson(50, 2 * PER_DAY).tolist())
    away = seen(test, [0] * 3 * PER_HOUR, 2 * PER_DAY)
    back = seen(test, rng.poisson(50, PER_HOUR).tolist(), 2 * PER_DAY + 3 * PER_HOUR)
    assert all(down for _, down in away[3:])
    assert not any(up or down for up, down in back[2:])


def test_a_cost_ten_times_as_high_is_told_after_five_minutes_of_history_and_twice_as_high_is_not() -> None:
    def told(factor: float) -> bool:
        rng, test = np.random.default_rng(7), PriceTest(H)
        scores = []
        for number in range(20):
            used = rng.lognormal(-5, 1, 60).reshape(3, 20).sum(axis=1) * (factor if number >= 10 else 1.0)
            scores.append(test.update(number * SECONDS, Spend(float(used.sum()), 60, 3, float(used.max()), 20)))
        assert not any(score.alarm for score in scores[:10])
        return any(score.alarm for score in scores[10:16])

    assert told(10.0)
    assert not told(2.0)


@pytest.mark.parametrize(
    ("kind", "extra", "per_minute", "sure", "expected"),
    [
        ("cost_of_traffic", 1.0, 100.0, True, "info"),
        ("cost_of_traffic", 39.0, 100.0, True, "ticket"),
        ("cost_of_traffic", 90.0, 100.0, True, "page"),
        ("cost_of_traffic", 90.0, 100.0, False, "info"),  # it often has such surges
        ("traffic_up", 90.0, 100.0, True, "info"),  # told once, as money
        ("traffic_up", 0.0, 2_000.0, True, "ticket"),
    ],
)
def test_how_urgent_a_surge_is_follows_money_and_capacity(kind: str, extra: float, per_minute: float, sure: bool, expected: str) -> None:
    settings = AnomalySettings(most_per_minute=1_000.0)
    condition = Condition(kind, per_minute, 1.0, 2.0, 0.0, 10, extra, "", sure)  # type: ignore[arg-type]
    assert severity(condition, settings) == expected
