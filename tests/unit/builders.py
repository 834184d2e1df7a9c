"""Events, batches, a model of Kafka's logs and a model of ClickHouse's tables, for tests of what the agents make of events.

Times are seconds after ``EPOCH``. ``Logs`` keeps a list of records per topic-partition; ``Tables`` keeps, of the rows with one identity,
the one with the largest version, as ReplacingMergeTree does; ``World`` runs both stages of the pipeline over them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import inf
from typing import Any, NamedTuple

import msgspec

from agents.budgets.rules import read_rules
from agents.cost.state import WINDOWS, CostState
from agents.inspection.masking import Masking
from agents.inspection.outcome import Outcome
from agents.inspection.verdicts import verdicts
from agents.interactions.context import Context
from agents.interactions.rows import answered, series_of, unanswered
from agents.interactions.state import InteractionsState
from agents.pricing import PriceBook
from schemas.aggregates import Contribution
from schemas.decoding import decode_request_with_unknown, decode_response_with_unknown
from schemas.events import Extra, Request, Response
from schemas.outputs import DeadLetter
from schemas.rows import OUTCOMES, TOKEN_COLUMNS, CostPartRow, EvaluationRow, FeedbackRow, InteractionRow, RepeatRow
from streams.effects import Effects, Headers
from streams.fetching import Unreadable
from streams.partitioner import partition_of
from streams.settings import JoinSettings, Settings
from streams.topics import Topics

EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICES = PriceBook()
SOURCE = "test-cluster"

Json = dict[str, Any]
SERIES_COLUMNS = ("tenant", "feature", "environment", "provider", "model", "prompt_sha", "variant")


def moment(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


def request(n: int | str, at: float = 0.0, **fields: Any) -> Json:
    return {
        "event_id": f"req-{n}",
        "time": moment(at),
        "request_id": f"r{n}",
        "session_id": f"s{n}",
        "provider": "openai",
        "model": "gpt-4o-2024-08-06",
        "feature": "chat",
        **fields,
    }


def response(n: int | str, at: float = 1.0, **fields: Any) -> Json:
    return {
        "event_id": f"res-{n}",
        "time": moment(at),
        "request_id": f"r{n}",
        "response_id": f"a{n}",
        "session_id": f"s{n}",
        "status": "ok",
        "finish_reason": "stop",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        "latency_ms": 1000.0,
        **fields,
    }


def without(event: Json, *names: str) -> Json:
    return {name: value for name, value in event.items() if name not in names}


def priced(
    asked: Request, extra: Extra | None, said: Response, said_extra: Extra | None, prices: PriceBook = PRICES
) -> tuple[InteractionRow, Contribution, Outcome]:
    """A call as stage 1 judges and prices it."""
    (verdict,) = verdicts([(asked, said)])
    return answered(asked, extra, said, said_extra, prices, verdict)


def settings(partitions: int = 3, *, segment: int = 4, **fields: Any) -> Settings:
    """Settings with segments smaller than the settings would accept, so that few events fill several."""
    join = JoinSettings(**fields.pop("join", {}))
    return Settings(partitions=partitions, join=join).model_copy(update={"segment_requests": segment, **fields})


def context(of: Settings | None = None) -> Context:
    of = of or settings()
    return Context(of, Topics.of(of), PRICES, SOURCE, read_rules(), Masking(b"test"), wall=lambda: inf)


class Record(NamedTuple):
    """What an aiokafka ConsumerRecord has."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass
class FakeBatch:
    topic: str
    partition: int
    records: Sequence[Record]
    next_offset: int
    highwater: int | None = None
    unreadable: Sequence[Unreadable] = ()
    size: int = 0


class Logs:
    """Kafka as far as these tests need it: an append-only log per topic-partition."""

    def __init__(self) -> None:
        self.logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)

    def append(
        self, topic: str, partition: int, value: bytes | None, *, key: bytes | None = None, headers: Headers = (), timestamp: int
    ) -> int:
        log = self.logs[topic, partition]
        log.append(Record(topic, partition, len(log), timestamp, key, value, tuple(headers)))
        return len(log) - 1

    def end(self, topic: str, partition: int) -> int:
        return len(self.logs[topic, partition])

    def batch(self, topic: str, partition: int, start: int, size: int = 1_000_000) -> FakeBatch:
        log = self.logs[topic, partition]
        records = log[start : start + size]
        return FakeBatch(topic, partition, records, start + len(records), len(log))


