"""Imports point one way: ``deploy`` -> ``agents`` -> ``streams`` -> ``schemas``, and agents do not import each other
(docs/architecture.md, "The layout")."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("schemas", "streams", "agents", "deploy")
"""From the bottom."""

LIBRARIES = {"common", "detectors", "inspection", "pricing"}
"""Packages of ``agents`` that are no agents: what several of them share."""

DRIVERS = {"faust", "aiokafka", "clickhouse_connect", "chdb"}


class Import(NamedTuple):
    """``module`` imports from ``of``."""

    module: str
    of: str


def modules() -> Iterator[tuple[str, Path]]:
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imported(path: Path) -> Iterator[str]:
    """Modules that a file names in import statements, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: imports are absolute"
            for alias in node.names:
                folder = ROOT.joinpath(*node.module.split("."))
                yield f"{node.module}.{alias.name}" if (folder / f"{alias.name}.py").is_file() else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


IMPORTS = [Import(module, of) for module, path in modules() for of in imported(path)]
OURS = [one for one in IMPORTS if one.of.split(".")[0] in LAYERS]


def package(module: str) -> str:
    """Of a module in ``agents``: ``drift`` of ``agents.drift.monitor``."""
    return module.split(".")[1]


def test_there_are_imports_to_look_at() -> None:
    assert len(OURS) > 500


def test_no_layer_imports_one_above_it() -> None:
    def layer(module: str) -> int:
        return LAYERS.index(module.split(".")[0])

    assert [one for one in OURS if layer(one.module) < layer(one.of)] == []


def test_no_agent_imports_another_agent() -> None:
    inside = [one for one in OURS if one.module.startswith("agents.") and one.of.startswith("agents.")]
    across = [one for one in inside if package(one.module) != package(one.of)]
    assert [one for one in across if package(one.of) not in LIBRARIES] == []


def test_the_shared_libraries_do_not_import_agents() -> None:
    inside = [one for one in OURS if one.module.startswith("agents.") and package(one.module) in LIBRARIES]
    assert [one for one in inside if one.of.startswith("agents.") and package(one.of) not in LIBRARIES] == []


def test_detectors_need_nothing_of_ours_but_the_schemas() -> None:
    """So they run in a notebook."""
    needed = {one.of for one in OURS if one.module.startswith("agents.detectors.")}
    assert {name for name in needed if not name.startswith(("agents.detectors.", "schemas."))} == set()


@pytest.mark.parametrize("layer", ["schemas", "agents"])
def test_logic_imports_neither_faust_nor_a_driver(layer: str) -> None:
    assert [one for one in IMPORTS if one.module.startswith(f"{layer}.") and one.of.split(".")[0] in DRIVERS] == []


def test_modules_import_each_other_without_a_cycle() -> None:
    known = {module for module, _ in modules()}
    needs: dict[str, set[str]] = defaultdict(set)
    for one in OURS:
        needs[one.module].add(one.of)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a cycle: {' -> '.join((*path[path.index(module) :], module))}"
        if module not in done:
            for other in sorted(needs[module] & known):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(known):
        visit(module, ())


def test_training_does_not_ship() -> None:
    assert [one for one in IMPORTS if one.of.split(".")[0] in {"training", "tests"}] == []
