"""Questions to topics: what belongs together, what it is called, and that nothing else matters."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings, strategies

from agents.topics.clusters import closest, nearest, taught
from agents.topics.inbox import SampledQuestions
from agents.topics.naming import names_of, terms_of
from agents.topics.settings import TopicSettings
from agents.topics.state import TopicsState
from agents.topics.themes import Themes
from agents.topics.watch import is_new
from schemas.findings import Finding, Findings
from schemas.samples import Sample, Samples
from schemas.topic_rows import OTHER
from streams.effects import Effects
from tests.unit.builders import Logs

Rows = dict[str, list[dict[str, Any]]]

SAID = {
    "card": ["my card was stolen", "i lost my card", "someone stole my credit card", "lost card"],
    "weather": ["weather tomorrow", "will it rain today", "weather forecast", "will it rain"],
    "invoice": ["onde vejo a fatura", "segunda via da fatura", "fatura atrasada", "pagar fatura"],
    "recipe": ["recipe for lasagna", "how do i cook lasagna", "ingredients for lasagna", "lasagna"],
    "flight": ["book a flight to paris", "flights to rome", "cheap flight", "flight to london"],
}
QUIET = TopicSettings(enabled=True)


def asked(n: int, question: str, at: float = 0.0, **fields: Any) -> Sample:
    """The n-th answer."""
    rank = random.Random(n).getrandbits(63)
    made = Sample(
        rank, f"r{n}", f"s{n}", at, "acme", "support", "gpt-4o", "gpt-4o", "", "live", "", "",
        "stop", "", "ok", question, "an answer", cost_usd=0.01, latency_ms=500.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def stream(number: int, per_second: float = 1.0) -> list[tuple[str, Sample]]:
    """Questions about everything, in turn, with what they are about."""
    rng, kinds, made = random.Random(1), sorted(SAID), []
    for n in range(number):
        kind = kinds[n % len(kinds)]
        made.append((kind, asked(n, rng.choice(SAID[kind]), n / per_second)))
    return made


def told(samples: Sequence[Sample], clock: float, partition: int = 0) -> bytes:
    return msgspec.msgpack.encode(Samples("cluster", partition, clock, False, list(samples)))


def fresh(sources: int = 1, **changes: Any) -> TopicsState:
    options = msgspec.structs.replace(QUIET, **changes)
    return TopicsState(
        0, "cluster", findings="findings", settings=options, per_period=60, sources=sources
    )


def run(state: TopicsState, values: Iterable[bytes]) -> Rows:
    """What a state writes of messages, one after the other."""
    found: Rows = defaultdict(list)
    for value in values:
        logs, effects = Logs(), Effects()
        logs.append("samples", 0, value, timestamp=0)
        state.apply(logs.batch("samples", 0, 0, 1), effects)
        while state.proceed(effects):
            pass
        for table, rows in effects.rows.items():
            found[table] += map(json.loads, rows)
    return found


def latest(rows: Rows) -> dict[str, dict[str, Any]]:
    """Topics as the view shows them."""
    return {row["topic_id"]: row for row in sorted(rows["topics_data"], key=lambda r: r["version"])}


# What comes out


def test_questions_of_one_kind_are_one_topic_named_by_their_words() -> None:
    sent = stream(300)
    rows = run(fresh(), [told([sample for _, sample in sent], 300.0), told([], 1_000.0)])
    kinds = {sample.response_id: kind for kind, sample in sent}
    of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows["topic_calls_data"][100:]:
        of[row["topic_id"]][kinds[row["response_id"]]] += 1
    # No topic has questions of two kinds, and hardly any belongs to none
    assert all(len(counts) == 1 for name, counts in of.items() if name != OTHER)
    assert of[OTHER].total() <= 10
    names: dict[str, set[str]] = {kind: set() for kind in SAID}
    for topic_id, row in latest(rows).items():
        [kind] = of[topic_id]
        names[kind].update(row["terms"])
    assert "fatura" in names["invoice"]
    assert "flight" in names["flight"]
    assert "lasagna" in names["recipe"]


def test_windows_count_every_sampled_call_once_and_what_became_of_it() -> None:
    sent = [sample for _, sample in stream(290)]
    sent[7] = msgspec.structs.replace(sent[7], outcome="refusal")
    sent[8] = msgspec.structs.replace(sent[8], outcome="api_error", cost_usd=None)
    windows = run(fresh(), [told(sent, 290.0), told([], 1_000.0)])["topic_windows_data"]
    assert sum(row["calls"] for row in windows) == 290
    assert sum(row["requests"] for row in windows) == 290
    assert sum(row.get("refusals", 0) for row in windows) == 1
    assert sum(row.get("errors", 0) for row in windows) == 1
    assert round(sum(float(row["cost_usd"]) for row in windows), 6) == 2.89
    assert {row["window_start"] for row in windows} == {"1970-01-01T00:00:00Z"}
    assert all(abs(row["latency_p99_ms"] - 500) <= 5 for row in windows)


def test_few_questions_are_no_topic_yet() -> None:
    sent = [asked(n, "my card was stolen", float(n)) for n in range(2)]
    rows = run(fresh(), [told(sent, 4.0), told([], 1_000.0)])
    assert {row["topic_id"] for row in rows["topic_windows_data"]} == {OTHER}
    assert not rows["topics_data"]


def test_more_calls_than_are_sampled_are_estimated_by_their_ranks() -> None:
    inbox = SampledQuestions(most=30)
    for n in range(3_000):
        inbox.put(asked(n, "my card was stolen", n / 100))
    taken = inbox.take((0, "support"))
    assert len(taken) == 30
    assert 2_000 < sum(one.weight for one in taken) < 4_500  # of 3,000


def test_topics_that_become_alike_are_one_and_the_older_goes_on() -> None:
    themes = Themes(msgspec.structs.replace(QUIET, likeness=0.95, merge=0.6, least=2))
    card = [asked(n, SAID["card"][n % 4], float(n)) for n in range(40)]
    topics = themes.take("support", card)
    merged = themes.take_merged()
    assert merged
    assert all(one.theme.first >= themes.themes["support", one.heir].first for one in merged)
    assert not {one.key[1] for one in merged} & set(topics)


def test_what_is_not_asked_for_long_is_forgotten() -> None:
    state = fresh(fade=600.0)
    run(state, [told([sample for _, sample in stream(100)], 100.0)])
    late = [asked(n, "my card was stolen", 5_000.0 + n) for n in range(1_000, 1_010)]
    run(state, [told(late, 5_010.0), told([], 9_000.0)])
    assert state.gauges()["topics"] == 1


def test_there_are_never_more_than_may_be() -> None:
    words = random.Random(3)
    letters = "abcdefghijklmnopqrstuvwxyz"
    noise = [
        asked(n, " ".join("".join(words.choices(letters, k=7)) for _ in range(4)), float(n))
        for n in range(200)
    ]
    state = fresh(max_topics=20, per_feature=15)
    rows = run(state, [told(noise, 200.0), told([], 1_000.0)])
    assert state.gauges()["topics"] <= 15
    assert sum(row["calls"] for row in rows["topic_windows_data"]) == 200


# What does not matter


@given(
    cuts=strategies.lists(strategies.integers(1, 239), unique=True, max_size=6),
    restarts=strategies.sets(strategies.integers(0, 6)),
    shuffle=strategies.randoms(use_true_random=False),
)
@settings(max_examples=15, deadline=None)
def test_neither_cuts_nor_the_order_of_sources_nor_restarts_matter(
    cuts: list[int], restarts: set[int], shuffle: random.Random
) -> None:
    sent = [sample for _, sample in stream(240, per_second=0.5)]
    whole = run(fresh(2), [told(sent, 480.0), told([], 480.0, 1), told([], 9e3), told([], 9e3, 1)])
    # Each source tells of half of the questions, in as many messages as there are cuts
    values: list[bytes] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(sent)], strict=True):
        part = [[s for n, s in enumerate(sent[begin:end]) if n % 2 == p] for p in (0, 1)]
        messages = [told(part[p], 2.0 * end, p) for p in (0, 1)]
        shuffle.shuffle(messages)
        values += messages
    state, kept = fresh(2), list[bytes]()
    found: Rows = defaultdict(list)
    for at, value in enumerate([*values, told([], 9e3), told([], 9e3, 1)]):
        for table, rows in run(state, [value]).items():
            found[table] += rows
        if (piece := state.changes()) is not None:
            kept.append(piece)
        if at in restarts:
            state = fresh(2)
            for piece in kept:
                state.load(piece)
            kept = list(state.snapshot()) if at % 2 else kept
    for table in whole:
        key = msgspec.json.encode
        assert sorted(map(key, found[table])) == sorted(map(key, whole[table])), table


# Clusters and names


@given(strategies.integers(0, 2**32), strategies.integers(1, 12), strategies.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_a_centre_is_the_mean_of_what_it_was_taught(seed: int, size: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(size, 8)).astype(np.float32)
    weights = rng.integers(0, 20, size).astype(float)
    vectors = rng.normal(size=(number, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places, _ = nearest(centres, vectors)
    learned = taught(centres, weights, vectors)
    for place in range(size):
        own = vectors[places == place]
        whole = weights[place] + len(own)
        moved = (weights[place] * centres[place] + own.sum(axis=0)) / max(whole, 1)
        expected = moved if whole else centres[place]
        np.testing.assert_allclose(learned[place], expected, atol=1e-4)


def test_the_closest_centres_are_found_if_they_are_close_enough() -> None:
    centres = np.array([[1, 0, 0], [0, 1, 0], [0.1, 1, 0]], np.float32)
    assert closest(centres, [0], 0.9) is None
    assert sorted(closest(centres, [0, 2], 0.9) or ()) == [1, 2]


def test_names_are_words_that_few_other_topics_have_and_never_what_was_masked() -> None:
    asked_in_portuguese = "Qual é o prazo da minha entrega? CPF <CPF:4711>"
    assert terms_of(asked_in_portuguese) == ["prazo", "entrega", "cpf"]
    assert terms_of("What is the status of my order?") == ["status", "order"]
    names = names_of([{"card": 9, "stolen": 8}, {"card": 9, "limit": 8}, {}])
    assert [name[:1] for name in names] == [["stolen"], ["limit"], []]


# What is told


def findings(state: TopicsState, values: Iterable[bytes]) -> list[Finding]:
    """What a state finds in messages, one after the other."""
    found: list[Finding] = []
    for value in values:
        logs, effects = Logs(), Effects()
        logs.append("samples", 0, value, timestamp=0)
        state.apply(logs.batch("samples", 0, 0, 1), effects)
        while state.proceed(effects):
            pass
        for message in effects.messages:
            found += msgspec.msgpack.decode(message.value, type=Findings).findings
    return found


def test_what_users_had_not_asked_before_is_told_once() -> None:
    sent = [sample for _, sample in stream(600)]
    rng = random.Random(2)
    for n in range(600, 900):
        kind = "passport" if n % 5 == 0 else rng.choice(sorted(SAID))
        text = "my passport has expired" if kind == "passport" else rng.choice(SAID[kind])
        sent.append(asked(n, text, float(n)))
    told_of = findings(fresh(), [told(sent, 900.0), told([], 2_000.0)])
    new = [one for one in told_of if one.name == "NewTopic"]
    assert [one.active for one in new] == [True, False]
    assert "passport" in new[0].facts["topic"]
    assert set(new[0].response_ids) <= {f"r{n}" for n in range(600, 900, 5)}


def test_nothing_is_told_of_a_stream_that_stays_as_it_is() -> None:
    sent = [sample for _, sample in stream(2_000)]
    assert findings(fresh(), [told(sent, 2_000.0), told([], 9_000.0)]) == []


def test_a_topic_whose_calls_begin_to_fail_is_told_until_they_do_no_more() -> None:
    sent = []
    for n, (kind, sample) in enumerate(stream(12_000)):
        failed = kind == "invoice" and 8_000 <= n < 9_500
        sent.append(msgspec.structs.replace(sample, outcome="api_error") if failed else sample)
    values = [told(sent[at : at + 500], at + 500.0) for at in range(0, len(sent), 500)]
    degraded = [
        one for one in findings(fresh(), [*values, told([], 13e3)]) if one.name == "TopicDegraded"
    ]
    assert {one.labels["metric"] for one in degraded} == {"errors"}
    assert "fatura" in degraded[0].facts["topic"]
    assert 8_000 <= degraded[0].time <= 9_000
    assert [one.active for one in degraded][-1] is False
    assert {one.labels["topic"] for one in degraded} == {degraded[0].labels["topic"]}


def test_a_beginning_is_news_only_where_chance_would_hardly_do_it() -> None:
    assert not is_new(founded=0, asked=1_000, questions=500)  # everything is new at first
    assert not is_new(founded=990, asked=1_000, questions=2)
    assert is_new(founded=1_000, asked=1_100, questions=10)
    assert not is_new(founded=1_000, asked=9_000, questions=40)
