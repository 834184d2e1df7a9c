"""A sampled answer as a row of a fixed size: 359 bytes, whatever its text."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.drift.text import (
    GRAMS,
    LENGTH,
    SHAPES,
    STYLE,
    WORDS,
    Floats,
    Small,
    answer_grams,
    answer_style,
    language,
    packed,
    question_vectors,
    question_words,
    unpacked,
)  # fmt: skip
from schemas.samples import Sample

NUMBERS = ("input_tokens", "output_tokens", "cost_usd", "latency_ms", "ttft_ms", "retrieval_score")
BINARIES = ("refusal", "failed", "truncated", "rail_blocked", "output_invalid")
CATEGORIES = (
    "answer_language", "question_language", "finish_reason", "tool", "tenant",
    "model", "system_fingerprint", "prompt_sha", "index_version",
)  # fmt: skip

ROW = np.dtype(
    [
        ("seq", "<i4"),
        ("time", "<f8"),
        ("session", "<u8"),
        ("text", "?"),
        ("numbers", "<f4", (len(NUMBERS),)),
        ("binaries", "i1", (len(BINARIES),)),
        ("codes", "u1", (len(CATEGORIES),)),
        ("style", "i1", (STYLE,)),
        ("grams", "u1", ((GRAMS + SHAPES) // 2,)),
        ("question", "<u2", (WORDS,)),
    ]
)
"""Missing numbers are NaN, missing binaries -1. ``text``: whether the answer is one, not an error."""

Rows = NDArray[Any]

FEATURES = "3"
"""Of the layout and meaning of a row: another value with every change of them."""

MAX_NAMES = 200
"""Values of a category that are told apart in one series."""
OTHER = "__other__"

_LARGEST = 1e30
"""Retrievers may score in any unit; what is larger is as good as this."""
_FAILED = frozenset({"api_error", "timeout", "cancelled", "blocked"})


def empty_rows() -> Rows:
    """No rows."""
    return np.empty(0, ROW)


def row_of(sample: Sample, seq: int, names: list[list[str]], embedded: Small | None = None) -> Rows:
    """One row. ``names``: per category the values known so far, grows; ``embedded``: what a model that is plugged in says of the answer."""
    row = np.zeros(1, ROW)
    failed = sample.outcome in _FAILED
    text = bool(sample.answer.strip()) and not failed
    row["seq"], row["time"], row["text"] = seq, sample.time, text
    row["session"] = int.from_bytes(blake2b(sample.session.encode(), digest_size=8).digest(), "little")
    row["numbers"] = [
        np.nan if value is None else min(max(value, -_LARGEST), _LARGEST)
        for value in (
            sample.input_tokens, sample.output_tokens, sample.cost_usd, sample.latency_ms, sample.ttft_ms, sample.retrieval_score,
        )
    ]  # fmt: skip
    row["binaries"] = [
        sample.outcome in ("refusal", "content_filter"),
        failed,
        sample.outcome == "truncated",
        sample.rail_blocked,
        -1 if sample.json_valid is None else not sample.json_valid,
    ]
    values = (
        language(sample.answer) if text else "", language(sample.question) if sample.question else "", sample.finish_reason, sample.tool,
        f"{sample.tenant}/{sample.environment}" if sample.environment else sample.tenant,
        sample.served, sample.fingerprint, sample.prompt_sha, sample.index_version,
    )  # fmt: skip
    row["codes"] = [_code(known, value) for known, value in zip(names, values, strict=True)]
    if text:
        row["style"], row["grams"] = answer_style(sample.answer), packed(answer_grams(sample.answer, embedded))
    if sample.question:
        row["question"] = question_words(sample.question)
    return row


def answers(rows: Rows) -> Floats:
    """Vectors of the answers: n-grams of characters and of shapes, each of length 1, then style in its own units."""
    return np.hstack([unpacked(np.ascontiguousarray(rows["grams"])) / np.float32(LENGTH), rows["style"]])


def questions(rows: Rows) -> Floats:
    """Vectors of the questions, of length 1."""
    return question_vectors(rows["question"])


def recoded(rows: Rows, names: list[list[str]], new_names: list[list[str]]) -> Rows:
    """Rows of one series for another one, whose names grow."""
    rows = rows.copy()
    for at, known in enumerate(names):
        codes = np.array([_code(new_names[at], name) for name in known] or [0], np.uint8)
        rows["codes"][:, at] = codes[rows["codes"][:, at]]
    return rows


def _code(known: list[str], value: str) -> int:
    try:
        return known.index(value)
    except ValueError:
        known.append(value if len(known) < MAX_NAMES else OTHER)
        return len(known) - 1 if len(known) <= MAX_NAMES else known.index(OTHER)
