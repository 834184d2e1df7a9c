"""`python -m tests.chaos.soak --minutes 30`: steady traffic, and whether memory and open files of the worker stay flat."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deploy.embedded.stack import Stack, StackOptions
from deploy.traffic.publisher import publish
from streams.kafka import client_options
from tests.load import Load

WARM_UP = 300.0
"""Seconds until caches and windows of bounded size have filled."""

LIMIT = 0.03
"""Growth allowed after the warm-up."""


class Sample(NamedTuple):
    seconds: float
    memory_mb: float
    files: int


def measure(pid: int, begun: float) -> Sample:
    """Resident memory and open files of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    return Sample(time.monotonic() - begun, memory, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def growth(samples: list[Sample], value: str) -> float:
    """Relative growth over the time after the warm-up: the fitted line's rise, because single samples swing with garbage and windows."""
    after = [sample for sample in samples if sample.seconds > WARM_UP]
    values = np.array([getattr(sample, value) for sample in after], float)
    slope, start = np.polyfit([sample.seconds for sample in after], values, 1)
    first, last = after[0].seconds, after[-1].seconds
    return float(slope * (last - first) / (start + slope * first))


async def soak(minutes: float, rate: float, kafka: str) -> bool:
    """Run; True if memory and files stayed flat."""
    load = Load(pairs=int(rate * minutes * 30), run="soak", start_us=int(time.time() * 1e6), rate=rate / 2, session_pairs=4)
    with tempfile.TemporaryDirectory(prefix="mirante-soak-") as directory:
        async with Stack(StackOptions(Path(directory), kafka=kafka), print) as stack:
            pid = stack.workers[0].pid
            assert pid is not None
            begun, samples = time.monotonic(), []
            publishing = asyncio.ensure_future(publish(load.records(), speed=1.0, **client_options(stack.settings)))
            while not publishing.done():
                await asyncio.sleep(10)
                samples.append(measure(pid, begun))
                if len(samples) % 6 == 0:
                    at, memory, files = samples[-1]
                    print(f"{at / 60:5.1f} min  {memory:7.1f} MB  {files} open files", flush=True)
            await publishing
    memory, files = growth(samples, "memory_mb"), growth(samples, "files")
    print(f"growth after minute {WARM_UP / 60:.0f}: memory {memory:+.1%}, open files {files:+.1%} (limit {LIMIT:.0%})")
    return memory < LIMIT and files < LIMIT


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=2_000, help="events per second")
    parser.add_argument("--kafka", choices=["embedded", "apache"], default="embedded")
    args = parser.parse_args()
    sys.exit(0 if asyncio.run(soak(args.minutes, args.rate, args.kafka)) else 1)
