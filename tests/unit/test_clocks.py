"""Clocks that are wrong, and what comes late: nobody else's calls lose their answers, and no money is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.interactions.apart import CLOCKS
from agents.interactions.clock import SKEW, STEP, WITNESSES, Clock
from agents.interactions.saved import SavedInteractions
from agents.interactions.state import InteractionsState
from schemas.partials import ALONE
from schemas.rows import InteractionRow
from tests.unit.builders import EPOCH, Json, World, expected_rows, request, response, settings, without

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


# One clock


def heard(clock: Clock, *times: float) -> Clock:
    for time in times:
        clock.hear(time)
    return clock


def steady(start: float = 1_000.0, count: int = 20) -> Clock:
    return heard(Clock(), *(start + at for at in range(count)))


def test_records_of_ordinary_traffic_move_the_clock_at_once() -> None:
    clock = steady(1_000.0, 20)
    assert clock.time == 1_019.0 and not clock.wary
    assert heard(clock, 1_005.0, 1_019.0 + STEP).time == 1_019.0 + STEP


@pytest.mark.parametrize("ahead", [STEP + 1, HOUR, DAY])
def test_a_single_record_far_ahead_moves_nothing_and_the_next_one_shows_that_it_was_wrong(ahead: float) -> None:
    clock = steady()
    assert clock.hear(1_020.0 + ahead, "a") == []
    assert clock.time == 1_019.0
    (wrong,) = clock.hear(1_020.0)
    assert (wrong.who, wrong.time) == ("a", 1_020.0 + ahead)
    assert clock.time == 1_020.0 and not clock.wary


def test_after_a_night_without_traffic_the_clock_follows_when_enough_records_agree() -> None:
    clock = steady()
    morning = [8 * HOUR + at / 2 for at in range(WITNESSES)]
    assert heard(clock, *morning[:-1]).time == 1_019.0
    assert heard(clock, morning[-1]).time == morning[-1]


def test_after_a_night_without_traffic_the_clock_follows_when_nothing_else_comes() -> None:
    clock = heard(steady(), 8 * HOUR)
    assert clock.rest(inf) == []
    assert clock.time == 8 * HOUR


def test_what_comes_last_is_believed_no_further_than_it_can_be_true() -> None:
    # The host's clock is ahead, and it wrote its Kafka time too
    clock = steady()
    clock.hear(1_020.0 + HOUR, "a")
    (wrong,) = clock.rest(wall=1_021.0)
    assert wrong.who == "a" and clock.time == 1_021.0 + SKEW


def test_the_first_record_of_all_may_be_wrong() -> None:
    clock = heard(Clock(), 1_000.0 + DAY)
    assert heard(clock, *(1_000.0 + at for at in range(20))).time == 1_019.0


@given(st.data())
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_tenth_of_wrong_clocks_does_not_carry_time_away_nor_hold_it_back(data: st.DataObject) -> None:
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    skews = data.draw(st.lists(st.sampled_from([STEP + 2, HOUR, 7 * HOUR, DAY, -DAY, -HOUR]), min_size=1, max_size=3))
    every = data.draw(st.sampled_from([0.01, 1.0, 50.0]))
    clock = Clock()
    for at in range(500):
        now = 1e9 + at * every
        clock.hear(now + (rng.choice(skews) if rng.random() < 0.1 else 0.0))
        if at > 100:
            assert now - 30 * every - 1 <= clock.time <= now + STEP


# Honest calls beside wrong ones


def traffic(count: int, every: float, skew: float, seed: int) -> Iterator[tuple[str, Json, float]]:
    """(kind, event, when it is written) of calls, of which a tenth by hosts whose clock is ``skew`` ahead."""
    rng, events = random.Random(seed), []
    for n in range(count):
        at = n * every
        wrong = skew if rng.random() < 0.1 else 0.0
        name = f"{'wrong' if wrong else 'honest'}-{n}"
        fields = {"feature": "mobile" if wrong else "chat", "timeout_ms": 15_000}
        asked = request(name, at + wrong, session_id=f"s{n % 40}", **fields)
        events.append((at, "requests", asked))
        took = rng.uniform(0.2, 14.0)
        events.append((at + took, "responses", response(name, at + took + wrong, session_id=f"s{n % 40}")))
    for written, kind, event in sorted(events, key=lambda item: item[0]):
        yield kind, event, written


def read_in_small_batches(world: World, every: float = 2.0) -> None:
    """As live: all topics at the same pace. What is ahead is held back."""
    while unread := world.unread():
        held = {(topic, p) for p, state in enumerate(world.interactions) for topic in state.ahead()}
        for tp in [tp for tp in unread if tp not in held] or unread:
            world.step(*tp, 7)


def told_unanswered(world: World) -> set[str]:
    rows = [row for (table, *_), history in world.tables.history.items() if table == InteractionRow.TABLE for row in history]
    return {row.request_id for row in rows if row.version == 1}


@pytest.mark.parametrize("skew", [HOUR, DAY, -DAY, -HOUR, 30.0], ids=["hour ahead", "day ahead", "day behind", "hour behind", "30 s ahead"])
@pytest.mark.parametrize("kafka", ["live", "history", "producer's own"])
def test_a_tenth_of_wrong_clocks_costs_no_call_its_answer(skew: float, kafka: str) -> None:
    """``history``: written long after it happened. ``producer's own``: Kafka times are as wrong as the events' own."""
    for seed in range(2):
        world, events = World(settings(join={"late_answer": 60.0})), []
        for kind, event, written in traffic(600, 0.5, skew, seed):
            wrong = skew if event["request_id"].startswith("rwrong") else 0.0
            at = {"live": written, "history": 30 * DAY, "producer's own": written + wrong}[kafka]
            world.publish(kind, event, written=at)
            events.append(event)
        read_in_small_batches(world)
        assert not [name for name in told_unanswered(world) if name.startswith("rhonest")]
        world.finish()
        rows, windows = expected_rows(events)
        assert world.tables.interactions() == rows
        assert world.tables.windows() == windows
        assert not world.letters


@pytest.mark.parametrize("ahead", [5 * MINUTE, HOUR, DAY])
def test_a_burst_of_a_host_whose_kafka_times_have_not_come_yet_moves_no_clock(ahead: float) -> None:
    world, now = World(settings(1)), [0.0]
    world.interactions = [InteractionsState(0, replace(world.context, wall=lambda: EPOCH.timestamp() + now[0]))]
    for n in range(60):
        now[0] = float(n)
        wrong = ahead if n % 30 >= 10 else 0.0  # twenty in a row, as after a producer's pause
        feature = "mobile" if wrong else "chat"
        world.publish("requests", request(n, n + wrong, feature=feature), written=n + wrong)
        world.publish("responses", response(n, n + wrong + 0.2), written=n + wrong + 0.2)
        world.run()
        assert world.interactions[0]._partition.clocks.time() <= EPOCH.timestamp() + n + SKEW
    ((feature, (_, seconds)),) = named(world, "clock_ahead").items()
    assert feature == "mobile" and abs(seconds - ahead) <= CLOCKS
    world.finish()
    assert {row["outcome"] for row in world.tables.interactions().values()} == {"ok"} and not world.letters


def test_a_burst_of_a_host_whose_kafka_times_have_not_come_yet_does_not_say_that_all_before_was_read() -> None:
    world, now = World(settings(1)), [30.0]
    world.interactions = [InteractionsState(0, replace(world.context, wall=lambda: EPOCH.timestamp() + now[0]))]
    for n in range(30):
        ahead = HOUR if n >= 20 else 0.0
        world.publish("requests", request(n, n + ahead), written=n + ahead)
    world.run()
    # Given a question of the moment when the burst was written, and honest records that were written before it and come yet
    asked = EPOCH.timestamp() + 25.0
    assert not world.interactions[0]._partition.clocks._is_past(world.topics.requests, asked)
    now[0] = 60.0
    for n in range(30, 40):
        world.publish("requests", request(n, n), written=float(n))
    world.run()
    assert world.interactions[0]._partition.clocks._is_past(world.topics.requests, asked)


@pytest.mark.parametrize("ahead", [3.0, HOUR, DAY])
def test_the_clock_is_never_carried_beyond_the_records_own_kafka_time_by_more_than_two_seconds(ahead: float) -> None:
    world = World(settings(1))
    for n in range(200):
        world.publish("requests", request(n, n + ahead), written=float(n))
        world.publish("responses", response(n, n + ahead), written=float(n))
        world.run()
        assert world.interactions[0]._partition.clocks.time() <= EPOCH.timestamp() + n + SKEW


@pytest.mark.parametrize(("asked_at", "said_at"), [(0.0, DAY), (DAY, 0.0), (0.0, -DAY), (HOUR, 0.0)])
def test_two_hosts_of_which_one_is_wrong_make_one_call(asked_at: float, said_at: float) -> None:
    world = World(settings(1))
    for n in range(30):
        world.publish("requests", request(n, n, feature="other"))
        world.publish("responses", response(n, n + 0.5))
    world.publish("requests", request("x", 30 + asked_at), written=30.0)
    world.run()
    world.publish("responses", response("x", 31 + said_at), written=31.0)
    world.run()
    assert world.tables.interactions()["rx"]["outcome"] == "ok"
    assert not world.letters
    ahead = {label for (name, label) in world.counts if name == "clock_ahead"}
    assert ahead == ({"chat"} if max(asked_at, said_at) > 0 else set())


# Who is wrong


def named(world: World, name: str) -> dict[str, tuple[int, float]]:
    """Feature -> calls, and by how many seconds their clock is wrong on average."""
    calls = {label: count for (metric, label), count in world.counts.items() if metric == name}
    return {label: (n, world.counts[f"{name}_seconds", label] / n) for label, n in calls.items()}


@pytest.mark.parametrize("kafka", ["live", "history", "producer's own"])
@pytest.mark.parametrize("skew", [HOUR, DAY])
def test_a_service_that_is_ahead_is_named_and_no_other(skew: float, kafka: str) -> None:
    world = World(settings(1))
    for kind, event, written in traffic(400, 0.5, skew, 1):
        wrong = skew if event["request_id"].startswith("rwrong") else 0.0
        at = {"live": written, "history": 30 * DAY, "producer's own": written + wrong}[kafka]
        world.publish(kind, event, written=at)
    read_in_small_batches(world)
    assert not named(world, "clock_behind")
    ((feature, (calls, seconds)),) = named(world, "clock_ahead").items()
    assert feature == "mobile" and calls > 10 and abs(seconds - skew) < 20


def test_a_service_that_is_behind_is_named_and_no_other() -> None:
    world = World(settings(1))
    for kind, event, written in traffic(800, 0.5, -DAY, 1):
        world.publish(kind, event, written=written)
    read_in_small_batches(world)
    assert not named(world, "clock_ahead")
    ((feature, (calls, seconds)),) = named(world, "clock_behind").items()
    assert feature == "mobile" and calls > 10 and abs(seconds - DAY) < 20


def test_a_backlog_that_comes_late_and_a_history_are_nobodys_wrong_clock() -> None:
    world = World(settings(1))
    for n in range(300):
        world.publish("requests", request(n, float(n)), written=30 * DAY)
        backlog = request(f"b{n}", -DAY + 10.0 * n, feature="backlog")
        world.publish("requests", backlog, "s", written=30 * DAY)
    world.run()
    assert not named(world, "clock_ahead") and not named(world, "clock_behind")


# What comes late


@pytest.mark.parametrize("late", [600.0, DAY, 6 * DAY])
@pytest.mark.parametrize("response_first", [False, True])
@pytest.mark.parametrize("strange", [False, True], ids=["at home", "elsewhere"])
def test_a_pair_that_comes_late_together_is_joined_and_was_never_unanswered(late: float, response_first: bool, strange: bool) -> None:
    world, honest = World(), []
    for n in range(60):
        honest += [request(n, n, session_id=f"s{n % 9}"), response(n, n + 0.5, session_id=f"s{n % 9}")]
        world.publish("requests", honest[-2])
        world.publish("responses", honest[-1])
    world.run()
    world.checkpoint()  # partitions tell each other how far they have read
    world.run()
    pair = [("requests", request("x", -late)), ("responses", response("x", 1.0 - late))]
    for kind, event in reversed(pair) if response_first else pair:
        world.publish(kind, event, partition=(world.home("sx") + strange) % 3, written=60.0)
        world.run()
    assert "rx" not in told_unanswered(world)
    world.finish()
    rows, windows = expected_rows([*honest, *(event for _, event in pair)])
    assert world.tables.interactions() == rows and world.tables.windows() == windows
    assert not world.letters


def hours_later(world: World, hours: int) -> list[Json]:
    """A call every ten minutes in each partition; all are answered."""
    events = []
    for n in range(6 * hours):
        for session in ("a", "d", "g", "m"):
            at = 600.0 * (n + 1)
            asked, said = request(f"{session}{n}", at, session_id=session), response(f"{session}{n}", at + 1, session_id=session)
            world.publish("requests", asked)
            world.publish("responses", said)
            events += [asked, said]
        world.run()
        world.checkpoint()
        world.wait(8.0)
    return events


@pytest.mark.parametrize("hours", [2, 20])
@pytest.mark.parametrize("model", [None, "gpt-4o-mini"])
@pytest.mark.parametrize("named", [True, False], ids=["session named", "no session in the response"])
def test_an_answer_of_the_next_day_completes_its_row_and_its_windows(hours: int, model: str | None, named: bool) -> None:
    world = World()
    asked = request("x", 0.0, messages=[{"role": "user", "content": "how long?"}], params={"service_tier": "batch"})
    world.publish("requests", asked)
    events = [asked, *hours_later(world, hours)]
    assert world.tables.interactions()["rx"]["outcome"] == "unanswered"
    assert sum(state.gauges()["late_requests"] for state in world.interactions) == 1
    said = response("x", hours * HOUR + 60, **({"model": model} if model else {}))
    said = said if named else without(said, "session_id")
    world.publish("responses", said)
    world.finish()
    rows, windows = expected_rows([*events, said])
    assert world.tables.interactions() == rows and world.tables.windows() == windows
    assert not world.letters
    assert sum(state.gauges()["late_requests"] for state in world.interactions) == 0


def test_a_request_that_waits_for_days_holds_no_segment_and_no_sums() -> None:
    world = World()
    world.publish("requests", request("x", 0.0))
    hours_later(world, 3)
    assert all(state.gauges()["open_requests"] == state.gauges()["late_answer_candidates"] == 0 for state in world.interactions)
    assert sum(state.gauges()["window_parts"] for state in world.interactions) <= 3 * len(world.interactions)
    assert sum(state.gauges()["cost_parts"] for state in world.cost) <= 6 * len(world.interactions)


@pytest.mark.parametrize(
    ("join", "says"),
    [
        ({"late_answer": HOUR}, "answer came 7,260 s after its request; join.late_answer is 3,600"),
        ({"late_bytes": 0}, "answer came 7,260 s after its request, whose text was given up meanwhile: join.late_bytes is 0"),
    ],
    ids=["too late", "no room"],
)
def test_an_answer_that_cannot_complete_its_row_is_a_dead_letter_that_says_so_and_its_money_is_counted(
    join: dict[str, Any], says: str
) -> None:
    world = World(settings(join=join))
    asked, said = request("x", 0.0), response("x", 2 * HOUR + 60)
    world.publish("requests", asked)
    events = [asked, *hours_later(world, 2)]
    world.publish("responses", said)
    world.finish()
    assert world.tables.interactions() == expected_rows(events)[0], "the row stays unanswered"
    assert world.tables.windows() == expected_rows([*events, said])[1]
    (letter,) = world.letters
    assert letter.topic == "llm.responses" and says in letter.reason


def test_live_and_a_backfill_of_the_same_topics_count_a_late_answer_once() -> None:
    # Given: a day as it was lived through, and the same topics read in one go
    live, asked, said = World(settings(1)), request("x", 0.0), response("x", 20 * HOUR + 60)
    live.publish("requests", asked)
    events = [asked, *hours_later(live, 20), said]
    live.publish("responses", said)
    live.finish()
    again = World(settings(1))
    for topic in (live.topics.requests, live.topics.responses):
        again.logs.logs[topic, 0] = live.logs.logs[topic, 0]
    again.finish()
    # When: both have written to the same tables
    for (table, *_), history in again.tables.history.items():
        live.tables.insert(table, [msgspec.json.encode(row) for row in history])
    # Then
    assert live.tables.windows() == again.tables.windows() == expected_rows(events)[1]


def test_a_second_answer_is_told_that_the_first_was_taken() -> None:
    world = World()
    world.publish("requests", request(1))
    world.publish("responses", response(1))
    world.publish("responses", response(1, event_id="another", response_id="b"))
    world.finish()
    (letter,) = world.letters
    assert "has its answer" in letter.reason


def test_the_state_of_an_earlier_version_is_read() -> None:
    # Given: an unanswered request and a clock, as they were written before the clock knew of leaps and requests of when they came
    world = World(settings(1))
    world.publish("requests", request("x", 0.0))
    world.run()
    world.wait(40.0)
    state = world.interactions[0]
    names = SavedInteractions.__struct_fields__
    pieces = [msgspec.msgpack.decode(piece) for piece in state.snapshot()]
    older = []
    for piece in pieces:
        piece = piece[: names.index("leaps")]
        at = names.index("requests")
        if len(piece) > at:
            piece[at] = [entry[:7] for entry in piece[at]]
        older.append(msgspec.msgpack.encode(piece))
    # When
    world.interactions[0] = InteractionsState(0, world.context)
    for piece in older:
        world.interactions[0].load(piece)
    world.publish("responses", response("x", 50.0))
    world.finish()
    # Then
    assert world.tables.interactions()["rx"]["outcome"] == "ok"


@given(st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_crash_between_a_late_request_and_its_answer_changes_nothing(data: st.DataObject) -> None:
    world = World(settings(1, join={"late_bytes": data.draw(st.sampled_from([0, 400, 1 << 20]))}))
    asked = [request(f"x{n}", float(n), messages=[{"role": "user", "content": "x" * 50}]) for n in range(5)]
    for event in asked:
        world.publish("requests", event)
    world.run()
    changes: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 4))):
        world._do(world.interactions[0].close_interval)
        changes += [piece for piece in [world.interactions[0].changes()] if piece]
        for passed in range(0, 4_000, 400):
            world.now += 400
            world._do(lambda e, p=passed: world.interactions[0].tick(world.now, dict.fromkeys(world.topics.inputs, 400.0 + p), e))
            world.run()
    world._do(world.interactions[0].close_interval)
    changes += [piece for piece in [world.interactions[0].changes()] if piece]
    restored = InteractionsState(0, world.context)
    for piece in list(world.interactions[0].snapshot()) if data.draw(st.booleans()) else changes:
        restored.load(piece)
    for name in ("late_requests", "open_requests", "late_answer_candidates"):
        assert restored.gauges()[name] == world.interactions[0].gauges()[name]
    assert list(restored._partition.late.all()) == list(world.interactions[0]._partition.late.all())


def test_segments_of_single_answers_are_apart_from_all_others() -> None:
    state = replace(World(settings(1)).context).settings
    assert 2**53 // state.segment_requests * state.partitions < ALONE < 2**63
