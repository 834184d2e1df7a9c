"""Format `vidur`: CSV with `num_prefill_tokens,num_decode_tokens` and perhaps `arrived_at` (seconds).

Source: https://github.com/microsoft/vidur (MIT). Without `arrived_at` two requests come per second.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deploy.traffic.files import first_line
from deploy.traffic.pairs import Profile
from deploy.traffic.record import TimedRecord
from deploy.traffic.token_csv import read_token_csv


def _feature(path: Path) -> str:
    name = path.name.lower()
    for feature, mark in (("code", "code"), ("conv", "conv"), ("summarization", "summar")):
        if mark in name:
            return feature
    return "llm"


def read(path: Path, *, run: str, shift_to: datetime | None = None, limit: int | None = None) -> Iterator[TimedRecord]:
    """One request and one response per row. Times count from 2024-01-01T00:00:00Z unless shifted."""
    profile = Profile(tenant="vidur", feature=_feature(path), provider="openai", model="gpt-4o-mini")
    return read_token_csv(
        path,
        profile,
        time_column="arrived_at" if b"arrived_at" in first_line(path) else None,
        token_columns=("num_prefill_tokens", "num_decode_tokens"),
        absolute=False,
        run=run,
        shift_to=shift_to,
        limit=limit,
    )
