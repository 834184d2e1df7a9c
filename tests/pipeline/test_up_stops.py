"""Given `mirante up`, whatever its workers do, then it says so, stays usable, and stops when told to.

Nothing is left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.embedded.directory import Endpoints, read_endpoints

COUNT = "SELECT count() FROM interactions FORMAT CSV"


@contextmanager
def up(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A stack without traffic, and where it says what it says."""
    log = data.with_suffix(".out")
    command = [sys.executable, "-m", "deploy.cli", "up", "--data", str(data), "--traffic", "none"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MIRANTE_")
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=data.parent
        )
    try:
        yield process, log
    finally:
        process.kill()
        process.wait()


def endpoints(
    data: Path, process: subprocess.Popen[bytes], within: float = 120.0, other_than: int = 0
) -> Endpoints:
    """Of a stack that is up, once its worker is another one than that."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        assert process.poll() is None, "the stack has ended"
        found = read_endpoints(data)
        if found is not None and found.pids.get("worker-1", other_than) != other_than:
            return found
        time.sleep(0.1)
    raise AssertionError("the stack is not up")


def alive(pids: dict[str, int]) -> list[str]:
    """Those that run; a zombie, ended but not yet collected by its new parent, does not."""
    asked = [str(pid) for pid in pids.values()]
    states = subprocess.run(
        ["ps", "-o", "stat=", "-p", ",".join(asked)], capture_output=True, text=True, check=False
    ).stdout
    return [state for state in states.split() if not state.startswith("Z")]


def gone(pids: dict[str, int], within: float) -> bool:
    until = time.monotonic() + within
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pids)


@pytest.mark.slow
def test_a_worker_that_dies_again_and_again_is_told_and_the_stack_stays_usable_and_stops(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with up(data) as (process, log):
        found, worker = endpoints(data, process), 0
        for _ in range(3):
            found = endpoints(data, process, other_than=worker)
            worker = found.pids["worker-1"]
            os.kill(worker, signal.SIGKILL)
        found = endpoints(data, process, other_than=worker)
        asked = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "query", "--data", str(data), COUNT],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert asked.stdout.strip() == "0", asked.stderr

        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 5.5
    text = log.read_text()
    for pause, times in ((1, 1), (2, 2), (4, 3)):
        assert f"starting it again in {pause} s (it has ended by itself {times} times)" in text
    assert (
        "worker-1 was ended by SIGKILL" in text.splitlines()[-1]
        and "ended by itself 3 times" in text.splitlines()[-1]
    )
    assert "Traceback" not in text
    assert not alive(found.pids)


def test_a_second_interrupt_kills_at_once_and_the_next_start_takes_up_the_data(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with up(data) as (process, log):
        found = endpoints(data, process)
        for name in ("clickhouse", "worker-1"):  # so that stopping in order would take its time
            os.kill(found.pids[name], signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 128 + signal.SIGINT
        assert time.monotonic() - begun < 1.0
        assert gone(found.pids, within=2.0)
        assert read_endpoints(data) is None and not (data / "endpoints.json").exists()
    assert "Traceback" not in log.read_text()
    with up(data) as (process, _):
        endpoints(data, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
