"""What became of each span and log record, as `mirante doctor` adds it up."""

from __future__ import annotations

import math

import msgspec
import pytest

from deploy.cli.doctor_conservation import finding_of_otlp
from deploy.conservation.otlp import OtlpRecord, SpanAccount, SpansEnded, account, read_message, span_id
from schemas.otlp import LogRecord, Span
from streams.settings import OtlpSettings
from tests.unit.builders import Record
from tests.unit.otlp_spans import chat, log, span

NOW = 1_000.0
AT = 900_000
"""Kafka time of the records, in milliseconds; what was due at it has long been told."""
LONG_TOLD = 10**9

CALL, STEP, HTTP = span(1, chat()), span(2, {"gen_ai.operation.name": "execute_tool"}), span(3, {"http.route": "/chat"})


def ended(*, letters: set[tuple[int, int]] | None = None, told: int = LONG_TOLD) -> SpansEnded:
    return SpansEnded(letters or set(), {span_id(CALL)}, {span_id(STEP)}, told)


def message(offset: int, *held: Span | LogRecord, fault: str = "", due: float = NOW - 1) -> OtlpRecord:
    return OtlpRecord(0, offset, AT, due, held, fault)


def account_of(*messages: OtlpRecord, tables: SpansEnded | None = None) -> SpanAccount:
    return account("otlp_spans", "spans", messages, tables or ended(), 10.0, NOW)


def test_a_span_is_a_call_a_step_a_repeat_or_says_nothing_of_ai() -> None:
    found = account_of(message(0, STEP, CALL, HTTP), message(1, CALL), message(2))
    assert (found.records, found.held, found.letters, found.missing) == (3, 4, 0, [])
    assert found.ended == {"calls": 1, "steps": 1, "repeats": 1, "that say nothing of AI": 1}


def test_a_span_of_which_nothing_came_is_missing() -> None:
    lost = span(4, chat())
    found = account_of(message(0, CALL), message(7, CALL, lost))
    assert found.missing == [(0, 7)]
    finding = finding_of_otlp(found)
    assert finding.state == "error"
    assert "otlp_spans 0/7" in finding.remedy
    assert "1 calls + 1 repeats; difference 1" in finding.detail


@pytest.mark.parametrize(
    ("due", "told"),
    [(NOW + 1, LONG_TOLD), (math.inf, LONG_TOLD), (NOW - 1, AT + 18_999), (NOW - 1, 0)],
    ids=["not due yet", "not read yet", "not told yet", "no partition has spoken"],
)
def test_nothing_is_missing_that_may_still_be_told(due: float, told: int) -> None:
    # Given a settling of 10 s, half as long again for calls that stand alone, and two beats of 2 s: 19 s
    found = account_of(message(0, span(4, chat()), due=due), tables=ended(told=told))
    assert (found.ended, found.missing) == ({"still waiting": 1}, [])


def test_a_record_that_cannot_be_read_is_a_dead_letter_or_missing_and_what_can_be_read_of_it_counts() -> None:
    faulty = [message(0, fault="none"), message(1, CALL, fault="1 of 2"), message(2, fault="none"), message(3, fault="none", due=NOW + 1)]
    found = account_of(*faulty, tables=ended(letters={(0, 0), (0, 1)}))
    assert (found.letters, found.ended, found.missing) == (2, {"calls": 1}, [(0, 2)])


def test_spans_that_a_defect_buried_with_their_record_are_in_its_dead_letter() -> None:
    found = account_of(message(0, CALL, span(4, chat())), tables=ended(letters={(0, 0)}))
    assert (found.ended, found.missing) == ({"calls": 1, "in dead letters": 1}, [])


def test_log_records_tell_of_spans_or_of_none() -> None:
    heard, unknown, other = log(1, "gen_ai.user.message"), log(9, "gen_ai.user.message"), log(1, "app.started")
    found = account_of(message(0, heard, unknown), message(1, heard, other))
    assert found.ended == {"of calls and steps": 1, "of no such span": 1, "repeats": 1, "that say nothing of AI": 1}
    assert found.missing == []


@pytest.mark.parametrize(
    ("value", "is_log", "fault"),
    [(None, False, "no value"), (b"\xff", False, "neither OTLP traces as protobuf nor JSON"), (b"{", True, "not JSON"), (b"", False, "")],
)
def test_a_record_is_read_as_the_worker_reads_it(value: bytes | None, is_log: bool, fault: str) -> None:
    found = read_message(Record("t", 0, 5, AT, None, value, ()), 6, is_log, OtlpSettings())
    assert found.held in ([], ())
    assert found.fault.startswith(fault) and bool(found.fault) is bool(fault)
    assert found.due == AT / 1000 + 20 + 60


def test_nothing_is_due_that_no_worker_has_read() -> None:
    assert read_message(Record("t", 0, 5, AT, None, b"", ()), 5, False, OtlpSettings()).due == math.inf


def test_repeats_are_told_by_their_ids_and_of_log_records_by_their_content() -> None:
    longer = msgspec.structs.replace(CALL, end_ns=CALL.end_ns + 1)
    assert account_of(message(0, CALL, longer)).ended == {"calls": 1, "repeats": 1}
    asked, answered = log(1, "gen_ai.user.message"), log(1, "gen_ai.choice")
    assert account_of(message(0, asked, answered, asked)).ended == {"of calls and steps": 2, "repeats": 1}
