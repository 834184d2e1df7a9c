"""Conservation: every record of an input topic is a row, a counted repeat or a dead letter, and one of these only."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from tests.chaos.records import Stored

ROWS = {
    "requests": "SELECT count() FROM mirante.interactions",
    "responses": "SELECT countIf(response_event_id != '') FROM mirante.interactions",
    "feedback": "SELECT count() FROM mirante.feedback",
    "evaluations": "SELECT count() FROM mirante.evaluations",
}
"""Of each input topic, how many of its records have made or completed a row."""


class Account(NamedTuple):
    """One input topic. ``records``: read back from Kafka."""

    topic: str
    records: int
    rows: int
    repeats: int
    letters: int

    @property
    def missing(self) -> int:
        """Records that ended as nothing; negative: some ended as two things."""
        return self.records - self.rows - self.repeats - self.letters

    def __str__(self) -> str:
        parts = f"{self.records:,} records = {self.rows:,} rows + {self.repeats:,} repeats + {self.letters:,} dead letters"
        return f"{self.topic}: {parts}" + (f" + {self.missing:,} that are nothing" if self.missing else "")


def accounts(client: Client, records: Mapping[str, int], prefix: str) -> list[Account]:
    """Of every input topic. ``records``: topic by kind -> how many lie there. ``prefix``: of the topics' names."""
    sql = "SELECT topic, count() FROM mirante.repeats GROUP BY topic"
    repeats = dict(client.query(sql).result_rows) if _repeats_are_counted(client) else {}
    letters = dict(client.query("SELECT topic, count() FROM mirante.deadletter GROUP BY topic").result_rows)
    found = []
    for topic, sql in ROWS.items():
        name = prefix + topic
        rows = int(str(client.command(sql)))
        found.append(Account(topic, records.get(topic, 0), rows, repeats.get(name, 0), letters.get(name, 0)))
    return found


def reasons(client: Client) -> list[tuple[str, str, int]]:
    """(topic, reason, how many) of the dead letters, the most frequent first; what varies within a reason is left out."""
    sql = (
        "SELECT topic, replaceRegexpAll(reason, '[0-9a-f]{4,}|[0-9]+|\\'[^\\']*\\'', '#') AS why, count() FROM mirante.deadletter "
        "GROUP BY topic, why ORDER BY count() DESC"
    )
    return [(topic, why, int(count)) for topic, why, count in client.query(sql).result_rows]


EVENTS = {
    "requests": "SELECT request_event_id FROM mirante.interactions",
    "responses": "SELECT response_event_id FROM mirante.interactions",
    "feedback": "SELECT event_id FROM mirante.feedback",
    "evaluations": "SELECT event_id FROM mirante.evaluations",
}


def lost(client: Client, records: Iterable[Stored], prefix: str) -> Iterator[Stored]:
    """The records of which nothing came: no dead letter and no repeat is of their place, and the row of their event is another record's."""
    sql = "SELECT topic, partition, offset FROM mirante.deadletter"
    if _repeats_are_counted(client):
        sql += " UNION ALL SELECT topic, partition, offset FROM mirante.repeats"
    ended = set(client.query(sql).result_rows)
    rows = {topic: Counter(row[0] for row in client.query(sql).result_rows) for topic, sql in EVENTS.items()}
    for record in records:
        if (prefix + record.topic, record.partition, record.offset) in ended:
            continue
        event_id = _event_id(record.value)
        if event_id is not None and rows[record.topic][event_id]:
            rows[record.topic][event_id] -= 1
        else:
            yield record


def twice(client: Client) -> list[tuple[str, int, int]]:
    """Places that have a dead letter and are a repeat as well."""
    if not _repeats_are_counted(client):
        return []
    places = "SELECT topic, partition, offset FROM mirante"
    return list(client.query(f"{places}.deadletter INTERSECT {places}.repeats").result_rows)


def _event_id(value: bytes | None) -> str | None:
    """Whatever else is odd about an event; None if there is none. Halves of UTF-16 pairs are told as U+FFFD (docs/data.md)."""
    found = re.search(rb'"event_id"\s*:\s*("(?:[^"\\]|\\.)*")', value or b"")
    try:
        return None if found is None else re.sub("[\ud800-\udfff]", "\ufffd", json.loads(found[1]))
    except ValueError:
        return None


def _repeats_are_counted(client: Client) -> bool:
    return bool(int(str(client.command("EXISTS TABLE mirante.repeats"))))
