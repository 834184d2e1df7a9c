"""What ends by itself is started again, later each time, and is given up when that is of no use.

The growth of a broker is told.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from deploy.embedded.memory import FIRST_TOLD, MEBIBYTE, Growth, most, resident
from deploy.embedded.processes import ManagedProcess, ProcessFailed
from deploy.embedded.restarts import Restarts, keep


class TestPauses:
    def test_crashes_in_a_row_are_answered_later_each_time_and_then_no_more(self) -> None:
        restarts = Restarts()
        pauses = [restarts.ended("worker-1 exited with status 1", 2.0) for _ in range(6)]
        assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, None]

    def test_a_worker_that_dies_every_minute_is_started_again_for_ever(self) -> None:
        restarts = Restarts()
        assert {restarts.ended("worker-1 was ended by SIGKILL", 60.0) for _ in range(10_000)} == {
            1.0
        }
        assert "worker-1 was ended by SIGKILL" in str(restarts) and "10000 times" in str(restarts)

    def test_a_long_run_forgives_the_crashes_before_it(self) -> None:
        restarts = Restarts()
        for _ in range(5):
            restarts.ended("x", 1.0)
        assert restarts.ended("x", 31.0) == 1.0
        assert restarts.ended("x", 1.0) == 1.0


def test_a_crash_loop_is_told_and_ends_with_the_last_lines_of_the_log(tmp_path: Path) -> None:
    code = "print('pid'); print('cannot read the map', flush=True); raise SystemExit(3)"
    process = ManagedProcess("worker-1", [sys.executable, "-c", code], log_dir=tmp_path)
    restarts, said = Restarts(first=0.01, limit=3), list[str]()

    async def loop() -> None:
        await process.start()
        await keep(process, restarts, said.append, lambda: None)

    with pytest.raises(ProcessFailed) as given_up:
        asyncio.run(asyncio.wait_for(loop(), 30))
    text = str(given_up.value)
    assert "worker-1 ended 3 times in a row" in text and "exited with status 3" in text
    assert text.splitlines()[-1].strip() == "cannot read the map"
    assert len(said) == 2 and all(
        "worker-1 exited with status 3 after 0 s; starting it again in" in line for line in said
    )
    assert process.log_file.read_text().count("pid") == 3


def test_a_start_that_fails_counts_as_a_crash(tmp_path: Path) -> None:
    """Given a process that lives but never answers, then it is given up as one that ends is."""

    async def never() -> bool:
        return (tmp_path / "first").exists()

    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = ManagedProcess("ingest", sleeps, log_dir=tmp_path, ready=never, ready_timeout=0.2)

    async def loop() -> None:
        (tmp_path / "first").touch()
        await process.start()
        (tmp_path / "first").unlink()
        keeping = asyncio.ensure_future(
            keep(process, Restarts(first=0.01, limit=3), lambda _: None, lambda: None)
        )
        await process.kill()
        await keeping

    with pytest.raises(ProcessFailed, match="ingest ended 3 times in a row"):
        asyncio.run(asyncio.wait_for(loop(), 30))
    assert not process.alive


class TestMemory:
    def test_growth_is_told_at_half_a_gibibyte_and_every_doubling(self) -> None:
        growth = Growth(limit=8 * 1024 * MEBIBYTE)
        told = [
            size for size in range(0, 2_600, 20) if growth.seen(size * 3.0, size * MEBIBYTE)
        ]  # 20 MB a minute
        assert told == [520, 1_040, 2_060]
        assert growth.per_minute == pytest.approx(20 * MEBIBYTE)
        assert "2,580 MB in memory, +20 MB a minute; at this pace it is full in 5 hours" in str(
            growth
        )

    def test_it_ends_where_the_machine_would(self) -> None:
        growth = Growth(limit=FIRST_TOLD)
        growth.seen(0.0, FIRST_TOLD)
        assert not growth.exceeded
        growth.seen(5.0, FIRST_TOLD + 1)
        assert growth.exceeded

    def test_this_process_has_some(self) -> None:
        import os

        assert 10 * MEBIBYTE < (resident(os.getpid()) or 0) < 2 * most()
        assert resident(2**22 - 3) is None
