"""A sign of life for commands that wait for one long answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AFTER = 2.0
"""Seconds until it is shown: what is quicker needs none."""

EVERY = 5.0
"""Seconds between lines where there is no terminal."""


@contextmanager
def waiting(what: str, *, after: float = AFTER) -> Iterator[None]:
    """Says on standard error that ``what`` goes on and for how long, until the block ends. What is printed must come after it."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    begun, ended = time.monotonic(), threading.Event()

    def words() -> str:
        return f"{what}: {time.monotonic() - begun:.0f} s ..."

    def show() -> None:
        if ended.wait(after):
            return
        if not console.is_terminal:
            console.print(words(), soft_wrap=True)
            while not ended.wait(EVERY):
                console.print(words(), soft_wrap=True)
            return
        with console.status(words()) as status:
            while not ended.wait(0.5):
                status.update(words())

    shower = threading.Thread(target=show, name="waiting", daemon=True)
    shower.start()
    try:
        yield
    finally:
        ended.set()
        shower.join()
