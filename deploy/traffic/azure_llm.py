"""Format `azure-llm`: the Azure LLM inference traces, CSV `TIMESTAMP,ContextTokens,GeneratedTokens`.

Source: https://github.com/Azure/AzurePublicDataset (CC-BY-4.0). Times carry no zone and are taken as UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deploy.traffic.pairs import Profile
from deploy.traffic.record import TimedRecord
from deploy.traffic.token_csv import read_token_csv


def _feature(path: Path) -> str:
    name = path.name.lower()
    for feature in ("code", "conv"):
        if feature in name:
            return feature
    return "llm"


def read(path: Path, *, run: str, shift_to: datetime | None = None, limit: int | None = None) -> Iterator[TimedRecord]:
    """One request and one response per row. Feature `code` or `conv` from the file name, model gpt-4o-mini."""
    profile = Profile(tenant="azure", feature=_feature(path), provider="openai", model="gpt-4o-mini")
    return read_token_csv(
        path,
        profile,
        time_column="TIMESTAMP",
        token_columns=("ContextTokens", "GeneratedTokens"),
        absolute=True,
        run=run,
        shift_to=shift_to,
        limit=limit,
    )
