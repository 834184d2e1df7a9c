"""Which answers are counted beside the sums of their request, in a part of their own (``segments.alone``).

The sums that an unanswered request is counted in can not be kept for days. But whether they are closed when its answer
is read depends on clocks, on the order of reading and on crashes, and an answer that is counted in them at one time and
beside them at another is counted twice. So the two records alone decide: by what they say, and by when they were
written to Kafka. A request is closed (agents/interactions/expiry.py) when every answer that counts with it has been read:
so much later that one written now is counted beside it, and once all partitions have read what was written before.
"""

from __future__ import annotations

SETTLES = 3_600.0
"""Seconds after which the sums of an unanswered request are closed. Open, they are held in memory, here and in stage 2."""

SETTLES_HISTORY = 60.0
"""The same, by Kafka's time, of requests that were written more than ``SETTLES`` after they happened: of a history that is
published in one go an hour would be all of it."""

CLOCKS = 60.0
"""Seconds by which the clocks of those who write to Kafka may differ from ours."""


def is_apart(time: float, written: float, ended: float, answer_written: float, patience: float, settles: float) -> bool:
    """Whether an answer is counted beside the sums of its request, all in epoch seconds.

    ``time``, ``ended``: what request and answer say; ``written``, ``answer_written``: when their records were, as Kafka
    says. ``patience``: seconds that the service waits, until the request is unanswered; ``settles``: those in which a
    late answer counts with its request, at most ``SETTLES``.
    """
    return ended - time > patience + settles or answer_written - written > patience + _settles_in_kafka(time, written, settles)


def soon(settles: float) -> float:
    """Seconds within which no answer is apart, however patient its service: most need no closer look."""
    return min(settles, SETTLES_HISTORY)


def closes(time: float, written: float, wall: float, patience: float, settles: float) -> float:
    """Wall clock (epoch seconds) from which a request may be closed that is unanswered at ``wall``: what is written then
    is apart. A Kafka time that has not come yet is none."""
    return min(written, wall + CLOCKS) + patience + _settles_in_kafka(time, written, settles) + CLOCKS


def _settles_in_kafka(time: float, written: float, settles: float) -> float:
    return settles if written - time <= SETTLES else min(settles, SETTLES_HISTORY)
