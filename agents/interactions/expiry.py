"""Deadlines of what waits for its counterpart: given up, closed, or a dead letter.

In: time. Out: rows of unanswered requests, dead letters, notes to other partitions. Fails never.
Changes the join, the segments, and what is kept for late answers.
"""

from __future__ import annotations

from agents.interactions.gossip import Gossip
from agents.interactions.identity import MARK, remembered_id
from agents.interactions.inquiries import Inquiries
from agents.interactions.join import OpenRequest, WaitingResponse
from agents.interactions.partition import Partition
from agents.interactions.segments import WARM_UP
from agents.interactions.unanswered import Unanswered
from agents.interactions.whereabouts import Whereabouts
from streams.effects import Effects


class Expiry:
    """Of one partition."""

    def __init__(
        self,
        partition: Partition,
        gossip: Gossip,
        inquiries: Inquiries,
        whereabouts: Whereabouts,
        unanswered: Unanswered,
    ) -> None:
        self._partition = partition
        self._gossip = gossip
        self._inquiries = inquiries
        self._whereabouts = whereabouts
        self._unanswered = unanswered

    def pass_time(self, effects: Effects) -> None:
        """Do what has become due."""
        here, seeking = self._partition, self._inquiries.seeking
        clock = max(here.clocks.time(), self._gossip.read_calls.time)
        for request, response in here.join.due(
            clock, here.context.wall(), self._inquiries.progress
        ):
            if request is not None:
                self._expire(request, clock, effects)
            elif response is not None:
                self._orphan(response, effects)
        if seeking.take_fresh():
            for stray in here.strays.settle(seeking.confirmed):
                here.join.touch(stray.response.request_id)
        here.late.pass_time(clock)
        self._whereabouts.pass_time(clock)

    def make_room(self, effects: Effects) -> None:
        """More requests are open than may be: the one that is due first is settled early."""
        earliest = self._partition.join.earliest()
        if earliest is not None:
            effects.count("settled_early")
            self._unanswered.give_up(earliest, effects)
            self._whereabouts.tell_home(
                earliest, self._partition.patience.kept_until(earliest), effects
            )
            self._close(earliest)

    def bury(self, waiting: WaitingResponse, reason: str, effects: Effects) -> None:
        """A response waits no longer: it is a dead letter."""
        here = self._partition
        here.identity.end(remembered_id(waiting.response, waiting.origin.headers))
        if here.context.counted_from:
            # Its request may be older than the backfill: the run that read it when it was new has
            # said what became of it.
            return
        here.outbox.dead(waiting.origin, reason, effects)

    def _expire(self, entry: OpenRequest, clock: float, effects: Effects) -> None:
        """A deadline of a request has passed: first its response is looked for elsewhere, then it
        is unanswered, later forgotten."""
        here = self._partition
        request, join, patience = entry.request, here.join, here.patience
        if not entry.unanswered:
            if entry.due < (due := (entry.heard or entry.time) + patience.of(request)):
                entry.due = due
                join.open(entry)
                self._whereabouts.tell_home(entry, due, effects)
            else:
                self._unanswered.give_up(entry, effects)
                entry.closes = patience.closes(entry)
                join.give_up(entry, patience.settles)
                self._whereabouts.tell_home(entry, patience.kept_until(entry), effects)
        elif (left := entry.closes - here.context.wall()) > 0:
            entry.due = clock + max(left, 1.0)
            join.open(entry)
        else:
            self._close(entry)

    def _close(self, entry: OpenRequest) -> None:
        """What it is counted in is closed; from now on it is kept as small as can be."""
        here = self._partition
        here.join.close(entry.request.request_id)
        here.segments.settle(entry.segment)
        here.late.keep(entry, here.patience.kept_until(entry), counted=entry.segment != WARM_UP)

    def _orphan(self, waiting: WaitingResponse, effects: Effects) -> None:
        request_id = waiting.response.request_id
        self._partition.join.take_response(request_id)
        if MARK + request_id in self._partition.identity.seen:
            reason = (
                f"the request {request_id!r} has its answer, or came too long ago to be remembered"
            )
        else:
            reason = (
                f"no request with request_id {request_id!r} came within the time "
                "a response waits for it"
            )
        self.bury(waiting, reason, effects)
