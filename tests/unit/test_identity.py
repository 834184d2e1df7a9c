"""An event counts once, whichever of its copies is read first, and every record ends as a row, a repeat or a dead letter.

Worlds in which events are published several times, by any key, and in which partitions crash, go on from their last checkpoint, and
have predecessors that write on for a while.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.budgets.rules import read_rules
from agents.interactions.context import Context
from agents.interactions.state import InteractionsState
from schemas.group_usage import GroupUsage, UsageParts
from schemas.rows import RepeatRow
from tests.unit.builders import Json, World, expected_rows, request, response, settings, without

PARTITIONS = 3
RULES = [
    {"name": "models", "limit": 1_000_000, "window": "day", "by": ["model"]},
    {"name": "users", "limit": 9, "window": "day", "by": ["user"]},
]
Place = tuple[str, int, int]


class CopiedWorld(World):
    """A world with budgets whose partitions may crash at any moment. What they have sent and written until then is there for good.

    ``published``: event id -> places of its copies; ``events``: what was published, once each.
    """

    def __init__(self, **fields: Any) -> None:
        super().__init__(settings(PARTITIONS, join={"orphan": 300.0}, **fields))
        old = self.context
        self.context = Context(old.settings, old.topics, old.prices, old.source, read_rules(RULES), old.masking)
        self.interactions = [InteractionsState(p, self.context) for p in range(PARTITIONS)]
        self.durable: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.durable_offsets: list[dict[str, int]] = [{} for _ in range(PARTITIONS)]
        self.zombies: list[tuple[int, InteractionsState, dict[str, int]]] = []
        self.published: defaultdict[str, list[Place]] = defaultdict(list)
        self.events: dict[str, Json] = {}

    def copy(self, event: Json, partition: int | None = None) -> None:
        """Publish an event once more: at its home if no partition is named."""
        kind = "responses" if "response_id" in event else "requests"
        home = self.home(event.get("session_id") or event["request_id"])
        where = home if partition is None else partition
        offset = self.publish(kind, event, key="any", partition=where)
        self.published[event["event_id"]].append((f"{self.topics.prefix}{kind}", where, offset))
        self.events[event["event_id"]] = event

    def saved(self, partition: int, *, snapshot: bool = False) -> None:
        """A partition's checkpoint: outputs, then state."""
        state = self.interactions[partition]
        self._do(state.close_interval)
        self.durable[partition].append(state.changes() or b"")
        if snapshot:
            self.durable[partition] = list(state.snapshot())
        self.durable_offsets[partition] = self.offsets(partition)

    def sum_up(self) -> None:
        """Stage 2 reads what was sent, and writes its rows."""
        for p, cost in enumerate(self.cost):
            batch = self.logs.batch(self.topics.partials, p, self.read[self.topics.partials, p])
            self.read[self.topics.partials, p] = batch.next_offset
            self._do(partial(cost.apply, batch))
            self._do(cost.close_interval)

    def offsets(self, partition: int) -> dict[str, int]:
        return {topic: self.read[topic, partition] for topic in self.topics.inputs}

    def crash(self, partition: int, *, stays: bool = False) -> None:
        """Go on from the last checkpoint; ``stays``: the old process knows nothing of it."""
        if stays:
            self.zombies.append((partition, self.interactions[partition], self.offsets(partition)))
        state = self.interactions[partition] = InteractionsState(partition, self.context)
        for piece in self.durable[partition]:
            if piece:
                state.load(piece)
        for topic in self.topics.inputs:
            self.read[topic, partition] = self.durable_offsets[partition].get(topic, 0)

    def wake(self, rng: random.Random) -> None:
        """A zombie reads on a little, and says what it makes of it; its state is refused."""
        partition, state, offsets = self.zombies.pop(rng.randrange(len(self.zombies)))
        for _ in range(rng.randint(0, 3)):
            topic = rng.choice(list(offsets))
            batch = self.logs.batch(topic, partition, offsets[topic], rng.randint(1, 3))
            offsets[topic] = batch.next_offset
            self._do(partial(state.apply, batch))
        self._do(state.close_interval)

    def end(self) -> None:
        """Everything is read, and nothing is expected any more."""
        self.run()
        self.wait(1_000.0)
        self.checkpoint()
        self.checkpoint()

    # What has become of the input

    def repeats(self) -> Counter[str]:
        """Event id -> how many of its records are repeats."""
        return Counter(row.event_id for row in self.tables.rows[RepeatRow.TABLE].values())

    def ends(self) -> dict[str, int]:
        """Event id -> how many of its records are neither repeats nor dead letters."""
        over = {(row.topic, row.partition, row.offset) for row in self.tables.rows[RepeatRow.TABLE].values()}
        over |= {(letter.topic, letter.partition, letter.offset) for letter in self.letters}
        return {event_id: len(set(places) - over) for event_id, places in self.published.items()}

    def usage(self) -> dict[tuple[str, ...], tuple[int, Decimal]]:
        """What every model has been used for, as the newest parts say: requests and USD."""
        newest: dict[Any, GroupUsage] = {}
        for p in range(PARTITIONS):
            for record in self.logs.logs[self.topics.usage, p]:
                message = msgspec.msgpack.decode(record.value or b"", type=UsageParts)
                for part in message.parts:
                    key = message.partition, part.segment, part.window, part.group
                    if key not in newest or part.usage.version > newest[key].version:
                        newest[key] = part.usage
        sums: dict[tuple[str, ...], tuple[int, Decimal]] = {}
        models = next(rule.id for rule in self.context.rules.by_id.values() if rule.name == "models")
        for (*_, group), usage in newest.items():
            if group.rule == models:
                requests, usd = sums.get(group.values, (0, Decimal(0)))
                sums[group.values] = requests + usage.requests, usd + Decimal(usage.picodollars).scaleb(-12)
        return {values: amounts for values, amounts in sums.items() if amounts[0]}

    def check(self, orphans: Iterable[str] = ()) -> None:
        orphans = set(orphans)
        counted = [event for event_id, event in self.events.items() if event_id not in orphans]
        rows, windows = expected_rows(counted)
        assert self.tables.interactions() == rows
        assert self.tables.windows() == windows
        days: dict[tuple[str, ...], tuple[int, Decimal]] = {}
        for (size, _, *series), window in windows.items():
            if size == 86_400:
                requests, usd = days.get((series[4],), (0, Decimal(0)))
                days[series[4],] = requests + window.counts["requests"], usd + window.cost
        assert self.usage() == days
        dead = {msgspec.json.decode(record.value or b"")["event_id"] for record in self.letter_records()}
        assert dead == orphans
        assert self.ends() == {event_id: int(event_id not in orphans) for event_id in self.published}
        newest = [max(history, key=lambda row: row.version) for key, history in self.tables.history.items() if key[0] == "cost_parts"]
        assert all(row.requests >= 0 for row in newest)

    def letter_records(self) -> list[Any]:
        return [self.logs.logs[letter.topic, letter.partition][letter.offset] for letter in self.letters]


