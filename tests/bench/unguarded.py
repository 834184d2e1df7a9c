"""A worker without guards, to compare with: `python -m tests.bench.unguarded worker`. It stores personal data: for benchmarks only."""

from __future__ import annotations

import asyncio

from agents.inspection import masking, verdicts
from agents.inspection.schema import UNCHECKED
from agents.interactions import rows
from deploy.cli import main
from tests.bench import smoke
from tests.bench.guarded_worker import UNGUARDED, measure, traffic
from tests.bench.stage1 import Unmasked


def switch_off() -> None:
    verdicts.refusals = lambda answers: [False] * len(answers)
    verdicts.attempts = rows.attempts = lambda request: []
    verdicts.validity = lambda schema, answer: UNCHECKED
    masking.Masking.line = Unmasked.line  # type: ignore[method-assign]


if __name__ == "__main__":
    if smoke.asked_for():
        asyncio.run(measure(UNGUARDED, traffic("load", smoke.EVENTS)))
    else:
        switch_off()
        main()
