"""How much memory a process holds, how fast it grows, and when that must end.

The embedded broker keeps every record in memory until it stops, so its growth is told and bounded.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from pathlib import Path

MEBIBYTE = 1024 * 1024
FIRST_TOLD = 512 * MEBIBYTE
SHARE = 0.5
"""Of the machine's memory that one process may hold."""

SAMPLES, SAMPLE_SECONDS = 20, 30.0
"""What the speed is taken from: the last ten minutes."""

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def resident(pid: int) -> int | None:
    """Bytes that a process holds in memory; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/statm").read_text()
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return None
    answer = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(answer.stdout) * 1024 if answer.stdout.strip() else None


def most() -> int:
    """Bytes that one process may hold: a share of what this machine, or this container, has."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP.exists() and (text := _CGROUP.read_text().strip()).isdecimal():
        installed = min(installed, int(text))
    return int(installed * SHARE)


class Growth:
    """The memory of one process over time. ``limit`` in bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.told = False
        """Whether there was ever something to tell."""
        self._next = FIRST_TOLD
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def seen(self, now: float, size: int) -> bool:
        """Take note of it; whether it is time to tell: at half a gibibyte and every doubling."""
        self.size = size
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((now, size))
        if size < self._next:
            return False
        while self._next <= size:
            self._next *= 2
        self.told = True
        return True

    @property
    def exceeded(self) -> bool:
        """Whether the process is larger than its limit."""
        return self.size > self.limit

    @property
    def per_minute(self) -> float:
        """Bytes, over the last ten minutes; 0 while nothing can be said."""
        (begun, before), (now, after) = (
            (self._samples[0], self._samples[-1]) if self._samples else ((0.0, 0), (0.0, 0))
        )
        return (after - before) / (now - begun) * 60 if now > begun else 0.0

    def __str__(self) -> str:
        """For people."""
        text = f"{self.size / MEBIBYTE:,.0f} MB in memory"
        if (growth := self.per_minute) < MEBIBYTE:
            return text
        minutes = max(0.0, self.limit - self.size) / growth
        left = f"{minutes / 60:.0f} hours" if minutes > 120 else f"{minutes:.0f} minutes"
        return f"{text}, {growth / MEBIBYTE:+,.0f} MB a minute; at this pace it is full in {left}"
