"""An event goes one way through stage 1: each step is entered once, in order, and what steps use
calls none of them (agents/interactions/state.py)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

from streams.effects import Effects
from tests.unit.builders import World, request, response, settings

PACKAGE = "agents.interactions."
FOLDER = Path(__file__).parents[2] / "agents" / "interactions"

LINE = ("state", "reading", "matching", "judging", "pricing", "writing", "expiry")
"""The way of a batch: the state hands it from step to step; in the end time has passed."""

TABLES = {
    "clocks", "identity", "join", "outbox", "patience", "segments", "strays", "sums", "partials", "usages", "late",
    "whereabouts", "gossip", "completing",
}  # fmt: skip
"""What a partition holds. Any step may look something up in them."""

VALUES = {"clock", "completeness", "copies", "lines", "parts", "progress", "rows", "skew", "steps"}
"""Small helpers of values. They hold nothing of a partition but what their caller holds."""

LONGEST_MODULE, LONGEST_CLASS = 400, 250


class Entry(NamedTuple):
    """A call from one module into another."""

    caller: str
    module: str


@contextmanager
def followed() -> Iterator[list[Entry]]:
    """The calls into another module of the package, in order."""
    entries: list[Entry] = []

    def name_of(frame: FrameType | None) -> str:
        return "" if frame is None else str(frame.f_globals.get("__name__", ""))

    def follow(frame: FrameType, event: str, _: Any) -> None:
        module, caller = name_of(frame), name_of(frame.f_back)
        if event == "call" and module.startswith(PACKAGE) and caller != module:
            entries.append(Entry(caller.removeprefix(PACKAGE), module.removeprefix(PACKAGE)))

    sys.setprofile(follow)
    try:
        yield entries
    finally:
        sys.setprofile(None)


def walk(world: World, topic: str) -> list[Entry]:
    """Of the events of a topic that are yet unread, in one batch."""
    batch = world.logs.batch(topic, 0, world.read[topic, 0])
    world.read[topic, 0] = batch.next_offset
    with followed() as entries:
        world.interactions[0].apply(batch, Effects())
    return entries


@pytest.fixture
def walked() -> list[list[Entry]]:
    """The ways of a request and of its response."""
    world = World(settings(1))
    world.publish("requests", request(1))
    world.publish("responses", response(1))
    return [walk(world, world.topics.requests), walk(world, world.topics.responses)]


def test_an_event_enters_each_step_once_and_in_order(walked: list[list[Entry]]) -> None:
    for entries in walked:
        steps = [entry.module for entry in entries if entry.module in LINE]
        assert steps == list(LINE)


def test_only_the_state_calls_a_step(walked: list[list[Entry]]) -> None:
    callers = {entry.caller for entries in walked for entry in entries if entry.module in LINE[1:]}
    assert callers == {"state"}


def test_all_else_that_an_event_enters_is_a_table_or_a_helper(walked: list[list[Entry]]) -> None:
    entered = {entry.module for entries in walked for entry in entries}
    assert entered - set(LINE) <= TABLES | VALUES


def test_tables_and_helpers_call_no_step(walked: list[list[Entry]]) -> None:
    below = TABLES | VALUES
    assert [entry for entries in walked for entry in entries if entry.caller in below and entry.module in LINE] == []


def imported(module: str) -> set[str]:
    """Modules of the package that a module imports."""
    nodes = ast.walk(ast.parse((FOLDER / f"{module}.py").read_text()))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.removeprefix(PACKAGE) for name in names if name.startswith(PACKAGE)}


def test_steps_do_not_know_each_other() -> None:
    line = set(LINE[1:]) - {"expiry"}  # who matches also settles what there is no room for
    assert {step: imported(step) & line for step in line} == {step: set() for step in line}


@pytest.mark.parametrize("module", sorted(TABLES | VALUES))
def test_tables_and_helpers_import_no_step(module: str) -> None:
    assert imported(module) & set(LINE) == set()


MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))


def length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def longer(lengths: Callable[[str], Iterator[int]], most: int) -> list[str]:
    return [module for module in MODULES if max(lengths(module), default=0) > most]


def test_no_module_and_no_class_is_long() -> None:
    def lines(module: str) -> Iterator[int]:
        yield len((FOLDER / f"{module}.py").read_text().splitlines())

    def classes(module: str) -> Iterator[int]:
        tree = ast.parse((FOLDER / f"{module}.py").read_text())
        yield from (length(node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))

    assert longer(lines, LONGEST_MODULE) == []
    assert longer(classes, LONGEST_CLASS) == []
