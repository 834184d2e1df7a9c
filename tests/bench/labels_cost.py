"""What labels cost beside stage 1. Run it: `python -m tests.bench.labels_cost [--answers N] [--rate N]`.

Through the real states of one partition: stage 1 alone, stage 1 with its tap, and the agents ``labels`` and ``satisfaction``. Processor
time, with the changes of the state, without Kafka and ClickHouse. Time is the users' own: every second of event time is a batch and a
checkpoint of stage 1, and labels' clock goes by ten seconds, as stage 1 tells it. Behind the traffic the clock goes on until every session
has ended and is forgotten, so all that is done for an answer is counted. Three mixes:

- *conversations*: nothing but users who talk, in English and Portuguese (tests/bench/labels_data.py), every question worded differently,
  four turns to a session and a signal to each: the most that labels can have to do per event;
- *demo*: the traffic of `mirante up`: chats, searches, agents with their tools, feedback now and then;
- *calls*: that of tests/bench/throughput.py: four calls to a session, the same long question each time, no feedback.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from agents.common.label_settings import LabelSettings
from agents.interactions.parts import window_of
from agents.interactions.state import InteractionsState
from agents.labels.state import LabelsState
from agents.labels.tap import LabelsTap
from agents.satisfaction.state import SatisfactionState
from deploy.traffic.demo import demo
from schemas.turns import FeedbackSignal, Turn, Turns
from streams.effects import Effects
from streams.garbage import spare_what_is_loaded
from streams.state import PartitionState
from tests.bench import smoke
from tests.bench.labels_data import Triple, triples, users
from tests.load import Load
from tests.unit.builders import FakeBatch, Record, context, settings

START = 1_772_366_400
STEP = 10
"""Seconds of event time by which stage 1 says how far it is."""
FILL = "The quick brown fox jumps over the lazy dog and says so. " * 20
Batch = dict[str, list[bytes]]
"""Kind -> values."""
Timed = tuple[float, str, bytes]


def conversations(answers: int, rate: float) -> Iterator[Timed]:
    """Sessions begin so often that there are ``rate`` events a second, and go on at their users' pace."""
    pools: dict[str, Sequence[Triple]] = {language: triples(language) for language in ("en", "pt")}
    found = [items for items, _ in users(answers, 5, pools)]
    count = sum(2 if isinstance(item, Turn) else 1 for items in found for _, item in items)
    apart = count / rate / len(found)
    for n, items in enumerate(found):
        earlier = items[0][1].time - START - n * apart
        for _, item in items:
            item.time -= earlier
            if isinstance(item, Turn):
                item.ended -= earlier
                yield from _of_turn(item)
            else:
                yield item.time, "feedback", _of_signal(item)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _of_turn(turn: Turn) -> Iterator[Timed]:
    common = {"session_id": turn.session_id, "request_id": turn.request_id, "tenant": turn.tenant}
    request = {
        **common, "event_id": f"q{turn.request_id}", "time": _moment(turn.time), "model": "gpt-4o-mini", "provider": "openai",
        "feature": turn.feature, "user_id": "u", "environment": "production", "prompt": {"name": "p", "sha": "0" * 40},
        "messages": [{"role": "system", "content": FILL[:500]}, {"role": "user", "content": f"{turn.question} ({turn.request_id})"}],
    }  # fmt: skip
    response = {
        **common, "event_id": f"e{turn.request_id}", "time": _moment(turn.ended), "response_id": turn.response_id, "status": "ok",
        "finish_reason": "stop", "usage": {"input_tokens": 500, "output_tokens": 100}, "latency_ms": 1000, "ttft_ms": 200,
        "output": FILL[:700],
    }  # fmt: skip
    yield turn.time, "requests", json.dumps(request).encode()
    yield turn.ended, "responses", json.dumps(response).encode()


def _of_signal(signal: FeedbackSignal) -> bytes:
    event = {
        "event_id": signal.event_id, "time": _moment(signal.time), "kind": signal.kind, "value": signal.value, "tenant": "t",
        "response_id": signal.response_id, "session_id": signal.session_id,
    }  # fmt: skip
    return json.dumps(event).encode()


def demonstration(answers: int, rate: float) -> Iterator[Timed]:
    # 2.4 events to a request: at the rate of requests that gives ``rate`` events.
    for record in demo(start=datetime.fromtimestamp(START, UTC), rate=rate / 2.4, count=answers):
        yield record.time, record.topic.removeprefix("llm."), record.value


def calls(answers: int, rate: float) -> Iterator[Timed]:
    for record in Load(pairs=answers, run="bench", start_us=START * 1_000_000, rate=rate / 2).records():
        yield record.time, record.topic.removeprefix("llm."), record.value


MIXES: dict[str, Callable[[int, float], Iterator[Timed]]] = {"conversations": conversations, "demo": demonstration, "calls": calls}


def seconds_of(timed: Iterator[Timed]) -> list[Batch]:
    """What each second holds."""
    found: dict[int, Batch] = defaultdict(lambda: defaultdict(list))
    for at, kind, value in sorted(timed, key=lambda item: item[:2]):
        found[int(at)][kind].append(value)
    return [found[second] for second in sorted(found)]


class Outcome(NamedTuple):
    """Of one state: seconds of processor time, the messages it wrote to the topic that was asked for, and its rows by table."""

    seconds: float
    told: list[bytes]
    rows: Counter[str]


