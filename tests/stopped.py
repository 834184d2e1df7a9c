"""A process stopped for a while."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def stop(pid: int) -> None:
    """SIGSTOP, and wait until every thread of it stands still: the signal alone does not say so."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while any(_state(thread) not in "Tt" for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.01)


def _state(thread: Path) -> str:
    try:
        return (thread / "stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:  # it has ended meanwhile
        return "T"
