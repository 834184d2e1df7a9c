"""Requests that have no answer: their rows, and what they add to the sums.

In: open requests, or calls that cannot be written. Out: rows, dead letters. Fails never: what
cannot be written is a dead letter. Changes the sums, and notes of copies
(agents/interactions/identity.py).
"""

from __future__ import annotations

import logging

import msgspec

from agents.common.taps import Tap
from agents.interactions.identity import remembered_id
from agents.interactions.join import OpenRequest
from agents.interactions.lines import line_of
from agents.interactions.outbox import as_origin
from agents.interactions.partition import Partition
from agents.interactions.rows import unanswered
from agents.interactions.segments import WARM_UP
from agents.interactions.steps import Completed
from streams.deadletters import Origin
from streams.effects import Effects

log = logging.getLogger(__name__)

_encode_event = msgspec.json.Encoder().encode


class Unanswered:
    """Of one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def give_up(self, entry: OpenRequest, effects: Effects) -> None:
        """Its response has not come in time: it counts as unanswered, unless it does already."""
        if entry.unanswered:
            return
        copy = self._partition.identity.copy_of(entry.request)
        if entry.segment != WARM_UP or (
            copy is not None and not copy.final
        ):  # a copy that counts may come
            self._write(entry, effects)

    def break_up(self, call: Completed, error: Exception, effects: Effects) -> None:
        """A call that cannot be told: its answer is a dead letter, and the request is as if it had
        none."""
        effects.count("accepted", "responses", -1)
        origin = as_origin(call.answered_by)
        self._partition.identity.end(remembered_id(call.response, origin.headers))
        self._partition.outbox.failed(origin, error, effects)
        if not call.late:  # else it is told as unanswered already
            self._write(call, effects)

    def _write(self, entry: OpenRequest | Completed, effects: Effects) -> None:
        here, request, segment, time = self._partition, entry.request, entry.segment, entry.time
        requests, family = here.context.topics.requests, segment % here.count
        try:
            with here.in_hand.event("unanswered", requests, family, entry.offset, request.event_id):
                row, item = unanswered(request, entry.extra)
                line, _ = line_of(row, request, here.context.masking, effects)
                effects.row(row.TABLE, line)
            here.sums.unanswered(segment, time, request)
            here.identity.count(request, here.identity.copy_of(request), item)
        except Exception as error:  # noqa: BLE001  # see Outbox.failed
            origin = Origin(
                requests, family, entry.offset, int(time * 1000), None, _encode_event(request), []
            )
            here.outbox.failed(origin, error, effects)
            return
        effects.count("outcome", "unanswered")
        for tap in here.taps:
            try:
                tap.unanswered(request, time)
            except Exception:  # noqa: BLE001  # see deaf
                deaf(tap)


def deaf(tap: Tap) -> None:
    """A tap failed on a call whose row is written: that harms nobody else."""
    log.exception(
        "%s does not hear of a call: a defect in Mirante, please report it", type(tap).__name__
    )