def live(world: CopiedWorld, rng: random.Random, actions: int) -> None:
    """Partitions read what they like, in batches of any size, take checkpoints, crash, and leave zombies behind."""
    for _ in range(actions):
        partition, action = rng.randrange(PARTITIONS), rng.random()
        unread = [tp for tp in world.unread() if tp[1] == partition]
        if action < 0.6 and unread:
            world.step(*rng.choice(unread), rng.randint(1, 4))
        elif action < 0.75:
            world.saved(partition, snapshot=rng.random() < 0.3)
        elif action < 0.8:
            world._do(world.interactions[partition].close_interval)  # it dies before its state is stored
            world.crash(partition, stays=rng.random() < 0.5)
        elif action < 0.87:
            world.crash(partition, stays=rng.random() < 0.5)
        elif action < 0.93 and world.zombies:
            world.wake(rng)
        elif action < 0.97:
            world.now += 4.0
            world._do(partial(world.interactions[partition].tick, world.now, dict.fromkeys(world.topics.inputs, 4.0)))
        else:
            world.sum_up()


def calls(rng: random.Random) -> tuple[list[Json], set[str]]:
    """The events of calls of every kind, and the ids of responses without a request."""
    events: list[Json] = []
    orphans: set[str] = set()
    for n in range(rng.randint(1, 8)):
        session = rng.choice([None, "sA", "sB", "sC"])
        at = rng.choice([0.0, 5.0, 30.0, 200.0])
        asked = request(n, at, session_id=session, user_id=rng.choice([None, "u"]), timeout_ms=rng.choice([1, 15_000, 400_000]))
        said = response(n, at + 1.0, session_id=session, model=rng.choice([None, "gpt-4o-mini", "gpt-4o-mini"]))
        if rng.random() < 0.4:
            said = without(said, "session_id")
        kind = rng.choice(["answered", "answered", "answered", "unanswered", "orphan"])
        events += {"answered": [asked, said], "unanswered": [asked], "orphan": [said]}[kind]
        if kind == "orphan":
            orphans.add(said["event_id"])
    return events, orphans


def publish_copies(world: CopiedWorld, rng: random.Random, events: list[Json], counts: Sequence[int]) -> None:
    """Each event as often as one of ``counts`` says, in any partitions and in any order."""
    copies = [(event, rng.choice([None, 0, 1, 2])) for event in events for _ in range(rng.choice(counts))]
    rng.shuffle(copies)
    for event, partition in copies:
        world.copy(event, partition)


