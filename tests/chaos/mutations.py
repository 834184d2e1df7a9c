"""Realistic events made odd, by structure and by byte. Everything follows from a seed."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.chaos.records import CODECS, Outgoing
from tests.chaos.traffic import ChaosTraffic

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1000.0, 1e308, 2**63, -(2**70), 0.5, "", "x", "0", "null", "1e999", "\ud83d", "\x00", "\u202e", "é" * 40, "𝔛", [],
    {}, [None], [[[[]]]], {"a": {"b": []}}, ["x", 1, None], "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 1e-320,
)  # fmt: skip
RAW = (
    "NaN", "Infinity", "1e999", "-0", "01", "1.", "'x'", "undefined", '"\\ud83d"', '"\\ude00\\ud83d"', '"\\x41"', '"' + "a" * 70_000 + '"',
    "[" * 600 + "]" * 600, "1" * 400, '{"a":1,"a":2}',
)  # fmt: skip
"""Text that no JSON encoder writes, or few."""

IDS = ("event_id", "request_id", "response_id")
"""Odd or not, they tell events apart: what two different events with one id come to, nobody has promised."""

TIMES = ("", "now", 1_790_000_000, None, "2025-01-01", "2025-01-01T00:00:00", "2020-02-30T00:00:00Z", "9999-12-31T23:59:59Z")

TIME = re.compile(rb'"time":"[^"]*"')
TIMEOUT = re.compile(rb'"timeout_ms":\d+,')

Event = dict[str, Any]


def mutated(run: str, count: int, seed: int, now: float, partitions: int) -> Iterator[Outgoing]:
    """``count`` records to publish at once, more or less in order: three in four are odd, some are there twice."""
    dice = random.Random(seed)
    rate, pairs = max(200.0, count / 200), count  # more than are taken, and none of them ahead of now
    realistic = ChaosTraffic(run, pairs, rate, now - pairs / rate - 60, partitions, seed, shifted=False).records()
    made = 0
    while made < count:
        record = next(realistic)
        # Nobody may ask, by a digit more, that their answer be waited for until next year.
        value = record.value and TIMEOUT.sub(b"", record.value)
        record = record._replace(at=now, value=value, created=None, codec=dice.choice(CODECS))
        if record.value:
            same = random.Random(f"{seed}-{zlib.crc32(record.value)}")  # copies of an event stay copies
            if same.random() < 0.75:
                record = record._replace(value=_mutate(record.value, same))
        if dice.random() < 0.02:
            record = record._replace(topic=dice.choice(["requests", "responses", "feedback", "evaluations"]))
        if dice.random() < 0.1:
            record = record._replace(key=dice.choice([None, b"", b"\xff\x00", b"k" * 300]), partition=dice.randrange(partitions))
        if record.value is None and record.key is None:
            record = record._replace(key=b"tombstone")
        for _ in range(dice.choice([1] * 9 + [2])):
            made += 1
            yield record


def _mutate(value: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.4:
        return _bytes(value, dice)
    try:
        event = json.loads(value)
    except ValueError:
        return value  # poison already
    if not isinstance(event, dict):
        return value
    return dice.choice(STRUCTURE)(event, dice)


def _bytes(value: bytes, dice: random.Random) -> bytes:
    data = bytearray(value)
    time = TIME.search(value)
    while True:  # a digit of the time may make it one that is hours ahead, and nothing comes of such a call for hours
        at = dice.randrange(len(data))
        if time is None or not time.start() <= at < time.end():
            break
    how = dice.randrange(6)
    if how == 0:
        data[at] ^= 1 << dice.randrange(8)
    elif how == 1:
        data[at] = dice.randrange(256)
    elif how == 2:
        del data[at:]
    elif how == 3:
        del data[at : at + dice.randint(1, 20)]
    elif how == 4:
        data[at:at] = data[at : at + dice.randint(1, 50)]
    else:
        data[at:at] = dice.choice([b"\xef\xbb\xbf", b"\x00", b"\xff", b'"', b"\\", b"\\u", b"\xed\xa0\xbd", b"}{", b"\n"])
    return bytes(data)


def _dump(event: object) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _paths(event: Event) -> list[tuple[Event, str]]:
    """Every field at any depth of objects, but not the time: what makes it odd is chosen apart."""
    found, objects = [], [event]
    while objects:
        one = objects.pop()
        found += [(one, name) for name in one if name != "time"]
        objects += [value for value in one.values() if isinstance(value, dict)]
    return found


def _drop(event: Event, dice: random.Random) -> bytes:
    one, name = dice.choice(_paths(event))
    del one[name]
    return _dump(event)


def _odd_value(event: Event, dice: random.Random) -> bytes:
    one, name = dice.choice(_paths(event))
    value = dice.choice(VALUES)
    one[name] = f"{value}{dice.random()}" if name in IDS and isinstance(value, str) else value
    return _dump(event)


def _raw_value(event: Event, dice: random.Random) -> bytes:
    one, name = dice.choice([place for place in _paths(event) if place[1] not in IDS])
    one[name] = "@raw@"
    return _dump(event).replace(b'"@raw@"', dice.choice(RAW).encode())


def _other_time(event: Event, dice: random.Random) -> bytes:
    event["time"] = dice.choice(TIMES)
    return _dump(event)


def _more_fields(event: Event, dice: random.Random) -> bytes:
    one = dice.choice([event, *[value for value in event.values() if isinstance(value, dict)]])
    one[dice.choice(["x-new", "Event_Id", "", "usage", "\ud83d", "a" * 300])] = dice.choice(VALUES)
    return _dump(event)


def _twice(event: Event, dice: random.Random) -> bytes:
    """A name twice in an object: the last one counts for most readers."""
    name = dice.choice(list(event))
    return _dump(event)[:-1] + b"," + json.dumps(name).encode() + b":" + _dump(event[name]) + b"}"


def _deep(event: Event, dice: random.Random) -> bytes:
    depth = dice.choice([10, 100, 1_000])
    return _dump(event)[:-1] + b',"params":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def _in_a_list(event: Event, dice: random.Random) -> bytes:
    return _dump(dice.choice([[event], {"value": event}, json.dumps(event)]))


def _encoded(event: Event, dice: random.Random) -> bytes:
    return json.dumps(event, ensure_ascii=dice.random() < 0.5, indent=2).encode(
        dice.choice(["utf-8", "utf-16", "utf-32", "utf-8-sig", "latin-1"]), "replace"
    )


STRUCTURE: tuple[Callable[[Event, random.Random], bytes], ...] = (
    _drop, _odd_value, _odd_value, _odd_value, _raw_value, _other_time, _more_fields, _twice, _deep, _in_a_list, _encoded,
)  # fmt: skip
