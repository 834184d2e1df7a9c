"""Labels: sessions, what is a reaction to what, versions; the same whatever the batches, the order among sources and the restarts."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections import defaultdict
from collections.abc import Sequence
from math import log
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.common.label_settings import LabelSettings
from agents.labels.reliability import EXPLICIT, Clues, LabelModel
from agents.labels.state import PERIOD, LabelsState, label_id
from schemas.opinions import Foresight, JudgedUpTo, Opinions
from schemas.outputs import Label
from schemas.rows import LabelRow
from schemas.turns import FeedbackSignal, Turn, Turns
from streams.effects import Effects
from streams.partitioner import partition_of
from tests.unit.builders import FakeBatch, Record

START = 1_772_366_400.0
LABELS, SATISFACTION = "llm.labels", "llm.internal.satisfaction"
GAP, RETENTION, WAIT = LabelSettings().gap, LabelSettings().retention, LabelSettings().wait
PARTITIONS = 3
CLOCK = Turns("test", 0, 0.0, False)


def turn(n: int | str, at: float, question: str = "", *, session: str | None = "s", took: float = 2.0, **fields: Any) -> Turn:
    values: dict[str, Any] = {
        "tenant": "acme",
        "feature": "chat",
        "model": "m",
        "answer_chars": 400,
    } | fields
    return Turn(
        request_id=f"r{n}", response_id=f"a{n}", session_id=session, time=START + at, ended=START + at + took, question=question,
        event_id=f"q{n}", **values,
    )  # fmt: skip


def signal(
    n: int | str, at: float, kind: str, answer: int | str | None = None, *,
    session: str | None = "s", **fields: Any,
) -> FeedbackSignal:  # fmt: skip
    return FeedbackSignal(f"f{n}", START + at, kind, response_id=None if answer is None else f"a{answer}", session_id=session, **fields)


class Stage2:
    """A labels state, the messages sent to it and the labels it published."""

    def __init__(self, *, sources: int = 1, **settings: Any) -> None:
        self.make = lambda: LabelsState(
            0,
            labels=LABELS,
            satisfaction=SATISFACTION,
            source="test",
            sources=sources,
            partitions=PARTITIONS,
            settings=LabelSettings(**{"settle": 0.0, **settings}),
        )
        self.state = self.make()
        self.effects = Effects()
        self.published: list[Label] = []
        self._offset = 0

    def send(self, *items: Turn | FeedbackSignal, clock: float | None = None, partition: int = 0) -> list[Label]:
        """One message; by default the clock follows its items. It goes to the end of the period, in which labels are published."""
        at = clock if clock is not None else max((getattr(item, "ended", item.time) for item in items), default=START) - START
        turns = [item for item in items if isinstance(item, Turn)]
        signals = [item for item in items if isinstance(item, FeedbackSignal)]
        return self.receive(Turns("test", partition, START + (at // PERIOD + 1) * PERIOD, False, turns, signals))

    def receive(self, *messages: Turns) -> list[Label]:
        return self.read([msgspec.msgpack.encode(message) for message in messages])

    def read(self, values: Sequence[bytes]) -> list[Label]:
        records = [Record("turns", 0, self._offset + n, 0, None, value, ()) for n, value in enumerate(values)]
        self._offset += len(records)
        before = len(self.effects.messages)
        self.state.apply(FakeBatch("turns", 0, records, self._offset), self.effects)
        sent = [message.value for message in self.effects.messages[before:] if message.topic == LABELS]
        found = [msgspec.json.decode(value, type=Label) for value in sent]
        assert [msgspec.json.encode(label) for label in found] == sent, "put together of parts, it is the event of the contract"
        self.published += found
        return found

    def heard(self, n: int | str) -> Clues:
        """What is known of an answer but what its user said explicitly."""
        clues = self.state._memory.answers[f"r{n}"].clues()[0]
        kept = tuple(vote for vote in clues.votes if vote.voter not in EXPLICIT)
        return clues._replace(votes=kept)

    def until(self, at: float) -> list[Label]:
        return self.send(clock=at)

    def latest(self) -> dict[str, Label]:
        return {label.response_id: label for label in sorted(self.published, key=lambda label: label.version)}

    def label(self, n: int | str) -> Label:
        return self.latest()[f"a{n}"]


def kinds(label: Label) -> list[str]:
    return [found.kind for found in label.signals]


# The life of a label


def test_feedback_gives_a_provisional_label_and_the_sessions_end_a_final_one() -> None:
    stage = Stage2()
    assert stage.send(turn(1, 0, "how do I reset my password?")) == []

    [provisional] = stage.send(signal(1, 10, "thumbs_up", 1))
    assert (provisional.label, provisional.explicit, provisional.final, provisional.version) == ("positive", True, False, 1)
    assert provisional.label_id == label_id("a1") and provisional.session_id == "s" and provisional.request_id == "r1"
    assert [(found.kind, found.event_id) for found in provisional.signals] == [("thumbs_up", "f1")]
    assert provisional.signals[0].weight > 1

    assert stage.until(10 + GAP - 1) == []
    [final] = stage.until(10 + GAP)
    assert (final.final, final.version, final.label_id) == (True, 2, provisional.label_id)
    assert kinds(final) == ["thumbs_up", "session_end"]


def test_feedback_at_the_end_of_a_period_counts_when_the_input_rests() -> None:
    stage = Stage2()
    stage.send(turn(1, 0, "how do I reset my password?"))
    at = START + 2 * PERIOD
    assert stage.receive(Turns("test", 0, at, False, [], [signal(1, 2 * PERIOD, "thumbs_up", 1)])) == []
    [label] = stage.receive(Turns("test", 0, at, True, [], []))
    assert label.label == "positive"


def test_labels_go_to_the_partition_of_their_response_and_one_row_per_version_to_the_table() -> None:
    stage = Stage2()
    stage.send(turn(1, 0), signal(1, 10, "thumbs_down", 1))
    stage.until(10 + GAP)

    assert {(m.partition, m.key) for m in stage.effects.messages if m.topic == LABELS} == {(partition_of(b"a1", PARTITIONS), b"a1")}
    rows = [msgspec.json.decode(row) for row in stage.effects.rows[LabelRow.TABLE]]
    assert [row["version"] for row in rows] == [1, 2]
    assert len({(row["tenant"], row["feature"], row["time"], row["label_id"]) for row in rows}) == 1, "the sort key never changes"
    assert rows[1]["final"] is True and rows[1]["model"] == "m"
    assert rows == [msgspec.json.decode(m.value) for m in stage.effects.messages if m.topic == LABELS]
    assert rows[0].keys() == set(LabelRow.__struct_fields__)


def test_silence_is_not_negative_feedback() -> None:
    stage = Stage2()
    stage.send(turn(1, 0, "how do I reset my password?"))
    [final] = stage.until(2 + GAP)
    assert final.final and final.label != "negative" and not final.explicit and final.score > 0.5


def test_a_change_of_mind_counts_and_a_repeated_event_does_not() -> None:
    stage = Stage2()
    stage.send(turn(1, 0), signal(1, 10, "thumbs_up", 1))
    [changed] = stage.send(signal(2, 20, "thumbs_down", 1))
    assert (changed.label, kinds(changed), changed.version) == ("negative", ["thumbs_down"], 2)
    assert stage.send(turn(1, 0), signal(1, 10, "thumbs_up", 1), signal(2, 20, "thumbs_down", 1), clock=30) == []


def test_late_feedback_gives_a_further_final_version_until_the_retention_ends() -> None:
    stage = Stage2()
    stage.send(turn(1, 0))
    stage.until(2 + GAP)
    [late] = stage.send(signal(1, GAP + 600, "thumbs_down", 1))
    assert (late.final, late.version, late.label) == (True, 2, "negative")

    stage.until(2 + GAP + RETENTION + 1)
    assert stage.send(signal(2, GAP + RETENTION + 10, "thumbs_up", 1)) == []
    stage.until(GAP + RETENTION + 10 + WAIT)
    assert stage.effects.counts["label_exceptions", "unmatched"] == 1
    assert stage.state.gauges()["label_answers"] == 0


def test_feedback_before_its_answer_waits_and_feedback_for_an_unknown_one_is_dropped_and_counted() -> None:
    stage = Stage2()
    assert stage.send(signal(1, -5, "thumbs_down", 1), signal(2, -5, "thumbs_up", "unknown"), clock=-1) == []
    [label] = stage.send(turn(1, 0))
    assert kinds(label) == ["thumbs_down"]
    assert stage.state.gauges()["label_waiting_feedback"] == 1
    stage.until(WAIT)
    assert stage.state.gauges()["label_waiting_feedback"] == 0
    assert stage.effects.counts["label_exceptions", "unmatched"] == 1


def test_feedback_sent_to_all_partitions_is_used_where_the_answer_is_known() -> None:
    knows, does_not = Stage2(), Stage2()
    knows.send(turn(1, 0, session=None))
    for stage in (knows, does_not):
        stage.send(signal(1, 10, "copy", 1, session=None))
        stage.until(10 + WAIT)
    assert kinds(knows.label(1)) == ["copy"]
    assert does_not.published == [] and does_not.effects.counts["label_exceptions", "elsewhere_or_unmatched"] == 1


def test_feedback_with_only_a_session_is_about_the_latest_answer_it_had() -> None:
    stage = Stage2()
    stage.send(turn(1, 0), turn(2, 60), signal(1, 30, "regenerate"), signal(2, 70, "escalate"), clock=100)
    assert "regenerate" in kinds(stage.label(1)) and kinds(stage.label(2)) == ["escalate"]


def test_bad_messages_become_dead_letters_and_the_rest_goes_on() -> None:
    stage = Stage2()
    good = Turns("test", 0, START + 10, False, [turn(1, 0)], [signal(1, 5, "thumbs_up", 1)])
    stage.read([b"\xc1", msgspec.msgpack.encode(good)])
    assert [(letter.stage, letter.offset) for letter in stage.effects.letters] == [("labels", 0)]
    assert kinds(stage.label(1)) == ["thumbs_up"]


def test_what_an_older_version_wrote_is_refused_and_said_to_be_so() -> None:
    """given state or messages in which other things stand in the same places, then nothing is made of them."""
    stage = Stage2()
    older = [START, 3, [], [], [], [], [], [[[1, "ss", START, START, False, 0.0]], [], [], [], []], [], None, []]
    with pytest.raises(ValueError, match="in format 2; this one reads format 4"):
        stage.state.load(msgspec.msgpack.encode(older))
    told = ["r1", "a1", "s", "acme", "chat", "m", "u", START, START + 2, "hello", 400, "ok", "q1"]
    heard = ["f1", START + 5, "copy", "acme", None, "", "a1", None, "s", "u"]
    for turns, signals in (([told], []), ([], [heard])):
        stage.read([msgspec.msgpack.encode(["test", 0, START + 10, False, turns, signals])])
    assert [letter.stage for letter in stage.effects.letters] == ["labels", "labels"]
    assert stage.until(GAP + 60) == []


# What is a reaction to what


@pytest.mark.parametrize(
    ("first", "then", "kind"),
    [
        ("how do I reset my password?", "how to reset my passwrod", "reformulation"),
        ("como emitir a segunda via do boleto?", "como emito a segunda via do meu boleto", "reformulation"),
        ("How do I export my invoices?", "that's not what I asked", "complaint"),
        ("Como exporto minhas faturas?", "não foi isso que pedi", "complaint"),
        ("How do I export my invoices?", "thanks, that worked", "acceptance"),
        ("Como exporto minhas faturas?", "obrigado, funcionou!", "acceptance"),
        ("how do I reset my password?", "what is a good recipe for a chocolate cake", "topic_change"),
        ("como troco minha senha?", "me passa uma receita de bolo de chocolate com nozes", "topic_change"),
    ],
)
def test_what_the_user_writes_next_is_evidence(first: str, then: str, kind: str) -> None:
    stage = Stage2()
    stage.send(turn(1, 0, first), turn(2, 30, then))
    assert kinds(stage.label(1)) == [kind]
    assert stage.label(1).signals[0].event_id == "q2"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("write a poem about cats", "now make it shorter"),
        ("escreva um poema sobre gatos", "agora traduza para o inglês"),
        ("write a poem about cats", "write a poem about dogs"),
    ],
)
def test_the_next_step_is_not_a_repetition(first: str, then: str) -> None:
    stage = Stage2()
    stage.send(turn(1, 0, first), turn(2, 30, then))
    assert "reformulation" not in kinds(stage.label(1))


def test_two_tabs_of_one_session_are_told_apart() -> None:
    """given two conversations under one session id, when one repeats its question, then the answer to that question is meant."""
    stage = Stage2()
    stage.send(turn("A1", 0, "how do I reset my password?"), turn("B1", 20, "what is a good recipe for a chocolate cake"))
    stage.send(turn("A2", 40, "how can i reset my password please"))
    assert "reformulation" in kinds(stage.label("A1"))
    assert "reformulation" not in kinds(stage.label("B1"))


def test_a_question_asked_before_an_answer_was_there_is_no_reaction_to_it() -> None:
    stage = Stage2()
    stage.send(turn(1, 0, "how do I reset my password?", took=60), turn(2, 5, "that's wrong", took=2), clock=100)
    assert stage.published == []


def test_the_gap_parts_sessions() -> None:
    stage = Stage2()
    stage.send(turn(1, 0, "how do I reset my password?"))
    stage.send(turn(2, GAP + 3, "how do I reset my password?"))
    assert stage.label(1).final and kinds(stage.label(1)) == ["session_end"]
    assert stage.state.gauges()["label_sessions"] == 2


@pytest.mark.parametrize(("seconds", "level"), [(0.5, "short"), (15.0, "read"), (600.0, "long")])
def test_dwell_is_relative_to_the_answers_length(seconds: float, level: str) -> None:
    short, long = Stage2(), Stage2()
    for stage, chars in ((short, 400), (long, 40_000)):
        stage.send(turn(1, 0, answer_chars=chars), signal(1, 5, "dwell", 1, value=seconds))
    weight = {"short": -1, "read": 1, "long": 0}[level]
    found = short.label(1).signals[0].weight
    assert (found > 0.05) - (found < -0.05) == weight
    assert long.label(1).signals[0].weight <= found or level == "long"


# Bounds


def test_a_session_of_ten_thousand_turns_keeps_the_last_ones_and_labels_all() -> None:
    stage = Stage2(turns=50)
    for n in range(10_000):
        stage.send(turn(n, n * 10.0))
    assert stage.state.gauges()["label_answers"] == 50
    stage.until(100_000 + GAP)
    assert len(stage.latest()) == 10_000 and all(label.final for label in stage.latest().values())
    assert stage.send(turn(3, 30.0), clock=100_001 + GAP) == [], "a repeat of one given up is not a new answer"


def test_sessions_are_bounded_and_the_quiet_ones_become_final_first() -> None:
    stage = Stage2(sessions=3)
    for n in range(10):
        stage.send(turn(n, n, session=f"s{n}"))
    assert stage.state.gauges()["label_sessions"] == 3
    assert [label.response_id for label in stage.published if label.final] == [f"a{n}" for n in range(7)]


@pytest.mark.parametrize("bounds", [{}, {"sessions": 50}])
def test_what_is_forgotten_leaves_memory_at_once(bounds: dict[str, int]) -> None:
    """without waiting for a collection of garbage, whether its time has come or there is no room for it."""
    stage = Stage2(**SHORT, **bounds)

    def held_after(begin: float) -> int:
        for n in range(200):
            at, session = begin + n, f"s{begin + n}"
            stage.send(turn(f"{session} 1", at, session=session), turn(f"{session} 2", at + 5, session=session))
        stage.until(begin + 200 + END + PERIOD)
        stage.state.changes()
        stage.effects, stage.published = Effects(), []
        assert stage.state.gauges()["label_answers"] == 0
        return tracemalloc.get_traced_memory()[0]

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        first, *_, last = [held_after(begin) for begin in (0.0, 1_000.0, 2_000.0, 3_000.0)]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert last - first < 50_000, "three times 200 sessions of about 2 kB"


def test_waiting_feedback_is_bounded() -> None:
    stage = Stage2(waiting=5)
    stage.send(*(signal(n, n / 100, "copy", f"x{n}") for n in range(20)))
    stage.until(2)
    assert stage.state.gauges()["label_waiting_feedback"] == 5
    assert stage.effects.counts["label_exceptions", "unmatched"] == 15


def test_more_than_may_wait_for_the_clock_is_taken_before_its_time_the_earliest_first() -> None:
    stage = Stage2(pending=5)
    stage.send(*(signal(n, 50 + n, "thumbs_up", n) for n in range(10)), *(turn(n, n) for n in range(10)), clock=-100)
    assert stage.state.gauges()["label_inbox"] == 5
    assert {answer for answer, label in stage.latest().items() if label.explicit} == {f"a{n}" for n in range(5)}
    assert stage.effects.counts["label_exceptions", "taken_early"] == 15


# The clock, and what satisfaction is told


def test_events_that_trail_each_other_within_a_topic_are_taken_in_the_order_of_their_times() -> None:
    """given an answer read after a later one, when it trails by less than ``settle``, then it is as if it had come in time."""
    in_time, late = Stage2(settle=5.0), Stage2(settle=5.0)
    first, second = turn(1, 0, "how do I reset my password?"), turn(2, 3, "that's wrong")
    in_time.send(first, second)
    late.send(second)
    late.send(first)
    for stage in (in_time, late):
        stage.until(100 + GAP)
    assert kinds(late.label(1)) == ["complaint"]
    assert told(late) == told(in_time)


def judged(stage: Stage2) -> list[Opinions]:
    found = [msgspec.msgpack.decode(m.value, type=JudgedUpTo) for m in stage.effects.messages if m.topic == SATISFACTION]
    return [window for message in found for window in message.windows]


def test_the_score_of_every_answer_counts_once_some_minutes_after_it() -> None:
    stage = Stage2(judged_after=300.0)
    early, late = signal(1, 10, "thumbs_down", 1), signal(2, 400, "thumbs_down", 3)
    stage.send(turn(1, 0), turn(2, 1, feature="other"), turn(3, 2), early, late, clock=20)
    stage.until(290)
    assert judged(stage) == [], "all answers are judged with the same patience"
    stage.until(10 + GAP + RETENTION)
    found = {window.series: window for window in judged(stage)}
    chat = found["acme", "chat"]
    assert len(judged(stage)) == 2 and (chat.answers, found["acme", "other"].answers) == (2, 1)
    assert chat.window <= START + 302 < chat.window + 60
    assert chat.lowest[0][1] == "a1" and chat.lowest[0][0] < 0.35 < chat.lowest[1][0], "what came later is not counted"


def foretold(stage: Stage2) -> list[Foresight]:
    """What satisfaction was told of how well labels foretold what users said."""
    told = [m.value for m in stage.effects.messages if m.topic == SATISFACTION]
    return [f for value in told for f in msgspec.msgpack.decode(value, type=JudgedUpTo).foresights]


def test_what_users_say_is_compared_with_what_was_thought_before_it_taught() -> None:
    stage = Stage2(gap=60.0)
    stage.send(turn(1, 0, "how do I reset my password?"), signal(1, 5, "copy", 1))
    stage.send(turn(2, 20, "thanks, that worked"), signal(2, 25, "thumbs_up", 1))
    stage.until(85)
    assert foretold(stage) == [], "feedback teaches when the minute is over"
    stage.until(200)
    [told] = foretold(stage)
    assert told.series == ("acme", "chat") and told.answers == 1
    thought = LabelModel().judge("acme\nchat", stage.heard(1), settled=True).score
    assert told.total == pytest.approx(thought) and told.loss == pytest.approx(-log(thought))


def test_satisfaction_hears_from_every_partition_how_far_it_is() -> None:
    stage = Stage2()
    stage.send(turn(1, 0))
    stage.until(15)
    told_to = {m.partition for m in stage.effects.messages if m.topic == SATISFACTION}
    assert told_to == set(range(PARTITIONS))


# Any cut, any order, any restart

SHORT = {"gap": 60.0, "retention": 120.0, "wait": 20.0}
"""So short that all traffic lies within the time for which a slow source is waited for."""
END = SHORT["gap"] + SHORT["retention"]

QUESTIONS = (
    "how do I reset my password?", "how can i change my passwrod", "that's wrong", "obrigado, funcionou", "como emito o boleto?",
    "emitir boleto, como faço?", "what is a good recipe for a chocolate cake", "now make it shorter", "",
)  # fmt: skip
FEEDBACK = ("thumbs_up", "thumbs_down", "rating", "comment", "copy", "edit", "regenerate", "dwell", "tab_close", "escalate")


def traffic(seed: int, count: int = 25) -> list[Turn | FeedbackSignal]:
    """Turns of a few sessions with pauses, some as long as the gap, and feedback on them, early and late."""
    chance = random.Random(seed)
    items: list[Turn | FeedbackSignal] = []
    at: dict[str | None, float] = defaultdict(float)
    for n in range(count):
        session = chance.choice(("s1", "s2", "s3", None))
        at[session] += chance.choice((5, 20, 40, 70))
        asked = turn(n, at[session], chance.choice(QUESTIONS), session=session, took=chance.choice((1, 3, 30)), tenant=chance.choice("xy"))
        items.append(asked)
        for k in range(chance.randrange(3)):
            named = chance.random() < 0.8
            items.append(
                FeedbackSignal(
                    f"f{n}-{k}", asked.ended + chance.choice((-1, 2, 30, 100, 300)), chance.choice(FEEDBACK),
                    value=chance.choice((0.0, 0.5, 1.0, 12.0)), comment=chance.choice(("perfect, thanks", "isso está errado")),
                    response_id=asked.response_id if named or session is None else None, session_id=session,
                )
            )  # fmt: skip
    return sorted(items, key=lambda item: (getattr(item, "ended", item.time), getattr(item, "event_id", "")))


def messages(items: Sequence[Turn | FeedbackSignal], sizes: Sequence[int], sources: int) -> list[Turns]:
    """The items in messages of the sizes, spread over sources; each says truly how far its source has come."""
    found, at, turn_of = [], 0, 0
    sizes = list(sizes) or [3]
    while at < len(items):
        part = items[at : at + sizes[turn_of % len(sizes)]]
        at += len(part)
        turn_of += 1
        clock = max(getattr(item, "ended", item.time) for item in part)
        for source in range(sources):
            mine = [item for n, item in enumerate(part) if n % sources == source]
            turns = [i for i in mine if isinstance(i, Turn)]
            signals = [i for i in mine if isinstance(i, FeedbackSignal)]
            found.append(Turns("test", source, clock, False, turns, signals))
    end = found[-1].clock + 3 * END
    return found + [Turns("test", source, end, False) for source in range(sources)]


def told(stage: Stage2) -> dict[str, list[Label]]:
    """All versions of every label."""
    found = defaultdict(list)
    for label in stage.published:
        found[label.response_id].append(label)
    return dict(found)


def sums(stage: Stage2) -> list[tuple[object, ...]]:
    """What satisfaction was told of windows that are over."""
    scores = sorted((o.window, o.series, o.answers, o.total, o.lowest) for o in judged(stage))
    return [*scores, *sorted((f.window, f.series, f.answers, f.loss) for f in foretold(stage))]


def uninterrupted(seed: int) -> Stage2:
    stage = Stage2(sources=2, **SHORT)
    stage.receive(*messages(traffic(seed), [100], 2))
    return stage


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 9), max_size=5), shuffle=st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=40, deadline=None)
def test_any_cut_and_any_order_among_sources_give_the_same_labels(seed: int, sizes: list[int], shuffle: random.Random) -> None:
    sent = messages(traffic(seed), sizes, 2)
    by_source = [[m for m in sent if m.partition == source] for source in (0, 1)]
    mixed = []
    while any(by_source):
        mixed.append(shuffle.choice([left for left in by_source if left]).pop(0))
    stage = Stage2(sources=2, **SHORT)
    stage.receive(*mixed)
    assert told(stage) == told(uninterrupted(seed))
    assert sums(stage) == sums(uninterrupted(seed))


@given(
    seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 5), max_size=5), stops=st.sets(st.integers(0, 20)), chance=st.integers(),
    bounds=st.sampled_from(({}, {"sessions": 2, "waiting": 2}, {"turns": 8, "pending": 10})),
)  # fmt: skip
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_restart_at_any_point_changes_nothing(seed: int, sizes: list[int], stops: set[int], chance: int, bounds: dict[str, int]) -> None:
    """given changes or a snapshot taken at any point, when another process goes on from them, then it publishes what was missing."""
    sent = messages(traffic(seed), sizes, 2)
    expected = Stage2(sources=2, **SHORT, **bounds)
    stage = Stage2(sources=2, **SHORT, **bounds)
    pieces: list[bytes] = []
    pick = random.Random(chance)
    for n, message in enumerate(sent):
        expected.receive(message)
        stage.receive(message)
        changed = stage.state.changes()
        if changed is not None:
            pieces.append(changed)
        if n in stops:
            if pick.random() < 0.5:
                pieces = list(stage.state.snapshot())
            stage.state = stage.make()
            for piece in pieces:
                stage.state.load(piece)
            assert stage.state.gauges() == expected.state.gauges()
            assert stage.state.changes() is None
    assert told(stage) == told(expected)
    assert sums(stage) == sums(expected)
    assert stage.effects.counts == expected.effects.counts


@given(seed=st.integers(0, 10_000), again=st.lists(st.integers(0, 8), max_size=6))
@hypothesis_settings(max_examples=30, deadline=None)
def test_repeated_messages_change_nothing(seed: int, again: list[int]) -> None:
    sent = messages(traffic(seed), [4], 2)
    stage = Stage2(sources=2, **SHORT)
    for n, message in enumerate(sent):
        stage.receive(message)
        for back in again:
            # within what a crash repeats: messages since the last checkpoint
            if n - back >= 0 and message.clock - sent[n - back].clock < END:
                stage.receive(sent[n - back])
    assert told(stage) == told(uninterrupted(seed))


@given(seed=st.integers(0, 10_000), shuffle=st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=30, deadline=None)
def test_versions_count_from_one_and_a_final_label_stays_final(seed: int, shuffle: random.Random) -> None:
    """even when the input is out of order beyond what the clock waits for."""
    items = traffic(seed)
    shuffle.shuffle(items)
    stage = Stage2(**SHORT)
    for item in items:
        stage.send(item)
    stage.until(10_000)
    for labels in told(stage).values():
        assert [label.version for label in labels] == list(range(1, len(labels) + 1))
        finals = [label.final for label in labels]
        assert finals == sorted(finals) and finals[-1]
        assert all(0 <= label.score <= 1 for label in labels)
        assert len({label.label_id for label in labels}) == 1