def simulate(rng: random.Random) -> None:
    world = CopiedWorld(segment=rng.choice([1, 2, 4]))
    events, orphans = calls(rng)
    publish_copies(world, rng, events, [1, 2, 2, 3])
    live(world, rng, rng.randint(5, 60))
    publish_copies(world, rng, events, [0, 0, 1])
    live(world, rng, rng.randint(5, 60))
    while world.zombies:
        world.wake(rng)
    world.end()
    world.check(orphans)
    publish_copies(world, rng, events, [0, 0, 1])
    world.end()
    world.check(orphans)


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=100, deadline=None)
def test_whatever_is_read_first_and_whatever_crashes_each_event_counts_once(seed: int) -> None:
    simulate(random.Random(seed))


# Single cases


def two_copies(asked: Json, said: Json) -> tuple[CopiedWorld, int, int]:
    """A call whose request is published at its home and once more elsewhere; returns its home and the other partition."""
    world = CopiedWorld()
    home = world.home(asked["session_id"])
    other = (home + 1) % PARTITIONS
    world.copy(asked)
    world.copy(asked, other)
    world.copy(said)
    return world, home, other


@pytest.mark.parametrize("model", [None, "gpt-4o-mini"], ids=["the model asked for", "another model answers"])
@pytest.mark.parametrize("forwarded_first", [False, True])
def test_a_crash_after_which_the_other_copy_is_read_first_does_not_count_the_call_twice(model: str | None, forwarded_first: bool) -> None:
    # Given one call in two partitions, of which its home has read one copy and the answer; that was stored, the state was not
    world, home, other = two_copies(request(1), response(1, model=model))
    topics = world.topics
    world.step(topics.requests, other)
    first, second = (topics.rekeyed, topics.requests) if forwarded_first else (topics.requests, topics.rekeyed)
    world.step(first, home)
    world.step(topics.responses, home)
    world._do(world.interactions[home].close_interval)
    world.sum_up()
    assert sum(window.counts["requests"] for (size, *_), window in world.tables.windows().items() if size == 60) == 1
    # When a new process reads the other copy first
    world.crash(home)
    for topic in (second, topics.responses, first):
        world.step(topic, home)
    world.end()
    # Then the call counts once everywhere, and one record is a repeat: the one that is not at home
    world.check()
    [repeat] = world.tables.rows[RepeatRow.TABLE].values()
    assert (repeat.topic, repeat.partition, repeat.offset, repeat.event_id) == (topics.requests, other, 0, "req-1")
    assert world.counts["duplicate", "requests"] >= 1


@pytest.mark.parametrize("model", [None, "gpt-4o-mini"])
@pytest.mark.parametrize("answered_by", ["before both", "between", "after both", "late"])
def test_a_call_that_moves_leaves_nothing_behind(answered_by: str, model: str | None) -> None:
    """Its forwarded copy was read first; then comes the one of its home's own topic."""
    world = CopiedWorld()
    asked, said = request(1, timeout_ms=1, user_id="u"), response(1, 20.0, model=model)
    home = world.home("s1")
    world.copy(asked, (home + 1) % PARTITIONS)
    world.run()
    if answered_by == "before both":
        world.copy(said)
        world.run()
    world.saved(home)
    if answered_by == "late":
        world.wait(30.0)
    world.copy(asked)
    if answered_by == "between":
        world.copy(said)
    world.run()
    if answered_by in ("after both", "late"):
        world.copy(said)
    world.end()
    world.check()


def test_an_answer_without_a_session_that_is_published_twice_is_a_row_and_a_repeat() -> None:
    """One copy meets its request where it is written; the other waits at the home of its request_id, which knows nothing of the first."""
    world = CopiedWorld()
    n = next(n for n in range(100) if world.home(f"s{n}") != world.home(f"r{n}"))
    asked, said = request(n), without(response(n), "session_id")
    at_request, at_home = world.home(f"s{n}"), world.home(f"r{n}")
    world.copy(asked)
    world.run()
    world.copy(said, at_request)
    world.run()
    world.copy(said, 3 - at_request - at_home)
    world.end()
    world.check()
    assert world.repeats() == {said["event_id"]: 1}
    assert world.letters == []


def test_an_answer_that_is_published_again_about_another_call_is_a_repeat() -> None:
    """Its place is smaller, but the first one waits under another call's id: it must not be let go for it."""
    world = CopiedWorld()
    home = 2
    of = [f"r{n}" for n in range(100) if world.home(f"r{n}") == home]
    first, again = (without(response(1, request_id=name), "session_id") for name in of[:2])
    world.copy(first, 1)
    world.run()
    world.copy(again, 0)
    world.end()
    assert world.repeats() == {first["event_id"]: 1}
    assert [(letter.partition, letter.offset) for letter in world.letters] == [(1, 0)]
    assert world.ends() == {first["event_id"]: 0}


