"""Prompt files and the Git SHA of what runs."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

_SUFFIXES = (
    ".md",
    ".txt",
    ".jinja2",
    ".jinja",
    ".j2",
    ".yaml",
    ".yml",
    ".json",
    ".toml",
    ".prompty",
    ".prompt",
)


@dataclass(frozen=True)
class Prompt:
    """A prompt template. ``sha``: the Git blob SHA of exactly this text. ``committed``: whether it
    is the file of ``HEAD``; None where that is not known (no Git, or no repository, as in an
    image).

    Example::

        prompt = mirante.prompt("prompts/support.md")
        assert prompt.committed is not False, "commit the prompt before it runs"
    """

    text: str
    name: str
    sha: str
    committed: bool | None

    def fields(self, **variables: Any) -> dict[str, Any]:
        """The ``prompt`` field of a request event.

        Example::

            client.call(ask, model="gpt-4o", prompt=prompt.fields(city="Recife"), messages=messages)
        """
        found: dict[str, Any] = {"name": self.name, "sha": self.sha}
        return {**found, "variables": variables} if variables else found


def prompt(path: str | PathLike[str]) -> Prompt:
    """Read a prompt file. Its SHA is what ``git rev-parse HEAD:path`` says when it is committed as
    it is, so that every answer leads back to the text that asked for it. Raises OSError, and
    UnicodeDecodeError for a file that is not UTF-8.

    Example::

        support = mirante.prompt("prompts/support.md")
        client.call(ask, model="gpt-4o", prompt=support, messages=messages)
    """
    file = Path(path)
    content = file.read_bytes()
    head = _git(file, "rev-parse", "--verify", "--quiet", f"HEAD:./{file.name}")
    new = hashlib.sha256 if head and len(head) == 64 else hashlib.sha1
    sha = new(b"blob %d\0" % len(content) + content).hexdigest()
    committed: bool | None
    if head == sha:
        committed = True
    elif _git(file, "rev-parse", "--git-dir") is None:
        committed = None
    else:
        # Git may store the file otherwise than it lies here (line ends, filters).
        filtered = _git(file, "hash-object", file.name)
        committed = bool(head) and filtered == head
        sha = filtered or sha
    name = file.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return Prompt(content.decode("utf-8"), name, sha, committed)


def _git(file: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=file.resolve().parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
