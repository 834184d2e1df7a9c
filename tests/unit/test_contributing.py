"""CONTRIBUTING.md is followed, step by step, in a copy of the project: its table, agent, detector and price pass the tests it names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
COPIED = ("schemas", "streams", "agents", "deploy", "training", "sdk", "docs", "tests")


class Block(NamedTuple):
    """What a file must hold (``kind``: its language), or a change of it (``diff``)."""

    file: str
    kind: str
    text: str


def blocks(guide: str) -> Iterator[Block]:
    """The blocks of code in order, each with the file that was named last: a line that is a path in a code span and a colon."""
    file = ""
    for named, indent, kind, text in re.findall(r"(?ms)^ *`([\w./-]+)`:$|^( *)```(\w+)\n(.*?)^\2```$", guide):
        file = named or file
        if kind:
            yield Block(file, kind, textwrap.dedent(text.replace(f"\n{indent}", "\n").removeprefix(indent)))


def changed(before: str, diff: str) -> str:
    """``before`` with a change applied: its lines that begin with a space or ``-`` must be there, once, as the beginnings of lines."""
    lines = [line or " " for line in diff.splitlines()]
    old = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
    new = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
    old, new = old.removesuffix("\n"), new.removesuffix("\n")
    assert before.count(old) == 1, f"there {before.count(old)} times, not once:\n{old}"
    return before.replace(old, new)


def commands(guide: str) -> list[list[str]]:
    """The tests that each `make test TESTS="..."` names."""
    return [named.split() for named in re.findall(r'make test TESTS="([^"]+)"', guide)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which all blocks have been applied."""
    copy = tmp_path_factory.mktemp("followed")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", "node_modules"))
    for file in [path for path in ROOT.iterdir() if path.is_file()]:
        shutil.copy(file, copy)
    number = len(list((ROOT / "schemas/clickhouse").glob("*.sql"))) + 1
    for block in blocks(GUIDE):
        path = copy / block.file.replace("NNNN", f"{number:04}")
        if block.kind == "diff":
            path.write_text(changed(path.read_text("utf-8"), block.text), "utf-8")
        else:
            assert not path.exists(), f"{block.file} exists"
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf-8")
    return copy


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "MIRANTE_SIMULATIONS": "4"}
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    return done.stdout


def test_every_section_of_the_guide_has_its_files_and_its_tests() -> None:
    sections = dict(re.findall(r"(?ms)^## Add an? (\w+)$(.*?)(?=^## |\Z)", GUIDE))
    assert set(sections) == {"table", "agent", "detector", "price"}
    for name, text in sections.items():
        assert list(blocks(text)) and commands(text), name
        numbers = [int(number) for number in re.findall(r"(?m)^(\d+)\. ", text)]
        assert numbers == list(range(1, len(numbers) + 1)), name



@pytest.mark.parametrize("tests", commands(GUIDE), ids=lambda tests: Path(tests[0]).stem)
def test_what_the_steps_add_passes_the_tests_that_they_name(followed: Path, tests: list[str]) -> None:
    said = run(followed, "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    assert re.search(r"\d+ passed", said)


def test_what_the_steps_add_is_as_the_linter_wants_it(followed: Path) -> None:
    added = [block.file for block in blocks(GUIDE) if block.file.endswith(".py")]
    run(followed, "ruff", "check", "--no-cache", *sorted(set(added)))


def test_a_block_that_is_to_be_changed_must_be_there_once() -> None:
    assert changed("a\nb\nc\n", " a\n-b\n+B") == "a\nB\nc\n"
    with pytest.raises(AssertionError, match="0 times"):
        changed("a\nb\n", " a\n-x\n+y")
