"""Step 2, match: events find their home, their repeats and their counterparts.

In: :class:`Routed`, or an :class:`Arrival` that another partition forwarded. Out: :class:`Matched`,
the calls and signals that are complete; and messages: events that belong elsewhere. An event that
cannot be matched is a dead letter; fails never. Changes the join, and what is known of ids, copies
and segments.
"""

from __future__ import annotations

from math import inf

from agents.interactions.clock import SKEW
from agents.interactions.completing import Completion
from agents.interactions.copies import Copy, RecordCopy, place_of
from agents.interactions.expiry import Expiry
from agents.interactions.identity import MARK, remembered_id
from agents.interactions.join import OpenRequest, WaitingResponse
from agents.interactions.late import unpack
from agents.interactions.outbox import as_origin
from agents.interactions.partition import Partition
from agents.interactions.repeats import Repeats
from agents.interactions.skew import who
from agents.interactions.steps import Arrival, Matched, Routed, SingleEvent
from agents.interactions.whereabouts import Whereabouts
from schemas.events import Request, Response
from streams.effects import Effects


class Matcher:
    """Of one partition."""

    def __init__(
        self,
        partition: Partition,
        whereabouts: Whereabouts,
        repeats: Repeats,
        completion: Completion,
        expiry: Expiry,
    ) -> None:
        self._partition = partition
        self._join_settings = partition.context.settings.join
        self._identity = partition.identity
        self._clocks = partition.clocks
        self._join = partition.join
        self._late = partition.late
        self._segments = partition.segments
        self._patience = partition.patience
        self._whereabouts = whereabouts
        self._repeats = repeats
        self._completion = completion
        self._expiry = expiry
        self._signals: list[SingleEvent] = []

    def match_batch(self, routed: Routed, effects: Effects) -> Matched:
        """The events of a batch of the partition's own topic."""
        here, hand, kind = self._partition, self._partition.in_hand, routed.kind
        accepted = rekeyed = 0
        for arrival, key, home in zip(routed.arrivals, routed.keys, routed.homes, strict=True):
            record = arrival.at
            hand.record = record
            if home != here.number and not self._is_answer_here(arrival):
                here.outbox.forward(kind, record, key, home, effects)
                continue
            rekeyed += record.key != key
            try:
                accepted += self._accept(arrival, home == here.number, effects)
            except Exception as error:  # noqa: BLE001  # see Outbox.failed
                here.outbox.failed(as_origin(record), error, effects)
        effects.count("accepted", kind, accepted)
        if rekeyed:
            effects.count("rekeyed", routed.topic, rekeyed)
        return self._take()

    def match_rekeyed(self, arrival: Arrival, effects: Effects) -> Matched:
        """An event that another partition has read."""
        try:
            effects.count("accepted", arrival.kind, self._accept(arrival, False, effects))
        except Exception as error:  # noqa: BLE001  # see Outbox.failed
            self._partition.outbox.failed(as_origin(arrival.at), error, effects)
        return self._take()

    def _take(self) -> Matched:
        signals, self._signals = self._signals, []
        return Matched(self._completion.take(), signals)

    def _is_answer_here(self, arrival: Arrival) -> bool:
        """Whether a response that names no session answers a request of this partition, or is a
        repeat of one that did."""
        event = arrival.event
        if not isinstance(event, Response) or event.session_id is not None:
            return False
        request_id = event.request_id
        if request_id in self._join.requests or request_id in self._late:
            return True
        return remembered_id(event, arrival.at.headers) in self._identity.seen

    def _accept(self, arrival: Arrival, first: bool, effects: Effects) -> bool:
        """An event at the partition where it is processed. ``first``: it is read from its home's
        own topic, so no copy to come can be smaller. False if it makes no row: it is known already,
        is a dead letter, or a response that waits for its request."""
        event, extra, at = arrival.event, arrival.extra, arrival.at
        event_id = remembered_id(event, at.headers) if at.headers else event.event_id
        if not self._identity.add(event_id):
            self._repeats.repeat(arrival, event_id, effects)
            return False
        if extra is not None and extra.odd_fields:
            effects.count("odd_fields", arrival.kind, len(extra.odd_fields))
        if isinstance(event, Request):
            return self._request(event, event_id, arrival, first, effects)
        if not first:
            mark = (
                self._repeats.mark(event, event_id, arrival.time)
                if isinstance(event, Response)
                else 0
            )
            self._identity.note(event_id, Copy(place_of(at), mark=mark))
        if isinstance(event, Response):
            return self._response(event, arrival, effects)
        self._signals.append(SingleEvent(arrival.kind, event, extra, at))
        return True

    def _request(
        self, event: Request, event_id: str, arrival: Arrival, first: bool, effects: Effects
    ) -> bool:
        time, clock, at = arrival.time, arrival.clock, arrival.at
        marker = MARK + event.request_id
        if not self._identity.add(marker):
            reason = (
                f"request_id {event.request_id!r} was used before by another event; "
                "every call needs its own"
            )
            self._partition.outbox.dead(as_origin(at), reason, effects)
            return False
        segment = self._segments.open(at.partition, at.offset)
        if not first:
            mark = self._repeats.mark(event, event_id, time)
            self._identity.note(marker, Copy(place_of(at), mark=mark, segment=segment))
        heard = clock if time <= clock else max(clock, self._clocks.believed(time, at))
        due = heard + self._patience.of(event)
        if event.session_id is not None and due > (soon := heard + self._join_settings.orphan / 3):
            due = soon  # its response may be waiting elsewhere
        written = at.timestamp / 1000
        entry = OpenRequest(
            event, arrival.extra, time, segment, due, heard=heard, offset=at.offset, written=written
        )
        waiting = self._join.take_response(event.request_id) if self._join.responses else None
        if waiting is not None:
            ended = waiting.response.time.timestamp()
            is_ahead = ended - waiting.origin.timestamp / 1000 > SKEW
            if is_ahead and time == self._clocks.believed(time, at):
                self._look_at_clock(event, ended, waiting.origin, effects)
            answered = self._completion.answer(
                entry, waiting.response, waiting.extra, ended, waiting.origin, effects
            )
            effects.count("accepted", "responses", answered)
            return True
        self._join.open(entry)
        if len(self._join.requests) > self._join_settings.max_open:
            self._expiry.make_room(effects)
        return True

    def _response(self, event: Response, arrival: Arrival, effects: Effects) -> bool:
        """False: it makes no row, because it has no request yet or came too late for it."""
        extra, time, clock, by = arrival.extra, arrival.time, arrival.clock, arrival.at
        request_id = event.request_id
        entry = self._join.requests.get(request_id)
        if entry is not None:
            self._join.close(request_id)
            if time > clock and entry.time <= entry.heard:
                self._look_at_clock(entry.request, time, by, effects)
            return self._completion.answer(entry, event, extra, time, by, effects)
        if (kept := self._late.take(request_id)) is not None:
            gone = "" if kept.whole else self._completion.text_given_up(over=clock > kept.due)
            return self._completion.answer_apart(unpack(kept), event, extra, time, by, gone)
        origin = as_origin(by)
        elsewhere = self._whereabouts.of(event)
        if elsewhere is not None:
            self._whereabouts.send_response(event, origin, elsewhere, effects)
            return False
        heard = clock if time <= clock else max(clock, self._clocks.believed(time, origin))
        astray = min(time, heard) if event.session_id is None else inf
        new = WaitingResponse(
            event, extra, heard + self._join_settings.orphan, origin, astray=astray
        )
        if (other := self._join.responses.get(request_id)) is not None:
            home = self._partition.number
            if place_of(origin).order(home) < place_of(other.origin).order(home):
                self._join.take_response(request_id)
                self._wait(new)
                new = other
            self._expiry.bury(
                new, f"request_id {request_id!r} has two responses; the first is kept", effects
            )
        else:
            self._wait(new)
        return False

    def _wait(self, entry: WaitingResponse) -> None:
        self._join.wait(entry)
        if entry.astray < inf:
            self._partition.strays.add([entry])

    def _look_at_clock(self, request: Request, ended: float, by: RecordCopy, effects: Effects) -> None:
        """The host that writes the responses may be another than the one that writes the requests,
        whose clock is not ahead."""
        if (ahead := ended - by.timestamp / 1000) > SKEW:
            self._clocks.skews.ahead(who(request), ahead, effects)
