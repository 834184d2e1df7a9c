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
from river.metrics import LogLoss
from sklearn.metrics import roc_auc_score

from agents.common.label_settings import LabelSettings, label_settings
from agents.detectors.level import ADOPT, Level, Sums
from agents.satisfaction.state import SatisfactionState
from schemas.findings import Finding, Findings
from schemas.opinions import WINDOW, Foresight, JudgedUpTo, Opinions
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

    def send(self, *messages: JudgedUpTo) -> list[Finding]:
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
            found += self.send(JudgedUpTo(0, START + (n + 1) * WINDOW, [opinions(n, scores(mean, each, chance), series)]))
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
    assert watch.send(JudgedUpTo(0, START + 121 * WINDOW, [opinions(120, [0.0] * 200)])) == []
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
    again = watch.send(JudgedUpTo(0, START + 153 * WINDOW, []))
    assert [(f.active, f.time) for f in again] == [(True, START + n * WINDOW) for n in (151, 152, 153)]
    assert len(watch.send(JudgedUpTo(0, START + 9_000 * WINDOW, []))) < 1_440, "for a day"


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


def traffic(seed: int) -> list[list[JudgedUpTo]]:
    """Of two partitions: both have a part of every series; their levels fall at some time."""
    chance = random.Random(seed)
    fall = chance.randrange(20, 30)
    sent: list[list[JudgedUpTo]] = [[], []]
    for n in range(50):
        for partition in (0, 1):
            mean = 0.4 if n >= fall else 0.75
            windows = [opinions(n, scores(mean, chance.randrange(6), chance), ("t", feature)) for feature in ("a", "b")]
            sent[partition].append(JudgedUpTo(partition, START + (n + 1) * WINDOW, [w for w in windows if w.answers]))
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


# How well labels foretell what users say


def foresight(
    window: int, right: float, count: int, chance: random.Random, series: tuple[str, str] = CHAT
) -> Foresight:
    """``right``: how often users then say what was thought likelier."""
    found = Foresight(START + window * WINDOW, series)
    for _ in range(count):
        thought = chance.choice((0.2, 0.3, 0.7, 0.9))
        found.add(thought, (thought > 0.5) == (chance.random() < right))
    return found


def foretelling(watch: Watch, first: int, rights: Sequence[float], *, split: int = 1) -> list[Finding]:
    found, chance = [], random.Random(first)
    for n, right in enumerate(rights, first):
        parts = [foresight(n, right, 12 // split, chance) for _ in range(split)]
        end = START + (n + 1) * WINDOW
        found += watch.send(*(JudgedUpTo(p, end, [], False, [part]) for p, part in enumerate(parts)))
    return found


def test_labels_that_tell_less_well_what_users_say_are_found_and_forgotten_when_they_do() -> None:
    watch = Watch()
    assert foretelling(watch, 0, [0.85] * 60) == []
    found = foretelling(watch, 60, [0.45] * 40)
    first = found[0]
    assert first.name == "QualityDrop" and first.active
    assert first.labels == {"tenant": "acme", "feature": "chat", "metric": "labels"}
    assert first.facts["auc"] < 0.9 and first.time <= START + 80 * WINDOW
    assert [finding.active for finding in foretelling(watch, 100, [0.9] * 60)][-1] is False


def test_rows_say_how_well_labels_foretold_lately_and_differ_by_series() -> None:
    watch = Watch(sources=2)
    foretelling(watch, 0, [0.95] * 100, split=2)
    rows = [msgspec.json.decode(row) for row in watch.effects.rows["label_quality_data"]]
    assert len(rows) == 100 and rows[-1]["feedbacks"] == 12
    assert rows[-1]["auc"] > 0.85 and rows[-1]["log_loss"] < 0.5
    assert 440 < rows[-1]["recent"] < 500, "about 500 feedbacks"
    assert watch.state.gauges()["label_auc:acme/chat"] == pytest.approx(rows[-1]["auc"], abs=1e-4)


def test_a_restart_changes_nothing_of_foresight() -> None:
    chance = random.Random(5)
    told = [foresight(n, 0.8, 5, chance) for n in range(30)]
    sent = [JudgedUpTo(0, of.window + WINDOW - 1.0, [], False, [of]) for of in told]
    whole, broken = Watch(), Watch()
    pieces: list[bytes] = []
    for n, message in enumerate(sent):
        whole.send(message)
        broken.send(message)
        pieces += filter(None, [broken.state.changes()])
        if n % 7 == 3:
            pieces = list(broken.state.snapshot()) if n % 2 else pieces
            broken.state = broken.make()
            for piece in pieces:
                broken.state.load(piece)
    assert whole.effects.rows == broken.effects.rows and len(whole.effects.rows) == 1
    assert list(whole.state.snapshot()) == list(broken.state.snapshot())


@given(
    st.lists(st.tuples(st.sampled_from([n / 40 for n in range(1, 40, 2)]), st.booleans()), min_size=2),
    st.integers(0, 60),
)
@hypothesis_settings(max_examples=50, deadline=None)
def test_figures_of_bins_are_those_of_the_predictions_and_parts_may_be_added(
    told: list[tuple[float, bool]], cut: int
) -> None:
    """given one prediction for a bin, AUC is scikit-learn's and log loss is river's."""
    whole, first, second = (Foresight(0, CHAT) for _ in range(3))
    loss = LogLoss()
    for n, (thought, said) in enumerate(told):
        whole.add(thought, said)
        (first if n < cut else second).add(thought, said)
        loss.update(said, thought)
    first.follow(second, 1.0)
    assert (first.auc, first.answers) == (whole.auc, len(told))
    assert first.calibration == pytest.approx(whole.calibration)
    assert whole.log_loss == pytest.approx(loss.get())
    said = [y for _, y in told]
    if len(set(said)) == 2:
        assert whole.auc == pytest.approx(roc_auc_score(said, [p for p, _ in told]))
    else:
        assert whole.auc is None
