"""Whatever is published in place of an event: it is an event that can be stored, or it has a
reason."""

import json
from random import Random

import msgspec
import pytest
from test_events import EXAMPLES

from agents.interactions.join import OpenRequest
from agents.interactions.rows import evaluation_row, feedback_row, unanswered
from schemas.decoding import DECODERS, decode_request
from schemas.events import EVENT_KINDS, Evaluation, EventError, Extra, Feedback, Request, Response
from schemas.reasons import MAX_REASON
from schemas.rows import Row
from tests.unit.builders import priced
from tests.unit.mutations import mutated

EVENTS = 2_000
ASKED = decode_request(json.dumps(EXAMPLES["requests"]).encode())


def row_of(event: object, extra: Extra | None) -> Row:
    match event:
        case Request():
            return unanswered(event, extra)[0]
        case Response():
            return priced(ASKED, None, event, extra)[0]
        case Feedback():
            return feedback_row(event, extra)
        case Evaluation():
            return evaluation_row(event, extra)
    raise AssertionError(event)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_a_mutated_event_becomes_a_row_or_has_a_reason(kind: str) -> None:
    chance, decode, refused, odd = Random(16), DECODERS[kind], 0, 0
    for _ in range(EVENTS // len(EVENT_KINDS)):
        value = mutated(chance, EXAMPLES[kind])
        try:
            event, extra = decode(value)
        except EventError as error:
            assert 0 < len(error.reason) <= MAX_REASON, value  # noqa: PT017 - either outcome is fine
            error.reason.encode()
            refused += 1
            continue
        odd += extra is not None and bool(extra.odd_fields)
        line = msgspec.json.encode(row_of(event, extra))
        stored = json.loads(line)
        assert stored.get("odd_fields", []) == (extra.odd_fields if extra is not None else [])
        if isinstance(event, Request):
            entry = OpenRequest(event, extra, 0.0, 0, 0.0)
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=OpenRequest) == entry
    assert refused > 20
    assert odd > 20
