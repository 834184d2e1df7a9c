"""What labels cost beside stage 1. Run it: `python -m tests.bench.labels_cost [--answers N]`.

Simulated users in English and Portuguese (tests/bench/labels_data.py), every question worded differently: requests and responses of
about 700 bytes and feedback, 5,000 events a second, through the real states of one partition: stage 1 alone, stage 1 with its tap, and the
agents ``labels`` and ``satisfaction``.
Processor time, with the changes of the state, without Kafka and ClickHouse. Every second of event time is a batch and a checkpoint.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.interactions.state import InteractionsState
from agents.labels.settings import LabelSettings
from agents.labels.state import LabelsState
from agents.labels.tap import LabelsTap
from agents.satisfaction.state import SatisfactionState
from schemas.turns import Signal, Turn
from streams.effects import Effects
from streams.state import PartitionState
from tests.bench.labels_data import triples, users
from tests.unit.builders import FakeBatch, Record, context, settings

RATE = 5_000
FASTER = 100
"""How much faster time goes than it did for the users: sessions begin, end and are forgotten while it is measured, as they do in the long
run."""
FILL = "The quick brown fox jumps over the lazy dog and says so. " * 20
Events = list[dict[str, list[bytes]]]
"""Batch by batch: topic -> values."""


def events(answers: int) -> tuple[Events, int, int]:
    """(batches of a second, events, turns). Sessions follow each other so closely that there are ``RATE`` events a second."""
    timed: list[tuple[float, str, dict[str, Any]]] = []
    turns = 0
    pools = {language: triples(language) for language in ("en", "pt")}
    for found, _ in users(answers, 5, pools):
        for at, item in found:
            timed += _of_turn(item) if isinstance(item, Turn) else [(at, "feedback", _of_signal(item))]
            turns += isinstance(item, Turn)
    timed.sort(key=lambda item: (item[0], item[1]))
    # Sessions last some minutes; starts are as dense as the rate needs, so the moments are kept and the sessions overlap.
    batches: Events = []
    for at in range(0, len(timed), RATE):
        batch: dict[str, list[bytes]] = defaultdict(list)
        for _, kind, event in timed[at : at + RATE]:
            batch[kind].append(json.dumps(event).encode())
        batches.append(batch)
    return batches, len(timed), turns


def _moment(at: float) -> str:
    return datetime.fromtimestamp(1_772_366_400 + at / FASTER, UTC).isoformat()


def _of_turn(turn: Turn) -> list[tuple[float, str, dict[str, Any]]]:
    common = {"session_id": turn.session_id, "request_id": turn.request_id, "tenant": turn.tenant}
    request = {
        **common, "event_id": f"q{turn.request_id}", "time": _moment(turn.time), "model": "gpt-4o-mini", "provider": "openai",
        "feature": turn.feature, "user_id": turn.user_id, "environment": "production", "prompt": {"name": "p", "sha": "0" * 40},
        "messages": [{"role": "system", "content": FILL[:500]}, {"role": "user", "content": f"{turn.question} ({turn.request_id})"}],
    }  # fmt: skip
    response = {
        **common, "event_id": f"e{turn.request_id}", "time": _moment(turn.ended), "response_id": turn.response_id, "status": "ok",
        "finish_reason": "stop", "usage": {"input_tokens": 500, "output_tokens": 100}, "latency_ms": 1000, "ttft_ms": 200,
        "output": FILL[:700],
    }  # fmt: skip
    return [(turn.time, "requests", request), (turn.ended, "responses", response)]


def _of_signal(signal: Signal) -> dict[str, Any]:
    return {
        "event_id": signal.event_id, "time": _moment(signal.time), "kind": signal.kind, "value": signal.value, "tenant": signal.tenant,
        "response_id": signal.response_id, "session_id": signal.session_id,
    }  # fmt: skip


def run(state: PartitionState, batches: list[dict[str, list[bytes]]]) -> tuple[float, Effects]:
    """(seconds of processor time, effects) of a state that reads batches and is checkpointed after each."""
    effects, offset, spent = Effects(), 0, 0.0
    gc.collect()
    gc.disable()
    for batch in batches:
        read = []
        for topic, values in batch.items():
            records = [Record(topic, 0, offset + n, 2_000_000_000_000, None, value, ()) for n, value in enumerate(values)]
            offset += len(records)
            read.append(FakeBatch(topic, 0, records, offset))
        began = time.process_time()
        for each in read:
            state.apply(each, effects)
        state.close_interval(effects)
        state.changes()
        spent += time.process_time() - began
    gc.enable()
    return spent, effects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=20_000)
    given = parser.parse_args()
    batches, count, turns = events(given.answers)
    shared = context(settings(1, segment=16_384))
    topics = shared.topics
    named = [{f"{topics.prefix}{kind}": values for kind, values in batch.items()} for batch in batches]
    size = sum(len(value) for batch in batches for values in batch.values() for value in values) / count
    tapped = replace(shared, taps=(lambda: LabelsTap(topics.turns, 1),))
    make: list[Callable[[], InteractionsState]] = [lambda: InteractionsState(0, shared), lambda: InteractionsState(0, tapped)]
    run(make[0](), named[:2])  # warm
    alone = min(run(make[0](), named)[0] for _ in range(2))
    with_tap, effects = min((run(make[1](), named) for _ in range(2)), key=lambda found: found[0])
    told = [message.value for message in effects.messages if message.topic == topics.turns]
    # The tap's messages carry the clock that partitions tell each other, which nobody does here: the labels' own clock is set.
    usual = LabelSettings()
    scaled = LabelSettings(settle=0.0, gap=usual.gap / FASTER, retention=usual.retention / FASTER, judged_after=usual.judged_after / FASTER)
    read = [{topics.turns: [_with_clock(value)]} for value in told]

    def labels() -> LabelsState:
        return LabelsState(
            0, labels=topics.labels, satisfaction=topics.satisfaction, source="bench", sources=1, partitions=1, settings=scaled
        )  # fmt: skip

    spent, labelled = min((run(labels(), read) for _ in range(2)), key=lambda found: found[0])
    judged = [message.value for message in labelled.messages if message.topic == topics.satisfaction]
    satisfaction = SatisfactionState(0, "bench", topics.findings, LabelSettings(), 1)
    summing, _ = run(satisfaction, [{topics.satisfaction: [value]} for value in judged])

    table = Table(title=f"{count:,} events of {size:,.0f} bytes, {turns:,} turns; one core")
    for column in ("", "µs per event", "of stage 1", f"of a core at {RATE:,}/s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, seconds in (("stage 1", alone), ("its tap", with_tap - alone), ("labels", spent), ("satisfaction", summing)):
        table.add_row(name, f"{seconds / count * 1e6:.1f}", f"{seconds / alone:.1%}", f"{seconds / count * RATE:.1%}")
    added = with_tap - alone + spent + summing
    table.add_row("all that labels add", f"{added / count * 1e6:.1f}", f"{added / alone:.1%}", f"{added / count * RATE:.1%}")
    console = Console(width=110)
    console.print(table)
    versions = len(labelled.rows["labels_data"])
    console.print(f"labels: {spent / turns * 1e6:.0f} µs per turn with its feedback, {versions:,} versions   (aim: add < 25%)")


def _with_clock(value: bytes) -> bytes:
    import msgspec

    from schemas.turns import Turns

    message = msgspec.msgpack.decode(value, type=Turns)
    latest = max([*(turn.ended for turn in message.turns), *(signal.time for signal in message.signals)], default=0.0)
    return msgspec.msgpack.encode(Turns(message.source, 0, latest, False, message.turns, message.signals))


if __name__ == "__main__":
    main()
