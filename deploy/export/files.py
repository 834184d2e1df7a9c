"""A data set on disk: a file for each split and a card. The same data give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from deploy.export.build import Built, Kind, Style
from deploy.export.exchange import Selection

FileFormat = Literal["jsonl", "parquet"]

BLOCK = 1_000
"""Examples of a Parquet row group, which is what is held in memory."""

_ABOUT = {
    ("regression", "promptfoo"): "Answers that did not satisfy their users, as promptfoo test cases: "
    "`tests: file://FILE`, `prompts: ['{{messages}}']`.",
    ("regression", "openai-evals"): "Answers that did not satisfy their users, as samples of openai/evals: "
    "`input`, `criteria`, and `ideal` where a later answer was accepted.",
    ("preference", "trl"): "Pairs for DPO (`prompt`, `chosen`, `rejected`): "
    "the answer before the user asked again or had it generated again, and the one that was accepted.",
    ("sft", "trl"): "Answers that satisfied their users (`completion`), each after what was said before it (`prompt`): "
    "loss belongs on the completion only, as TRL puts it, because earlier answers in a prompt may not have satisfied.",
}  # fmt: skip


class ExportError(OSError):
    """The export cannot be written; the message says what to do."""


def write(
    out: Path, kind: Kind, style: Style, form: FileFormat, selection: Selection, built: Built, *, force: bool
) -> dict[str, int]:
    """Write the splits and the card ``README.md``; returns examples per split. Raises ExportError if the folder holds something else."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not force)):
        raise ExportError(f"{out} is not an empty folder; name another one, or --force to replace what an export wrote there")
    out.mkdir(parents=True, exist_ok=True)
    for old in (path for split in built.splits for suffix in ("jsonl", "parquet") if (path := out / f"{split}.{suffix}").exists()):
        old.unlink()
    if form == "parquet":
        schema = _parquet_schema(built)
    digests: dict[str, str] = {}
    for split in built.splits:
        path = out / f"{split}.{form}"
        if form == "jsonl":
            with path.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in built.lines(split))
        else:
            _write_parquet(path, schema, built.lines(split))
        with path.open("rb") as written:
            digests[path.name] = hashlib.file_digest(written, "sha256").hexdigest()
    (out / "README.md").write_text(card(kind, style, selection, built, digests), "utf-8")
    return built.counts()


def _parquet_schema(built: Built) -> Any:
    """The columns that all splits share: every example has all of them."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: pip install 'mirante[parquet]', or choose --format jsonl") from error
    like = next((line for split in built.splits for line in built.lines(split)), None)
    return pa.schema([]) if like is None else pa.Table.from_pylist([json.loads(like)]).schema


def _write_parquet(path: Path, schema: Any, lines: Iterator[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while block := [json.loads(line) for line in islice(lines, BLOCK)]:
            file.write_table(pa.Table.from_pylist(block, schema=schema))


def card(kind: Kind, style: Style, selection: Selection, built: Built, digests: Mapping[str, str]) -> str:
    """The data set card: what is in it, how it was chosen, what to mind."""
    used, examples = built.tally(), built.counts()
    kept = sum(examples.values())
    chosen = [
        ("labels", "final and provisional" if selection.provisional else "final"),
        ("confidence", f"at least {selection.confidence:g}"),
        ("evidence", "explicit feedback only" if selection.explicit else "explicit feedback and behaviour"),
        ("answers since", "the beginning" if selection.since is None else selection.since.isoformat()),
        ("answers until (exclusive)", "the end" if selection.until is None else selection.until.isoformat()),
        ("tenants", ", ".join(selection.tenants) or "all"),
        ("features", ", ".join(selection.features) or "all"),
    ]
    counts = [("found", built.found), ("duplicates dropped", built.found - kept), ("kept", kept)]
    lines = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *[line for name in digests for line in (f"  - split: {name.rpartition('.')[0]}", f"    path: {name}")],
        "---",
        "",
        f"# {kind} ({style})",
        "",
        _ABOUT[kind, style],
        "",
        *_table(("selection", ""), chosen),
        *_table(("examples", ""), counts),
        *_table(
            ("split", "examples | share of sessions | SHA-256"),
            [
                (split, f"{examples[split]} | {share:g} | {digest}")
                for (split, share), digest in zip(built.splits.items(), digests.values(), strict=True)
            ],
        ),
        *_table(("feature", "examples"), _most({name or "(none)": count for name, count in used.features.items()})),
        *_table(("model", "examples"), _most(used.models)),
        *_table(("signal", "examples"), _most(used.signals)),
        f"Answers from {used.first} to {used.last} UTC." if kept else built.nothing(),
        "",
        *([built.unfinished(), ""] if kept and built.provisional else []),
        "Personal data is masked: tags such as `<CPF:4711>` stand for it. Masking is automatic "
        "and not perfect: read a sample before you pass this on.",
        "Labels are inferred from what users said and did; a negative one may mean the question, not the answer.",
        "A session is in one split only, chosen by a hash of its id, so it stays there when the data grow.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _table(head: tuple[str, str], rows: Sequence[tuple[str, object]]) -> list[str]:
    columns = head[1].count("|") + 2
    return [f"| {head[0]} | {head[1]} |", "| --- " * columns + "|", *(f"| {name} | {value} |" for name, value in rows), ""]


def _most(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
