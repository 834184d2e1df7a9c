"""What alerts say, of every kind, when they fire, change and are resolved, in both languages.

The texts are in ``alert_texts.en.md`` and ``alert_texts.pt.md`` beside this file, so that a change of words is read before it ships.
``MIRANTE_WRITE_TEXTS=1 pytest tests/unit/test_alert_texts.py`` writes them anew.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.alerts.settings import AlertSettings
from agents.alerts.state import AlertsState
from agents.alerts.wording.english import ENGLISH
from agents.alerts.wording.numbers import Language, Unit, moment, money, pair, plain, quantity, span
from agents.alerts.wording.portuguese import PORTUGUESE
from agents.alerts.wording.texts import KINDS, texts
from schemas.findings import Finding, Findings
from schemas.outputs import Alert, AlertName
from streams.effects import Effects
from tests.unit.alert_examples import T0, Example, examples

EXAMPLES = list(examples())
LANGUAGES: tuple[Language, ...] = ("en", "pt")
MINUTE = 60.0


def life_of(example: Example, language: Language) -> dict[str, Alert]:
    """Of its alert: it fires after 4 minutes, is twice as bad after 24, and over after 34."""
    state = AlertsState(
        "llm.alerts", 1, AlertSettings(language=language, dashboard="https://m.example"), "cluster"
    )
    effects, found = Effects(), {}
    first = example.make(T0 + 4 * MINUTE, 1.0)
    steps = {
        "firing": [first],
        "changed": [example.make(T0 + n * MINUTE, 2.0) for n in (14, 24)],
        "resolved": [
            Finding(name=first.name, labels=first.labels, time=T0 + 33 * MINUTE, active=False)
        ],
    }
    for offset, (step, findings) in enumerate(steps.items()):
        for finding in findings:
            finding.keep, finding.hold = MINUTE, 0.0
        clock = findings[-1].time + (2 * MINUTE if step == "resolved" else 0)
        value = msgspec.msgpack.encode(
            Findings(agent="anomaly", partition=0, clock=clock, findings=findings)
        )
        record = SimpleNamespace(
            topic="t",
            partition=0,
            offset=offset,
            timestamp=int(T0 * 1000),
            key=None,
            value=value,
            headers=(),
        )
        batch: Any = SimpleNamespace(
            topic="t", partition=0, records=[record], next_offset=offset + 1, highwater=None
        )
        state.apply(batch, effects)
        if effects.messages:
            found[step] = msgspec.json.decode(effects.messages[-1].value, type=Alert)
            effects.messages.clear()
    return found


def table(language: Language) -> str:
    """All texts, as a page to read."""
    lines = [f"# What alerts say ({language})", ""]
    for example in EXAMPLES:
        states = life_of(example, language)
        lines += [f"## {states['firing'].name}: {example.title}", ""]
        lines += [f"- *{step}* {alert.annotations['summary']}" for step, alert in states.items()]
        notes = states["firing"].annotations
        lines += [
            f"- *{name}* {notes[name]}"
            for name in ("impact", "cause", "description", "action")
            if name in notes
        ]
        lines.append(
            f"- *impact at the end* {states['resolved'].annotations.get('impact', 'none')}"
        )
        lines.append("")
    return "\n".join(line.replace("\n", " / ") for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_the_one_that_was_read(language: Language) -> None:
    file = Path(__file__).with_name(f"alert_texts.{language}.md")
    if os.environ.get("MIRANTE_WRITE_TEXTS"):
        file.write_text(table(language), "utf-8")
    assert table(language) == file.read_text("utf-8")


def test_there_is_an_example_of_every_name_and_of_everything_that_can_be_said() -> None:
    firing = [life_of(example, "en")["firing"] for example in EXAMPLES]
    assert {alert.name for alert in firing} == set(get_args(AlertName))
    assert {example.kind for example in EXAMPLES} == KINDS
    assert all(
        example.kind in ("traffic_gone", alert.evidence["facts"]["kind"])
        for example, alert in zip(EXAMPLES, firing, strict=True)
    )


def test_both_languages_say_the_same_things() -> None:
    for name in ENGLISH._fields:
        assert getattr(ENGLISH, name).keys() == getattr(PORTUGUESE, name).keys(), name
    for kind, clause in ENGLISH.clauses.items():
        for form in ("firing", "resolved"):
            ask = [
                set(re.findall(r"{(\w+)}", getattr(words.clauses[kind], form)))
                for words in (ENGLISH, PORTUGUESE)
            ]
            assert ask[0] == ask[1], f"{kind}, {form}: {clause}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_says_what_is_wrong_what_shows_it_and_what_to_do_and_links_to_its_page(
    language: Language,
) -> None:
    for example in EXAMPLES:
        for alert in life_of(example, language).values():
            notes = alert.annotations
            assert notes["summary"] and notes["description"] and notes["action"], example.title
            assert notes["dashboard_url"] == f"https://m.example/alerts?id={alert.alert_id}"
            assert alert.alert_id in notes["description"]
            everything = " ".join(notes.values())
            assert not re.search(
                r"\{|\}|\bNone\b|\bnan\b|  |\bshard\b", everything.split("[[")[0]
            ), (example.title, everything)


def test_the_page_can_say_an_alert_in_the_other_language_from_what_it_carries() -> None:
    for example in EXAMPLES:
        english, portuguese = life_of(example, "en"), life_of(example, "pt")
        for step, alert in english.items():
            there = portuguese[step].annotations
            assert texts(alert, "pt") == {name: there[name] for name in texts(alert, "pt")}


def test_what_is_usual_is_what_was_so_when_it_began() -> None:
    def drifting(time: float, times: float) -> Finding:
        finding = next(e for e in EXAMPLES if e.kind == "api_error").make(time, times)
        finding.expected = 0.01 if times == 1.0 else 0.117
        return finding

    changed = life_of(Example("", "api_error", drifting), "en")["changed"]
    assert changed.expected == 0.01 and "usually 1%" in changed.annotations["summary"]


def test_the_words_of_an_alert_do_not_make_it_another_one() -> None:
    for example in EXAMPLES:
        lives = [life_of(example, language) for language in LANGUAGES]
        assert [a.alert_id for a in lives[0].values()] == [a.alert_id for a in lives[1].values()]


# Numbers


@given(
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.sampled_from(get_args(Unit)),
    st.sampled_from(LANGUAGES),
)
def test_numbers_that_differ_do_not_read_equal(
    value: float, other: float, unit: Unit, language: Language
) -> None:
    one, two = pair(value, other, unit, language)
    assert (one != two) or value == other


@pytest.mark.parametrize(
    ("value", "unit", "english", "portuguese"),
    [
        (0.412, "share", "41%", "41%"), (0.0123, "share", "1.2%", "1,2%"), (0.9996, "share", "99.96%", "99,96%"),
        (0.0, "share", "0%", "0%"),
        (1.0, "share", "100%", "100%"), (1234.5, "usd", "$1,234", "US$ 1.234"), (12.4, "usd", "$12.40", "US$ 12,40"),
        (0.0031, "usd", "$0.0031", "US$ 0,0031"), (0.0, "usd", "$0.00", "US$ 0,00"), (8_412, "ms", "8.4 s", "8,4 s"),
        (412.3, "ms", "412 ms", "412 ms"), (0.4, "per_minute", "0.4", "0,4"), (12_345, "per_minute", "12,345", "12.345"),
    ],
)  # fmt: skip
def test_numbers_have_a_unit_and_as_many_digits_as_are_worth_reading(
    value: float, unit: Unit, english: str, portuguese: str
) -> None:
    assert (quantity(value, unit, "en"), quantity(value, unit, "pt")) == (english, portuguese)


def test_nearly_nothing_and_nothing_are_told_apart() -> None:
    assert pair(0.004, 0.0, "per_minute", "en") == ("0.004", "0")
    assert pair(5.0000001, 5.0, "usd", "en") == ("> $5.000000", "$5.000000")
    assert (money(-0.5, "en"), plain(-0.0, "en")) == ("-$0.50", "0")


def test_durations_and_moments() -> None:
    assert [span(s, "en") for s in (1, 45, 240, 5_700, 7_200, 200_000)] == [
        "1 second", "45 seconds", "4 minutes", "1 hour 35 min", "2 hours", "2 days 8 h",
    ]  # fmt: skip
    assert span(5_700, "pt") == "1 hora 35 min"
    now = datetime(2026, 3, 1, 15, tzinfo=UTC)
    assert moment(T0, now, "en") == "14:02 UTC"
    assert moment(T0 - 86_400, now, "en") == "14:02 UTC on 2026-02-28"
    assert moment(T0 - 86_400, now, "pt") == "14:02 UTC de 28/02/2026"
