"""Rules of the house that no type checker knows. ``rules.toml`` lists today's exceptions: one that is not needed any more fails
here too, so that the lists can only become shorter."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.metrics import IngestMetrics
from deploy.registry import agents
from streams.metrics import Metrics
from streams.settings import OtlpSettings
from streams.topics import Topics
from tests.unit.builders import SOURCE, settings
from tests.unit.test_layers import LAYERS, ROOT, imported, modules

EXCEPTIONS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("rules.toml").read_text("utf-8"))

MODULE_LINES, CLASS_LINES = 400, 250

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the product: its path from the root -> its syntax tree."""
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for _, path in modules()}


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """(path, class) of all classes that are not inside of another one or of a function."""
    for path, tree in trees().items():
        yield from ((path, node) for node in tree.body if isinstance(node, ast.ClassDef))


def length(node: ast.ClassDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


# Sizes


def too_long(sizes: Mapping[str, int], most: int, allowed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is longer than ``most`` lines, or than an exception allows, and what needs no exception any more."""
    found = [f"{name}: {size} lines, at most {most}" for name, size in sizes.items() if size > most and name not in allowed]
    for name, exception in allowed.items():
        size = sizes.get(name, 0)
        if size <= most:
            found.append(f"{name}: {size} lines, the exception is not needed any more")
        elif size > exception["most"]:
            found.append(f"{name}: {size} lines, at most {exception['most']} by its exception")
    return found


def test_modules_are_short_enough_to_be_read_in_one_go() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for _, path in modules()}
    assert too_long(sizes, MODULE_LINES, EXCEPTIONS["modules"]) == []


def test_classes_are_short_enough_to_be_read_in_one_go() -> None:
    sizes = {f"{path}:{node.name}": length(node) for path, node in classes()}
    assert too_long(sizes, CLASS_LINES, EXCEPTIONS["classes"]) == []


@pytest.mark.parametrize("kind", ["modules", "classes"])
def test_every_exception_of_size_has_a_reason(kind: str) -> None:
    assert [name for name, exception in EXCEPTIONS[kind].items() if len(exception["reason"]) < 10] == []


def test_a_size_beyond_its_exception_and_an_exception_without_need_are_found() -> None:
    allowed = {"a": {"most": 12}, "b": {"most": 12}, "gone": {"most": 12}}
    assert [line.split(":")[0] for line in too_long({"a": 13, "b": 9, "c": 11, "d": 10}, 10, allowed)] == ["c", "a", "b", "gone"]


# Names


def test_a_class_name_is_used_once() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path, node in classes():
        found[node.name].append(path)
    twice = {name: sorted(paths) for name, paths in found.items() if len(paths) > 1}
    assert twice == {}


# Docstrings


def is_protocol(node: ast.ClassDef) -> bool:
    return any(name.id == "Protocol" for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name))


def functions(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """(qualified name, function) of all functions and methods that are public, as are the classes they are in."""
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield owner + node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body, f"{owner}{node.name}.")


def described_by_interfaces() -> set[str]:
    """Names of methods that a Protocol describes: who implements one need not say it again."""
    protocols = [node for _, node in classes() if is_protocol(node)]
    return {name for node in protocols for name, function in functions(node.body) if ast.get_docstring(function)}


def test_every_public_function_has_a_docstring() -> None:
    interfaces = described_by_interfaces()
    found = [
        f"{path}:{name}"
        for path, tree in trees().items()
        for name, function in functions(tree.body)
        if not ast.get_docstring(function) and not ("." in name and function.name in interfaces)
    ]
    assert found == [], "these need a docstring"


# Metrics


SQL_FUNCTIONS = {"mirante_quantile"}


def test_every_metric_that_code_names_is_declared() -> None:
    """docs/operations.md has a row for each that is declared, see test_docs.py."""
    declared = {family.name for one in (Metrics(), IngestMetrics()) for family in one.registry.collect()}
    suffix = re.compile(r"_(total|bucket|sum|count|created)$")
    strings = [
        (path, node.value)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = {(path, name) for path, text in strings for name in re.findall(r"\bmirante_[a-z_]+", text)}
    assert len(named) > 50

    def exists(name: str) -> bool:
        if name.endswith("_"):  # the rest is put in where the program runs
            return any(one.startswith(name) for one in declared)
        return name in SQL_FUNCTIONS or suffix.sub("", name) in declared

    assert {(path, name) for path, name in named if not exists(name)} == set()


# Modules that nobody uses


def run_by_name(module: str, tree: ast.Module) -> Iterator[str]:
    """Modules that a string names: a package or module to run with ``-m`` or to import, or the file of one beside ``module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for name in re.findall(rf"\b(?:{'|'.join(LAYERS)})(?:\.\w+)+", node.value):
                yield from (name, f"{name}.__main__")
            if re.fullmatch(r"\w+\.py", node.value):
                yield f"{module.rpartition('.')[0]}.{node.value.removesuffix('.py')}"


def test_every_module_is_used_by_the_product_or_does_not_ship() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    left_out = project["tool"]["setuptools"]["packages"]["find"]["exclude"]
    paths = {module: path for module, path in modules() if not any(fnmatch(module, pattern) for pattern in left_out)}
    reached, waiting = set[str](), [script.partition(":")[0] for script in project["project"]["scripts"].values()]
    while waiting:
        module = waiting.pop()
        if module not in reached and module in paths:
            reached.add(module)
            tree = trees()[paths[module].relative_to(ROOT).as_posix()]
            waiting += [*imported(paths[module]), *run_by_name(module, tree)]
            waiting += [".".join(module.split(".")[:end]) for end in range(1, module.count(".") + 1)]  # its packages
    assert len(reached) > 300
    assert sorted(set(paths) - reached) == sorted(EXCEPTIONS["unused"])
    assert all(len(reason) > 10 for reason in EXCEPTIONS["unused"].values())


# Lists that say the same


def test_every_agent_has_a_changelog_and_every_changelog_an_agent() -> None:
    everything = settings(
        labels={"enabled": True},
        behaviour={"enabled": True},
        topics={"enabled": True},
        otlp=OtlpSettings(enabled=True),
        watch=[{"name": "w", "score": "s"}],
    )
    topics = Topics.of(everything)
    changelogs = {topic.name for topic in topics.all() if topic.name.endswith(".state")}
    assert {topics.changelog(agent.name) for agent in agents(everything, SOURCE)} == changelogs