def run(states: Sequence[PartitionState], batches: list[Batch], topic: str = "") -> list[Outcome]:
    """What each state makes of the batches, which they read side by side; each is checkpointed after every batch. ``told``: to ``topic``.

    A checkpoint takes all effects away, as the worker's does about once a second: were they kept, every row would be written to memory
    that the process never touched before, which no worker that has run for a minute does.
    """
    found = [Outcome(0.0, [], Counter()) for _ in states]
    spent, offset = [0.0] * len(states), 0
    spare_what_is_loaded()  # and garbage is collected as in a worker
    for turn, batch in enumerate(batches):
        read = []
        for name, values in batch.items():
            records = [Record(name, 0, offset + n, 2_000_000_000_000, None, value, ()) for n, value in enumerate(values)]
            offset += len(records)
            read.append(FakeBatch(name, 0, records, offset))
        for at in range(len(states)):
            n = (turn + at) % len(states)  # who comes first finds the records in memory that is not yet in the caches
            began = time.process_time()
            effects = Effects()
            for each in read:
                states[n].apply(each, effects)
            states[n].close_interval(effects)
            states[n].changes()
            spent[n] += time.process_time() - began
            found[n].told.extend(message.value for message in effects.messages if message.topic == topic)
            found[n].rows.update({table: len(rows) for table, rows in effects.rows.items()})
            began = time.process_time()
            del effects
            spent[n] += time.process_time() - began
    return [outcome._replace(seconds=seconds) for outcome, seconds in zip(found, spent, strict=True)]


def with_clock(told: list[bytes], due: tuple[float, ...]) -> list[bytes]:
    """The tap's messages with the clock that partitions tell each other, which nobody does here; and then the times at which something is
    ``due``, so many seconds after an event."""
    found: list[bytes] = []
    clocks: set[int] = set()
    latest = 0.0
    for value in told:
        message = msgspec.msgpack.decode(value, type=Turns)
        latest = max([latest, *(turn.ended for turn in message.turns), *(signal.time for signal in message.signals)])
        message.clock = float(window_of(latest))
        clocks.add(window_of(latest))
        found.append(msgspec.msgpack.encode(message))
    # Only when something is due: in the long run that happens while others talk, not in messages of its own.
    later = {at + int(shift) + STEP for at in clocks for shift in due}
    for at in sorted(at for at in later if at > latest):
        found.append(msgspec.msgpack.encode(Turns(message.source, 0, float(at), False)))
    return found


def measure(name: str, batches: list[Batch], times: int, rate: float, console: Console) -> None:
    shared = context(settings(1, segment=16_384))
    topics = shared.topics
    named = [{f"{topics.prefix}{kind}": values for kind, values in batch.items()} for batch in batches]
    values = [value for batch in batches for values in batch.values() for value in values]
    tapped = replace(shared, taps=(lambda: LabelsTap(topics.turns, 1),))
    alone, taps, spent, summing = [], [], [], []
    usual = LabelSettings()
    due = usual.settle, usual.judged_after, usual.gap, usual.gap + usual.retention
    turns = signals = versions = 0
    run([InteractionsState(0, tapped)], named[: len(named) // 10])  # warm
    for _ in range(times):
        without, tapping = run([InteractionsState(0, shared), InteractionsState(0, tapped)], named, topics.turns)
        alone.append(without.seconds)
        taps.append(tapping.seconds - without.seconds)
        read = [{topics.turns: [value]} for value in with_clock(tapping.told, due)]
        messages = [msgspec.msgpack.decode(value, type=Turns) for value in tapping.told]
        turns, signals = sum(len(message.turns) for message in messages), sum(len(message.signals) for message in messages)
        labelling = LabelsState(0, labels=topics.labels, satisfaction=topics.satisfaction, source="bench", sources=1, partitions=1)
        [labelled] = run([labelling], read, topics.satisfaction)
        spent.append(labelled.seconds)
        judged = [{topics.satisfaction: [value]} for value in labelled.told]
        summing.append(run([SatisfactionState(0, "bench", topics.findings, usual, 1)], judged)[0].seconds)
        versions = labelled.rows["labels_data"]
    count = len(values)
    size, density = sum(map(len, values)) / count, count / len(batches)
    table = Table(
        title=f"{name}: {count:,} events of {size:,.0f} bytes, {density:,.0f} a second of event time, "
        f"with {turns:,} turns of users and {signals:,} signals; {versions:,} versions of labels"
    )
    for column in ("", "µs per event", "of stage 1", f"of a core at {rate:,.0f}/s"):
        table.add_column(column, justify="left" if not column else "right")
    stage1, tap, labels, sums = min(alone), median(taps), min(spent), min(summing)
    for row, seconds in (("stage 1", stage1), ("its tap", tap), ("labels", labels), ("satisfaction", sums)):
        table.add_row(row, f"{seconds / count * 1e6:.1f}", f"{seconds / stage1:.1%}", f"{seconds / count * rate:.1%}")
    added = tap + labels + sums
    table.add_row("all that labels add", f"{added / count * 1e6:.1f}", f"{added / stage1:.1%}", f"{added / count * rate:.1%}")
    console.print(table)
    per_turn = added / max(turns, 1) * 1e6
    console.print(f"{name}: {added / stage1:.0%} of stage 1 (aim: below 25%); {per_turn:.0f} µs per turn with its feedback\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=40_000)
    parser.add_argument("--rate", type=float, default=1_250.0, help="events per second of this partition: a quarter of 5,000")
    parser.add_argument("--mix", choices=MIXES, action="append", help="one or more; all by default")
    parser.add_argument("--times", type=int, default=3, help="the best of so many runs, of the tap the median difference")
    given = smoke.parse(parser, answers=400, mix=["demo"], times=1)
    console = Console(width=120)
    for name in given.mix or MIXES:
        measure(name, seconds_of(MIXES[name](given.answers, given.rate)), given.times, 5_000, console)


if __name__ == "__main__":
    main()
