"""What the states of stage 2 share: how they tell what they found, and how they are saved."""

from __future__ import annotations

import doctest

import msgspec
import pytest

import agents.common.stage2
from agents.common.stage2 import FindingsWriter, Progress, Section
from schemas.findings import Finding, Findings
from streams.effects import Effects

FOUND = Finding(name="ErrorRate", labels={}, time=5.0, active=True)


def said(effects: Effects) -> list[Findings]:
    return [msgspec.msgpack.decode(m.value, type=Findings) for m in effects.messages]


def test_the_examples_hold() -> None:
    assert doctest.testmod(agents.common.stage2).failed == 0


class TestFindings:
    def test_progress_is_told_once_and_a_finding_always(self) -> None:
        # Given an agent that has come to 30 s
        writer, effects = FindingsWriter("guards", 1, "findings"), Effects()
        here = Progress(30.0, False)
        # When it tells so twice, and then with a finding
        writer.tell([], here, effects)
        writer.tell([], here, effects)
        writer.tell([FOUND], here, effects)
        # Then there are two messages, to the one partition that `alerts` reads
        assert [(one.clock, len(one.findings)) for one in said(effects)] == [(30.0, 0), (30.0, 1)]
        assert {(m.topic, m.partition) for m in effects.messages} == {("findings", 0)}

    def test_nothing_is_said_before_anything_was_read(self) -> None:
        effects = Effects()
        FindingsWriter("guards", 1, "findings").tell([], Progress(0.0, False), effects)
        assert not effects.messages

    def test_who_rests_holds_nobody_back(self) -> None:
        effects = Effects()
        FindingsWriter("guards", 1, "findings").tell([], Progress(30.0, True), effects)
        assert [one.clock for one in said(effects)] == [None]


class TestSection:
    def test_an_entry_that_went_and_came_back_has_changed_and_is_not_gone(self) -> None:
        section: Section[str, int] = Section()
        section.put("a", 1)
        section.drop("a")
        section.put("a", 2)
        assert section.take_changes() == ([("a", 2)], [])

    def test_changes_are_told_once_and_make_the_same_elsewhere(self) -> None:
        section, other = Section[str, list[int]](), Section[str, list[int]]()
        section.put("a", [])
        section.put("b", [])
        other.load(*section.take_changes())
        section["a"].append(1)
        section.touch("a")
        section.drop("b")
        changes = section.take_changes()
        other.load(*changes)
        other.load(*changes)
        assert other == section == {"a": [1]}
        assert section.take_changes() == other.take_changes() == ([], [])

    def test_what_is_not_there_cannot_be_dropped(self) -> None:
        with pytest.raises(KeyError):
            Section[str, int]().drop("a")
