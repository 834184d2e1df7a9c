"""What stage 1 sends to the agent ``drift``: masked, bounded, and whatever the intervals the same smallest hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from agents.drift.tap import SamplesTap, home_of, rank_of
from agents.interactions.state import InteractionsState
from schemas.samples import Sample, Samples
from schemas.texts import question_of
from tests.unit.builders import World, context, request, response, settings


def new_world(most: int = 60, partitions: int = 3) -> World:
    of = settings(partitions)
    world = World(of)
    samples = world.topics.samples
    world.context = replace(context(of), taps=(lambda: SamplesTap(samples, partitions, most),))
    world.interactions = [InteractionsState(p, world.context) for p in range(partitions)]
    return world


def messages(world: World) -> list[tuple[int, Samples]]:
    """With the partition they were sent to."""
    found = []
    for partition in range(world.settings.partitions):
        records = world.logs.batch(world.topics.samples, partition, 0).records
        found += [(partition, msgspec.msgpack.decode(record.value, type=Samples)) for record in records]
    return found


def samples(world: World) -> list[Sample]:
    return [sample for _, message in messages(world) for sample in message.samples]


def call(world: World, n: int, at: float = 0.0, asked: dict[str, object] | None = None, said: dict[str, object] | None = None) -> None:
    world.publish("requests", request(n, at, **(asked or {})))
    world.publish("responses", response(n, at + 1, **(said or {})))


def test_an_answered_call_with_everything_that_is_compared() -> None:
    world = new_world()
    documents = [{"id": "d1", "index_version": "i7", "score": 0.5}, {"id": "d2", "score": 0.7}]
    history = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "hm"}, {"role": "user", "content": "and now?"}]
    tools = [{"name": "find", "arguments": {}}]
    asked = {"messages": history, "documents": documents, "prompt": {"name": "p", "sha": "abc"}, "tenant": "acme"}
    answered = {"output": "It arrives tomorrow.", "system_fingerprint": "fp", "model": "gpt-4o-2024-11-20", "tool_calls": tools}
    call(world, 1, 0.0, asked, answered)
    world.finish()
    [sample] = samples(world)
    assert (sample.question, sample.answer) == ("and now?", "It arrives tomorrow.")
    assert (sample.feature, sample.model, sample.served) == ("chat", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    assert (sample.tenant, sample.prompt_sha, sample.index_version, sample.fingerprint, sample.tool) == ("acme", "abc", "i7", "fp", "find")
    assert sample.retrieval_score is not None and abs(sample.retrieval_score - 0.6) < 1e-9
    assert (sample.response_id, sample.outcome) == (response(1)["response_id"], "ok")


def test_the_texts_of_a_sample_are_those_of_the_row() -> None:
    """Those of a call in which nothing had to be masked are taken from its events."""
    said = [
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}, {"output": "b"}),
        ({"messages": [{"content": "who asks?"}, {"role": "assistant", "content": "c"}]}, {"output": None}),
        ({"messages": [{"role": "user", "content": None}]}, {"output": "\u00e9 \u2028 \U0001f600"}),
        ({"messages": None}, {"output": "d"}),
    ]
    world = new_world()
    for n, (asked, answered) in enumerate(said):
        call(world, n, n, asked, answered)
    world.finish()
    rows = {row["response_id"]: row for row in world.tables.interactions().values()}
    assert len(rows) == len(said)
    for sample in samples(world):
        row = rows[sample.response_id]
        assert (sample.question, sample.answer) == (question_of(row.get("messages", [])), row.get("output", ""))


def test_no_personal_data_leave() -> None:
    world = new_world()
    text = "My CPF is 111.444.777-35 and my mail is ana@example.com"
    call(world, 1, 0.0, {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}, {"output": text})
    world.finish()
    [sample] = samples(world)
    for found in (sample.question, sample.answer):
        assert found.startswith("My CPF is <CPF")
        assert "111" not in found and "ana@" not in found


def test_shadow_calls_and_steps_without_a_model_are_not_compared() -> None:
    world = new_world()
    call(world, 1, 0.0, {"variant": "shadow"})
    call(world, 2, 0.0, {"operation": "retrieval"})
    world.finish()
    assert samples(world) == []


def _smallest(found: Sequence[Sample], most: int) -> list[str]:
    return [sample.response_id for sample in sorted(found, key=lambda s: (s.rank, s.response_id))[:most]]


def test_the_smallest_hashes_of_a_period_are_the_same_however_it_is_cut() -> None:
    chosen = []
    for every in (1, 7, 100):
        world = new_world(most=5)
        for n in range(100):
            call(world, n, n * 0.3)
            if n % every == 0:
                world.run()
                world.checkpoint()
        world.finish()
        found = samples(world)
        sent = [message for _, message in messages(world)]
        assert all(len(message.samples) <= 5 * 2 for message in sent)  # responses lie in two periods at most
        chosen.append(_smallest(found, 5))
    assert chosen[0] == chosen[1] == chosen[2]
    expected = sorted(range(100), key=lambda n: rank_of(f"s{n}"))[:5]
    assert chosen[0] == [response(n)["response_id"] for n in expected]


def test_a_feature_goes_to_one_partition_and_the_clock_to_all() -> None:
    world = new_world()
    for n in range(20):
        call(world, n, n * 0.1, {"feature": f"f{n % 4}"})
    world.finish()
    for partition, message in messages(world):
        assert {home_of(sample.feature, 3) for sample in message.samples} <= {partition}
    assert {(partition, message.partition) for partition, message in messages(world)} == {(a, b) for a in range(3) for b in range(3)}


def test_scores_go_to_every_partition() -> None:
    world = new_world()
    event = {"event_id": "e1", "time": request(1)["time"], "response_id": "a1", "name": "judge", "score": 0.25}
    world.publish("evaluations", event)
    world.finish()
    told = {partition: score for partition, message in messages(world) for score in message.scores}
    assert set(told) == {0, 1, 2}
    assert all((score.name, score.value, score.response_id) == ("judge", 0.25, "a1") for score in told.values())
