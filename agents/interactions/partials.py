"""Partial aggregates of the cost windows, by series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agents.interactions.parts import PartStore, window_of
from schemas.aggregates import OTHER, UNANSWERED, Aggregate, Contribution, Series
from schemas.partials import Part


class Partials:
    """The partials of one source partition. Series are capped per segment."""

    def __init__(self, series_cap: int) -> None:
        self._cap = series_cap
        self._parts: PartStore[Series, Aggregate] = PartStore(Aggregate)
        self._series: dict[int, set[Series]] = {}

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def series(self) -> int:
        """How many distinct series the live segments hold."""
        return len(set().union(*self._series.values())) if self._series else 0

    def add(self, segment: int, time: float, series: Series, item: Contribution, *, overdue: bool = False) -> bool:
        """Count an unanswered interaction. False: counted under __other__. ``overdue``: see :attr:`Aggregate.overdue`."""
        aggregate, admitted = self._part(segment, window_of(time), series, 0)
        aggregate.add(item)
        aggregate.overdue += overdue
        return admitted

    def answer(
        self, segment: int, time: float, asked: Series, series: Series, item: Contribution, *,
        late: bool, counted: int = 0, overdue: bool = False,
    ) -> bool:  # fmt: skip
        """Count an answered interaction; with ``late`` it was counted as unanswered before. False: counted under __other__.

        ``asked`` is the series without the answer. If the answer's is another (another model answered), both parts know of it, whether or
        not the request was ever counted as unanswered: versions must not depend on the order in which things were read.
        """
        window = window_of(time)
        aggregate = self._parts.known(segment, window, series, counted)
        admitted = aggregate is not None
        if aggregate is None:
            aggregate, admitted = self._part(segment, window, series, counted)
        before = aggregate if series is asked else self._part(segment, window, asked, counted)[0]
        if before is not aggregate:
            before.move(late=late)
            aggregate.add(item)
        elif late:
            aggregate.answer(item)
        else:
            aggregate.add(item)
        if overdue and not counted:
            before.overdue -= 1
        return admitted

    def take_back(
        self, segment: int, time: float, asked: Series, series: Series, item: Contribution, *, late: bool = False,
        counted: int = 0, overdue: bool = False,
    ) -> None:  # fmt: skip
        """Undo :meth:`add` or :meth:`answer` with the same arguments."""
        window = window_of(time)
        aggregate, before = self._part(segment, window, series, counted)[0], self._part(segment, window, asked, counted)[0]
        aggregate.take_back(item)
        if before is not aggregate:
            before.moved -= 1
        if late:
            before.outcomes[UNANSWERED] += 1
        before.overdue -= overdue

    def void(self, segment: int, time: float, series: Series, counted: int = 0) -> None:
        """A copy of an interaction belongs here, and another one counts."""
        self._part(segment, window_of(time), series, counted)[0].void += 1

    def _part(self, segment: int, window: int, series: Series, counted: int) -> tuple[Aggregate, bool]:
        """Where to count a series, and whether it is its own part and not the one of __other__."""
        found = self._parts.known(segment, window, series, counted)
        if found is not None:
            return found, True
        known = self._series.setdefault(segment, set())
        if series not in known:
            if len(known) >= self._cap:
                return self._parts.part(segment, window, OTHER, counted), False
            known.add(series)
        return self._parts.part(segment, window, series, counted), True

    def take_dirty(self) -> list[Part]:
        """What changed since the last call; first what may have become less, so that no reader sees a call twice on its way."""
        return sorted((Part(*part) for part in self._parts.take_dirty()), key=lambda part: not part.aggregate.void)

    def forget(self, is_settled: Callable[[int], bool]) -> None:
        """Forget the segments that cannot change any more."""
        for segment in self._parts.forget(is_settled):
            self._series.pop(segment, None)

    # Persistence

    def all(self) -> Iterator[Part]:
        """All parts, for a snapshot."""
        return (Part(*part) for part in self._parts.all())

    def load(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._parts.load(part.segment, part.window, part.series, part.aggregate, part.counted)
            known = self._series.setdefault(part.segment, set())
            if part.series != OTHER:
                known.add(part.series)
