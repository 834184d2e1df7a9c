"""Every benchmark still works: each runs in its smoke mode. `make bench-smoke`; the figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ELSEWHERE = {"sdk"}
"""In the environment of the SDK: `make sdk-bench ARGS=--smoke`."""

BENCHES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if '\nif __name__ == "__main__":' in path.read_text() and path.stem not in ELSEWHERE
)


def test_there_are_benchmarks() -> None:
    assert {"throughput", "core", "labelled_worker"} <= set(BENCHES)


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_has_a_smoke_mode(name: str) -> None:
    assert "smoke" in (Path(__file__).parent / f"{name}.py").read_text(), "see tests/bench/smoke.py"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_through(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"tests.bench.{name}", "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}"
