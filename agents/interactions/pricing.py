"""Step 4, price: the row of each call, with outcome, tokens and cost, and what it adds to the sums.

In: :class:`Judged`. Out: :class:`Priced`, in the same order. A call that has no row is broken up
(agents/interactions/unanswered.py) and left out; fails never. Changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.interactions.partition import Partition
from agents.interactions.rows import answered, series_of
from agents.interactions.steps import Judged, Priced
from agents.interactions.unanswered import Unanswered
from streams.effects import Effects


class Pricer:
    """Of one partition."""

    def __init__(self, partition: Partition, unanswered: Unanswered) -> None:
        self._partition = partition
        self._prices = partition.context.prices
        self._unanswered = unanswered

    def price_calls(self, calls: Sequence[Judged], effects: Effects) -> list[Priced]:
        """By the prices that held when the call was made."""
        hand, prices = self._partition.in_hand, self._prices
        priced: list[Priced] = []
        for judged in calls:
            call = judged.call
            hand.record = call.answered_by
            request, response = call.request, call.response
            try:
                row, item, outcome = answered(
                    request, call.extra, response, call.response_extra, prices, judged.verdict
                )
                priced.append(Priced(call, row, item, outcome, series_of(request, response)))
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                self._unanswered.break_up(call, error, effects)
        return priced
