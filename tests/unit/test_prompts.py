"""Prompt files of Git repositories: given commits, when they are read and compared with what runs, then each version has its standing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.prompts import GitError, compare, name_of, read_repository
from schemas.behaviour_rows import PromptFileRow


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._second = 1_772_366_400
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        self._second += 60
        stamp = f"{self._second} +0000"
        who = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        name = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
        environment = {"PATH": os.environ["PATH"], **who}
        done = subprocess.run(["git", *name, *arguments], cwd=self.path, env=environment, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for path, text in files.items():
            if text is None:
                (self.path / path).unlink()
            else:
                (self.path / path).parent.mkdir(parents=True, exist_ok=True)
                (self.path / path).write_text(text, "utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def committed(rows: list[PromptFileRow]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(row) for row in rows]


def test_every_commit_that_touched_a_prompt_file_is_a_version(repository: Repository) -> None:
    first = repository.commit({"prompts/support.md": "Be kind.", "main.py": "x = 1", "app/prompts/atenção.txt": "Seja gentil."})
    second = repository.commit({"prompts/support.md": "Be brief."})
    repository.commit({"main.py": "x = 2"})
    rows = read_repository(repository.path)
    assert {(row.path, row.commit_sha, row.latest) for row in rows} == {
        ("prompts/support.md", first, False),
        ("prompts/support.md", second, True),
        ("app/prompts/atenção.txt", first, True),
    }
    assert {row.name for row in rows} == {"support", "atenção"}
    # Reading it again gives the same rows; another commit gives newer ones
    assert read_repository(repository.path) == rows
    repository.commit({"prompts/support.md": None})
    later = read_repository(repository.path)
    assert not any(row.latest for row in later if row.path == "prompts/support.md")
    assert min(row.version for row in later) > max(row.version for row in rows)


def test_what_runs_is_compared_with_what_is_committed(repository: Repository) -> None:
    first = repository.commit({"prompts/support.md": "Be kind.", "prompts/sales.md": "Sell."})
    second = repository.commit({"prompts/support.md": "Be brief."})
    files = committed(read_repository(repository.path))
    blob = repository.git("rev-parse", "HEAD:prompts/support.md")
    running = [
        ("chat", "support", second[:10], 5, 9, 100),
        ("chat", "support", first, 1, 4, 100),
        ("chat", "support", blob.upper(), 1, 3, 1),
        ("chat", "sales", first, 1, 4, 100),
        ("chat", "support", "deadbeef", 1, 2, 1),
        ("chat", "support", second[:4], 1, 2, 1),
        ("chat", "", "", 1, 2, 1),
    ]
    found = compare(running, files)
    assert [version.status for version in found] == [
        "latest", "superseded", "latest", "latest", "not committed", "not committed", "no sha",
    ]  # fmt: skip
    assert found[1].by == second
    assert [version.now for version in found] == [True, False, False, True, False, False, True]
    assert compare(running[:1], [])[0].status == "unknown"


def test_a_folder_that_is_no_repository_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        read_repository(tmp_path)


def test_of_files_with_the_same_commit_the_one_named_like_the_prompt_counts(repository: Repository) -> None:
    first = repository.commit({"prompts/support/answer.md": "Be kind.", "prompts/sales/answer.md": "Sell.", "prompts/x.md": "x"})
    repository.commit({"prompts/sales/answer.md": "Sell more.", "prompts/x.md": "y"})
    files = committed(read_repository(repository.path))
    running = [("chat", name, first, 1, 2, 3) for name in ("support/answer", "sales/answer", "x", "prompts/x.md")]
    assert [version.path for version in compare(running, files)] == [
        "prompts/support/answer.md", "prompts/sales/answer.md", "prompts/x.md", "prompts/x.md",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name"), [("prompts/a.b.prompt.md", "a.b"), ("x/y.jinja2", "y"), ("prompts/plain", "plain"), ("p/s.pt.prompt", "s.pt")]
)
def test_a_prompt_is_called_like_its_file(path: str, name: str) -> None:
    assert name_of(path) == name
