"""What one call adds to the partial sums of its partition: to those of the windows and to those of budgets and limits.

Calls before the beginning of a backfill add nothing (segments.WARM_UP). An answer that came long after its window is summed apart
(``counted``, agents/interactions/parts.py), as a late answer to a call that counts as unanswered: whether that was told before it
came depends on the order of reading, and the sums must not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

from agents.interactions.partials import Partials
from agents.interactions.parts import counted_at
from agents.interactions.rows import series_of
from agents.interactions.segments import WARM_UP
from agents.interactions.usages import Grouping, Usages
from schemas.aggregates import UNANSWERED, Contribution, Series
from schemas.events import Request
from schemas.group_usage import Group

_UNANSWERED = Contribution(UNANSWERED, (0, 0, 0, 0, 0), None, None, None)


class SeriesSums:
    """Of one partition. ``series``: with the model that answered. ``settle``: seconds after its window in which detectors expect a call
    to end; ``grace``: beyond a request's timeout, until it counts as unanswered."""

    def __init__(self, partials: Partials, usages: Usages, rules: Grouping, settle: float, grace: float) -> None:
        self._partials = partials
        self._usages = usages if rules else None
        self._rules = rules
        self._settle = settle
        self._grace = grace

    def counted_at(self, time: float, ended: float) -> int:
        """Start of the window in which detectors count a call that began at ``time`` and ended at ``ended``; 0: its own."""
        return counted_at(time, ended, self._settle) if ended > time + self._settle else 0  # as of nearly all

    def unanswered(self, segment: int, time: float, request: Request) -> None:
        if segment == WARM_UP:
            return
        self._partials.add(segment, time, series_of(request, None), _UNANSWERED, overdue=self._is_overdue(request, time))
        if self._usages is not None:
            self._usages.add(segment, time, request, _UNANSWERED)

    def answered(
        self, segment: int, time: float, request: Request, series: Series, item: Contribution, *, late: bool, counted: int
    ) -> bool:
        """``late``: it was counted as unanswered before. False: counted under __other__."""
        if segment == WARM_UP:
            return True
        if counted and not late:
            late = True
            self.unanswered(segment, time, request)
        asked = series if series.model == request.model else series._replace(model=request.model)
        overdue = late and self._is_overdue(request, time)
        admitted = self._partials.answer(segment, time, asked, series, item, late=late, counted=counted, overdue=overdue)
        if self._usages is not None:
            self._usages.answer(segment, time, request, series.model, item.response_id, item, late=late, counted=counted)
        return admitted

    def take_back_unanswered(self, segment: int, time: float, request: Request) -> None:
        """Undo :meth:`unanswered`."""
        if segment == WARM_UP:
            return
        series, overdue = series_of(request, None), self._is_overdue(request, time)
        self._partials.take_back(segment, time, series, series, _UNANSWERED, overdue=overdue)
        if self._usages is not None:
            self._usages.take_back(segment, time, request, request.model, "", _UNANSWERED)

    def take_back(self, segment: int, time: float, request: Request, series: Series, item: Contribution, counted: int) -> None:
        """Undo :meth:`answered`, whether it was told as unanswered before or not: the sums are the same."""
        if segment == WARM_UP:
            return
        asked, late = series._replace(model=request.model), counted > 0
        self._partials.take_back(segment, time, asked, series, item, late=late, counted=counted)
        if self._usages is not None:
            self._usages.take_back(segment, time, request, series.model, item.response_id, item, late=late, counted=counted)
        if counted:
            self.take_back_unanswered(segment, time, request)

    def void(self, segment: int, time: float, request: Request) -> None:
        """A copy of the call belongs to ``segment``, and another one counts."""
        if segment != WARM_UP:
            self._void(segment, time, series_of(request, None), self._groups(request, request.model), 0)

    def void_answer(self, segment: int, time: float, request: Request, model: str, counted: int) -> None:
        """The same, of what its answer would have been counted in besides."""
        if segment == WARM_UP:
            return
        series, asked = series_of(request, None), self._groups(request, request.model)
        if counted:
            self._void(segment, time, series, asked, counted)
        if model != request.model:
            groups = [group for group in self._groups(request, model) if group not in asked]
            self._void(segment, time, series._replace(model=model), groups, counted)

    def _void(self, segment: int, time: float, series: Series, groups: Iterable[Group], counted: int) -> None:
        self._partials.void(segment, time, series, counted)
        if self._usages is not None:
            self._usages.void(segment, time, groups, counted)

    def _is_overdue(self, request: Request, time: float) -> bool:
        """Whether its service waits for an answer for longer than detectors do."""
        return self.counted_at(time, time + (request.timeout_ms or 0) / 1000 + self._grace) > 0

    def mark(self, time: float, request: Request, event_id: str) -> int:
        """Equal for copies of one request that are counted in the same sums if they are answered alike."""
        return crc32(repr((event_id, time, series_of(request, None), self._groups(request, request.model))).encode())

    def _groups(self, request: Request, model: str) -> Sequence[Group]:
        return () if self._usages is None else self._rules.groups(request, model)
