"""A data set on disk: a file for each split and a card. The same data give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from streams.export.build import Built, Kind, Style
from streams.export.exchange import Selection

FileFormat = Literal["jsonl", "parquet"]

_ABOUT = {
    ("regression", "promptfoo"): "Answers that did not satisfy their users, as promptfoo test cases: "
    "`tests: file://FILE`, `prompts: ['{{messages}}']`.",
    ("regression", "openai-evals"): "Answers that did not satisfy their users, as samples of openai/evals: "
    "`input`, `criteria`, and `ideal` where a later answer was accepted.",
    ("preference", "trl"): "Pairs for DPO (`prompt`, `chosen`, `rejected`): "
    "the answer before the user asked again or had it generated again, and the one that was accepted.",
    ("sft", "trl"): "Chats whose last answer satisfied its user (`messages`).",
}  # fmt: skip


class ExportError(OSError):
    """The export cannot be written; the message says what to do."""


def write(
    out: Path, kind: Kind, style: Style, form: FileFormat, selection: Selection, shares: Mapping[str, float], built: Built, *, force: bool
) -> dict[str, int]:
    """Write the splits and the card ``README.md``; returns examples per split. Raises ExportError if the folder holds something else."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not force)):
        raise ExportError(f"{out} is not an empty folder; name another one, or --force to replace what an export wrote there")
    out.mkdir(parents=True, exist_ok=True)
    for old in (path for split in shares for suffix in ("jsonl", "parquet") if (path := out / f"{split}.{suffix}").exists()):
        old.unlink()
    rows = [row for split in built.splits.values() for row in split]
    digests: dict[str, str] = {}
    for split, examples in built.splits.items():
        data = jsonl(examples) if form == "jsonl" else parquet(examples, rows)
        name = f"{split}.{form}"
        (out / name).write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    (out / "README.md").write_text(card(kind, style, selection, shares, built, digests), "utf-8")
    return {split: len(examples) for split, examples in built.splits.items()}


def jsonl(examples: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in examples).encode()


def parquet(examples: list[dict[str, Any]], like: list[dict[str, Any]]) -> bytes:
    """Parquet with the columns of ``like``, which all splits share."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: pip install 'mirante[parquet]', or choose --format jsonl") from error
    schema = pa.Table.from_pylist(like).schema if like else pa.schema([])
    file = BytesIO()
    pq.write_table(pa.Table.from_pylist(examples, schema=schema), file, compression="zstd")
    return file.getvalue()


def card(kind: Kind, style: Style, selection: Selection, shares: Mapping[str, float], built: Built, digests: Mapping[str, str]) -> str:
    """The data set card: what is in it, how it was chosen, what to mind."""
    used = built.used
    kept = sum(len(examples) for examples in built.splits.values())
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
    times = sorted(exchange.time for exchange in used)
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
                (split, f"{len(built.splits[split])} | {shares[split]:g} | {digest}")
                for split, digest in zip(built.splits, digests.values(), strict=True)
            ],
        ),
        *_table(("feature", "examples"), _counted(exchange.feature or "(none)" for exchange in used)),
        *_table(("model", "examples"), _counted(exchange.model for exchange in used)),
        *_table(("signal", "examples"), _counted(signal for exchange in used for signal in exchange.signals)),
        f"Answers from {times[0]} to {times[-1]} UTC." if times else "Nothing was found; widen the selection or lower --confidence.",
        "",
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


def _counted(values: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
