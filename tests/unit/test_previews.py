"""What the table `deadletter` holds of a record: how it begins, and no personal data."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.interactions.previews import MOST_SHOWN, Previews
from schemas.outputs import DeadLetter
from streams.deadletters import POISON, Origin, dead_letter, row_of, withheld

CPF, MAIL = "529.982.247-25", "ana.lima@example.org"
PREVIEWS = Previews(b"secret")


def letter(value: bytes, *, key: bytes = b"s1", reason: str = "not JSON") -> DeadLetter:
    headers = [("from", MAIL.encode()), ("none", None)]
    return dead_letter(Origin("llm.requests", 0, 1, 0, key, value, headers), source="c", stage="s", reason=reason)


def shown(value: bytes) -> str:
    return base64.b64decode(PREVIEWS(letter(value)).value or "").decode()


ESCAPED = "".join(f"\\u{ord(c):04x}" for c in CPF)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"output": f"meu cpf {CPF}, {MAIL}"}).encode(),
        json.dumps([[f"{CPF} {MAIL}"]]).encode(),
        json.dumps({"cpf": 52998224725}).encode(),
        b'{"a":"%b","a":1}' % CPF.encode(),  # twice: readers see the last only
        f'{{"output": "cpf {CPF} e {MAIL}'.encode(),  # cut off
        f'{{"output": "cpf {ESCAPED}'.encode(),
        f'{{"output": "{CPF} {MAIL}'.encode() + b"\xff",
        f"\x12{chr(len(CPF) + 34)}{CPF}\x1a{MAIL}".encode(),  # lengths before texts, as in protobuf
        f"{CPF} {MAIL}".encode("utf-16-le"),
        zlib.compress(f"{CPF} {MAIL}".encode(), 0),
        b"x" * 8_185 + b" " + CPF.encode() + b" " * 9_000,  # the cut goes through it
    ],
)
def test_no_personal_data_is_shown_however_the_record_is_broken(value: bytes) -> None:
    row = row_of(PREVIEWS(letter(value, reason=f"model: expected str, got '{CPF}'", key=MAIL.encode())))
    texts = [row.reason, *(base64.b64decode(text).decode() for text in (row.key, row.value, json.loads(row.headers)[0][1]))]
    for text in texts:
        plain = text.replace("\x00", "")
        assert not any(piece in plain for piece in (CPF, CPF[:9], "52998224725", "998.224", MAIL, "@example")), text


def test_what_holds_none_is_shown_as_it_was() -> None:
    event = b'{"event_id":"q-1","time":"2026-05-01T12:00:00Z","model":5}'
    assert shown(event).encode() == event and shown(b"half an ev") == "half an ev"
    assert PREVIEWS(letter(b"x")).key == base64.b64encode(b"s1").decode()


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_have_a_short_preview_and_the_same_always(value: bytes) -> None:
    assert shown(value) == shown(value) and len(shown(value * 50)) <= MOST_SHOWN


def test_what_has_killed_workers_is_not_looked_at_again() -> None:
    poison = dead_letter(Origin("llm.requests", 0, 1, 0, b"k", b"v", []), source="c", stage=POISON, reason="killed")
    assert PREVIEWS(poison) == withheld(poison)


def test_without_a_preview_nothing_is_stored() -> None:
    row = row_of(withheld(letter(CPF.encode())))
    assert (row.value, row.key, row.headers, row.offset) == ("", "", "[]", 1)
