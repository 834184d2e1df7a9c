"""What river's detectors add to the sampled tests of drift. Run it: `python -m tests.bench.drift_witness`.

Streams of generated assistants whose numbers (log-normal, as times and tokens are) grow by a factor after 200 answers, real refusals
that become more frequent, and streams without a change.

*Heard*: streams in which a detector finds the changed metric within 200 answers after the change, and the median delay. *Without*:
what each says per 10,000 answers before a change. *Alarm*: found, median delay and alarms before the change of Mirante as it is, and if
an alarm asked for 1/2, 1/8 and 1/64 of the evidence where a detector has spoken within the last 100 answers. *µs*: CPU per answer of the
second witness, and beside it of all that Mirante does with an answer.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from agents.drift.monitor import DriftMonitor
from agents.drift.settings import DriftSettings
from agents.drift.witness import Heard, statements
from schemas.samples import Sample
from tests.bench import smoke
from tests.bench.drift_data import DATA, Case, Make, assistant, one, refusals, two

NEEDED = 1 / DriftSettings().level
EASIER = (1, 2, 8, 64)
WITHIN = 200


def numbers(field: str = "", by: float = 1.0) -> Make:
    """An assistant whose numbers scatter; one of them is so many times as large."""
    answer = assistant()

    def draw(n: int, rng: random.Random) -> Sample:
        found = {name: rng.lognormvariate(6, 0.5) for name in ("latency_ms", "ttft_ms", "output_tokens")}
        found |= {field: found[field] * by} if field else {}
        tokens = int(found.pop("output_tokens"))
        return msgspec.structs.replace(answer(n, rng), output_tokens=tokens, cost_usd=1e-5 * tokens, **found)

    return draw


def cases(seeds: range) -> Iterator[Case]:
    for field, by in (("latency_ms", 2.0), ("latency_ms", 1.4), ("ttft_ms", 2.0), ("output_tokens", 1.5)):
        for seed in seeds:
            yield two(f"{field} x{by:g}", numbers(), numbers(field, by), random.Random(seed), "unknown")
    for seed in seeds if DATA.exists() else ():
        yield two("refusals .79 > .95", refusals(0.79), refusals(0.95), random.Random(seed), "silent_provider_change")
    for seed in seeds:
        yield one("nothing changes", numbers(), random.Random(seed), 2_500)


class Run:
    """One stream: what was heard at which answer, the evidence after each, and CPU seconds of the witness and of all."""

    def __init__(self, answers: Sequence[Sample]) -> None:
        self.heard: list[tuple[int, Heard]] = []
        self.evidence: list[float] = []
        self.witness, begun, monitor = 0.0, time.process_time(), DriftMonitor()
        for number, answer in enumerate(answers, 1):
            monitor.add(answer, NEEDED)
            self.heard += [(number, said) for said in monitor.said]
            if not len(monitor.series.block) and len(monitor.series.window):
                at = time.process_time()
                statements(monitor.series)
                self.witness += time.process_time() - at
            self.evidence.append(monitor.evidence)
            if monitor.drift is None and monitor.evidence >= NEEDED:
                monitor.declare()
                monitor.renew()
        self.all = time.process_time() - begun - self.witness

    def alarm(self, easier: int) -> int | None:
        """The answer with which it would have been raised first."""
        for number, evidence in enumerate(self.evidence, 1):
            spoken = any(number - 100 <= at <= number for at, _ in self.heard)
            if evidence >= NEEDED or (spoken and evidence >= NEEDED / easier):
                return number
        return None


def row(name: str, runs: Sequence[tuple[Case, Run]]) -> list[str]:
    metric, delays, before = name.split()[0], defaultdict[str, list[int]](list), Counter[str]()
    for case, run in runs:
        change = len(case.answers) if case.change is None else case.change
        before.update(said.detector for at, said in run.heard if at <= change)
        first: dict[str, int] = {}
        for at, said in run.heard:
            if change < at <= change + WITHIN and said.metric in (metric, "refusal"):
                first.setdefault(said.detector, at - change)
        for detector, delay in first.items():
            delays[detector].append(delay)
    known = sum(len(case.answers) if case.change is None else case.change for case, _ in runs)
    heard = [f"{detector} {len(found)}, {statistics.median(found):.0f}" for detector, found in sorted(delays.items())]
    cells = [name, str(len(runs)), "\n".join(heard), "\n".join(f"{d} {10_000 * n / known:.1f}" for d, n in sorted(before.items()))]
    for easier in EASIER:
        alarms = [(run.alarm(easier), case.change if case.change is not None else len(case.answers)) for case, run in runs]
        found = [at - change for at, change in alarms if at is not None and at > change]
        early = sum(at is not None and at <= change for at, change in alarms)
        cells.append(f"{len(found)}, {statistics.median(found):.0f}, {early}" if found else f"0, -, {early}")
    answers = sum(len(case.answers) for case, _ in runs)
    cells.append(f"{1e6 * sum(run.witness for _, run in runs) / answers:.0f} / {1e6 * sum(run.all for _, run in runs) / answers:.0f}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="streams per case")
    options = smoke.parse(parser, seeds=1)
    runs: dict[str, list[tuple[Case, Run]]] = {}
    for case in cases(range(9_000, 9_000 + options.seeds)):
        runs.setdefault(case.name, []).append((case, Run(case.answers)))
    table = Table(title="A second witness of drift", title_justify="left")
    for column in ("case", "streams", "heard", "without", *(f"alarm at 1/{easier}" for easier in EASIER), "µs"):
        table.add_column(column)
    for name, found in runs.items():
        table.add_row(*row(name, found))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
