"""The detectors of service metrics: trends and spikes are found, single events and usual traffic are not."""

from __future__ import annotations

from math import exp, log

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from agents.anomaly.breakdown import Amounts, Breakdown, Explanation
from agents.anomaly.bucket import Bucket
from agents.anomaly.monitor import Condition, SeriesMonitor
from agents.anomaly.settings import AnomalySettings, anomaly_settings, objectives
from agents.anomaly.slo import Objective
from agents.detectors.burn import Burning, BurnRate
from agents.detectors.costs import CreepTest, Logs, PriceTest, Spend, Spent, TypicalTest
from agents.detectors.counts import CountTest, _surprise
from agents.detectors.detector import deviation
from agents.detectors.evidence import Evidence, threshold
from agents.detectors.joint import JointTest
from agents.detectors.pace import PER_DAY, PER_HOUR, SECONDS
from agents.detectors.rates import RateTest, Share
from agents.detectors.tail import TailTest
from schemas.aggregates import OUTCOME_INDEX
from schemas.sketch import LOG_GAMMA, Bins, bin_of

H = AnomalySettings().ticket_evidence


def poisson(rng: np.random.Generator, mean: float) -> int:
    return int(rng.poisson(mean))


def binomial(rng: np.random.Generator, n: int, p: float) -> int:
    return int(rng.binomial(n, p))


