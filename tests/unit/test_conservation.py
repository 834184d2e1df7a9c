"""What became of each record of an input topic, as `mirante doctor` adds it up."""

from __future__ import annotations

import math

import msgspec
import pytest

from deploy.cli.doctor_conservation import finding_of
from deploy.conservation.events import Ended, Read, account, read_record
from streams.settings import Settings
from tests.chaos.conservation import _event_id as oracle_id
from tests.unit.builders import Record, request

NOW = 1_000.0
DUE = NOW - 1


def test_a_record_is_a_row_a_repeat_or_a_dead_letter_and_the_rest_is_missing_or_waits() -> None:
    # Given a row, its repeat, poison, a record that is not due, and one of which nothing came
    records = [Read(0, 0, "a", DUE), Read(1, 7, "a", DUE), Read(0, 1, "", DUE), Read(0, 2, "b", NOW + 5), Read(0, 3, "c", DUE)]
    # When they are accounted for
    found = account("llm.requests", records, Ended(letters={(0, 1)}, repeats={(1, 7)}, rows={"a"}), NOW)
    # Then each is what it is
    assert (found.records, found.rows, found.repeats, found.letters, found.waiting) == (5, 1, 1, 1, 1)
    assert found.missing == [(0, 3)]


def test_the_finding_names_the_first_records_that_are_missing_and_says_what_to_do() -> None:
    lost = finding_of(account("llm.requests", [Read(0, 3, "c", DUE)], Ended((), (), ()), NOW))
    assert lost.state == "error"
    assert "difference 1" in lost.detail
    assert "llm.requests 0/3" in lost.remedy
    assert "mirante worker --from" in lost.remedy


def test_what_adds_up_is_well() -> None:
    assert finding_of(account("llm.requests", [Read(0, 3, "c", DUE)], Ended((), (), {"c"}), NOW)).state == "ok"


def test_nothing_is_missing_that_no_worker_has_read() -> None:
    record = Record("llm.requests", 0, 5, 0, None, b"", ())
    assert read_record(record, "requests", Settings(), committed=5).due == math.inf
    assert read_record(record, "requests", Settings(), committed=6).due < NOW


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b'{"event_id":17}', b'{"timeout_ms":"soon"}', b'{"timeout_ms":1e400}'])
def test_a_record_that_is_no_event_is_read_as_one_without_an_id(value: bytes | None) -> None:
    assert read_record(Record("t", 0, 0, 0, None, value, ()), "requests", Settings(), 1).event_id == ""


@pytest.mark.parametrize(
    "value",
    [b'\xef\xbb\xbf{"event_id":"e",%s}', b'\x00\x00\x00\x00\x07{"event_id":"e",%s}', b'{"event_id":"e","feature":"\\ud83d",%s}'],
    ids=["byte order mark", "frame of a schema registry", "half of an emoji elsewhere"],
)
def test_a_record_whose_event_the_worker_reads_is_looked_for_under_the_id_of_its_row(value: bytes) -> None:
    value = value.replace(b"%s", b'"time":"2026-03-01T12:00:00Z","request_id":"x","model":"m"')
    assert read_record(Record("t", 0, 0, 0, None, value, ()), "requests", Settings(), 1).event_id == "e"


def test_half_of_an_emoji_in_an_id_is_told_as_in_its_row_by_the_product_and_by_the_oracle() -> None:
    value = msgspec.json.encode(request(1, event_id="half-")).replace(b"half-", b"half-\\ud83d")
    assert read_record(Record("t", 0, 0, 0, None, value, ()), "requests", Settings(), 1).event_id == "half-\ufffd"
    assert oracle_id(value) == "half-\ufffd"


def test_a_request_is_due_when_its_own_timeout_has_passed() -> None:
    value = msgspec.json.encode(request(1, timeout_ms=600_000))
    patient = read_record(Record("t", 0, 0, 0, None, value, ()), "requests", Settings(), 1)
    assert patient.event_id == "req-1"
    assert patient.due > 600
