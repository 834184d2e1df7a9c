"""Step 3, judge: what the guards of the model's work say of calls that are complete.

In: :class:`Completed`. Out: :class:`Judged`, in the same order. A call that cannot be judged is
broken up (agents/interactions/unanswered.py) and left out; fails never. Changes nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agents.inspection.verdicts import verdicts
from agents.interactions.partition import Partition
from agents.interactions.steps import Completed, Judged
from agents.interactions.unanswered import Unanswered
from streams.effects import Effects

log = logging.getLogger(__name__)


class Judge:
    """Of one partition."""

    def __init__(self, partition: Partition, unanswered: Unanswered) -> None:
        self._partition = partition
        self._unanswered = unanswered

    def judge_calls(self, calls: Sequence[Completed], effects: Effects) -> list[Judged]:
        """One guard after the other over all calls, so that its tables, half a megabyte each, are
        fetched into the processor's cache once. Call by call that takes longer than the guards
        themselves."""
        if not calls:
            return []
        try:
            return list(
                map(Judged, calls, verdicts([(call.request, call.response) for call in calls]))
            )
        except Exception:  # each is judged by itself, and the one at fault is known
            log.debug("%d calls could not be judged at once", len(calls), exc_info=True)
            return self._one_by_one(calls, effects)

    def _one_by_one(self, calls: Sequence[Completed], effects: Effects) -> list[Judged]:
        hand = self._partition.in_hand
        judged: list[Judged] = []
        for call in calls:
            hand.record = call.answered_by
            try:
                judged += map(Judged, [call], verdicts([(call.request, call.response)]))
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                self._unanswered.break_up(call, error, effects)
        return judged
