"""A worker without guards, to compare with: `python -m tests.bench.unguarded worker`. It stores personal data: for benchmarks only."""

from __future__ import annotations

from agents.guards.schema import UNCHECKED
from agents.interactions import masking, rows
from streams.cli import main
from tests.bench.stage1 import Unmasked


def switch_off() -> None:
    rows.is_refusal = lambda answer: False  # type: ignore[assignment]
    rows.attempts = lambda request: []  # type: ignore[assignment]
    rows.validity = lambda schema, answer: UNCHECKED  # type: ignore[assignment]
    masking.Masking.line = Unmasked.line  # type: ignore[method-assign]


if __name__ == "__main__":
    switch_off()
    main()
