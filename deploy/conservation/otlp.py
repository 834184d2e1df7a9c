"""Conservation of OpenTelemetry: what became of each span and log record in the topics that exporters write to.

A span ends as a call, as a step (a tool, retrieval, agent or workflow, or a part of a call that another span counts), as a repeat, or it
says nothing of AI. A record that cannot be read, or not all of it, is a dead letter. Spans are looked up one by one, as events are
(:mod:`deploy.conservation.events`). Log records have no rows of their own: they tell what spans were asked and answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from agents.otlp.dialects.choice import understand
from agents.otlp.heard import says_of_ai
from agents.otlp.parcels import decode_parcel
from agents.otlp.traces import BEAT, encode
from deploy.conservation.events import MARGIN, Place, among, cut, places, read_since
from schemas.otlp import LogRecord, OtlpError, Span, decode_logs, decode_spans
from streams.kafka import connect_admin, new_reader
from streams.settings import OtlpSettings, Settings
from streams.topics import Topics

SAMPLE, MOST = 100, 10_000
"""Records of a partition that are read first; and how many spans or log records of a partition are looked at, about."""

WORDS = 1_000
"""Messages between partitions among which the last word of each is looked for."""

CALLS, STEPS, REPEATS, NOTHING = "calls", "steps", "repeats", "that say nothing of AI"
OF_SPANS, OF_NONE = "of calls and steps", "of no such span"
LOST, WAITING = "in dead letters", "still waiting"


class OtlpRecord(NamedTuple):
    """A record. ``held``: its spans or log records that can be read. ``fault``: why not all can. ``at``: its Kafka time, milliseconds.
    ``due``: epoch seconds by which something must have come of it; infinite if no worker has read it yet."""

    partition: int
    offset: int
    at: int
    due: float
    held: Sequence[Span | LogRecord]
    fault: str = ""


class SpansEnded(NamedTuple):
    """What the tables hold. ``calls`` and ``steps``: ids of spans, ``TRACE-SPAN``. ``told``: the moment up to which workers have told what
    was due, in milliseconds of Kafka time."""

    letters: Collection[Place]
    calls: Collection[str]
    steps: Collection[str]
    told: int


class SpanAccount(NamedTuple):
    """One topic: its records, and the spans or log records (``what``) that they hold by what they ended as. ``letters``: records that are
    dead letters. ``missing``: records that are none and should be, or of which something ended as nothing."""

    topic: str
    what: str
    records: int
    letters: int
    held: int
    ended: Mapping[str, int]
    missing: Sequence[Place]


def account(topic: str, what: str, messages: Iterable[OtlpRecord], ended: SpansEnded, settle: float, now: float) -> SpanAccount:
    """What became of ``messages``. ``settle``: as in the settings, seconds; ``now``: epoch seconds."""
    # A call that stands alone in its trace waits half as long again.
    settled = int(1_500 * settle) + 2 * BEAT
    counts, missing, met = Counter[str](), list[Place](), set[str | bytes]()
    records = letters = held = 0
    for message in messages:
        place = message.partition, message.offset
        is_waiting = message.due > now
        is_letter = place in ended.letters
        is_missing = bool(message.fault) and not is_letter and not is_waiting
        records, letters, held = records + 1, letters + is_letter, held + len(message.held)
        for item in message.held:
            became = _became(item, ended, met)
            if not became and is_letter and not message.fault:
                became = LOST
            elif not became and (is_waiting or message.at + settled > ended.told):
                became = WAITING
            counts[became] += 1
            is_missing = is_missing or not became
        if is_missing:
            missing.append(place)
    del counts[""]
    return SpanAccount(topic, what, records, letters, held, counts, missing)


def _became(item: Span | LogRecord, ended: SpansEnded, met: set[str | bytes]) -> str:
    """What a span or log record ended as, "" if as nothing. ``met``: those that came before."""
    if isinstance(item, LogRecord) and not says_of_ai(item):
        return NOTHING
    ident = span_id(item)
    identity = ident if isinstance(item, Span) else encode(item)
    if identity in met:
        return REPEATS
    met.add(identity)
    if isinstance(item, LogRecord):
        return OF_SPANS if ident in ended.calls or ident in ended.steps else OF_NONE
    if ident in ended.calls:
        return CALLS
    if ident in ended.steps:
        return STEPS
    return NOTHING if understand(item).kind == "other" else ""


def span_id(item: Span | LogRecord) -> str:
    """The span, as calls and steps are known outside of their traces."""
    return f"{item.trace_id}-{item.span_id}"


class OtlpRead(NamedTuple):
    """Topic -> its records; and ``told`` as of :class:`SpansEnded`."""

    messages: Mapping[str, Sequence[OtlpRecord]]
    told: int


async def read(settings: Settings, since: float) -> OtlpRead:
    """The records of the last time, since ``since`` (epoch seconds); none where no worker has ever read OpenTelemetry.

    Raises OSError or KafkaError if the broker does not answer.
    """
    if not await _is_in_use(settings):
        return OtlpRead({}, 0)
    return OtlpRead(await _messages(settings, since), await told_until(settings))


def accounts(client: Client, settings: Settings, source: str, read: OtlpRead, published: Collection[str], now: float) -> list[SpanAccount]:
    """Of either topic, what became of its records.

    ``source``: the Kafka cluster. ``published``: event ids in the topic of requests, where a call has an account of its own.
    ``now``: epoch seconds.
    """
    otlp = settings.otlp
    ids = {span_id(item) for some in read.messages.values() for message in some for item in message.held}
    calls = among(client, "interactions", "request_event_id", ids) | (ids & set(published))
    steps = _steps(client, {ident.partition("-")[0] for ident in ids - calls})
    return [
        account(
            topic, "log records" if topic == otlp.logs else "spans", some,
            SpansEnded(_letters(client, source, topic, some), calls, steps, read.told), otlp.settle, now,
        )
        for topic, some in read.messages.items()
    ]  # fmt: skip


def read_message(record: Any, committed: int, is_log: bool, otlp: OtlpSettings) -> OtlpRecord:
    """``record``: as aiokafka hands it over. ``committed``: up to where its partition has been processed."""
    due = record.timestamp / 1000 + 2 * otlp.settle + MARGIN if record.offset < committed else float("inf")
    held: Sequence[Span | LogRecord] = ()
    fault = ""
    try:
        if is_log:
            held = decode_logs(record.value or b"")
        elif record.value is None:
            fault = "no value"
        else:
            held = decode_spans(record.value)
    except OtlpError as error:
        held, fault = error.spans, error.reason
    return OtlpRecord(record.partition, record.offset, record.timestamp, due, held, fault)


async def _is_in_use(settings: Settings) -> bool:
    """`mirante up` has it on, whatever the settings of who asks say."""
    admin = await connect_admin(settings)
    try:
        return Topics.of(settings).traces in await admin.list_topics()
    finally:
        await admin.close()


async def _messages(settings: Settings, since: float) -> dict[str, list[OtlpRecord]]:
    """A record may hold one span or a thousand: how many are read follows from a first few."""
    otlp = settings.otlp

    def read(record: Any, committed: int) -> Iterable[OtlpRecord]:
        return (read_message(record, committed, record.topic == otlp.logs, otlp),)

    found = await read_since(settings, (otlp.spans, otlp.logs), since, SAMPLE, read)
    for topic, some in list(found.items()):
        most = SAMPLE * MOST // max(SAMPLE, *_held_by_partition(some))
        if most > SAMPLE:
            found |= await read_since(settings, [topic], since, most, read)
    return found


def _held_by_partition(messages: Iterable[OtlpRecord]) -> Iterable[int]:
    counts = Counter({0: 0})
    for message in messages:
        counts[message.partition] += len(message.held)
    return counts.values()


async def told_until(settings: Settings) -> int:
    """The moment, in milliseconds of Kafka time, up to which all partitions have told what was due; 0 if one has said nothing.

    Each tells all others, so the end of one topic partition says it.
    """
    tp = TopicPartition(Topics.of(settings).traces, 0)
    told = dict.fromkeys(range(settings.partitions), 0)
    reader = new_reader(settings)
    await reader.start()
    try:
        end = (await reader.end_offsets([tp]))[tp]
        begin = (await reader.beginning_offsets([tp]))[tp]
        reader.assign([tp])
        reader.seek(tp, max(begin, end - WORDS))
        while await reader.position(tp) < end and (batches := await reader.getmany(timeout_ms=5_000)):
            for word in _words(record for records in batches.values() for record in records):
                told[word.partition] = max(told[word.partition], word.told)
    finally:
        await reader.stop()
    return min(told.values())


def _words(records: Iterable[Any]) -> Iterator[Any]:
    for record in records:
        if (word := decode_parcel(record.value).word) is not None:
            yield word


def _letters(client: Client, source: str, topic: str, messages: Sequence[OtlpRecord]) -> set[Place]:
    return places(client, "deadletter", source, topic, min((message.offset for message in messages), default=0))


def _steps(client: Client, traces: Iterable[str]) -> set[str]:
    """Ids of the steps of traces."""
    found: set[str] = set()
    sql = "SELECT trace_id, span_id FROM mirante.steps WHERE trace_id IN {ids:Array(String)}"
    for some in cut(traces):
        found.update(f"{trace}-{span}" for trace, span in client.query(sql, parameters={"ids": some}).result_rows)
    return found
