"""Prompt files of a Git repository, and whether the prompt versions that run are among them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from schemas.behaviour_rows import PromptFileRow

PATTERNS = ("**/prompts/**", "prompts/**", "**/*.prompt", "**/*.prompty", "**/*.prompt.*")
"""Where prompt files are, unless told otherwise: pathspecs of Git, with ``**`` for any folders."""
LEAST_SHA = 7
"""Digits from which an abbreviated SHA is taken for one."""

RUNNING = (
    "SELECT feature, prompt_name, prompt_sha, min(time) AS first_seen, max(time) AS last_seen, count() AS requests "
    "FROM mirante.interactions WHERE operation IN ('chat', 'text_completion') "
    "AND time > (SELECT max(time) FROM mirante.interactions_data) - toIntervalSecond(%(seconds)s) "
    "GROUP BY feature, prompt_name, prompt_sha ORDER BY feature, prompt_name, last_seen DESC, prompt_sha"
)
"""Prompt versions of the last ``seconds`` of the traffic."""

Status = Literal["latest", "superseded", "not committed", "no sha", "unknown"]

_RECORD, _FIELD = "\x1e", "\x1f"
_DELETED = "D"


class GitError(RuntimeError):
    """Git did not answer; the message says what it said."""


class Running(NamedTuple):
    """A prompt version in the traffic. ``by``: the latest commit of the file, when this version is superseded by it."""

    feature: str
    prompt_name: str
    prompt_sha: str
    first_seen: Any
    last_seen: Any
    requests: int
    now: bool
    status: Status
    path: str
    by: str


def read_repository(repository: Path, patterns: Sequence[str] = PATTERNS, *, name: str | None = None) -> list[PromptFileRow]:
    """Every commit of ``HEAD``'s history that touched a prompt file, the latest first. ``name``: what the repository is called in the
    table; by default its address, or the folder's name. Raises GitError."""
    head = int(_git(repository, "log", "-1", "--format=%ct"))
    name = name or _address(repository)
    specs = [f":(glob){pattern}" for pattern in patterns]
    plain = ("-c", "core.quotePath=false")
    tree = (line.partition("\t") for line in _git(repository, *plain, "ls-tree", "-r", "--full-tree", "HEAD").splitlines())
    present = {path: meta.split()[2] for meta, _, path in tree}
    form = f"--format={_RECORD}%H{_FIELD}%ct"
    log = _git(repository, *plain, "log", "--no-renames", "--raw", "--no-abbrev", form, "--", *specs)
    return list(_rows(log, present, name, head))


def _rows(log: str, present: dict[str, str], repository: str, version: int) -> Iterator[PromptFileRow]:
    """``present``: the blobs of HEAD, by path."""
    for record in log.split(_RECORD)[1:]:
        head, _, changes = record.partition("\n")
        commit, seconds = head.split(_FIELD)
        for line in changes.splitlines():
            if not line.startswith(":"):
                continue
            meta, _, path = line.partition("\t")
            *_, blob, state = meta.split()
            if state == _DELETED:
                continue
            latest = present.get(path) == blob
            if latest:  # of several commits with this content the last one
                del present[path]
            yield PromptFileRow(
                repository=repository, path=path, name=name_of(path), commit_sha=commit, blob_sha=blob, version=version,
                committed_at=datetime.fromtimestamp(int(seconds), UTC), latest=latest,
            )  # fmt: skip


def name_of(path: str) -> str:
    """``prompts/support.pt.prompt`` -> ``support.pt``: the file's name without its last suffixes that say what kind it is."""
    name = PurePosixPath(path).name
    for suffix in (".md", ".txt", ".jinja2", ".jinja", ".j2", ".yaml", ".yml", ".json", ".toml", ".prompty", ".prompt"):
        name = name.removesuffix(suffix)
    return name


def _is_called(path: str, name: str) -> bool:
    """Whether a prompt's name is the end of a file's path, with or without suffixes: ``support/answer``, ``prompts/support/answer.md``."""
    return any(f"/{end}".endswith(f"/{name}") for end in (path, str(PurePosixPath(path).with_name(name_of(path)))))


def _address(repository: Path) -> str:
    try:
        address = _git(repository, "remote", "get-url", "origin").strip()
    except GitError:
        return Path(_git(repository, "rev-parse", "--show-toplevel").strip()).name
    return address.rpartition("@")[2]  # never with a password


def _git(repository: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=False, timeout=300)
    except FileNotFoundError as error:
        raise GitError("the program git was not found; install it") from error
    if done.returncode:
        raise GitError(f"{repository}: {done.stderr.decode(errors='replace').strip() or 'git failed'}")
    return done.stdout.decode(errors="replace")


def compare(running: Iterable[Sequence[Any]], committed: Sequence[dict[str, Any]]) -> list[Running]:
    """What runs beside what is committed.

    ``running``: feature, prompt name, SHA, first and last seen, requests. A SHA may be that of a commit which touched the file or of the
    file's content (blob), abbreviated to seven digits or more; among several files that fit, the one named like the prompt counts.
    """
    found = list(running)
    newest: dict[tuple[str, str], Any] = {}
    for feature, name, _, _, last, _ in found:
        newest[feature, name] = max(newest.get((feature, name), last), last)
    shown = []
    for feature, name, sha, first, last, requests in found:
        status, path, by = _status(name, sha, committed)
        shown.append(Running(feature, name, sha, first, last, requests, last == newest[feature, name], status, path, by))
    return shown


def _status(name: str, sha: str, committed: Sequence[dict[str, Any]]) -> tuple[Status, str, str]:
    if not sha:
        return "no sha", "", ""
    if not committed:
        return "unknown", "", ""
    lower = sha.lower()
    hits = [f for f in committed if len(lower) >= LEAST_SHA and (f["commit_sha"].startswith(lower) or f["blob_sha"].startswith(lower))]
    named = [f for f in hits if _is_called(f["path"], name)] or hits
    if not named:
        return "not committed", "", ""
    best = max(named, key=lambda f: (f["latest"], f["committed_at"], f["path"]))
    if best["latest"]:
        return "latest", best["path"], ""
    latest = [f for f in committed if f["latest"] and (f["repository"], f["path"]) == (best["repository"], best["path"])]
    if latest and latest[0]["blob_sha"] == best["blob_sha"]:
        return "latest", best["path"], ""
    return "superseded", best["path"], latest[0]["commit_sha"] if latest else ""
