"""What an event says is text and nothing else: in a terminal, in JSON, in a chat, in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from deploy.cli.output import block, cell
from deploy.cli.query import _shown
from deploy.plain import for_chat, for_slack, for_spreadsheet, json_text, one_line, printable

HOSTILE = "[/bold] \x1b[31mred\x1b]0;title\x07 \x9b31m \x7f \u202eevil\u2066 :smile: \u2028 \r over <!channel> @here"
TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x07\r\n\t[]/\\<>@:=+-\u202e")), max_size=40)


def acts(text: str) -> list[str]:
    """The characters of a text that do something to a terminal."""
    return [c for c in text if c not in "\n\t" and (unicodedata.category(c) in ("Cc", "Cs") or c in "\u2028\u2029\u202e\u2066")]


@given(TEXT)
def test_nothing_that_acts_on_a_terminal_is_left_and_other_text_is_as_it_was(text: str) -> None:
    assert acts(printable(text)) == [] and acts(one_line(text)) == []
    assert len(one_line(text).splitlines()) <= 1
    if not acts(text) and not any(unicodedata.category(c) == "Cf" for c in text):
        assert printable(text) == text


@given(st.recursive(TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5))
def test_json_for_a_terminal_reads_as_the_same_value(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value and acts(text) == [] and "\n" not in text


def test_markup_and_escapes_of_an_event_are_shown_and_do_nothing() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=300, color_system="truecolor")
    table = Table("a", "b")
    table.add_row(cell(HOSTILE), block(HOSTILE + "\nsecond"))
    out.print(table)
    shown = out.file.getvalue()  # type: ignore[attr-defined]
    assert "[/bold]" in shown and r"\x1b[31mred" in shown and ":smile:" in shown and "second" in shown
    assert "\x1b[31m" not in shown and not {"\x07", "\x9b", "\x7f", "\u202e", "\r"} & set(shown)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("<!channel> see", "<!"),
        ("<@U024BE7LH>", "<@"),
        ("<#C024BE7LR>", "<#"),
        ("@here and @everyone", "@here"),
        ("go to https://evil.example/x", "https://"),
        ("[click](javascript:alert(1))", "script:a"),
        ("mailto:ana@example.org", "mailto:a"),
    ],
)
def test_a_message_calls_nobody_and_links_nowhere(text: str, never: str) -> None:
    assert never in text and never not in for_chat(text) and never not in for_slack(text)
    assert for_chat(text).replace("\u200b", "") == text, "people read the same"


@given(TEXT)
def test_what_slack_gets_is_escaped(text: str) -> None:
    sent = for_slack(text)
    assert "<" not in sent and ">" not in sent and "`" not in sent and acts(sent) == []


@given(st.lists(st.lists(TEXT.filter(lambda t: "\r" not in t), min_size=1, max_size=3), min_size=1, max_size=4))
def test_no_text_in_csv_is_a_formula_and_every_other_is_as_it_was(rows: list[list[str]]) -> None:
    written = "".join(",".join('"' + text.replace('"', '""') + '"' for text in row) + "\n" for row in rows)
    read = list(csv.reader(io.StringIO(for_spreadsheet(written.encode("utf-8", "replace")).decode(), newline="")))
    for row, got in zip(rows, read, strict=True):
        for text, cell_text in zip(row, got, strict=True):
            text = text.encode("utf-8", "replace").decode()
            assert cell_text in (text, "'" + text) and cell_text[:1] not in {*"=+-@\t\n"}


def test_numbers_of_csv_stay_numbers() -> None:
    assert for_spreadsheet(b'"a",-5,"=1+1"\n-2.5,"b","+x"\n') == b'"a",-5,"\'=1+1"\n-2.5,"b","\'+x"\n'
    assert _shown("CSVWithNames", b'"=cmd"\n') == b'"\'=cmd"\n'
    assert _shown("JSONEachRow", b'{"a":"=cmd"}\n') == b'{"a":"=cmd"}\n'
    assert _shown("Parquet", b"PAR1\x1b\xff") == b"PAR1\x1b\xff"
