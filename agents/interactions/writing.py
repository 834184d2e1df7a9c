"""Step 5, write: rows without personal data, the sums, and what other agents are told of each call.

In: :class:`Priced` and :class:`Signal`. Out: rows, and what the taps make of them. A call that
cannot be written is broken up (agents/interactions/unanswered.py); fails never. Changes the sums,
and the notes of copies.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.common.taps import Call
from agents.inspection.flags import flags_of
from agents.inspection.leaks import sightings
from agents.inspection.pii import Found
from agents.interactions.identity import remembered_id
from agents.interactions.lines import line_of
from agents.interactions.outbox import as_origin
from agents.interactions.partition import Partition
from agents.interactions.rows import evaluation_row, feedback_row
from agents.interactions.steps import Completed, Priced, SingleEvent
from agents.interactions.unanswered import Unanswered, deaf
from schemas.events import Feedback
from streams.effects import Effects


class Writer:
    """Of one partition."""

    def __init__(self, partition: Partition, unanswered: Unanswered) -> None:
        self._partition = partition
        self._masking = partition.context.masking
        self._sums = partition.sums
        self._unanswered = unanswered

    def write_calls(
        self, calls: Sequence[Priced], signals: Sequence[SingleEvent], effects: Effects
    ) -> None:
        """What the batch at hand has completed."""
        if calls:
            self._calls(calls, effects)
        for signal in signals:
            self._partition.in_hand.record = signal.at
            try:
                self._signal(signal, effects)
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                effects.count("accepted", signal.kind, -1)
                self._partition.outbox.failed(as_origin(signal.at), error, effects)

    def _calls(self, calls: Sequence[Priced], effects: Effects) -> None:
        """Rows of answered calls: all are masked before the first is told of (see
        :meth:`agents.interactions.judging.Judge.judge_calls`)."""
        hand, masking = self._partition.in_hand, self._masking
        masked: list[tuple[Priced, bytes, Found]] = []
        for priced in calls:
            call = priced.call
            hand.record = call.answered_by
            try:
                if call.refused:
                    masked.append((priced, b"", {}))
                else:
                    masked.append((priced, *line_of(priced.row, call.request, masking, effects)))
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                self._unanswered.break_up(call, error, effects)
        for priced, line, found in masked:
            hand.record = priced.call.answered_by
            try:
                self._call(priced, line, found, effects)
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                self._unanswered.break_up(priced.call, error, effects)

    def _signal(self, signal: SingleEvent, effects: Effects) -> None:
        event, taps = signal.event, self._partition.taps
        if isinstance(event, Feedback):
            said = feedback_row(event, signal.extra)
            line, _ = line_of(said, event, self._masking, effects)
            effects.row(said.TABLE, line)
            for tap in taps:
                tap.feedback(event, line)
        else:
            scored = evaluation_row(event, signal.extra)
            line, _ = line_of(scored, event, self._masking, effects)
            effects.row(scored.TABLE, line)
            for tap in taps:
                tap.evaluation(event, line)

    def _call(self, priced: Priced, line: bytes, found: Found, effects: Effects) -> None:
        """Sums, table and taps hear of a call."""
        call, row, item, series = priced.call, priced.row, priced.item, priced.series
        request, outcome = call.request, priced.outcome
        seen = sightings(line, found) if found else ()
        if flags := flags_of(row, seen):
            item = item._replace(flags=flags)
            for flag in flags:
                effects.count("guard", flag)
        effects.count("outcome", outcome.outcome)
        if not outcome.known:
            effects.count("unknown_finish")
        if item.unpriced:
            effects.count("unpriced", row.model)
        elif item.partial:
            effects.count("partial", row.model)
        if not self._sums.answered(
            call.segment,
            call.time,
            request,
            series,
            item,
            late=call.late,
            counted=call.counted,
        ):
            effects.count("other")
        if call.refused:
            self._refuse(call, effects)
            return
        if call.copy is not None:
            self._partition.identity.count(request, call.copy, item)
        effects.row(row.TABLE, line)
        if taps := self._partition.taps:
            told = Call(
                request,
                call.response,
                call.time,
                row,
                line,
                series,
                item,
                call.late,
                call.ended,
                seen,
                not found,
            )
            for tap in taps:
                try:
                    tap.answered(told)
                except Exception:  # noqa: BLE001  # see deaf
                    deaf(tap)

    def _refuse(self, call: Completed, effects: Effects) -> None:
        """The answer is a dead letter; what it cost is counted."""
        origin = as_origin(call.answered_by)
        self._partition.identity.end(remembered_id(call.response, origin.headers))
        reason = (
            f"{call.refused}. Its cost is in cost_windows and budgets, its row stays unanswered"
        )
        self._partition.outbox.dead(origin, reason, effects)
