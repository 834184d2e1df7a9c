"""The values that an event goes through in stage 1, from one step to the next. None is changed once
it is made.

A batch is read (:class:`Routed`); its events are matched to each other (:class:`Matched`); the
calls that are complete (:class:`Completed`) are judged (:class:`Judged`), priced (:class:`Priced`),
written.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from agents.inspection.outcome import Outcome
from agents.inspection.verdicts import Verdict
from agents.interactions.copies import Copy, RecordCopy
from schemas.aggregates import Contribution, Series
from schemas.events import Evaluation, Event, Extra, Feedback, Request, Response
from schemas.rows import InteractionRow


class Arrival(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An event that has been read. ``time``: its own, epoch seconds; ``clock``: its topic's when it
    was read; ``at``: its record, or the :class:`streams.deadletters.Origin` of one that another
    partition has read."""

    kind: str
    event: Event
    extra: Extra | None
    time: float
    clock: float
    at: RecordCopy


class Routed(NamedTuple):
    """The events of one batch of a partition's own topic, with their keys and home partitions."""

    topic: str
    kind: str
    arrivals: list[Arrival]
    keys: list[bytes]
    homes: list[int]


class Completed(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A call whose request and response have met. ``offset``: of the request, in the partition that
    ``segment`` says; ``late``: it was told as unanswered before; ``answered_by``: the response's
    record or origin; ``counted``: see agents/interactions/parts.py; ``refused``: why its row cannot
    be completed, empty if it can: its money is counted nevertheless."""

    request: Request
    extra: Extra | None
    time: float
    segment: int
    offset: int
    response: Response
    response_extra: Extra | None
    ended: float
    late: bool
    answered_by: RecordCopy
    counted: int
    copy: Copy | None = None
    refused: str = ""


class SingleEvent(NamedTuple):
    """Feedback or an evaluation: complete by itself."""

    kind: str
    event: Feedback | Evaluation
    extra: Extra | None
    at: RecordCopy


class Matched(NamedTuple):
    """What a batch has completed."""

    calls: list[Completed]
    signals: list[SingleEvent]


class Judged(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A call, and what the guards of the model's work say of it."""

    call: Completed
    verdict: Verdict


class Priced(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A call with its row, not masked yet, and what it adds to the sums of its ``series``."""

    call: Completed
    row: InteractionRow
    item: Contribution
    outcome: Outcome
    series: Series