IDENTITY: Mapping[str, tuple[str, ...]] = {
    InteractionRow.TABLE: ("tenant", "feature", "time", "request_id"),
    FeedbackRow.TABLE: ("tenant", "time", "event_id"),
    EvaluationRow.TABLE: ("tenant", "time", "event_id"),
    CostPartRow.TABLE: ("window_start", "window_seconds", *SERIES_COLUMNS, "source", "source_partition", "segment"),
    RepeatRow.TABLE: ("source", "topic", "partition", "offset"),
}
ROW_TYPES: Mapping[str, type[msgspec.Struct]] = {
    row.TABLE: row for row in (InteractionRow, FeedbackRow, EvaluationRow, CostPartRow, RepeatRow)
}


class Tables:
    """ReplacingMergeTree: of rows with one identity the largest version stays, of equal versions the last inserted."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, dict[tuple[Any, ...], Any]] = defaultdict(dict)
        self.history: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)

    def insert(self, table: str, rows: Iterable[bytes]) -> None:
        for text in rows:
            row = msgspec.json.decode(text, type=ROW_TYPES[table])
            identity = tuple(getattr(row, name) for name in IDENTITY[table])
            known = self.rows[table].get(identity)
            self.history[table, *identity].append(row)
            if known is None or getattr(row, "version", 0) >= getattr(known, "version", 0):
                self.rows[table][identity] = row

    def interactions(self) -> dict[str, Json]:
        """request_id -> row. Fails if one request has two rows."""
        rows = list(self.rows[InteractionRow.TABLE].values())
        found = {row.request_id: msgspec.to_builtins(row) for row in rows}
        assert len(found) == len(rows)
        return found

    def feedback(self) -> list[FeedbackRow]:
        return list(self.rows[FeedbackRow.TABLE].values())

    def evaluations(self) -> list[EvaluationRow]:
        return list(self.rows[EvaluationRow.TABLE].values())

    def windows(self) -> Windows:
        """What the view cost_windows shows: sums over the parts; windows without a request are left out."""
        sums: Windows = {}
        for row in self.rows[CostPartRow.TABLE].values():
            key = (row.window_seconds, int(row.window_start.timestamp()), *(getattr(row, name) for name in SERIES_COLUMNS))
            window = sums.setdefault(key, Window())
            for name in (*OUTCOMES, *TOKEN_COLUMNS):
                window.counts[name] += getattr(row, name)
            window.counts["requests"] += row.requests
            window.counts["unpriced"] += row.unpriced_requests
            window.cost += Decimal(row.cost_usd)
            window.latency.update(dict(zip(row.latency_bins, row.latency_counts, strict=True)))
        for window in sums.values():
            window.counts = +window.counts if min(window.counts.values()) >= 0 else window.counts
        return {key: window for key, window in sums.items() if window.counts}


@dataclass
class Window:
    """One row of cost_windows, as far as it is sums."""

    counts: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)
    latency: Counter[int] = field(default_factory=Counter)


Windows = dict[tuple[Any, ...], Window]


def expected_rows(events: Iterable[Json]) -> tuple[dict[str, Json], Windows]:
    """The interactions and windows that requests and responses imply, whatever way they came: the oracle."""
    from schemas.sketch import bin_of

    by_id = {event["event_id"]: event for event in reversed(list(events))}
    requests = [e for e in by_id.values() if "model" in e and "response_id" not in e]
    responses = {e["request_id"]: e for e in by_id.values() if "response_id" in e}
    rows: dict[str, Json] = {}
    windows: Windows = {}
    for event in requests:
        asked, extra = decode_request_with_unknown(msgspec.json.encode(event))
        if (answer := responses.get(asked.request_id)) is not None:
            said, said_extra = decode_response_with_unknown(msgspec.json.encode(answer))
            row, item, _ = priced(asked, extra, said, said_extra)
            series = series_of(asked, said)
        else:
            row, item = unanswered(asked, extra)
            series = series_of(asked, None)
        rows[asked.request_id] = msgspec.to_builtins(row)
        for size in WINDOWS:
            start = int(asked.time.timestamp()) // size * size
            window = windows.setdefault((size, start, *series), Window())
            window.counts[row.outcome] += 1
            window.counts["requests"] += 1
            for name in TOKEN_COLUMNS:
                if getattr(row, name):
                    window.counts[name] += getattr(row, name)
            window.cost += Decimal(row.cost_usd or 0)
            if row.cost_usd is None and row.outcome == "ok":
                window.counts["unpriced"] += 1
            if item.latency_ms is not None:
                window.latency[bin_of(item.latency_ms)] += 1
    return rows, windows


def _seconds(event: Json | bytes | None) -> float:
    """When an event happens, in seconds since EPOCH; 0 if it does not say."""
    if not isinstance(event, dict):
        return 0.0
    try:
        return (datetime.fromisoformat(event["time"]) - EPOCH).total_seconds()
    except (KeyError, TypeError, ValueError):
        return 0.0


class World:
    """Both stages over all partitions, without crashes. Processing time passes only in ``wait``."""

    def __init__(self, of: Settings | None = None) -> None:
        self.context = context(of)
        self.settings, self.topics = self.context.settings, self.context.topics
        self.logs, self.tables = Logs(), Tables()
        n = self.settings.partitions
        self.interactions = [InteractionsState(p, self.context) for p in range(n)]
        self.cost = [CostState(SOURCE) for _ in range(n)]
        self.letters: list[DeadLetter] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.read: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.now = 1_000.0
        self.inputs = [(topic, p) for topic in self.topics.inputs for p in range(n)]

    def home(self, key: str) -> int:
        return partition_of(key.encode(), self.settings.partitions)

    def publish(
        self, kind: str, event: Json | bytes | None, key: str | bytes | None = None, partition: int | None = None,
        *, headers: Headers = (), written: float | None = None,
    ) -> int:  # fmt: skip
        """Write an event: by default keyed and placed as the contract asks, when it happens or later. Returns its offset."""
        if written is None:
            written = max(0.0, _seconds(event))
        if isinstance(event, dict) and key is None and partition is None:
            key = event.get("session_id") or event.get("request_id") or event.get("response_id")
        raw = key.encode() if isinstance(key, str) else key
        if partition is None:
            partition = partition_of(raw, self.settings.partitions) if raw is not None else 0
        value = msgspec.json.encode(event) if isinstance(event, dict) else event
        timestamp = int((EPOCH.timestamp() + written) * 1000)
        return self.logs.append(f"{self.topics.prefix}{kind}", partition, value, key=raw, headers=headers, timestamp=timestamp)

    def unread(self) -> list[tuple[str, int]]:
        return [tp for tp in self.inputs if self.read[tp] < self.logs.end(*tp)]

    def step(self, topic: str, partition: int, size: int = 1_000_000) -> None:
        """Stage 1 reads one batch."""
        batch = self.logs.batch(topic, partition, self.read[topic, partition], size)
        self.read[topic, partition] = batch.next_offset
        self._do(partial(self.interactions[partition].apply, batch))

    def run(self) -> None:
        """Read everything there is, requests first, and what is re-keyed on the way."""
        while unread := self.unread():
            for tp in unread:
                self.step(*tp)

    def wait(self, seconds: float) -> None:
        """Services write nothing for so long."""
        for passed in range(4, int(seconds) + 4, 4):
            self.now += 4
            silent = dict.fromkeys(self.topics.inputs, float(passed))
            for state in self.interactions:
                self._do(partial(state.tick, self.now, silent))
            self.run()
            for state in self.interactions:
                self._do(state.close_interval)
                state.changes()
            self.run()

    def checkpoint(self, partition: int | None = None) -> None:
        """Stage 1 closes its interval; stage 2 reads all that was sent and closes its own."""
        for p, state in enumerate(self.interactions):
            if partition is None or p == partition:
                self._do(state.close_interval)
                state.changes()
        for p, cost in enumerate(self.cost):
            tp = self.topics.partials, p
            batch = self.logs.batch(*tp, self.read[tp])
            self.read[tp] = batch.next_offset
            self._do(partial(cost.apply, batch))
            self._do(cost.close_interval)
            cost.changes()

    def finish(self) -> None:
        """Read everything and wait until nothing is expected any more; the late answer's time is not over."""
        self.run()
        self.wait(200.0)
        self.checkpoint()
        self.checkpoint()

    def _do(self, work: Callable[[Effects], object]) -> None:
        effects = Effects()
        work(effects)
        for message in effects.messages:
            topic, partition, key, value, headers = message
            assert 0 <= partition < self.settings.partitions
            self.logs.append(topic, partition, value, key=key, headers=headers, timestamp=int(EPOCH.timestamp() * 1000))
        for table, rows in effects.rows.items():
            self.tables.insert(table, rows)
        self.letters += effects.letters
        self.counts += effects.counts
