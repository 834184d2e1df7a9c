"""Satisfaction: a fall is a trend against the series' own level, not one bad minute; the same whatever the order and the restarts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.common.label_settings import LabelSettings, label_settings
from agents.detectors.level import ADOPT, Level, Sums
from agents.satisfaction.state import SatisfactionState
from schemas.findings import Finding, Findings
from schemas.opinions import WINDOW, Judged, Opinions
from streams.effects import Effects
from tests.unit.builders import FakeBatch, Record

START = 1_772_366_400 // WINDOW * WINDOW
NEEDED = log(10_080 / 0.01)
CHAT = ("acme", "chat")


def opinions(window: int, scores: Iterable[float], series: tuple[str, str] = CHAT) -> Opinions:
    found = Opinions(START + window * WINDOW, series)
    for n, score in enumerate(scores):
        found.add(score, f"{series[1]}-{window}-{n}")
    return found


def scores(mean: float, count: int, chance: random.Random) -> list[float]:
    """About as labels scatter: some answers are known to be good or bad, of most little is known."""
    return [min(max(chance.gauss(mean, 0.22), 0.0), 1.0) for _ in range(count)]


class Watch:
    """A state, what was sent to it, and what it found."""

    def __init__(self, *, sources: int = 1, **settings: float) -> None:
        self.make = lambda: SatisfactionState(
            0, "test", "findings", LabelSettings(**settings), sources  # type: ignore[arg-type]
        )  # fmt: skip
        self.state = self.make()
        self.found: list[Finding] = []
        self.clocks: list[float | None] = []
        self.effects = Effects()
        self._offset = 0

    def send(self, *messages: Judged) -> list[Finding]:
        records = [Record("s", 0, self._offset + n, 0, None, msgspec.msgpack.encode(m), ()) for n, m in enumerate(messages)]
        self._offset += len(records)
        before = len(self.effects.messages)
        self.state.apply(FakeBatch("s", 0, records, self._offset), self.effects)
        new: list[Finding] = []
        for message in self.effects.messages[before:]:
            told = msgspec.msgpack.decode(message.value, type=Findings)
            self.clocks.append(told.clock)
            new += told.findings
        self.found += new
        return new

    def minutes(
        self, first: int, means: Sequence[float], *, each: int = 10, seed: int = 1, series: tuple[str, str] = CHAT
    ) -> list[Finding]:
        chance = random.Random(f"{seed}-{first}")
        found = []
        for n, mean in enumerate(means, first):
            found += self.send(Judged(0, START + (n + 1) * WINDOW, [opinions(n, scores(mean, each, chance), series)]))
        return found


def test_a_fall_is_found_within_minutes_and_says_what_was_expected() -> None:
    watch = Watch()
    assert watch.minutes(0, [0.75] * 120) == []
    found = watch.minutes(120, [0.55] * 30)
    assert found and found[0].time <= START + 140 * WINDOW
    first, last = found[0], found[-1]
    assert first.name == "QualityDrop" and first.active and first.labels == {"tenant": "acme", "feature": "chat", "metric": "satisfaction"}
    assert first.expected == pytest.approx(0.75, abs=0.03) and first.value is not None and first.value < 0.65
    assert first.since is not None and abs(first.since - (START + 120 * WINDOW)) <= 5 * WINDOW
    assert 0 < len(first.response_ids) <= 10 and all(i.startswith("chat-1") for i in first.response_ids)
    assert last.value == pytest.approx(0.55, abs=0.04), "of all answers since then"


def test_it_ceases_when_the_level_is_back() -> None:
    watch = Watch()
    watch.minutes(0, [0.75] * 120 + [0.5] * 30)
    found = watch.minutes(150, [0.75] * 60)
    assert [f.active for f in found][-1] is False and sum(not f.active for f in found) == 1


@pytest.mark.parametrize("seed", range(10))
def test_a_steady_level_is_no_fall(seed: int) -> None:
    assert Watch().minutes(0, [0.7] * 1_440, seed=seed) == []


def test_one_bad_minute_is_no_trend() -> None:
    watch = Watch()
    watch.minutes(0, [0.75] * 120)
    assert watch.send(Judged(0, START + 121 * WINDOW, [opinions(120, [0.0] * 200)])) == []
    assert watch.minutes(121, [0.75] * 60) == []


def test_without_a_level_of_its_own_nothing_is_said() -> None:
    watch = Watch()
    assert watch.minutes(0, [0.75] * 10 + [0.1] * 5) == [], "150 answers of 200"


def test_a_slow_fall_is_found_too() -> None:
    watch = Watch()
    watch.minutes(0, [0.75] * 300)
    assert watch.minutes(300, [0.75 - 0.3 * n / 600 for n in range(600)])


def test_better_is_no_drop() -> None:
    watch = Watch()
    assert watch.minutes(0, [0.5] * 120 + [0.9] * 120) == []


def test_a_fall_is_told_again_while_nobody_asks_so_that_the_alert_lives() -> None:
    watch = Watch()
    watch.minutes(0, [0.75] * 120 + [0.4] * 30)
    again = watch.send(Judged(0, START + 153 * WINDOW, []))
    assert [(f.active, f.time) for f in again] == [(True, START + n * WINDOW) for n in (151, 152, 153)]
    assert len(watch.send(Judged(0, START + 9_000 * WINDOW, []))) < 1_440, "for a day"


def test_a_level_that_stays_low_for_a_week_is_the_new_one() -> None:
    level, chance = Level(), random.Random(1)

    def take(window: int, mean: float) -> bool:
        values = scores(mean, 10, chance)
        seen = Sums(10, sum(values), sum(v * v for v in values))
        return level.update(START + window * WINDOW, seen, drop=0.1, needed=NEEDED, baseline=200).alarm

    assert not any(take(n, 0.75) for n in range(120))
    low = [take(n, 0.5) for n in range(120, 120 + int(ADOPT / WINDOW) + 60)]
    assert any(low) and not low[-1]
    assert level.known.mean == pytest.approx(0.5, abs=0.02)


def test_series_are_bounded_and_what_was_said_of_them_is_withdrawn() -> None:
    watch = Watch(series=1)
    watch.minutes(0, [0.75] * 120 + [0.4] * 30)
    found = watch.minutes(150, [0.7], series=("acme", "other"))
    assert [(f.labels["feature"], f.active) for f in found] == [("chat", False)]
    assert watch.state.gauges()["satisfaction_series"] == 1


def test_a_setting_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[labels\].*gapp"):
        label_settings({"gapp": 1})


def traffic(seed: int) -> list[list[Judged]]:
    """Of two partitions: both have a part of every series; their levels fall at some time."""
    chance = random.Random(seed)
    fall = chance.randrange(20, 30)
    sent: list[list[Judged]] = [[], []]
    for n in range(50):
        for partition in (0, 1):
            mean = 0.4 if n >= fall else 0.75
            windows = [opinions(n, scores(mean, chance.randrange(6), chance), ("t", feature)) for feature in ("a", "b")]
            sent[partition].append(Judged(partition, START + (n + 1) * WINDOW, [w for w in windows if w.answers]))
    return sent


@given(seed=st.integers(0, 1_000), shuffle=st.randoms(use_true_random=False), restarts=st.sets(st.integers(0, 99), max_size=5))
@hypothesis_settings(max_examples=15, deadline=None)
def test_the_order_of_partitions_and_restarts_change_nothing(seed: int, shuffle: random.Random, restarts: set[int]) -> None:
    sent = traffic(seed)
    expected = Watch(sources=2, baseline=60)
    for pair in zip(*sent, strict=True):
        expected.send(*pair)
    assert expected.found

    watch, left, pieces = Watch(sources=2, baseline=60), [list(messages) for messages in sent], []
    for n in range(100):
        watch.send(shuffle.choice([messages for messages in left if messages]).pop(0))
        changed = watch.state.changes()
        if changed is not None:
            pieces.append(changed)
        if n in restarts:
            if shuffle.random() < 0.5:
                pieces = list(watch.state.snapshot())
            watch.state = watch.make()
            for piece in pieces:
                watch.state.load(piece)

    def told(found: list[Finding]) -> list[tuple[object, ...]]:
        return [(f.time, f.labels["feature"], f.active, f.value, f.since, f.response_ids) for f in found]

    assert told(watch.found) == told(expected.found)
    assert watch.clocks == sorted(watch.clocks)  # type: ignore[type-var]
