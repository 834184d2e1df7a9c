"""Requests and responses that have met are calls, complete but for what the next steps add.

In: a request that is not open any more, and its response. Out: :class:`Completed`. Fails never. Changes
the segments, and what is noted of copies; a request that is given up first is unanswered.
"""

from __future__ import annotations

from agents.interactions.copies import RecordCopy
from agents.interactions.join import OpenRequest
from agents.interactions.late import Remembered
from agents.interactions.partition import Partition
from agents.interactions.repeats import Repeats
from agents.interactions.segments import WARM_UP, alone
from agents.interactions.steps import Completed
from agents.interactions.unanswered import Unanswered
from schemas.events import Extra, Response
from streams.effects import Effects


class Completion:
    """Of one partition: the calls that the batch at hand has completed."""

    def __init__(self, partition: Partition, repeats: Repeats, unanswered: Unanswered) -> None:
        self._join_settings = partition.context.settings.join
        self._identity = partition.identity
        self._patience = partition.patience
        self._segments = partition.segments
        self._sums = partition.sums
        self._repeats = repeats
        self._unanswered = unanswered
        self._calls: list[Completed] = []

    def take(self) -> list[Completed]:
        """The calls that were completed since the last time."""
        calls, self._calls = self._calls, []
        return calls

    def answer(
        self,
        entry: OpenRequest,
        response: Response,
        extra: Extra | None,
        ended: float,
        by: RecordCopy,
        effects: Effects,
    ) -> bool:
        """A request that is not open any more has met its answer. False: its row can not be
        completed."""
        request, time, segment = entry.request, entry.time, entry.segment
        self._segments.settle(segment)
        at, soon = by.timestamp / 1000, self._patience.soon
        is_late = ended - time > soon or at - (entry.written or time) > soon
        if is_late and self._patience.is_apart(entry, ended, at):
            self._unanswered.give_up(entry, effects)
            known = Remembered(request, entry.extra, time, segment != WARM_UP)
            return self.answer_apart(known, response, extra, ended, by)
        counted = self._sums.counted_at(time, ended)
        copy = self._identity.copy_of(request)
        model = response.model or request.model
        if model != request.model or counted:
            self._repeats.answered_by(model, counted, request, time, copy)
        if segment != WARM_UP or (copy is not None and not copy.final):
            call = Completed(
                request,
                entry.extra,
                time,
                segment,
                entry.offset,
                response,
                extra,
                ended,
                entry.unanswered,
                by,
                counted,
                copy,
            )
            self._calls.append(call)
        return True

    def answer_apart(
        self,
        known: Remembered,
        response: Response,
        extra: Extra | None,
        ended: float,
        by: RecordCopy,
        gone: str = "",
    ) -> bool:
        """An answer that is counted beside the sums of its request. ``gone``: why its text is not
        kept any longer, if it is not. False: its row can not be completed."""
        request, after = known.request, ended - known.time
        late_answer = self._join_settings.late_answer
        came, refused = f"answer came {after:,.0f} s after its request", ""
        if after > self._patience.of(request) + late_answer:
            refused = f"{came}; join.late_answer is {late_answer:,.0f}"
        elif gone:
            refused = f"{came}, whose text was given up meanwhile: {gone}"
        if known.counted:
            counted = self._sums.counted_at(known.time, ended)
            segment = alone(request.event_id)
            call = Completed(
                request,
                known.extra,
                known.time,
                segment,
                -1,
                response,
                extra,
                ended,
                True,
                by,
                counted,
                None,
                refused,
            )
            self._calls.append(call)
        return not refused

    def text_given_up(self, *, over: bool) -> str:
        """Why a request has no text any more; ``over``: its time had come."""
        join = self._join_settings
        if over:
            return f"join.late_answer is {join.late_answer:,.0f}"
        return f"join.late_bytes is {join.late_bytes:,}"