def test_a_record_that_a_crash_has_sent_on_a_second_way_is_no_repeat() -> None:
    # Given an answer without a session that was forwarded before its request was read
    world = CopiedWorld()
    n = next(n for n in range(100) if world.home(f"s{n}") != world.home(f"r{n}"))
    at = world.home(f"s{n}")
    world.copy(request(n))
    world.copy(without(response(n), "session_id"), at)
    world.step(world.topics.responses, at)
    # When after a crash the request is read first, and is answered at once
    world.crash(at)
    world.step(world.topics.requests, at)
    world.step(world.topics.responses, at)
    world.end()
    # Then it made a row, and the copy that was on its way nothing
    world.check()
    assert world.repeats() == {}


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_answers_that_wait_the_smaller_is_kept(first: int) -> None:
    world = CopiedWorld()
    home = world.home("s1")
    one, two = response(1), response(1, event_id="res-other", response_id="b1")
    world.copy(one)
    world.copy(two, (home + 1) % PARTITIONS)
    world.step(world.topics.responses, (home + 1) % PARTITIONS)
    for topic in ((world.topics.responses, world.topics.rekeyed), (world.topics.rekeyed, world.topics.responses))[first]:
        world.step(topic, home)
    world.copy(request(1))
    world.end()
    assert world.tables.interactions()["r1"]["response_id"] == "a1"
    [letter] = world.letters
    assert "two responses" in letter.reason
    assert world.ends() == {"req-1": 1, "res-1": 1, "res-other": 0}


def test_a_call_that_cannot_be_told_is_a_dead_letter_and_an_unanswered_request(monkeypatch: pytest.MonkeyPatch) -> None:
    world = CopiedWorld()
    monkeypatch.setattr("agents.interactions.pricing.answered", lambda *args: 1 / 0)
    world.copy(request(1))
    world.copy(response(1))
    world.end()
    assert world.ends() == {"req-1": 1, "res-1": 0}
    assert world.tables.interactions()["r1"]["outcome"] == "unanswered"
    [letter] = world.letters
    assert "ZeroDivisionError" in letter.reason


def test_a_request_that_cannot_be_told_at_all_is_a_dead_letter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = CopiedWorld()
    monkeypatch.setattr("agents.interactions.unanswered.unanswered", lambda *args: 1 / 0)
    world.copy(request(1, timeout_ms=1))
    world.end()
    assert world.ends() == {"req-1": 0}
    assert world.tables.interactions() == {}


def test_a_copy_that_says_something_else_is_a_repeat_and_changes_nothing() -> None:
    world = CopiedWorld()
    asked = request(1)
    world.copy(asked, (world.home("s1") + 1) % PARTITIONS)
    world.copy(response(1))
    world.run()
    world.copy({**asked, "feature": "another"})
    world.end()
    world.events["req-1"] = asked
    world.check()


def test_more_orphans_than_one_question_names_are_each_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.interactions.progress.MOST_WANTED", 2)
    world = CopiedWorld()
    strange = [n for n in range(60) if world.home(f"s{n}") != world.home(f"r{n}")][:9]
    for n in strange:
        world.copy(request(n))
    world.run()
    for n in strange:
        said = without(response(n), "session_id")
        world.copy(said, world.home(f"s{n}"))
        world.run()
        world.copy(said, world.home(f"r{n}"))
    world.end()
    world.check()


# Backfills


@pytest.mark.parametrize("own_before", [True, False])
def test_a_backfill_counts_a_call_where_the_live_run_counted_it(own_before: bool) -> None:
    """One copy is before its beginning, the other after it."""
    world, home, other = two_copies(request(1), response(1, model="gpt-4o-mini"))
    world.end()
    tables = {table: dict(rows) for table, rows in world.tables.rows.items()}
    again = CopiedWorld()
    again.logs = world.logs
    begins = [0] * PARTITIONS
    begins[home if own_before else other] = 4
    context = replace(again.context, counted_from=tuple(begins))
    again.interactions = [InteractionsState(p, context) for p in range(PARTITIONS)]
    again.tables = world.tables
    for p in range(PARTITIONS):  # a backfill has internal topics of its own
        for topic in (again.topics.rekeyed, again.topics.partials, again.topics.usage):
            again.read[topic, p] = again.logs.end(topic, p)
    again.step(again.topics.requests, other)
    again.end()
    assert again.tables.rows == tables
