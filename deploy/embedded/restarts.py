"""What ends by itself is started again: later each time, and no more once that is of no use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.embedded.processes import ManagedProcess, ProcessFailed


@dataclass
class Restarts:
    """What is known of the ends of one process.

    A run shorter than ``steady`` seconds is a crash. Crashes in a row are answered by pauses that
    double from ``first`` to ``longest`` seconds; after ``limit`` of them it is given up.
    """

    steady: float = 30.0
    first: float = 1.0
    longest: float = 30.0
    limit: int = 6
    ends: int = 0
    crashes: int = 0
    """In a row."""
    last: str = ""
    at: float = 0.0
    running: bool = True
    """False from its end until it is ready again."""

    def ended(self, how: str, ran: float) -> float | None:
        """Seconds to wait before the next start; None: it is given up."""
        self.ends, self.last, self.at = self.ends + 1, how, time.monotonic()
        self.crashes = 0 if ran >= self.steady else self.crashes + 1
        if self.crashes >= self.limit:
            return None
        return min(self.longest, float(self.first * 2 ** max(0, self.crashes - 1)))

    def __str__(self) -> str:
        """For people, once there was an end."""
        times = "once" if self.ends == 1 else f"{self.ends} times"
        return f"{self.last} {time.monotonic() - self.at:.0f} s ago; ended by itself {times}"


async def keep(
    process: ManagedProcess,
    restarts: Restarts,
    say: Callable[[str], None],
    started: Callable[[], None],
) -> None:
    """Start a running process again whenever it ends by itself, and tell ``started`` so.

    Raises ProcessFailed with the end of its log when it is given up.
    """
    ready: float | None = time.monotonic()
    while True:
        end = await process.wait()
        restarts.running = False
        ran = 0.0 if ready is None else time.monotonic() - ready
        pause = restarts.ended(str(end), ran)
        if pause is None:
            raise process.failure(
                f"ended {restarts.crashes} times in a row less than {restarts.steady:g} s after its "
                f"start, at last it {str(end).removeprefix(f'{process.name} ')}: it is given up"
            )
        say(
            f"{end} after {ran:.0f} s; starting it again in {pause:g} s (it has ended by itself "
            f"{restarts.ends} times). Its log: {process.log_file}"
        )
        await asyncio.sleep(pause)
        try:
            await process.start()
        except ProcessFailed as error:
            say(str(error).splitlines()[0])
            ready = None
        else:
            ready = time.monotonic()
            restarts.running = True
            started()