def spend(rng: np.random.Generator, requests: int, price: float = 0.01) -> Spend:
    """Heavy-tailed prices, in three windows."""
    used = [float(price * np.exp(rng.normal(0, 1, requests // 3)).sum()) for _ in range(3)]
    return Spend(sum(used), requests // 3 * 3, 3, max(used), requests // 3)


def logs(rng: np.random.Generator, requests: int, spread: float, shift: float = 0.0) -> Logs:
    each = rng.normal(shift, spread, requests)
    return Logs(requests, float(each.sum()), float((each**2).sum()))


# Evidence


def test_fewer_expected_false_alarms_need_more_evidence() -> None:
    often, rarely = (anomaly_settings({"false_alarms": rate}).ticket_evidence for rate in (1.0, 0.001))
    assert rarely > often


def test_a_tail_heavier_than_the_likelihoods_raises_the_threshold_of_its_series() -> None:
    # Given: two series, one of whose excursions peak higher than theory says
    calm, wild = Evidence(), Evidence()
    for time in range(2000):
        calm.add(time, 1.5 if time % 2 else -5.0, 1, H, 1)
        wild.add(time, 7.0 if time % 2 else -20.0, 1, H, 1)
    # Then: the wild one needs more, and the calm one what theory says
    assert calm.limit(H) == pytest.approx(H)
    assert wild.limit(H) > 1.5 * H


def test_one_excursion_far_out_is_chance_and_several_raise_the_threshold_unless_they_are_incidents() -> None:
    def with_peaks(count: int, length: int) -> float:
        """The threshold after a thousand small excursions and some that are almost alarms, or alarms of so many steps."""
        evidence, now = Evidence(), 0
        for number in range(1000):
            now += 1000
            for _ in range(length if number < count else 1):
                now += SECONDS
                evidence.add(now, 0.4 * H * (2 if length > 1 else 1.7) if number < count else 1.5, 1, H, 1)
            evidence.add(now, -1000.0, 1, H, 1)
        return evidence.limit(H)

    assert with_peaks(0, 1) == with_peaks(1, 1) == pytest.approx(H)
    assert with_peaks(10, 1) > 1.3 * H
    assert with_peaks(10, 25) == pytest.approx(H)  # they lasted twelve minutes


@pytest.mark.parametrize("requests", [5, 50, 300])
def test_the_time_between_false_alarms_of_a_share_is_what_was_asked_for(requests: int) -> None:
    rng, p, q, steps, series = np.random.default_rng(7), 0.02, 0.05, 3000, 500
    up, down = log(q / p), log((1 - q) / (1 - p))
    drift, scatter = -requests * (p * up + (1 - p) * down), (requests * p * (1 - p)) ** 0.5 * (up - down)
    needed, total, alarms = threshold(log(500), drift, scatter), np.zeros(series), 0
    for _ in range(steps):
        events = rng.binomial(requests, p, series)
        total = np.maximum(0.0, total + events * up + (requests - events) * down)
        alarms += int((total >= needed).sum())
        total[total >= needed] = 0.0
    assert 450 < steps * series / alarms < 1000


def test_an_alarm_that_may_begin_early_is_sure_from_its_threshold_on() -> None:
    evidence, seen = Evidence(), []
    for at in range(9):
        evidence.add(at * SECONDS, H / 6 if at < 7 else -H, 1, H, 1, early=H / 3)
        seen.append((evidence.active, evidence.sure))
    assert seen == [(False, False)] * 3 + [(True, False)] * 2 + [(True, True)] * 2 + [(False, False)] * 2


@given(st.lists(st.floats(-30, 30), max_size=200))
def test_evidence_stays_between_nothing_and_a_little_more_than_its_threshold(ratios: list[float]) -> None:
    evidence = Evidence()
    for time, ratio in enumerate(ratios):
        share = evidence.add(time, ratio, 1, H, 1)
        assert 0.0 <= share <= 1.0
        assert 0.0 <= evidence.total <= 1.2 * evidence.limit(H) + 1e-9
        assert (share == 1.0) == evidence.active


# Shares


def test_a_share_that_triples_is_found_and_its_end_too() -> None:
    rng, test = np.random.default_rng(1), RateTest(H)
    for time in range(3 * PER_HOUR):
        assert not test.update(time * SECONDS, Share(binomial(rng, 150, 0.02), 150)).alarm
    during = [test.update((3 * PER_HOUR + at) * SECONDS, Share(binomial(rng, 150, 0.06), 150)).alarm for at in range(20)]
    assert any(during[:10]) and during[-1]
    after = [test.update((3 * PER_HOUR + 20 + at) * SECONDS, Share(binomial(rng, 150, 0.02), 150)).alarm for at in range(20)]
    assert not after[-1]


def test_single_errors_of_a_small_series_are_no_alarm() -> None:
    # Given: a series that never failed
    test = RateTest(H)
    for time in range(PER_DAY):
        test.update(time * SECONDS, Share(0, 2))
    # When: four requests in a row fail
    scores = [test.update((PER_DAY + at) * SECONDS, Share(2, 2)) for at in range(2)]
    # Then: that is not enough events, however improbable
    assert not any(score.alarm for score in scores)


def test_without_a_baseline_nothing_is_said() -> None:
    test = RateTest(H)
    assert [test.update(at * SECONDS, Share(10, 20)).alarm for at in range(10)] == [False] * 10


def test_an_alarm_outlasts_a_gap_in_sparse_traffic_but_not_a_long_silence() -> None:
    test = RateTest(H)
    for time in range(PER_HOUR):
        test.update(time * SECONDS, Share(0, 50))
    now = PER_HOUR * SECONDS
    while not test.update(now, Share(40, 50)).alarm:
        now += SECONDS
    assert test.update(now + 300, Share(0, 0)).alarm
    assert not test.update(now + 3600, Share(0, 0)).alarm


# Counts


def test_traffic_that_stops_is_found_and_its_daily_course_is_not() -> None:
    # Given: nine days of day and night
    rng, test = np.random.default_rng(2), CountTest(H)
    alarms = []

    def usual(time: int) -> float:
        return 8 + 7 * (1 if 8 <= time // PER_HOUR % 24 < 20 else -0.6)

    for time in range(9 * PER_DAY):
        alarms.append(test.update(time * SECONDS, poisson(rng, usual(time))).alarm and time > PER_DAY * 7)
    assert not any(alarms)
    # When: nothing comes at noon, then: within five minutes an alarm
    for time in range(9 * PER_DAY, 9 * PER_DAY + 12 * PER_HOUR):
        test.update(time * SECONDS, poisson(rng, usual(time)))
    start = 9 * PER_DAY + 12 * PER_HOUR
    assert any(test.update((start + at) * SECONDS, 0).alarm for at in range(10))
    assert test.down.active and not test.up.active


def test_a_short_dip_of_bursty_traffic_is_no_alarm_and_a_lasting_drop_to_a_fifth_is() -> None:
    # Given: a week of traffic that comes in bursts of five minutes, and in lulls of as much
    rng, test = np.random.default_rng(12), CountTest(H)
    bursts = iter(rng.gamma(11, 1 / 11, 3000).repeat(10).tolist())
    for time in range(7 * PER_DAY):
        test.update(time * SECONDS, poisson(rng, 90 * next(bursts)))
    # When: two minutes at 40%
    dip = [test.update((7 * PER_DAY + at) * SECONDS, poisson(rng, 36)).alarm for at in range(4)]
    for at in range(4, PER_HOUR):
        test.update((7 * PER_DAY + at) * SECONDS, poisson(rng, 90 * next(bursts)))
    drop = [test.update((7 * PER_DAY + PER_HOUR + at) * SECONDS, poisson(rng, 18)).alarm for at in range(20)]
    assert not any(dip) and any(drop)


def test_steady_traffic_that_stops_is_an_alarm_after_a_minute_and_not_before() -> None:
    rng, test = np.random.default_rng(13), CountTest(H)
    for time in range(PER_DAY):
        test.update(time * SECONDS, poisson(rng, 100))
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(test), type=CountTest)
    assert not test.update(PER_DAY * SECONDS, 0).alarm
    assert not msgspec.msgpack.decode(msgspec.msgpack.encode(test), type=CountTest).update((PER_DAY + 1) * SECONDS, 0, 1 / 3).alarm
    assert test.update((PER_DAY + 1) * SECONDS, 0).alarm
    # And a third of a bucket is expected to bring a third of the requests
    assert copy.update(PER_DAY * SECONDS, 33, 1 / 3).expected == pytest.approx(33, rel=0.1)


def test_hours_in_which_nothing_ever_comes_are_no_drop() -> None:
    rng, test = np.random.default_rng(14), CountTest(H)
    for time in range(9 * PER_DAY):
        test.update(time * SECONDS, poisson(rng, 100) if time // PER_HOUR % 24 == 12 else 0)
        assert not test.down.active or time < 3 * PER_DAY


@pytest.mark.parametrize("calls", [1, 3, 20])
def test_a_few_calls_and_then_none_for_a_day_are_no_drop(calls: int) -> None:
    test = CountTest(H)
    test.update(0, calls)
    assert not any(test.update(at * SECONDS, 0).alarm for at in range(1, PER_DAY))
    assert not test.down.active and test.down.total == 0.0


def test_one_bucket_of_many_requests_is_no_alarm_and_three_are() -> None:
    rng, test = np.random.default_rng(3), CountTest(H)
    for time in range(PER_DAY):
        test.update(time * SECONDS, poisson(rng, 20))
    first, *more = [test.update((PER_DAY + at) * SECONDS, 200).alarm for at in range(3)]
    assert not first and more[-1]


@pytest.mark.parametrize(("mean", "size"), [(100, 10.0), (300, 25.0), (30, 400.0), (600, 5.0)])
def test_how_surprising_a_count_is_agrees_with_the_negative_binomial_distribution(mean: float, size: float) -> None:
    exact, wrong = nbinom(size, size / (size + mean)), []
    wrong += [_surprise(count + 0.5, mean, size) + float(exact.logcdf(count)) for count in range(int(mean)) if exact.logcdf(count) > -30]
    many = [count for count in range(int(mean) + 1, int(8 * mean)) if exact.logsf(count - 1) > -30]
    wrong += [_surprise(count - 0.5, mean, size) + float(exact.logsf(count - 1)) for count in many]
    assert min(wrong) > -0.2 and max(wrong) < 0.2


def test_lulls_of_bursty_traffic_are_sure_drops_no_more_often_than_asked_for_and_most_drops_are_told_within_90_seconds() -> None:
    # Given: bursts of five minutes, and a test that may be wrong in a bucket of 1,000
    rng, false, early, buckets, soon, tried = np.random.default_rng(15), 0, 0, 0, 0, 0
    for _ in range(4):
        test, before, told = CountTest(log(1000)), False, False
        bursts = rng.gamma(25, 1 / 25, 1200).repeat(10)
        for time, burst in enumerate(bursts.tolist()):
            test.update(time * SECONDS, poisson(rng, 100 * burst))
            if time > PER_DAY:
                buckets, false, early = buckets + 1, false + (test.down.sure and not before), early + (test.down.active and not told)
                before, told = test.down.sure, test.down.active
        state = msgspec.msgpack.encode(test)
        # When: the traffic drops to a fifth
        for _ in range(25):
            copy = msgspec.msgpack.decode(state, type=CountTest)
            copy.h = H
            burst = rng.gamma(25, 1 / 25)
            for at in range(3):
                copy.update((len(bursts) + at) * SECONDS, poisson(rng, 20 * burst))
            soon, tried = soon + copy.down.active, tried + 1
    assert false <= 0.25 * buckets / 1000
    assert early <= 2 * buckets / 1000
    assert soon > 0.75 * tried


def test_a_state_written_before_the_square_of_sums_was_kept_goes_on() -> None:
    rng, test = np.random.default_rng(16), CountTest(H)
    for time in range(PER_DAY):
        test.update(time * SECONDS, poisson(rng, 100 * rng.gamma(10, 0.1)))
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(test))
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:-1]), type=CountTest)
    for time in range(PER_DAY, PER_DAY + 40):
        older.update(time * SECONDS, poisson(rng, 100))
    assert older.square > 0 and older.uneven == pytest.approx(test.uneven, rel=0.3)


# Cost


def test_a_price_that_triples_is_found_and_a_single_dear_request_is_not() -> None:
    rng, test = np.random.default_rng(4), PriceTest(H)
    for time in range(PER_DAY // 2):
        test.update(time * SECONDS, spend(rng, 60))
    start = PER_DAY // 2
    dear = spend(rng, 60)
    assert not test.update(start * SECONDS, Spend(dear.used + 50, 61, 3, dear.top + 50, 21)).alarm
    for at in range(1, 10):
        assert not test.update((start + at) * SECONDS, spend(rng, 60)).alarm
    assert any(test.update((start + 10 + at) * SECONDS, spend(rng, 60, 0.03)).alarm for at in range(4))


@pytest.mark.parametrize("requests", [15, 60, 400])
def test_a_typical_cost_is_a_false_alarm_no_more_often_than_asked_for_however_heavy_its_tail(requests: int) -> None:
    rng, false, steps = np.random.default_rng(8), 0, 6000
    test, before = TypicalTest(log(200)), False
    for time in range(steps):
        test.update(time * SECONDS, logs(rng, requests, 1.8))
        false, before = false + (test.evidence.active and not before), test.evidence.active
    assert false <= steps / 200


def test_a_typical_cost_that_triples_is_told_after_90_seconds_and_one_that_a_few_dear_requests_make_is_not() -> None:
    rng, test = np.random.default_rng(9), TypicalTest(H)
    for time in range(PER_DAY // 2):
        assert not test.update(time * SECONDS, logs(rng, 40, 1.1)).alarm
    state, now = msgspec.msgpack.encode(test), PER_DAY // 2 * SECONDS
    dear = logs(rng, 40, 1.1).plus(Logs(2, 2 * log(1000), 2 * log(1000) ** 2))
    assert not test.update(now, dear).alarm
    triple = msgspec.msgpack.decode(state, type=TypicalTest)
    assert any(triple.update(now + at * SECONDS, logs(rng, 40, 1.1, log(3))).alarm for at in range(3))


def test_a_typical_cost_varies_with_requests_and_with_buckets_and_both_are_known() -> None:
    rng, test = np.random.default_rng(10), TypicalTest(H)
    for time in range(2 * PER_DAY):
        test.update(time * SECONDS, logs(rng, 20 if time % 2 else 300, 1.2, float(rng.normal(0, 0.2))))
    assert test.within == pytest.approx(1.44, rel=0.1) and test.between == pytest.approx(0.04, rel=0.25)


def test_a_cost_that_creeps_by_two_per_cent_a_day_is_found_in_days_and_a_steady_one_is_not() -> None:
    settings = AnomalySettings()

    def first_alarm(growth: float) -> float | None:
        rng, test = np.random.default_rng(5), CreepTest(settings.hourly_evidence)
        for hour in range(20 * 24):
            days = max(0.0, hour / 24 - 10)
            price = 0.01 * (1 + growth) ** days * exp(rng.normal(0, 0.01)) * (1.2 if hour % 24 > 12 else 1.0)
            if test.update(hour * 3600, Spent(1000, price * 1000)).alarm:
                return hour / 24 - 10
        return None

    found = first_alarm(0.02)
    assert found is not None and 0 < found < 3
    assert first_alarm(0.0) is None


def creeps(seed: int, *, growth: float = 0.0, weeks: int = 1, requests: int = 3_000, alike: float = 0.0) -> list[int]:
    """Hours, after ten days, in which the typical cost creeps up by ``growth`` a day, at which an alarm begins.

    Nights have a fifth of the noon's requests; hours differ by 2% beyond their requests, as neighbours as ``alike``.
    """
    rng, test = np.random.default_rng(seed), CreepTest(AnomalySettings().hourly_evidence, typical=True)
    began, on, hours = list[int](), False, 0.0
    for hour in range(10 * 24 + weeks * 168):
        n = int(requests * (1 + 0.67 * np.cos(hour * 2 * np.pi / 24)))
        hours = alike * hours + float(rng.normal(0, 0.02 * (1 - alike**2) ** 0.5)) if alike else 0.0
        x = float(rng.normal(0.2 * (hour % 24 > 12), 0.9 / n**0.5)) + hours + log(1 + growth) * max(0.0, hour / 24 - 10)
        alarm = test.update(hour * 3600, Spent(n, n * x, n * (x**2 + 0.81))).alarm
        if alarm and not on:
            began.append(hour - 240)
        on = alarm
    return began


def test_a_typical_cost_that_creeps_by_two_per_cent_a_day_is_found_within_its_day() -> None:
    first = [creeps(seed, growth=0.02, requests=12_000)[0] for seed in range(20)]
    assert min(first) > 0 and sorted(first)[17] <= 24


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_hours_that_are_alike_are_no_creep(alike: float) -> None:
    false = sum(len(creeps(seed, weeks=20, alike=alike)) for seed in range(20))
    assert false <= 10  # 4 are asked for in 400 weeks, half of them of this test


def test_creep_of_the_typical_cost_is_told_in_dollars_per_request_as_they_are_and_would_be_without_it() -> None:
    # Given: costs that grow by 2% a day after ten days, and in each hour a share of dear requests that hides it in the mean
    rng, monitor, told = np.random.default_rng(6), SeriesMonitor.of(AnomalySettings(), whole=True), list[tuple[Condition, float]]()
    for hour in range(12 * 24):
        days = max(0.0, hour / 24 - 10)
        bins = rng.normal(24.0 + days * log(1.02), 0.7, 9_000) / LOG_GAMMA
        bucket, usd = Bucket(), float(rng.lognormal(5, 0.5))
        bucket.outcomes[OUTCOME_INDEX["ok"]] = 9_000
        bucket.windows[0] = [usd, 0.0, 9_000]
        bucket.paid, bucket.paid_bins, bucket.paid_squares = 9_000, round(bins.sum()), round((bins**2).sum())
        told += [(found, days) for found in monitor.update(hour * 3600, bucket) if found.kind == "creep"]
    # Then: what a request costs in the last hour, and what it would without its growth over the past days
    condition, days = told[0]
    assert 0 < days <= 1.5
    assert 0.001 < condition.value < 0.1
    assert 1.0 < condition.value / condition.expected < 1.02**days * 1.02


# Latency


def sketch(rng: np.random.Generator, n: int, factor: float = 1.0) -> Bins:
    """Lognormal latencies; with ``factor`` the slowest tenth takes so many times as long and the rest is faster, at the same mean."""
    values = sorted((1000 * np.exp(rng.normal(0, 0.5, n))).tolist())
    slow = values[int(0.9 * n) :]
    fast = values[: int(0.9 * n)]
    shrink = 1 - sum(slow) * (factor - 1) / sum(fast)
    bins: Bins = {}
    for value in [v * shrink for v in fast] + [v * factor for v in slow]:
        bins[bin_of(value)] = bins.get(bin_of(value), 0) + 1
    return bins


def test_a_slow_tail_at_an_unchanged_mean_is_found() -> None:
    rng, test = np.random.default_rng(6), TailTest.of(H)
    for time in range(4 * PER_HOUR):
        assert not test.update(time * SECONDS, sketch(rng, 100)).alarm
    scores = [test.update((4 * PER_HOUR + at) * SECONDS, sketch(rng, 100, 2.0)) for at in range(10)]
    assert scores[-1].alarm
    assert scores[-1].value > 1.3 * scores[-1].expected > 0


def test_a_tail_that_moves_with_the_load_of_the_day_is_no_alarm() -> None:
    # Given: answers that take a fifth longer at noon than at night
    rng, test = np.random.default_rng(8), TailTest.of(H)
    shifts = [int(9 * (1 + np.cos(time * 2 * np.pi / PER_DAY)) / 2) for time in range(PER_DAY)]  # bins of 2%
    for time in range(2 * PER_DAY):
        bins = {index + shifts[time % PER_DAY]: count for index, count in sketch(rng, 40).items()}
        assert not test.update(time * SECONDS, bins).alarm


# Several metrics together


def residuals(rng: np.random.Generator, *shift: float, load: float | None = None) -> list[float]:
    """Of traffic and four metrics: the first two follow the load, and the next two each other. ``shift``: of the four."""
    load = rng.normal() if load is None else load
    common = rng.normal()
    noise = rng.normal(0, 0.3, 4)
    metrics = [0.5 * load + noise[0], 0.5 * load + noise[1], common + noise[2], common + noise[3]]
    return [load, *(metric + by for metric, by in zip(metrics, shift or (0.0,) * 4, strict=True))]


def watched(rng: np.random.Generator) -> JointTest:
    test = JointTest(H)
    assert not any(test.update(time * SECONDS, residuals(rng)).alarm for time in range(2 * PER_DAY))
    return test


def test_metrics_that_part_are_found_although_each_is_where_it_often_is_and_the_end_too() -> None:
    rng = np.random.default_rng(20)
    test, now = watched(rng), 2 * PER_DAY
    # When: two metrics that always go together part, each by less than its standard deviation
    during = [test.update((now + at) * SECONDS, residuals(rng, 0, 0, 0.8, -0.8)).alarm for at in range(60)]
    assert during[-1] and not any(during[:6])
    assert sorted((at, size > 0) for at, size in test.furthest()[:2]) == [(3, True), (4, False)]
    assert test.since is not None and test.since >= now * SECONDS
    after = [test.update((now + 60 + at) * SECONDS, residuals(rng)).alarm for at in range(120)]
    assert not after[-1]


def test_what_load_explains_and_what_lasts_a_minute_is_no_joint_change() -> None:
    rng = np.random.default_rng(21)
    test, now = watched(rng), 2 * PER_DAY
    assert not any(test.update((now + at) * SECONDS, residuals(rng, load=3.0)).alarm for at in range(30))
    assert not any(test.update((now + 30 + at) * SECONDS, residuals(rng, 4, -4, 4, -4)).alarm for at in range(2))
    assert not any(test.update((now + 32 + at) * SECONDS, residuals(rng)).alarm for at in range(60))


def test_one_incident_does_not_make_it_deaf_to_the_next() -> None:
    rng = np.random.default_rng(22)
    test, now = watched(rng), 2 * PER_DAY
    before = test.limit()
    for at in range(PER_HOUR):
        test.update((now + at) * SECONDS, residuals(rng, 4, -4, 4, -4))
    for at in range(PER_DAY):
        test.update((now + PER_HOUR + at) * SECONDS, residuals(rng))
    assert test.limit() < 1.5 * before


def test_counts_of_rare_events_deviate_about_as_much_as_normal_ones() -> None:
    rng = np.random.default_rng(23)
    sizes = np.array([deviation(poisson(rng, 2.0), 2.0) for _ in range(20_000)])
    assert sizes.std() == pytest.approx(1.0, abs=0.1) and sizes.max() < 4.5


# Objectives


def slow_bucket(fast: int, slow: int) -> Bucket:
    bucket = Bucket()
    bucket.latency = {bin_of(100.0): fast, bin_of(5000.0): slow}
    return bucket


def test_an_error_budget_that_burns_fast_is_a_page_and_a_met_objective_is_nothing() -> None:
    objective = Objective(name="fast", latency_ms=1000)
    burn = BurnRate()

    def after(bucket: Bucket) -> Burning | None:
        score = burn.update(0.0, objective.slow(bucket), budget=objective.budget)
        assert score.alarm is (burn.burning(objective.budget) is not None)
        return burn.burning(objective.budget)

    assert [after(slow_bucket(995, 5)) for _ in range(PER_DAY)] == [None] * PER_DAY
    last = [after(slow_bucket(500, 500)) for _ in range(PER_HOUR)][-1]
    assert last is not None and last.rule.severity == "page" and last.rate > 14.4


def test_objectives_are_checked_and_named() -> None:
    (objective,) = objectives([{"feature": "chat*", "model": "gpt-4o", "latency_ms": 2000}])
    assert objective.covers("acme", "chat-web", "gpt-4o") and not objective.covers("acme", "search", "gpt-4o")
    assert objective.label == "chat*/gpt-4o 99% in 2000 ms"
    for wrong in ({"latency_ms": 0}, {"latency_ms": 10, "target": 1.0}, {"latency_ms": 10, "targt": 0.9}, {}):
        with pytest.raises(ValueError, match=r"\[\[slos\]\] number 1"):
            objectives([wrong])
    with pytest.raises(ValueError, match="its own name"):
        objectives([{"name": "a", "latency_ms": 1}, {"name": "a", "latency_ms": 2}])
    with pytest.raises(ValueError, match=r"\[anomaly\].*false_alarm"):
        anomaly_settings({"false_alarm": 1})


# Prices, causes


def test_the_cause_is_the_value_whose_amount_changed() -> None:
    breakdown = Breakdown()
    old = {("prompt_sha", "a1"): Amounts(50, 1.0), ("provider", "openai"): Amounts(50, 1.0)}
    for _ in range(PER_HOUR):
        breakdown.update(old, usual=True)
    for _ in range(10):
        breakdown.update({**old, ("prompt_sha", "b2"): Amounts(50, 9.0), ("provider", "openai"): Amounts(100, 10.0)}, usual=False)
    assert breakdown.cause("usd") == Explanation("prompt_sha", "b2", new=True, share=1.0, rises=True)


def test_a_breakdown_stays_small() -> None:
    breakdown = Breakdown()
    for at in range(500):
        breakdown.update({("prompt_sha", str(at)): Amounts(1.0)}, usual=True)
    assert len(msgspec.msgpack.encode(breakdown)) < 2_000


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_usual_traffic_raises_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates, counts = RateTest(H), CountTest(H)
    level, share = rng.uniform(1, 100), rng.uniform(0, 0.1)
    for time in range(6 * PER_HOUR):
        n = poisson(rng, level)
        assert not counts.update(time * SECONDS, n).alarm
        assert not rates.update(time * SECONDS, Share(binomial(rng, n, share), n)).alarm
