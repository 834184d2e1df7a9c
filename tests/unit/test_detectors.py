"""What all detectors have in common, and all tests of two samples: agents/detectors/detector.py
says it, here it is checked of each.

A class of the package with an ``update`` that is in no case below fails the first test.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import inf, log, nan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.random import Generator

import agents.detectors
from agents.detectors import two_sample
from agents.detectors.burn import BurnRate
from agents.detectors.costs import CreepTest, Logs, PriceTest, Spend, Spent, TypicalTest
from agents.detectors.counts import CountTest
from agents.detectors.detector import Detector, Score
from agents.detectors.joint import JointTest
from agents.detectors.level import Level, Sums
from agents.detectors.named import RiverDetector
from agents.detectors.points import PointDetector
from agents.detectors.rates import RateTest, Share
from agents.detectors.sequential import Mean
from agents.detectors.spells import Spells
from agents.detectors.tail import TailTest
from agents.detectors.two_sample import NOTHING

UNIT = "not depend on the unit of the values"
H = 12.0
"""Logarithm of the values per false alarm."""
MONDAY = 1_767_571_200.0


@dataclass(frozen=True)
class Case:
    """A detector, and a stream of values that it is made for."""

    new: Callable[[], Detector[Any]]
    usual: Callable[[Generator], Any]
    changed: Callable[[Generator], Any]
    """A value after an obvious change."""
    same: Any
    """What a series brings that never changes."""
    gaps: tuple[Any, ...]
    """Values that are not finite."""
    learns: int
    """Usual values after which a change is told..."""
    within: int
    """... once so many more have come."""
    most: int
    """Bytes of state."""
    rescaled: Callable[[Any], Any] | None = None
    """A value in another unit."""
    step: float = 30.0
    """Seconds between values."""
    wrong: int = 0
    """Usual values that may be told of."""

    def stream(self, seed: int = 1) -> list[tuple[float, Any]]:
        """Usual values, and then others: (time, value)."""
        rng = np.random.default_rng(seed)
        values = [self.usual(rng) for _ in range(self.learns)] + [
            self.changed(rng) for _ in range(self.within)
        ]
        return [(MONDAY + at * self.step, value) for at, value in enumerate(values)]


def share(chance: float) -> Callable[[Generator], Share]:
    return lambda rng: Share(int(rng.binomial(40, chance)), 40)


def bins(slowest: int) -> Callable[[Generator], dict[int, int]]:
    def one(rng: Generator) -> dict[int, int]:
        found, counts = np.unique(rng.integers(250, slowest, 30), return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    return one


def spend(factor: float) -> Callable[[Generator], Spend]:
    def one(rng: Generator) -> Spend:
        used = factor * rng.lognormal(-5, 0.5, 12)
        return Spend(float(used.sum()), 12, 3, float(used[:4].sum()), 4)

    return one


def logs(factor: float, requests: int = 12) -> Callable[[Generator], Logs]:
    def one(rng: Generator) -> Logs:
        found = log(factor) + rng.normal(-5, 0.5, requests)
        return Logs(requests, float(found.sum()), float((found**2).sum()))

    return one


def spent(factor: float) -> Callable[[Generator], Spent]:
    return lambda rng: Spent(100, factor * float(rng.lognormal(-5, 0.5, 100).sum()))


def scores(mean: float) -> Callable[[Generator], Sums]:
    def one(rng: Generator) -> Sums:
        found = rng.binomial(1, mean, 12)
        return Sums(12.0, float(found.sum()), float(found.sum()))

    return one


CASES: dict[str, Case] = {
    "counts": Case(
        lambda: CountTest(H),
        lambda rng: int(rng.poisson(20)),
        lambda rng: int(rng.poisson(90)),
        20,
        (nan, inf),
        learns=400,
        within=20,
        most=2_500,
    ),
    "counts that cease": Case(
        lambda: CountTest(H),
        lambda rng: int(rng.poisson(20)),
        lambda rng: 0,
        20,
        (nan, -inf),
        learns=400,
        within=20,
        most=2_500,
    ),
    "spells": Case(
        lambda: Spells(0.4, 0.2),
        lambda rng: (float(rng.poisson(20)), 20.0),
        lambda rng: (float(rng.poisson(1)), 20.0),
        (20.0, 20.0),
        ((nan, 20.0), (20.0, inf)),
        learns=400,
        within=20,
        most=1_300,
    ),
    "rates": Case(
        lambda: RateTest(H),
        share(0.02),
        share(0.4),
        Share(1, 40),
        (Share(nan, 40), Share(1, inf)),
        learns=200,
        within=20,
        most=200,  # type: ignore[arg-type]
    ),
    "tail": Case(
        lambda: TailTest.of(H),
        bins(300),
        bins(330),
        {250: 10, 260: 5},
        ({250: nan}, {250: 10, 260: inf}),
        learns=200,
        within=20,
        most=2_000,
    ),
    "price": Case(
        lambda: PriceTest(H),
        spend(1.0),
        spend(4.0),
        Spend(0.12, 12, 3, 0.04, 4),
        (Spend(nan, 12), Spend(0.12, 12, 3, inf, 4)),
        learns=200,
        within=20,
        most=200,
        rescaled=lambda v: v._replace(used=64 * v.used, top=64 * v.top),
    ),
    "typical": Case(
        lambda: TypicalTest(H),
        logs(1.0),
        logs(4.0),
        Logs(12, -60.0, 300.0),
        (Logs(12, nan, 300.0), Logs(12, -60.0, inf)),
        learns=200,
        within=20,
        most=200,
        rescaled=lambda v: _shifted(v, log(64)),
    ),
    "creep": Case(
        lambda: CreepTest(9.0),
        spent(1.0),
        spent(1.3),
        Spent(100, 0.5),
        (Spent(100, nan), Spent(100, inf)),
        learns=240,
        within=48,
        most=600,
        step=3600.0,
        rescaled=lambda v: v._replace(used=64 * v.used),
    ),
    "typical creep": Case(
        lambda: CreepTest(9.0, typical=True),
        lambda rng: Spent(*logs(1.0, 100)(rng)),
        lambda rng: Spent(*logs(1.3, 100)(rng)),
        Spent(100, -500.0, 2_500.0),
        (Spent(100, nan, 2_500.0), Spent(100, -500.0, inf)),
        learns=240,
        within=48,
        most=600,
        step=3600.0,
        rescaled=lambda v: Spent(*_shifted(Logs(*v), log(64))),
    ),
    "joint": Case(
        lambda: JointTest(H),
        lambda rng: rng.normal(0, 1, 4).tolist(),
        lambda rng: rng.normal((0, 3, 3, -3), 1).tolist(),
        [0.0] * 4,
        ([0.0, nan, 0.0, 0.0], [inf] * 4),
        learns=1_600,
        within=40,
        most=500,
    ),
    "points": Case(
        PointDetector,
        lambda rng: float(rng.normal(100, 2)),
        lambda rng: float(rng.normal(180, 2)),
        45.0,
        (nan, inf, -inf),
        learns=800,
        within=4,
        most=150_000,
        rescaled=lambda v: 64 * v,
        step=300.0,
        wrong=4,  # a false alarm costs a ninth of a missed anomaly (tests/bench/nab.py)
    ),
    "river": Case(
        lambda: RiverDetector("drift.ADWIN"),
        lambda rng: float(rng.normal(5, 1)),
        lambda rng: float(rng.normal(12, 1)),
        5.0,
        (nan, inf, -inf),
        learns=1_200,
        within=40,
        most=10_000,
        rescaled=lambda v: 64 * v,
    ),
    "burn": Case(
        BurnRate,
        share(0.002),
        share(0.5),
        Share(0, 40),
        (Share(nan, 40), Share(1, inf)),
        learns=100,
        within=40,
        most=200,  # type: ignore[arg-type]
    ),
    "level": Case(
        Level,
        scores(0.85),
        scores(0.3),
        Sums(12.0, 9.0, 9.0),
        (Sums(12.0, nan, 9.0), Sums(inf, 9.0, 9.0)),
        learns=100,
        within=40,
        most=300,
        step=600.0,
    ),
    "mean": Case(
        Mean,
        lambda rng: float(rng.normal(0, 0.2)),
        lambda rng: float(rng.normal(0.6, 0.2)),
        0.0,
        (nan, inf, -inf),
        learns=100,
        within=200,
        most=100,
    ),
}

every_detector = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def _shifted(value: Logs, by: float) -> Logs:
    n, total, squares = value
    return Logs(n, total + n * by, squares + 2 * by * total + n * by**2)


def scored(detector: Detector[Any], stream: Sequence[tuple[float, Any]]) -> list[Score]:
    return [detector.update(time, value) for time, value in stream]


def restored(detector: Detector[Any]) -> Detector[Any]:
    found: Detector[Any] = msgspec.msgpack.decode(
        msgspec.msgpack.encode(detector), type=type(detector)
    )
    return found


def members(of: Callable[[object], bool]) -> set[Any]:
    """Of all modules of the package, each where it is defined."""
    modules = [
        import_module(f"agents.detectors.{module.name}")
        for module in pkgutil.iter_modules(agents.detectors.__path__)
    ]
    return {
        one
        for module in modules
        for _, one in inspect.getmembers(module, of)
        if one.__module__ == module.__name__
    }


class TestDetectors:
    def test_all_of_them_are_here(self) -> None:
        known = {type(case.new()) for case in CASES.values()}
        assert (
            members(
                lambda one: inspect.isclass(one) and hasattr(one, "update") and one is not Detector
            )
            == known
        )

    def test_all_of_them_are_in_the_architecture(self) -> None:
        section = (
            (Path(__file__).parents[2] / "docs/architecture.md")
            .read_text("utf-8")
            .split("\n## Detectors\n")[1]
            .split("\n## ")[0]
        )
        assert set(re.findall(r"(?m)^\| `(\w+)` \|", section)) == {
            type(case.new()).__name__ for case in CASES.values()
        }

    @every_detector
    def test_it_says_where_it_was_published(self, case: Case) -> None:
        text = " ".join((type(case.new()).__doc__ or "").split())
        assert re.search(r"Source: .+ ?\(?(19|20)\d\d", text)

    @every_detector
    def test_the_same_values_have_the_same_scores(self, case: Case) -> None:
        assert scored(case.new(), case.stream()) == scored(case.new(), case.stream())

    @every_detector
    def test_it_is_silent_before_an_obvious_change_and_tells_of_it(self, case: Case) -> None:
        found = scored(case.new(), case.stream())
        assert sum(score.alarm for score in found[: case.learns]) <= case.wrong
        assert any(score.alarm for score in found[case.learns :])

    @every_detector
    def test_it_is_silent_on_what_never_changes(self, case: Case) -> None:
        found = scored(case.new(), [(MONDAY + at * case.step, case.same) for at in range(3_000)])
        assert all(0.0 <= score.score < 1.0 for score in found)

    @every_detector
    def test_scores_lie_in_the_unit_interval_and_numbers_are_finite(self, case: Case) -> None:
        found = scored(case.new(), case.stream(2))
        assert all(0.0 <= score.score <= 1.0 for score in found)
        assert np.isfinite(found).all()

    @every_detector
    def test_where_a_stream_is_cut_by_a_restart_does_not_matter(self, case: Case) -> None:
        # Given: whole; written and read again while learning, around the change, while it alarms
        whole, stream = case.new(), case.stream()
        expected = scored(whole, stream)
        cuts = {
            1,
            7,
            case.learns // 2,
            *range(case.learns - 3, case.learns + 4),
            case.learns + case.within - 1,
        }
        detector, found = case.new(), list[Score]()
        # When
        for at, (time, value) in enumerate(stream):
            detector = restored(detector) if at in cuts else detector
            found.append(detector.update(time, value))
        # Then
        assert found == expected
        assert msgspec.msgpack.encode(detector) == msgspec.msgpack.encode(whole)

    @every_detector
    def test_it_knows_nothing_of_what_comes(self, case: Case) -> None:
        stream = case.stream()
        assert (
            scored(case.new(), stream[: case.learns]) == scored(case.new(), stream)[: case.learns]
        )

    @every_detector
    def test_what_is_not_finite_is_a_gap(self, case: Case) -> None:
        stream, detector, last = case.stream(), case.new(), Score()
        gaps = {0, 1, case.learns // 2, *range(case.learns, len(stream))}
        found = []
        for at, (time, value) in enumerate(stream):
            for gap in case.gaps if at in gaps else ():
                before = msgspec.msgpack.encode(detector)
                score = detector.update(time, gap)
                assert score == Score(float(score.alarm)), (
                    "it says nothing but whether an alarm is on"
                )
                assert last.alarm or not score.alarm
                assert msgspec.msgpack.encode(detector) == before
            last = detector.update(time, value)
            found.append(last)
        assert found == scored(case.new(), stream)

    @every_detector
    def test_its_state_is_bounded(self, case: Case) -> None:
        # Given: changes that come and go, some of them long
        rng, detector, largest = np.random.default_rng(3), case.new(), 0
        for at in range(5_000):
            value = case.changed(rng) if at % 700 > 600 or 2_000 < at < 2_600 else case.usual(rng)
            detector.update(MONDAY + at * case.step, value)
            if at % 250 == 0:
                largest = max(largest, len(msgspec.msgpack.encode(detector)))
        # Then
        assert largest <= case.most

    @every_detector
    def test_whether_the_unit_matters_is_as_it_says(self, case: Case) -> None:
        says = UNIT in " ".join((type(case.new()).__doc__ or "").split())
        assert says is (case.rescaled is not None)
        if case.rescaled is not None:
            stream = case.stream()
            found = scored(case.new(), [(time, case.rescaled(value)) for time, value in stream])
            expected = scored(case.new(), stream)
            assert [score.score for score in found] == pytest.approx(
                [score.score for score in expected], abs=1e-6
            )


# Tests of two samples

NEW = np.arange(120) >= 60


@dataclass(frozen=True)
class Samples:
    """``alike``: 120 observations of one kind; ``changed``: of which the last 60 plainly are of
    another."""

    test: Callable[..., two_sample.Tested]
    alike: Callable[[Generator], Any]
    changed: Callable[[Generator], Any]
    same: Any
    """120 times the same."""


def clusters(rng: Generator, first: int, last: int, rows: int) -> Any:
    return np.eye(12)[rng.integers(first, last, rows)] + rng.normal(0, 0.05, (rows, 12))


SAMPLES: dict[str, Samples] = {
    "kernel_test": Samples(
        two_sample.kernel_test,
        lambda rng: rng.normal(0, 1, (120, 20)),
        lambda rng: rng.normal(0, 1, (120, 20)) + NEW[:, None],
        np.ones((120, 20)),
    ),
    "topics_test": Samples(
        two_sample.topics_test,
        lambda rng: clusters(rng, 0, 12, 120),
        lambda rng: np.concatenate([clusters(rng, 0, 6, 60), clusters(rng, 6, 12, 60)]),
        np.zeros((120, 12)),
    ),
    "rank_test": Samples(
        two_sample.rank_test,
        lambda rng: rng.lognormal(size=120),
        lambda rng: rng.lognormal(2.0 * NEW),
        np.ones(120),
    ),
    "location_test": Samples(
        two_sample.location_test,
        lambda rng: rng.lognormal(size=120),
        lambda rng: rng.lognormal(-2.0 * NEW),
        np.ones(120),
    ),
    "binary_test": Samples(
        two_sample.binary_test,
        lambda rng: rng.random(120) < 0.2,
        lambda rng: rng.random(120) < 0.1 + 0.7 * NEW,
        NEW | True,
    ),
    "category_test": Samples(
        two_sample.category_test,
        lambda rng: rng.integers(0, 4, 120),
        lambda rng: rng.integers(0, 4, 120) + 2 * NEW,
        np.ones(120, int),
    ),
}

every_test = pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)


class TestTwoSampleTests:
    def test_all_of_them_are_here(self) -> None:
        found = members(lambda one: inspect.isfunction(one) and one.__name__.endswith("_test"))
        assert found == {samples.test for samples in SAMPLES.values()}

    @every_test
    def test_it_says_where_it_was_published(self, samples: Samples) -> None:
        assert re.search(r"Source: .+(19|20)\d\d", " ".join((samples.test.__doc__ or "").split()))

    @every_test
    def test_it_tells_an_obvious_change_and_leaves_its_input_as_it_is(
        self, samples: Samples
    ) -> None:
        observations = samples.changed(np.random.default_rng(1))
        kept = observations.copy()
        found = samples.test(observations, NEW)
        assert 0.0 < found.p < 1e-4
        assert samples.test(observations, NEW) == found
        assert (observations == kept).all()

    @every_test
    def test_where_nothing_changed_small_values_of_p_are_as_rare_as_they_say(
        self, samples: Samples
    ) -> None:
        rng = np.random.default_rng(2)
        found = np.array([samples.test(samples.alike(rng), NEW).p for _ in range(200)])
        assert ((found > 0.0) & (found <= 1.0)).all()
        assert (found <= 0.1).mean() <= 0.1 + 3 * (0.1 * 0.9 / 200) ** 0.5

    @every_test
    def test_what_does_not_vary_and_a_group_alone_say_nothing(self, samples: Samples) -> None:
        assert samples.test(samples.same, NEW) == NOTHING
        for new in (np.zeros(120, bool), np.ones(120, bool)):
            assert samples.test(samples.alike(np.random.default_rng(3)), new) == NOTHING

    @every_test
    def test_what_is_not_a_number_is_left_out(self, samples: Samples) -> None:
        observations = samples.changed(np.random.default_rng(4))
        if observations.dtype != float:
            return  # neither a truth nor a code can be
        observations[[5, 80]] = nan
        kept = ~np.isin(np.arange(120), (5, 80))
        assert samples.test(observations, NEW) == samples.test(observations[kept], NEW[kept])

    @every_test
    def test_whether_the_unit_matters_is_as_it_says(self, samples: Samples) -> None:
        observations = samples.alike(np.random.default_rng(5))
        says = UNIT in " ".join((samples.test.__doc__ or "").split())
        assert says is (observations.dtype == float)
        if says:
            assert samples.test(1_024.0 * observations, NEW) == pytest.approx(
                samples.test(observations, NEW), rel=1e-6
            )
