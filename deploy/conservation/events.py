"""Conservation: what became of each record of an input topic. Every one ends as a row, a counted repeat or a dead letter.

Looked up record by record, so it needs no counter that could itself be wrong. ``mirante doctor`` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from schemas.decoding import decode
from schemas.events import EventError, Request
from streams.kafka import committed_offsets, new_reader
from streams.settings import Settings
from streams.topics import Topics

MARGIN = 60.0
"""Seconds after its deadline in which a record must have ended as something."""

IDS_PER_QUERY = 1_000

EVENT_IDS = {
    "requests": ("interactions", "request_event_id"),
    "responses": ("interactions", "response_event_id"),
    "feedback": ("feedback", "event_id"),
    "evaluations": ("evaluations", "event_id"),
}
"""Kind of event -> the table and the column in which an event that counted stands."""

Place = tuple[int, int]
"""Partition and offset."""

Held = TypeVar("Held")
"""What a record holds."""


class Read(NamedTuple):
    """A record of an input topic. ``due``: epoch seconds by which something must have come of it; infinite if no worker has read it yet."""

    partition: int
    offset: int
    event_id: str
    due: float


class Ended(NamedTuple):
    """What the tables hold of one input topic."""

    letters: Collection[Place]
    repeats: Collection[Place]
    rows: Collection[str]
    """Event ids."""


class Account(NamedTuple):
    """One input topic: how many of its records ended as what. ``waiting``: neither yet, and not due."""

    topic: str
    records: int
    rows: int
    repeats: int
    letters: int
    waiting: int
    missing: Sequence[Place]
    """Records that ended as nothing."""


def read_record(record: Any, kind: str, settings: Settings, committed: int) -> Read:
    """``record``: as aiokafka hands it over. ``committed``: up to where its partition has been processed."""
    event_id, timeout = "", 15_000.0
    try:
        event = decode(kind, record.value)
    except EventError:
        pass  # it is looked for among the dead letters
    else:
        event_id = event.event_id
        timeout = float(event.timeout_ms or 0) if isinstance(event, Request) else timeout
    due = record.timestamp / 1000 + max(timeout / 1000 + settings.join.grace, settings.join.orphan) + MARGIN
    return Read(record.partition, record.offset, event_id, due if record.offset < committed else float("inf"))


def account(topic: str, records: Iterable[Read], ended: Ended, now: float) -> Account:
    """What became of ``records``; ``now`` in epoch seconds."""
    count = rows = repeats = letters = waiting = 0
    missing = []
    for record in records:
        count += 1
        place = record.partition, record.offset
        if place in ended.letters:
            letters += 1
        elif place in ended.repeats:
            repeats += 1
        elif record.event_id in ended.rows:
            rows += 1
        elif record.due > now:
            waiting += 1
        else:
            missing.append(place)
    return Account(topic, count, rows, repeats, letters, waiting, missing)


async def read_since(
    settings: Settings, topics: Sequence[str], since: float, most: int, read: Callable[[Any, int], Iterable[Held]]
) -> dict[str, list[Held]]:
    """Topic -> what ``read`` makes of its records written since ``since`` (epoch seconds), of each partition the newest ``most`` at most.

    ``read`` gets a record as aiokafka hands it over, and up to where its partition has been processed.
    """
    committed = await committed_offsets(settings, topics)
    found: dict[str, list[Held]] = {topic: [] for topic in topics}
    reader = new_reader(settings)
    await reader.start()
    try:
        tps = [TopicPartition(topic, p) for topic in topics for p in range(settings.partitions)]
        ends = await reader.end_offsets(tps)
        begins = await reader.offsets_for_times({tp: int(since * 1000) for tp in tps})
        reader.assign(tps)
        left = set()
        for tp in tps:
            begin = begins[tp]
            if begin is not None and begin.offset < ends[tp]:
                reader.seek(tp, max(begin.offset, ends[tp] - most))
                left.add(tp)
            else:
                reader.pause(tp)
        while left:
            batches = await reader.getmany(timeout_ms=5_000)
            if not batches:
                break  # the rest are no records: markers of transactions
            for tp, records in batches.items():
                for record in records:
                    found[tp.topic] += read(record, committed.get(tp, 0))
            left = {tp for tp in left if await reader.position(tp) < ends[tp]}
    finally:
        await reader.stop()
    return found


async def read_events(settings: Settings, since: float, most: int) -> dict[str, list[Read]]:
    """Input topic of events -> its records, as of :func:`read_since`."""
    topics = Topics.of(settings)

    def read(record: Any, committed: int) -> Iterable[Read]:
        return (read_record(record, topics.kind_of(record.topic), settings, committed),)

    return await read_since(settings, topics.events, since, most, read)


def look_up(client: Client, source: str, topic: str, kind: str, records: Sequence[Read]) -> Ended:
    """What the tables hold of these records of ``topic`` of the Kafka cluster ``source``, whose events are of ``kind``."""
    first = min((record.offset for record in records), default=0)
    letters, repeats = (places(client, table, source, topic, first) for table in ("deadletter", "repeats"))
    table, column = EVENT_IDS[kind]
    return Ended(letters, repeats, among(client, table, column, {record.event_id for record in records if record.event_id}))


def places(client: Client, table: str, source: str, topic: str, first: int) -> set[Place]:
    """Places of records of ``topic`` from the offset ``first`` on that ``table`` (dead letters or repeats) holds."""
    sql = (
        f"SELECT partition, offset FROM mirante.{table} WHERE source = {{source:String}} AND topic = {{topic:String}} "
        "AND offset >= {first:Int64}"
    )
    return set(map(tuple, client.query(sql, parameters={"source": source, "topic": topic, "first": first}).result_rows))


def among(client: Client, table: str, column: str, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that stand in a column."""
    found: set[str] = set()
    sql = f"SELECT {column} FROM mirante.{table} WHERE {column} IN {{ids:Array(String)}}"
    for some in cut(ids):
        found.update(row[0] for row in client.query(sql, parameters={"ids": some}).result_rows)
    return found


def accounts(client: Client, settings: Settings, source: str, events: Mapping[str, Sequence[Read]], now: float) -> list[Account]:
    """Of every input topic of events, what became of its records. ``source``: the Kafka cluster. ``events``: as of :func:`read_events`."""
    kind_of = Topics.of(settings).kind_of
    return [account(topic, read, look_up(client, source, topic, kind_of(topic), read), now) for topic, read in events.items()]


def cut(ids: Iterable[str]) -> Iterator[list[str]]:
    """As many at a time as a query takes."""
    iterator = iter(ids)
    while some := list(islice(iterator, IDS_PER_QUERY)):
        yield some
