"""Cost windows: sketches, aggregates, and parts that add up however they are cut, repeated and interleaved."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from math import floor, log
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.budgets.rules import Rules
from agents.common.seen import SeenIds
from agents.cost.state import CostState
from agents.interactions.gossip import Word
from agents.interactions.partials import Partials
from agents.interactions.parts import window_of
from agents.interactions.progress import ReadingProgress
from agents.interactions.segments import WARM_UP, Segments
from agents.interactions.state import InteractionsState
from agents.interactions.sums import SeriesSums
from agents.interactions.usages import Usages
from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Aggregate, Contribution, Series
from schemas.events import MAX_MS, MAX_TOKENS
from schemas.partials import WINDOW
from schemas.rows import EXACT, OUTCOMES, CostPartRow
from schemas.sketch import GAMMA, RELATIVE_ERROR, SMALLEST, Bins, bin_of, quantile
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Json, Record, Tables, World, expected_rows, request, response, settings

# Windows


@given(time=st.floats(0, 4e9), after=st.floats(-100, 200), settle=st.floats(0, 100))
def test_a_call_counts_in_the_window_in_which_it_ended_if_its_own_had_settled_by_then(time: float, after: float, settle: float) -> None:
    ended, sums = time + after, SeriesSums(Partials(10), Usages(Rules([])), Rules([]), settle, 20.0)
    assert sums.counted_at(time, ended) == (window_of(ended) if ended > window_of(time) + WINDOW + settle else 0)


# Sketch


def sketch_of(values: Sequence[float]) -> Bins:
    return dict(Counter(map(bin_of, values)))


latencies = st.lists(st.floats(SMALLEST, MAX_MS, exclude_min=True), min_size=1, max_size=50)


@given(latencies, st.floats(0, 1))
def test_a_quantile_is_within_one_percent_of_the_exact_one(values: list[float], q: float) -> None:
    exact = sorted(values)[floor(q * (len(values) - 1))]
    estimate = quantile(sketch_of(values), q)
    assert estimate == pytest.approx(exact, rel=RELATIVE_ERROR * (1 + 1e-9))


@given(latencies, latencies)
def test_merging_sketches_is_the_sketch_of_the_union(one: list[float], other: list[float]) -> None:
    merged = dict(Counter(sketch_of(one)) + Counter(sketch_of(other)))
    assert merged == sketch_of(one + other)


@pytest.mark.parametrize("value", [0.0, SMALLEST / 2, SMALLEST])
def test_what_is_too_small_to_matter_counts_as_zero(value: float) -> None:
    assert quantile(sketch_of([value]), 0.5) == 0.0


def test_an_empty_sketch_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None


# Aggregate

contributions = st.builds(
    Contribution,
    outcome=st.sampled_from([index for name, index in OUTCOME_INDEX.items() if name != "unanswered"]),
    tokens=st.tuples(*[st.integers(0, MAX_TOKENS)] * 5),
    picodollars=st.none() | st.integers(0, 10**24),
    latency_ms=st.none() | st.floats(0, MAX_MS),
    ttft_ms=st.none() | st.floats(0, MAX_MS),
    unpriced=st.booleans(),
    response_id=st.just(""),
    flags=st.just(()),
    tpot_ms=st.none(),
)
NOTHING = Contribution(UNANSWERED, (0, 0, 0, 0, 0), None, None, None)


def aggregate_of(items: Sequence[Contribution]) -> Aggregate:
    aggregate = Aggregate()
    for item in items:
        aggregate.add(item)
    return aggregate


@given(st.lists(contributions, max_size=20), st.randoms())
def test_the_order_of_contributions_does_not_show(items: list[Contribution], rng: random.Random) -> None:
    shuffled = items.copy()
    rng.shuffle(shuffled)
    assert aggregate_of(items) == aggregate_of(shuffled)
    assert aggregate_of(items).cost == Decimal(sum(i.picodollars for i in items if i.picodollars is not None)).scaleb(-12, EXACT)


@given(st.lists(contributions, max_size=5), contributions)
def test_a_late_answer_gives_what_an_answer_in_time_would_have_given_and_raises_the_version(
    others: list[Contribution], item: Contribution
) -> None:
    late = aggregate_of([*others, NOTHING])
    before = late.version
    late.answer(item)
    assert late == aggregate_of([*others, item])
    assert late.version == before + 1


complete = st.builds(
    lambda item, response_id, flags, tpot_ms, partial: item._replace(
        response_id=response_id, flags=flags, tpot_ms=tpot_ms, partial=partial
    ),
    contributions,
    st.sampled_from("ab"),
    st.sampled_from([(), ("json_invalid",), ("json_invalid", "injection")]),
    st.none() | st.floats(0, MAX_MS),
    st.booleans(),
)


@given(st.lists(complete, max_size=5), complete | st.just(NOTHING))
def test_what_is_taken_back_leaves_no_trace_but_examples(others: list[Contribution], item: Contribution) -> None:
    without, taken = aggregate_of(others), aggregate_of([*others, item])
    taken.take_back(item)
    for aggregate in (without, taken):
        aggregate.examples, aggregate.slowest = {}, (0.0, "")
        aggregate.flags = {flag: (count, "") for flag, (count, _) in aggregate.flags.items()}
    assert taken == without


def test_what_is_void_outdoes_whatever_a_call_can_have_been_counted_as() -> None:
    void, asked, answered = Aggregate(void=1), aggregate_of([NOTHING]), aggregate_of([ANSWER])
    asked.move(late=True)
    assert void.requests == 0
    assert void.version > max(asked.version, answered.version, aggregate_of([NOTHING]).version)


@given(st.lists(contributions, max_size=5), st.lists(contributions, max_size=5), st.lists(contributions, max_size=5))
def test_replacing_a_constituent_leaves_no_trace_of_it(
    kept: list[Contribution], old: list[Contribution], new: list[Contribution]
) -> None:
    whole = aggregate_of(kept + old)
    whole.replace(aggregate_of(old), aggregate_of(new))
    assert whole == aggregate_of(kept + new)


def test_answers_that_cost_something_are_counted_with_the_mean_and_the_variance_of_their_logarithms() -> None:
    costs = [10**8, 10**9, 10**10, 0]
    sums = aggregate_of([NOTHING._replace(outcome=0, picodollars=cost) for cost in costs] + [NOTHING])
    assert sums.paid == 3
    mean = sums.paid_bins / 3
    assert mean * log(GAMMA) == pytest.approx(log(10**9), abs=0.02)
    assert (sums.paid_squares / 3 - mean**2) * log(GAMMA) ** 2 == pytest.approx(log(10) ** 2 * 2 / 3, rel=0.02)


def test_money_is_exact_beyond_the_28_digits_of_the_default_context() -> None:
    parts = [999999999999_000000000001] * 100_000
    whole = aggregate_of([NOTHING._replace(outcome=0, picodollars=cost) for cost in parts])
    assert whole.cost == Decimal("99999999999900000.0000001")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Aggregate).cost == whole.cost


# Partials

A, B = Series("t", "f", "", "p", "asked", "", "live"), Series("t", "f", "", "p", "answered", "", "live")
ANSWER = NOTHING._replace(outcome=0)


def test_an_answer_by_another_model_moves_between_series_and_versions_do_not_tell_the_order() -> None:
    late, prompt = Partials(10), Partials(10)
    late.add(0, 5.0, A, NOTHING)
    first = {part.series: part.aggregate.version for part in late.take_dirty()}
    late.answer(0, 5.0, A, B, ANSWER, late=True)
    prompt.answer(0, 5.0, A, B, ANSWER, late=False)
    parts = late.take_dirty()
    assert parts == prompt.take_dirty()
    assert first == {A: 1}
    assert {part.series: (part.aggregate.requests, part.aggregate.version) for part in parts} == {A: (0, 2), B: (1, 2)}


def test_settled_segments_are_forgotten_and_open_ones_kept() -> None:
    segments, partials = Segments(2, 2, 0, SeenIds(1)), Partials(10)
    numbers = [segments.open(0, offset) for offset in range(6)]
    assert numbers == [0, 0, 2, 2, 4, 4]
    for number in numbers[1:]:
        partials.add(number, 0.0, A, ANSWER)
        segments.settle(number)
    partials.forget(segments.is_settled)
    assert segments.close() == (0, -1), "a request of the first segment is open"
    assert [part.segment for part in partials.all()] == [0, 4]
    partials.add(0, 0.0, A, ANSWER)
    segments.settle(0)
    partials.forget(segments.is_settled)
    assert segments.close() == (4, -1)
    assert [part.segment for part in partials.all()] == [4]


def test_of_forwarded_requests_the_last_segment_but_one_stays_too() -> None:
    seen = SeenIds[None](1)
    segments = Segments(2, 2, 0, seen)
    for offset in range(6):
        seen.add(str(offset))
        segments.settle(segments.open(1, offset))
    assert segments.close() == (0, 3), "a repeated send may bring offsets 2 and 3 after 4 and 5"


def test_of_forwarded_requests_segments_stay_as_long_as_a_copy_would_be_known() -> None:
    # Given requests of both families, whose ids are known for four more
    seen = SeenIds[None](4)
    segments = Segments(1, 2, 0, seen)
    for offset in range(3):
        seen.add(f"own {offset}")
        segments.settle(segments.open(0, offset))
        seen.add(f"forwarded {offset}")
        segments.settle(segments.open(1, offset))
    # Then own segments are settled when all is read, forwarded ones when their ids are forgotten
    assert segments.close() == (4, 3)
    seen.add("forwarded 3")
    segments.settle(segments.open(1, 3))
    assert segments.close() == (4, 3)
    seen.add("another")
    assert segments.close() == (4, 5)


def test_requests_before_a_backfill_are_not_counted() -> None:
    segments = Segments(2, 2, 0, SeenIds(1), counted_from=(4, 0))
    assert [segments.open(0, 3), segments.open(0, 4), segments.open(1, 0)] == [WARM_UP, 4, 1]
    segments.settle(WARM_UP)
    assert segments.close() == (4, -1)


# Both stages

SIZES = (1, 2, 3, 1000)
MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini", "nobody-knows")


@st.composite
def traffic(draw: st.DrawFn) -> list[Json]:
    """Up to eight calls over weeks, some unanswered, with any cost that may be reported; at their homes."""
    events: list[Json] = []
    for n in range(draw(st.integers(1, 8))):
        at = draw(st.sampled_from([0.0, 9.9, 10.0, 59.9, 3600.0, 43_200.0, -604_800.0]))
        session = draw(st.sampled_from(["sA", "sB", "sC", "sD"]))
        events.append(request(n, at, session_id=session, feature=draw(st.sampled_from(["f", "g"])), timeout_ms=1))
        if draw(st.integers(0, 4)):
            cost = draw(st.none() | st.sampled_from([0.0, 1e-12, 0.1, 1e12, 123456.789]))
            said = response(n, at + 1, session_id=session, model=draw(st.sampled_from(MODELS)), cost_usd=cost)
            events.append(said | {"latency_ms": draw(st.sampled_from([0.0, 1.0, 12_345.6]))})
    return events


def staged(data: st.DataObject) -> tuple[World, list[Json]]:
    """Traffic read, answered late and checkpointed in any way; partial aggregates wait on their topic."""
    world = World(settings(2, segment=data.draw(st.sampled_from(SIZES))))
    events = data.draw(traffic())
    for event in data.draw(st.permutations(events)):
        world.publish("responses" if "response_id" in event else "requests", event)
    for action in data.draw(st.lists(st.sampled_from(["read", "read", "wait", "checkpoint"]), max_size=25)):
        if action == "read" and (unread := world.unread()):
            world.step(*data.draw(st.sampled_from(unread)), data.draw(st.integers(1, 3)))
        elif action == "wait":
            world.now += 1.0
            silent = dict.fromkeys(world.topics.inputs, 10.0)
            for state in world.interactions:
                world._do(partial(state.tick, world.now, silent))
        elif action == "checkpoint":
            close(world, data.draw(st.integers(0, 1)))
    world.run()
    world.wait(24.0)
    for _ in range(3):
        close(world, 0)
        close(world, 1)
    return world, events


def close(world: World, partition: int) -> None:
    world._do(world.interactions[partition].close_interval)


def fed(state: CostState, records: Sequence[Record], tables: Tables) -> None:
    effects = Effects()
    state.apply(FakeBatch("llm.internal.partials", 0, records, 0), effects)
    assert not effects.letters
    stored(effects, tables)


def stored(effects: Effects, tables: Tables) -> None:
    for table, rows in effects.rows.items():
        tables.insert(table, rows)


@given(st.data())
@hypothesis_settings(max_examples=200, deadline=None)
def test_the_parts_add_up_to_the_input_in_all_window_sizes(data: st.DataObject) -> None:
    world, events = staged(data)
    tables = Tables()
    for p in range(2):
        state, log = CostState(SOURCE), world.logs.logs[world.topics.partials, p]
        at = 0
        while at < len(log):
            size = data.draw(st.integers(1, 4))
            repeats = data.draw(st.lists(st.sampled_from(log[: at + 1]), max_size=2))  # stage 1 crashed, or was a zombie
            fed(state, [*log[at : at + size], *repeats], tables)
            at += size
            if data.draw(st.booleans()):
                effects = Effects()
                state.close_interval(effects)
                stored(effects, tables)
        effects = Effects()
        state.close_interval(effects)
        stored(effects, tables)
    assert tables.windows() == expected_rows(events)[1]
    for history in tables.history.values():
        largest = max(row.version for row in history)
        assert len({repr(row) for row in history if row.version == largest}) == 1


@given(st.data())
@hypothesis_settings(max_examples=100, deadline=None)
def test_versions_never_decrease_as_long_as_nothing_is_repeated(data: st.DataObject) -> None:
    world, _ = staged(data)
    for p in range(2):
        tables, state = Tables(), CostState(SOURCE)
        for record in world.logs.logs[world.topics.partials, p]:
            fed(state, [record], tables)
            effects = Effects()
            state.close_interval(effects)
            stored(effects, tables)
        for history in tables.history.values():
            versions = [row.version for row in history]
            assert versions == sorted(set(versions))


def test_settled_segments_are_dropped_in_both_stages_and_repeats_do_not_bring_them_back() -> None:
    world = World(settings(1, segment=2))
    for n in range(100):
        world.publish("requests", request(n, n, session_id="s"))
        world.publish("responses", response(n, n, session_id="s"))
        world.run()
        world.checkpoint()
    world.checkpoint()
    assert world.interactions[0].gauges()["window_parts"] <= 2
    assert world.cost[0].gauges()["cost_parts"] <= 3
    world.read[world.topics.partials, 0] = 0
    world.checkpoint()
    assert world.cost[0].gauges()["cost_parts"] <= 3
    assert world.tables.windows() == expected_rows(
        [e for n in range(100) for e in (request(n, n, session_id="s"), response(n, n, session_id="s"))]
    )[1]


# Restored state


def outcome(effects: Effects) -> tuple[Any, ...]:
    rows = {table: sorted(lines) for table, lines in effects.rows.items()}
    return rows, sorted(map(repr, effects.messages)), sorted(map(repr, effects.letters))


def forget_what_was_heard(state: InteractionsState) -> None:
    """As after a restart: silence must be heard first, and what was asked of other partitions is asked again."""
    partition, gossip = state._partition, state._gossip
    partition.clocks.silent = {}
    partition.clocks._rekeyed_since, partition.clocks._rekeyed_silence = None, 0.0
    gossip._said, gossip._said_at, gossip._says_again = Word(0, 0, False, False, 0.0, 0.0), 0.0, False
    gossip._rests = False
    state._inquiries.progress = ReadingProgress(partition.count, "the same for all")
    join = partition.join
    for held in join._held:
        item = held.item
        entry = item.request.request if item.request is not None else item.response.response
        join._deadlines.add(item.due, entry.request_id)
    join._held.clear()


@pytest.mark.parametrize("restarts", [False, True])
def test_a_request_settled_and_opened_again_within_one_checkpoint_holds_no_window_open(restarts: bool) -> None:
    # Given a request whose answer came, and which was published again when its id was forgotten
    world = World(settings(1, segment=1, dedup_window=2))
    state = world.interactions[0]
    world.publish("requests", request(1))
    world.run()
    pieces = [state.changes()]
    world.publish("responses", response(1))
    for n in (2, 3, 4):
        world.publish("requests", request(n))
    world.run()
    world.publish("requests", request(1))
    world.run()
    world._do(state.close_interval)
    pieces.append(state.changes())
    # When everything is answered, perhaps after a restart
    if restarts:
        world.interactions[0] = InteractionsState(0, world.context)
        for piece in filter(None, pieces):
            world.interactions[0].load(piece)
    for n in (1, 2, 3, 4):
        world.publish("responses", response(n, event_id=f"answer-{n}"))
    for n in range(10, 20):
        world.publish("requests", request(n))
        world.publish("responses", response(n))
    world.run()
    for _ in range(3):
        world.checkpoint()
    # Then stage 2 holds no more than what may still change
    assert world.cost[0].gauges()["cost_parts"] <= 3


@given(st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_state_restored_from_its_changes_or_a_snapshot_goes_on_like_the_original(data: st.DataObject) -> None:
    """After any cut, with any continuation, both stages."""
    world = World(settings(2, segment=data.draw(st.sampled_from(SIZES)), dedup_window=data.draw(st.sampled_from([5, 100_000]))))
    events = data.draw(traffic())
    for event in data.draw(st.permutations(events)):
        strange = data.draw(st.none() | st.integers(0, 1))
        event = {k: v for k, v in event.items() if k != "session_id"} if data.draw(st.integers(0, 4)) == 0 else event
        kind = "responses" if "response_id" in event else "requests"
        world.publish(kind, event, event.get("session_id", "x"), strange)
    partition = data.draw(st.integers(0, 1))
    original = world.interactions[partition]
    base: list[bytes] = []
    cost, cost_base = CostState(SOURCE), list[bytes]()
    restored: Any = None
    cost_restored: Any = None
    world.now = 100.0
    for action in data.draw(st.lists(st.sampled_from(["read", "read", "wait", "checkpoint", "snapshot", "cut"]), max_size=30)):
        pairs = [(original, cost)] + ([(restored, cost_restored)] if restored is not None else [])
        seen: list[tuple[Any, ...]] = []
        unread = [tp for tp in world.unread() if tp[1] == partition]
        topic, size = data.draw(st.sampled_from(unread or [(None, 0)]))[0], data.draw(st.integers(1, 3))
        world.now += 0.5 if action == "wait" else 0.0
        batch = world.logs.batch(topic, partition, world.read[topic, partition], size) if topic and action == "read" else None
        changes: list[tuple[bytes | None, bytes | None]] = []
        for state, second in pairs:
            effects = Effects()
            if batch is not None:
                state.apply(batch, effects)
            elif action == "wait":
                state.tick(world.now, dict.fromkeys(world.topics.inputs, 4.0), effects)
            elif action in ("checkpoint", "snapshot", "cut"):
                state.close_interval(effects)
                parts = [m for m in effects.messages if m.topic == world.topics.partials]
                records = [Record(m.topic, m.partition, 0, 0, m.key, m.value, ()) for m in parts]
                second.apply(FakeBatch(world.topics.partials, 0, records, 0), effects)
                second.close_interval(effects)
                changes.append((state.changes(), second.changes()))
            seen.append(outcome(effects))
        assert seen[-1] == seen[0], action
        if batch is not None:
            world.read[batch.topic, partition] = batch.next_offset
        if changes:
            base += [piece for piece in changes[0][:1] if piece]
            cost_base += [piece for piece in changes[0][1:] if piece]
        if action == "snapshot":
            base, cost_base = list(original.snapshot()), list(cost.snapshot())
        if action == "cut":
            restored, cost_restored = type(original)(partition, world.context), CostState(SOURCE)
            for piece in base:
                restored.load(piece)
            for piece in cost_base:
                cost_restored.load(piece)
            forget_what_was_heard(original)
            forget_what_was_heard(restored)
    if restored is not None:
        assert settled(original, world) == settled(restored, world)


def settled(state: Any, world: World) -> tuple[Any, ...]:
    """What comes when nothing is read any more, until nothing is expected any more."""
    effects, now = Effects(), world.now
    for passed in range(10, 4_000, 10):
        state.tick(now + passed, dict.fromkeys(world.topics.inputs, float(passed)), effects)
    for _ in range(3):
        state.close_interval(effects)
        state.changes()
    return outcome(effects)


def test_the_columns_of_outcomes_are_those_of_the_rows() -> None:
    assert all(hasattr(CostPartRow, name) for name in OUTCOMES)
