"""The agent ``drift`` over messages of samples: periods are taken in event time, cuts and restarts do not show, an acceptance renews."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from agents.drift.monitor import DriftMonitor
from agents.drift.report import Key
from agents.drift.settings import DriftSettings, drift_settings
from agents.drift.state import AT_A_TIME, DriftState
from schemas.findings import Finding, Findings
from schemas.samples import Acceptance, AnswerScore, Sample, Samples
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Record
from tests.unit.drift_data import LISTS, START, sample
from tests.unit.said import said

SAMPLES, ACCEPTS, FINDINGS = "llm.internal.samples", "llm.internal.accepts", "llm.internal.findings"


def new_state(sources: int = 1, **options: Any) -> DriftState:
    return DriftState(0, SOURCE, FINDINGS, ACCEPTS, DriftSettings(**options), sources)


def message(
    samples: Sequence[Sample], clock: float, partition: int = 0,
    scores: Sequence[AnswerScore] = (), *, rests: bool = False,
) -> Samples:  # fmt: skip
    return Samples(SOURCE, partition, clock, rests, list(samples), list(scores))


def batch(*messages: Samples | bytes, topic: str = SAMPLES) -> FakeBatch:
    values = [m if isinstance(m, bytes) else msgspec.msgpack.encode(m) for m in messages]
    return FakeBatch(topic, 0, [Record(topic, 0, at, 0, None, value, ()) for at, value in enumerate(values)], len(values))


def acceptance(**fields: str) -> FakeBatch:
    word = Acceptance(**{"feature": "support", "reason": "new normal", **fields})
    return batch(msgspec.json.encode(word), topic=ACCEPTS)


def stream(number: int = 300, change: int = 200, **after: Any) -> list[Sample]:
    rng = random.Random(1)
    return [sample(n, rng, **({"style": LISTS, **after} if n >= change else {})) for n in range(number)]


def renamed(samples: Sequence[Sample], feature: str) -> list[Sample]:
    return [msgspec.structs.replace(s, feature=feature, response_id=f"{feature}-{s.response_id}") for s in samples]


def in_messages(samples: Sequence[Sample], size: int = 20, scores: Sequence[AnswerScore] = ()) -> list[Samples]:
    cut = [samples[at : at + size] for at in range(0, len(samples), size)]
    said = [message(part, part[-1].time, scores=[s for s in scores if part[0].time <= s.time < part[-1].time + 30]) for part in cut]
    return [*said, message([], samples[-1].time + 600)]


def findings(effects: Effects) -> list[Finding]:
    told = [msgspec.msgpack.decode(m.value, type=Findings) for m in effects.messages]
    assert all(m.topic == FINDINGS and m.partition == 0 for m in effects.messages)
    return [finding for one in told for finding in one.findings]


def rows(effects: Effects) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row) for row in effects.rows["drift_data"]]


def run(state: DriftState, messages: Sequence[Samples], effects: Effects | None = None) -> Effects:
    effects = effects or Effects()
    for one in messages:
        take(state, batch(one), effects)
    return effects


def take(state: DriftState, one: FakeBatch, effects: Effects) -> None:
    state.apply(one, effects)
    while state.proceed(effects):
        pass


class TestDrift:
    def test_a_drift_is_one_finding_with_cause_and_evidence_and_every_test_is_a_row(self) -> None:
        effects = run(new_state(), in_messages(stream()))
        found = findings(effects)
        assert {f.name for f in found} == {"Drift"}
        labels = {"feature": "support", "model": "gpt-4o", "metric": "answer_text", "cause": "silent_provider_change"}
        assert all(f.labels == labels and f.active for f in found)
        first = found[0]
        assert first.since is not None and abs(first.since - (START + 200 * 30)) <= 300
        assert first.response_ids
        assert "mirante drift accept --feature 'support' --model 'gpt-4o'" in said(first)["action"]
        written = rows(effects)
        assert {"answer_text", "question_text", "output_tokens", "latency_ms"} <= {row["metric"] for row in written}
        drifted = [row for row in written if row["drifted"]]
        assert drifted and {(row["metric"], row["cause"]) for row in drifted} == {("answer_text", "silent_provider_change")}
        assert all(0 <= row["p_value"] <= 1 and row["reference_n"] > 0 and row["current_n"] > 0 for row in written)

    def test_it_is_said_again_every_period(self) -> None:
        state = new_state()
        effects = run(state, in_messages(stream()))
        times = [f.time for f in findings(effects)]
        assert times == sorted(set(times))
        later = run(state, [message([], START + 300 * 30 + 1200)])
        assert [f.active for f in findings(later)] == [True]

    def test_acceptance_ends_it_and_survives_a_restart(self) -> None:
        state = new_state()
        run(state, in_messages(stream()))
        saved = list(state.snapshot())
        effects = Effects()
        state.apply(acceptance(model="gpt-4o"), effects)
        [ceased] = findings(effects)
        assert not ceased.active and ceased.name == "Drift"
        changed = state.changes()
        assert changed is not None
        restored = new_state()
        for piece in [*saved, changed]:
            restored.load(piece)
        rng = random.Random(2)
        after = [sample(n, rng, style=LISTS) for n in range(340, 640)]
        assert findings(run(state, in_messages(after))) == findings(run(restored, in_messages(after))) == []

    def test_acceptance_of_another_feature_changes_nothing(self) -> None:
        state = new_state()
        run(state, in_messages(stream()))
        effects = Effects()
        state.apply(acceptance(feature="search"), effects)
        assert findings(effects) == []
        assert state.gauges()["drift_drifted"] == 1

    def test_what_is_no_message_becomes_a_dead_letter(self) -> None:
        effects = Effects()
        state = new_state()
        state.apply(batch(b"\xc1"), effects)
        state.apply(batch(b"{", topic=ACCEPTS), effects)
        assert ["not a message of" in letter.reason for letter in effects.letters] == [True, True]

    def test_series_are_bounded(self) -> None:
        state = new_state(max_series=3)
        rng = random.Random(3)
        run(state, in_messages([sample(n, rng, feature=f"f{n}") for n in range(50)]))
        assert state.gauges()["drift_series"] == 3

    def test_only_so_many_answers_of_a_period_are_looked_at_and_they_are_a_random_choice(self) -> None:
        state = new_state(samples_per_minute=10)
        rng = random.Random(4)
        crowd = [sample(n, rng, spacing=0.5, rank=rng.getrandbits(60)) for n in range(200)]
        run(state, in_messages(crowd, 200))
        series = state._series[Key("support", "gpt-4o")].monitor.series
        per_period: dict[int, list[Sample]] = {}
        for one in crowd:
            per_period.setdefault(int(one.time // 30), []).append(one)
        expected = {s.response_id for held in per_period.values() for s in sorted(held, key=lambda s: s.rank)[:5]}
        assert {example.response_id for example in series.kept.after} == expected


class TestScores:
    def scores(self, samples: Sequence[Sample], change: int) -> list[AnswerScore]:
        rng = random.Random(5)
        return [AnswerScore(f"e{n}", s.response_id, s.time + 5, "judge", float(rng.random() < (0.85 if n < change else 0.4)))
                for n, s in enumerate(samples)]  # fmt: skip

    def test_a_fall_is_a_quality_drop_with_the_worst_answers(self) -> None:
        rng = random.Random(6)
        samples = [sample(n, rng) for n in range(300)]
        effects = run(new_state(), in_messages(samples, scores=self.scores(samples, 200)))
        drops = [f for f in findings(effects) if f.name == "QualityDrop"]
        assert drops and drops[0].labels == {"feature": "support", "model": "gpt-4o", "metric": "judge"}
        assert drops[0].value is not None and drops[0].expected is not None and drops[0].value < 0.6 < drops[0].expected
        assert drops[0].since is not None and abs(drops[0].since - (START + 200 * 30)) <= 600
        assert drops[0].time <= START + 280 * 30
        assert all(int(name[1:]) >= 190 for name in drops[0].response_ids)
        assert any(row["metric"] == "score:judge" and row["drifted"] for row in rows(effects))

    def test_scores_of_answers_that_were_not_sampled_are_counted(self) -> None:
        effects = run(new_state(), [message([], START, scores=[AnswerScore("e", "nobody", START, "judge", 1.0)]), message([], START + 600)])
        assert effects.counts["drift_scores", "not_sampled"] == 1


class Restarting:
    """A state that is saved again and again, as changes or as a snapshot, and sometimes restored."""

    def __init__(self, rng: random.Random, *, snapshots: float, restarts: float) -> None:
        self.state = new_state()
        self._rng, self._snapshots, self._restarts = rng, snapshots, restarts
        self._saved: list[bytes] = []

    def save(self) -> None:
        if self._rng.random() < self._snapshots:
            self._saved = list(self.state.snapshot())
            self.state.changes()
        elif (piece := self.state.changes()) is not None:
            self._saved.append(piece)
        if self._rng.random() < self._restarts:
            self.state = new_state()
            for piece in self._saved:
                self.state.load(piece)
                self.state.load(piece)


class TestFaithful:
    """The same input gives the same findings and rows, however it is cut and whatever happens in between."""

    def test_sources_cuts_and_repeats(self) -> None:
        samples = stream()
        whole = run(new_state(), in_messages(samples, 300))
        rng = random.Random(7)
        state, effects = new_state(2), Effects()
        for at in range(0, len(samples), 30):
            part = samples[at : at + 30]
            for source in rng.sample([0, 1], 2):
                mine = [s for n, s in enumerate(part) if n % 2 == source]
                said = message(mine, part[-1].time, source)
                run(state, [said] if rng.random() < 0.7 else [said, said], effects)
        run(state, [message([], samples[-1].time + 600, 0), message([], samples[-1].time + 600, 1)], effects)
        assert rows(effects) == rows(whole)
        assert findings(effects)[-1] == findings(whole)[-1]

    @pytest.mark.parametrize("seed", [8, 9])
    def test_restarts(self, seed: int) -> None:
        samples = stream()
        scores = TestScores().scores(samples, 200)
        messages = in_messages(samples, 17, scores)
        whole = run(new_state(), messages)
        restarting, effects = Restarting(random.Random(seed), snapshots=0.3, restarts=0.4), Effects()
        for one in messages:
            run(restarting.state, [one], effects)
            restarting.save()
        assert rows(effects) == rows(whole)
        assert findings(effects) == findings(whole)

    @pytest.mark.parametrize("seed", [10, 11])
    def test_restarts_between_the_pieces_of_a_catch_up(self, seed: int) -> None:
        samples = stream(260, 150)
        crowd = [*samples, *renamed(samples, "search")]
        messages = in_messages(crowd, len(crowd), TestScores().scores(samples, 200))
        whole = run(new_state(), messages)
        restarting, effects = Restarting(random.Random(seed), snapshots=0.1, restarts=0.3), Effects()
        for one in messages:
            restarting.state.apply(batch(one), effects)
            more = True
            while more:
                more = restarting.state.proceed(effects)
                restarting.save()
        assert rows(effects) == rows(whole)
        assert findings(effects) == findings(whole)
        assert restarting.state.gauges()["drift_due"] == restarting.state.gauges()["drift_pending"] == 0


class TestPieces:
    def test_a_catch_up_is_taken_a_few_answers_at_a_time(self) -> None:
        state, effects = new_state(), Effects()
        samples = stream(200)
        state.apply(batch(message(samples, samples[-1].time), message([], samples[-1].time + 600)), effects)
        assert effects.messages == [] and state.gauges()["drift_due"] == 200
        assert state.proceed(effects)
        assert 0 < 200 - state.gauges()["drift_due"] <= AT_A_TIME
        while state.proceed(effects):
            pass
        assert state.gauges()["drift_due"] == 0

    def test_what_comes_for_a_period_that_is_over_but_not_taken_is_late(self) -> None:
        samples = stream(200)
        late = sample(10, random.Random(12), response_id="late")
        state, effects = new_state(), Effects()
        state.apply(batch(*in_messages(samples, 200)), effects)
        state.apply(batch(message([late], late.time)), effects)
        assert effects.counts["late_for_drift", ""] == 1
        while state.proceed(effects):
            pass
        assert rows(effects) == rows(run(new_state(), in_messages(samples, 200)))


class TestSettings:
    def test_a_wrong_key_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"\[drift\].*sample_rate"):
            drift_settings({"sample_rate": 1})

    def test_false_alarms_per_ten_thousand_become_the_level_of_a_cycle(self) -> None:
        assert drift_settings({"false_alarms": 0.5}).level == pytest.approx(0.02)


def test_a_monitor_without_answers_is_not_watched() -> None:
    assert not DriftMonitor().watched
