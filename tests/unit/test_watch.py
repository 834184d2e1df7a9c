"""Numbers that somebody named: from the table [[watch]] to what the agent `watch` finds."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from agents.common.taps import Head
from agents.watch.answers import MOST, REMEMBERED, Answers
from agents.watch.settings import Watch, read_watches
from agents.watch.state import FORGOTTEN, MAX_SERIES, WatchState
from agents.watch.tap import WatchTap, hashed, number_at, number_of
from agents.watch.told import AnsweredCall, Followed, Measured, ScoreGiven, WatchPlace
from schemas.events import Evaluation
from schemas.findings import Finding, Findings
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Record

START = 1_788_739_200
CHAT = ("acme", "chat")
MINUTE = Watch(name="slow", field="latency_ms", interval=60)


# Settings


def test_a_number_is_an_evaluation_or_a_field_and_each_watch_has_a_name_of_its_own() -> None:
    read_watches([{"name": "a", "score": "helpfulness"}, {"name": "b", "field": "retrieval.ms"}])
    for wrong, said in [
        ({"name": "a"}, "one of score and field"),
        ({"name": "a", "score": "s", "field": "f"}, "one of score and field"),
        ({"name": "a", "score": "s", "aggregate": "median"}, "median"),
        ({"name": "a", "score": "s", "interval": 5}, ">= 30"),
        ({"name": "a b", "score": "s"}, "name"),
        ({"name": "a", "score": "s", "by": ["user"]}, "user"),
        ({"name": "a", "score": "s", "by": ["model", "model"]}, "once"),
    ]:
        with pytest.raises(ValueError, match=said):
            read_watches([wrong])
    with pytest.raises(ValueError, match="2 entries are called 'a'"):
        read_watches([{"name": "a", "score": "s"}] * 2)


def test_a_detector_that_does_not_exist_or_cannot_work_is_told_with_what_is_possible() -> None:
    def wrong(**table: Any) -> str:
        with pytest.raises(ValueError) as found:
            read_watches([{"name": "w", "score": "s", **table}])
        return str(found.value)

    assert "river:NAME" in wrong(detector="adwin")
    unknown = wrong(detector="river:drift.ADWINN")
    assert "[[watch]] 'w'" in unknown
    assert {"drift.ADWIN,", "drift.KSWIN,", "drift.PageHinkley,"} <= set(unknown.split())
    assert "drift.binary.DDM" in unknown and "anomaly.HalfSpaceTrees" in unknown
    parameter = wrong(detector="river:drift.ADWIN", parameters={"dleta": 0.1})
    assert "'dleta'" in parameter and "delta = 0.002" in parameter
    assert "greater than 0" in wrong(detector="river:drift.KSWIN", parameters={"window_size": -3})
    assert "no parameters" in wrong(parameters={"delta": 1})
    read_watches(
        [{"name": "w", "score": "s", "detector": "river:drift.ADWIN", "parameters": {"delta": 0.01}}]
    )


# The tap


def call(n: int, extra: dict[str, Any], **row: Any) -> Any:
    """What the tap looks at of a call."""
    request = SimpleNamespace(
        tenant="acme", feature="chat", model="m1", variant=row.pop("variant", None)
    )
    found = {"latency_ms": 100.0, "cost_usd": "0.25", "extra": msgspec.json.encode(extra).decode(), **row}
    return SimpleNamespace(
        request=request, response=SimpleNamespace(response_id=f"a{n}"), ended=START + n, row=SimpleNamespace(**found)
    )  # fmt: skip


def sent(tap: WatchTap, *, announce: bool = False) -> dict[int, Followed]:
    effects = Effects()
    tap.close(Head(SOURCE, 0, START, False, START), announce, effects)
    return {
        m.partition: msgspec.msgpack.decode(m.value, type=Followed) for m in effects.messages
    }


def measured(tap: WatchTap) -> list[tuple[WatchPlace, float]]:
    return [(one.place, one.value) for message in sent(tap).values() for one in message.measured]


@pytest.mark.parametrize(
    ("extra", "value"),
    [
        ({"response": {"retrieval": {"ms": 12}}}, 12.0),
        ({"request": {"retrieval": {"ms": 12.5}}}, 12.5),
        ({"response": {"retrieval.ms": 3}}, 3.0),
        ({"response": {"retrieval": {"ms": True}}}, 1.0),
        ({"response": {"retrieval": {"ms": 10**18}}}, 1e18),
        ({"response": {"retrieval": {"ms": "12"}}}, None),
        ({"response": {"retrieval": [{"ms": 12}]}}, None),
        ({"response": {"retrieval": None}}, None),
        ({}, None),
    ],
)
def test_a_path_leads_to_a_number_or_to_nothing(extra: dict[str, Any], value: float | None) -> None:
    assert number_at(extra, "retrieval.ms") == value


def test_numbers_that_no_sum_could_hold_are_cut_off_or_left_out() -> None:
    assert (number_of(10**400), number_of(1e300), number_of(float("nan"))) == (None, 1e100, None)


def test_numbers_of_live_calls_go_to_the_series_that_by_names() -> None:
    watches = [
        Watch(name="cost", field="cost_usd", by=["model"]), Watch(name="found", field="found", by=[]),
        Watch(name="other", field="found", feature="search*"),
    ]  # fmt: skip
    tap = WatchTap("t", 4, watches)
    tap.answered(call(1, {"response": {"found": 7}}))
    tap.answered(call(2, {"response": {"found": 9}}, variant="shadow"))
    assert sorted(measured(tap)) == [(WatchPlace("cost", ("m1",)), 0.25), (WatchPlace("found", ()), 7.0)]


def test_a_score_goes_to_all_and_its_answer_where_the_series_is() -> None:
    tap = WatchTap("t", 4, [Watch(name="quality", score="helpfulness")])
    tap.answered(call(1, {}))
    event = msgspec.convert(
        {"event_id": "e", "time": "2026-09-01T00:00:00Z", "response_id": "a1", "name": "helpfulness", "score": 0.4},
        Evaluation,
    )  # fmt: skip
    tap.evaluation(event, b"")
    tap.evaluation(msgspec.structs.replace(event, name="tone"), b"")
    messages = sent(tap)
    assert len(messages) == 4
    assert {len(message.scores) for message in messages.values()} == {1}
    [answer] = [one for message in messages.values() for one in message.answered]
    assert (answer.id, answer.places) == (hashed("a1"), [WatchPlace("quality", CHAT)])


# The state


def new_state(*watches: Watch, sources: int = 1) -> WatchState:
    return WatchState(0, SOURCE, "llm.internal.findings", watches or [MINUTE], sources)


def batch(*messages: Followed) -> FakeBatch:
    values = [msgspec.msgpack.encode(message) for message in messages]
    topic = "llm.internal.followed"
    records = [Record(topic, 0, n, 0, None, v, ()) for n, v in enumerate(values)]
    return FakeBatch(topic, 0, records, 0)


def told(effects: Effects) -> list[Finding]:
    return [
        found
        for message in effects.messages
        for found in msgspec.msgpack.decode(message.value, type=Findings).findings
    ]


def fed(state: WatchState, *messages: Followed, counts: dict[Any, int] | None = None) -> list[Finding]:
    effects = Effects()
    for message in messages:
        state.apply(batch(message), effects)
        while state.proceed(effects):
            pass
    if counts is not None:
        counts.update(effects.counts)
    return told(effects)


def followed(clock: float, values: Iterable[Measured] = (), **more: Any) -> Followed:
    return Followed(SOURCE, more.pop("partition", 0), START + clock, False, list(values), **more)


def number(n: int, at: float, value: float, watch: str = "slow", series: Sequence[str] = CHAT) -> Measured:
    return Measured(WatchPlace(watch, tuple(series)), n, START + at, value)


def history(minutes: int, jump: int, seed: int = 1) -> list[Measured]:
    """Five values a minute, of about 100 and from ``jump`` on of about 160."""
    rng = random.Random(seed)
    return [
        number(5 * minute + k, 60 * minute + 10 * k, rng.gauss(100 if minute < jump else 160, 3))
        for minute in range(minutes)
        for k in range(5)
    ]


def in_minutes(values: Sequence[Measured], minutes: int) -> list[Followed]:
    by: dict[int, list[Measured]] = {}
    for value in values:
        by.setdefault(int((value.time - START) // 60), []).append(value)
    return [followed(60.0 * (at + 1), by.get(at, [])) for at in range(minutes)]


RIVERS = [
    MINUTE,
    Watch(name="slow", field="latency_ms", interval=60, detector="river:drift.ADWIN"),
    Watch(name="slow", field="latency_ms", interval=60, detector="river:drift.PageHinkley"),
    Watch(name="slow", field="latency_ms", interval=60, detector="river:anomaly.LocalOutlierFactor"),
]


@pytest.mark.parametrize("watch", RIVERS, ids=lambda watch: watch.detector)
def test_a_jump_is_told_of_and_what_was_usual_before_it(watch: Watch) -> None:
    found = fed(new_state(watch), *in_minutes(history(330, 300), 332))
    jumped = [one for one in found if one.active and one.time > START + 300 * 60]
    assert jumped and jumped[0].time <= START + 325 * 60
    first = jumped[0]
    assert (first.name, first.labels) == ("WatchAnomaly", {"tenant": "acme", "feature": "chat", "watch": "slow"})
    assert first.value is not None and first.value > 150
    assert first.expected == pytest.approx(100, abs=5)
    assert first.window == (first.time + 0.001 - 60, first.time + 0.001) and first.keep == 900
    over = [one for one in found if not one.active]
    assert [one.time for one in over] == [one.time + 0.001 for one in found if one.active]


@pytest.mark.parametrize("watch", RIVERS[:2], ids=lambda watch: watch.detector)
@tried(max_examples=15, deadline=None)
@given(data=st.data())
def test_what_is_found_does_not_depend_on_batches_repeats_restarts_and_partitions(
    watch: Watch, data: st.DataObject
) -> None:
    minutes = 180
    values = history(minutes, 150)
    expected = fed(new_state(watch), followed(0), *in_minutes(values, minutes + 2))
    assert any(one.active for one in expected)
    # Given: the same from two sources, in pieces, some twice, and a state that is read back anew
    rng = random.Random(data.draw(st.integers(0, 10**6)))
    sources: list[list[Followed]] = []
    for partition in (0, 1):
        own = [value for value in values if value.id % 2 == partition]
        messages: list[Followed] = []
        while own:
            piece, own = own[: (k := rng.randint(1, 200))], own[k:]
            rng.shuffle(piece)
            clock = min((v.time for v in own), default=START + 60.0 * (minutes + 2)) - START
            messages += [followed(clock, piece, partition=partition)] * rng.choice([1, 1, 2])
        sources.append([*messages, followed(60.0 * (minutes + 2), partition=partition)])
    # When
    state, found, pieces = new_state(watch, sources=2), list[Finding](), list[bytes]()
    while any(sources):
        message = rng.choice([source for source in sources if source]).pop(0)
        found += fed(state, message)
        if rng.random() < 0.3 and (piece := state.changes()) is not None:
            pieces.append(piece)
        elif rng.random() < 0.1:
            state.changes()
            pieces = list(state.snapshot())
        else:
            continue
        if rng.random() < 0.5:
            state = new_state(watch, sources=2)
            for piece in pieces:
                state.load(piece)
    # Then
    assert found == expected


def test_intervals_without_values_are_gaps_of_a_mean_and_nought_of_a_count() -> None:
    count = msgspec.structs.replace(MINUTE, name="calls", aggregate="count")
    state = new_state(MINUTE, count)
    fed(state, followed(60, [number(n, n, 1.0, watch) for n in range(5) for watch in ("slow", "calls")]))
    fed(state, followed(600))
    state.snapshot()
    last = {place.watch: one.last - START for place, one in state._series.items()}
    assert last == {"slow": 60, "calls": 540}


def test_silence_is_told_of_a_count_and_after_a_week_the_series_is_forgotten() -> None:
    watch = Watch(name="slow", field="latency_ms", interval=600, aggregate="count")
    rng = random.Random(3)
    values = [
        number(1_000 * at + k, 600 * at, 1.0) for at in range(300) for k in range(rng.randint(40, 60))
    ]
    state = new_state(watch)
    fed(state, followed(0, values))
    found = fed(state, followed(600 * 310))
    assert any(one.active and one.value == 0.0 and one.time > START + 600 * 300 for one in found)
    fed(state, followed(600 * 300 + FORGOTTEN + 1_300))
    assert state.gauges()["watch_series"] == 0


def test_scores_count_where_their_answers_belong() -> None:
    watch = Watch(name="quality", score="helpfulness", interval=60)
    state = new_state(watch)
    places = [WatchPlace("quality", CHAT)]
    answers = [AnsweredCall(n, START + n, places) for n in range(10)]
    given = [ScoreGiven("quality", 100 + n, n, START + 70.0 + n, 0.1 * n) for n in range(12)]
    fed(state, followed(50, answered=answers), followed(160, scores=given))
    [(place, series)] = state._series.items()
    assert (place, series.last - START) == (places[0], 120)
    assert series.points is not None and series.points.last == pytest.approx(0.45)


def test_what_comes_after_its_interval_was_judged_is_counted_and_left_out() -> None:
    counts: dict[Any, int] = {}
    state = new_state()
    fed(state, followed(60, [number(1, 5, 1.0)]), followed(200), followed(210, [number(2, 5, 9.0)]), counts=counts)
    assert sum(value for key, value in counts.items() if "late_for_watch" in str(key)) == 1


def test_another_detector_or_aggregate_begins_anew_and_what_nobody_follows_is_gone() -> None:
    state = new_state()
    fed(state, *in_minutes(history(20, 30), 22))
    pieces = [*state.snapshot()]
    for now in (msgspec.structs.replace(MINUTE, aggregate="p99"), msgspec.structs.replace(MINUTE, name="else")):
        other = new_state(now)
        for piece in pieces:
            other.load(piece)
        assert other.gauges()["watch_series"] == 0
        fed(other, followed(3_000))
    same = new_state()
    for piece in pieces:
        same.load(piece)
    assert same.gauges()["watch_series"] == 1


def test_memory_of_answers_is_bounded_by_age_and_number() -> None:
    answers = Answers()
    for n in range(MOST + 500):
        answers.hold(AnsweredCall(n, START + n / 100, []))
    answers.forget(START + 2_000)
    assert MOST - 6_000 <= len(answers) <= MOST
    answers.forget(START + 2_000 + REMEMBERED)
    assert len(answers) == 0


def test_series_are_bounded_and_the_longest_unheard_gives_way() -> None:
    state = new_state()
    first = [number(n, 1.0, 1.0, series=("acme", f"f{n}")) for n in range(MAX_SERIES)]
    again = [number(1_000 + n, 61.0, 1.0, series=("acme", f"f{n}")) for n in range(1, MAX_SERIES)]
    fed(state, followed(60, first), followed(120, [*again, number(5_000, 62.0, 1.0, series=("acme", "new"))]), followed(200))
    features = {place.series[1] for place in state._series}
    assert len(features) == MAX_SERIES
    assert "new" in features and "f0" not in features


def test_too_many_numbers_that_wait_are_judged_early_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.watch.state.MAX_PENDING", 10)
    counts: dict[Any, int] = {}
    state = new_state()
    fed(state, followed(10, [number(n, 12.0 * n, 1.0) for n in range(20)]), counts=counts)
    assert sum(value for key, value in counts.items() if "watch_closed_early" in str(key)) > 0
    assert state.gauges()["watch_pending"] <= 10
    assert state.gauges()["watch_series"] == 1
