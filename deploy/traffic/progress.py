"""Showing how far publishing is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from deploy.traffic import publisher

_LINE_SECONDS = 5.0


def _event_time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


class ProgressView:
    """A context manager to pass as `on_progress`: `with ProgressView("replay") as view: ...`.

    Draws on `console` (standard error unless given). Without a terminal it writes one line every five seconds and
    one at the end.
    """

    def __init__(self, label: str, console: Console | None = None) -> None:
        self._label = label
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._last: publisher.PublishProgress | None = None
        self._printed = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}"),
                TextColumn("{task.fields[rate]:>9,.0f}/s"),
                TextColumn("event time {task.fields[event_time]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task(self._label, total=None, count="0", rate=0.0, event_time="-")
            self._bar.start()
        self._printed = time.monotonic()
        return self

    def __call__(self, progress: publisher.PublishProgress) -> None:
        self._last = progress
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=progress.published,
                total=progress.total,
                count=_count(progress),
                rate=progress.rate,
                event_time=_event_time(progress.event_time),
            )
        elif time.monotonic() - self._printed >= _LINE_SECONDS:
            self._printed = time.monotonic()
            self._print(progress)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._last is not None:
            self._print(self._last)

    def _print(self, progress: publisher.PublishProgress) -> None:
        self._console.print(
            f"{self._label}: {_count(progress)} events, {progress.rate:,.0f}/s, "
            f"event time {_event_time(progress.event_time)}, {progress.seconds:.1f} s",
            highlight=False,
            soft_wrap=True,
        )


def _count(progress: publisher.PublishProgress) -> str:
    if progress.total is None:
        return f"{progress.published:,}"
    return f"{progress.published:,}/{progress.total:,}"
