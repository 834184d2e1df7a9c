"""Stage 2: turns and users' signals to labels.

Everything is decided in the order of event time, as far as the clock has come (the slowest source partition), item by item: so the result
does not depend on how the input was cut into batches, on the order among source partitions, or on restarts. What comes after its time is
taken at once. A label's versions count what was published of it; nothing is published that says nothing new.

Who reacts to what, with interleaved turns (two tabs in one session): a turn is a reaction to the latest answer that had ended when it was
asked; it asks again the latest of the last ``CANDIDATES`` questions that it surely repeats, else the one it resembles most.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from math import inf
from sys import intern
from typing import Any

import msgspec

from agents.labels.detectors import STRONG, Detectors
from agents.labels.reliability import VOTERS, Counts, LabelModel, Slope, Vote
from agents.labels.sessions import Answer, Published, Reaction, Repeat, Session
from agents.labels.settings import LabelSettings
from agents.messages import messages
from agents.watermark import Reached, Source, Watermark
from schemas import outputs
from schemas.opinions import TOLD, WINDOW, Judged, Opinions
from schemas.rows import LabelRow
from schemas.turns import Signal, Turn, Turns
from streams.effects import Effects, Message
from streams.partitioner import partition_of
from streams.state import Batch

STAGE = "labels"

CANDIDATES = 4
"""Earlier questions that a turn is compared with; only their texts are kept."""

POSITIVE, NEGATIVE = 0.7, 0.35
MATERIAL = 0.1
"""A change of the score that is worth a version although neither label nor evidence changed."""

SNAPSHOT_ENTRIES = 500


class Saved(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``pending`` are those of its items that ``now`` has not reached."""

    now: float = 0.0
    serial: int = 0
    clocks: list[Reached] = []
    turns: list[Turn] = []
    signals: list[Signal] = []
    waiting: list[Signal] = []
    served: list[str] = []
    sessions: list[Session] = []
    answers: list[Answer] = []
    forgotten: list[str] = []
    ended: list[int] = []
    counts: list[Counts] = []
    slope: Slope | None = None
    opinions: list[Opinions] = []


_decode = msgspec.msgpack.Decoder(Turns).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(Saved).decode
_encode_judged = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode

Order = tuple[float, int, str]
"""Time, 0 for a turn and 1 for a signal, id: the order in which items are taken."""


class LabelsState:
    """State of the agent ``labels`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(
        self,
        partition: int,
        *,
        labels: str,
        satisfaction: str,
        source: str,
        sources: int,
        partitions: int,
        settings: LabelSettings | None = None,
        detectors: Detectors | None = None,
    ) -> None:
        """``labels`` and ``satisfaction``: topics, of ``partitions``; ``source``: id of the cluster; ``sources``: partitions of stage 1."""
        self._partition = partition
        self._topic = labels
        self._satisfaction = satisfaction
        self._partitions = partitions
        self._source = source
        self._settings = settings or LabelSettings()
        self._detectors = detectors or Detectors()
        self._model = LabelModel()
        self._watermark = Watermark(sources, patience=inf)  # what waits is bounded by its number
        self._now = 0.0
        self._serial = 0
        self._pending: dict[tuple[int, str], Turn | Signal] = {}
        self._queue: list[Order] = []
        self._sessions: dict[int, Session] = {}
        self._of_key: dict[str, list[int]] = {}
        self._answers: dict[str, Answer] = {}
        self._of_response: dict[str, str] = {}
        self._due: list[tuple[float, int]] = []
        self._awaited: set[int] = set()
        self._judging: list[tuple[float, str]] = []
        self._opinions: dict[tuple[int, tuple[str, str]], Opinions] = {}
        self._expiring: list[tuple[float, int]] = []
        self._waiting: dict[str, Signal] = {}
        self._waiting_for: dict[str, list[str]] = {}
        self._patience: list[tuple[float, str]] = []
        self._clear_changes()

    @property
    def clock(self) -> float:
        """Event time, epoch seconds, up to which everything was decided; 0 at first."""
        return self._now

    @property
    def model(self) -> LabelModel:
        return self._model

    def apply(self, batch: Batch, effects: Effects) -> None:
        before = self._now
        for message in messages(batch, _decode, "turns", STAGE, self._source, effects):
            for turn in message.turns:
                _share(turn)
                self._enqueue(0, turn.request_id, max(turn.time, turn.ended), turn)
            for signal in message.signals:
                self._enqueue(1, signal.event_id, signal.time, signal)
            self._watermark.hear(Source(message.source, message.partition), message.clock, message.idle)
            self._advance(effects)
        if int(self._now) // TOLD != int(before) // TOLD:
            self._tell_satisfaction(effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        return False

    def ahead(self) -> frozenset[str]:
        return frozenset()

    def close_interval(self, effects: Effects) -> None:
        pass

    def gauges(self) -> Mapping[str, float]:
        return {
            "label_sessions": len(self._sessions),
            "label_answers": len(self._answers),
            "label_pending": len(self._pending),
            "label_waiting_feedback": len(self._waiting),
            "label_series": len(self._model),
        }

    # Order

    def _enqueue(self, kind: int, identity: str, time: float, item: Turn | Signal) -> None:
        if (kind == 0 and identity in self._answers) or (kind == 1 and identity in self._waiting) or (kind, identity) in self._pending:
            return
        self._pending[kind, identity] = item
        heappush(self._queue, (time, kind, identity))
        self._arrived.append((kind, identity))

    def _advance(self, effects: Effects) -> None:
        """Take every item and every end of a session before the clock, in the order of time; at the same moment the item first.

        What happened at the clock's very moment waits: there may be more of it, and their order must not depend on the batch.
        """
        now = max(self._watermark.time - self._settings.settle, self._now)
        while True:
            item = self._queue[0][0] if self._queue else inf
            end = self._next_end()
            judged = self._judging[0][0] if self._judging else inf
            if min(item, end, judged) >= now:
                if len(self._queue) <= self._settings.pending:
                    break
                now = item  # more waits for the clock than may be held
                effects.count("labels_late", "taken_early")
                if min(end, judged) < now:
                    continue
            if judged < min(item, end):
                self._now = max(self._now, judged)
                self._expire(effects)
                answer = self._answers.get(heappop(self._judging)[1])
                if answer is not None:
                    self._judge(answer)
            elif item <= end:
                _, kind, identity = heappop(self._queue)
                found = self._pending.pop((kind, identity))
                self._now = max(self._now, item)
                self._expire(effects)
                if isinstance(found, Turn):
                    self._turn(found, effects)
                else:
                    self._signal(found, effects)
            else:
                self._now = max(self._now, end)
                self._expire(effects)
                self._end(self._sessions[self._pop_due()], effects)
        self._now = now
        self._expire(effects)

    def _judge(self, answer: Answer) -> None:
        """The score of an answer counts for the satisfaction of its feature, once."""
        if answer.judged:
            return
        answer.judged = True
        self._changed_answers.add(answer.turn.request_id)
        votes = [vote for vote, _ in self._evidence(answer)]
        reacted = answer.reaction is not None or answer.repeat is not None
        turn, window = answer.turn, int(self._now) // WINDOW * WINDOW
        score = self._model.judge(_series(turn), votes, reacted=reacted, settled=answer.final).score
        series = (turn.tenant, turn.feature)
        self._opinions.setdefault((window, series), Opinions(window, series)).add(round(score, 4), turn.response_id)

    def _tell_satisfaction(self, effects: Effects) -> None:
        """Windows that are over, to where their series come together; to everybody, how far this partition is."""
        over = sorted(key for key in self._opinions if key[0] + WINDOW <= self._now)
        homes: dict[int, list[Opinions]] = {partition: [] for partition in range(self._partitions)}
        for key in over:
            homes[partition_of("\x1f".join(key[1]).encode(), self._partitions)].append(self._opinions.pop(key))
        for home, windows in homes.items():
            effects.messages.append(Message(self._satisfaction, home, None, _encode_judged(Judged(self._partition, self._now, windows))))

    def _next_end(self) -> float:
        """When the next session ends, if nothing more happens in it."""
        while self._due:
            due, serial = self._due[0]
            session = self._sessions.get(serial)
            if session is not None and not session.ended and session.last + self._settings.gap == due:
                return due
            self._pop_due()
            if session is not None and not session.ended:
                self._await_end(session)
        return inf

    def _await_end(self, session: Session) -> None:
        """One entry per session: what happens in it meanwhile is looked at when its time has come."""
        if session.serial not in self._awaited:
            self._awaited.add(session.serial)
            heappush(self._due, (session.last + self._settings.gap, session.serial))

    def _pop_due(self) -> int:
        serial = heappop(self._due)[1]
        self._awaited.discard(serial)
        return serial

    def _expire(self, effects: Effects) -> None:
        """Forget sessions whose time for late feedback has passed, and feedback whose answer has not come."""
        while self._expiring and self._expiring[0][0] <= self._now:
            due, serial = heappop(self._expiring)
            session = self._sessions.get(serial)
            if session is not None and session.ended and self._expiry(session) == due:
                self._forget_session(session)
        while self._patience and (self._patience[0][0] <= self._now or len(self._waiting) > self._settings.waiting):
            signal = self._waiting.get(heappop(self._patience)[1])
            if signal is not None:
                self._serve(signal)
                effects.count("labels_feedback", "unmatched" if signal.session_id else "elsewhere_or_unmatched")

    def _expiry(self, session: Session) -> float:
        return session.last + self._settings.gap + self._settings.retention

    # Turns

    def _turn(self, turn: Turn, effects: Effects) -> None:
        if turn.request_id in self._answers:
            return
        session = self._session_of(turn, effects)
        if session is None:
            effects.count("labels_late", "turn")
            return
        if turn.response_id in self._of_response:  # another call's answer under the same id: the first keeps the label
            effects.count("labels_late", "response_id_taken")
            return
        answer = Answer(session.serial, turn)
        self._answers[turn.request_id] = answer
        self._of_response[turn.response_id] = turn.request_id
        self._changed_answers.add(turn.request_id)
        heappush(self._judging, (max(turn.time, turn.ended) + self._settings.judged_after, turn.request_id))
        self._touch(session, max(turn.time, turn.ended))
        session.start = min(session.start, turn.time)
        insort(session.answers, turn.request_id, key=self._position)
        touched = {turn.request_id}
        at = session.answers.index(turn.request_id)
        # A turn that comes late also gives those after it another past.
        for request_id in session.answers[at : at + CANDIDATES + 1]:
            touched |= self._react(session, self._answers[request_id])
        for request_id in sorted(touched, key=self._position):
            self._publish(self._answers[request_id], effects)
        for event_id in [e for key in _keys_of_turn(turn) for e in self._waiting_for.get(key, ())]:
            waiting = self._waiting.get(event_id)
            if waiting is not None and (target := self._target(waiting)) is not None:
                self._serve(waiting)
                self._hear(target, waiting, effects)
        self._bound(session, effects)

    def _session_of(self, turn: Turn, effects: Effects) -> Session | None:
        """The session a turn belongs to, a new one if need be; None if it is too late."""
        key, gap = _session_key(turn), self._settings.gap
        found: Session | None = None
        for serial in self._of_key.get(key, ()):
            session = self._sessions[serial]
            if session.start - gap <= turn.time <= session.last + gap and (found is None or session.last > found.last):
                found = session
        if found is not None:
            return None if turn.time <= found.forgotten else found
        if max(turn.time, turn.ended) + gap + self._settings.retention <= self._now:
            return None
        while len(self._sessions) >= self._settings.sessions:
            self._evict(effects)
        self._serial += 1
        found = Session(self._serial, key, turn.time, turn.time)
        self._add_session(found)
        self._changed_sessions.add(found.serial)
        return found

    def _react(self, session: Session, later: Answer) -> set[str]:
        """What a turn says about the answers before it. Returns those it says something new about."""
        turn = later.turn
        changed: set[str] = set()
        at = session.answers.index(turn.request_id)
        seen = [self._answers[r] for r in session.answers[max(0, at - 2 * CANDIDATES) : at]]
        seen = [answer for answer in seen if max(answer.turn.ended, answer.turn.time) <= turn.time]
        if not seen:
            return changed
        latest = max(seen, key=lambda answer: (answer.turn.ended, answer.turn.request_id))
        detectors = self._detectors
        votes = detectors.tone.votes(*detectors.tone.probabilities(turn.question))
        if latest.reaction is None or (turn.time, turn.request_id) < (latest.reaction.time, latest.reaction.request_id):
            if not votes and detectors.topic_change.changed(latest.turn.question, turn.question):
                votes = [Vote("topic_change", "")]
            latest.reaction = Reaction(turn.time, turn.request_id, turn.event_id, votes)
            changed.add(latest.turn.request_id)
        if Vote("acceptance", "strong") in votes:  # "thanks, and ..." repeats nothing
            self._changed_answers |= changed
            return changed
        probability, answer = self._repeated(seen[-CANDIDATES:], turn)
        vote = detectors.reformulation.vote(probability)
        if vote is not None and (answer.repeat is None or probability > answer.repeat.probability):
            answer.repeat = Repeat(probability, turn.event_id, vote.level)
            changed.add(answer.turn.request_id)
        self._changed_answers |= changed
        return changed

    def _repeated(self, earlier: list[Answer], turn: Turn) -> tuple[float, Answer]:
        """The answer whose question a turn asks again: the latest that surely is, else the most alike."""
        best = (0.0, earlier[-1])
        for answer in reversed(earlier):
            probability = self._detectors.reformulation.probability(answer.turn.question, turn.question)
            if probability >= STRONG:
                return probability, answer
            if probability > best[0]:
                best = (probability, answer)
        return best

    def _position(self, request_id: str) -> tuple[float, str]:
        return self._answers[request_id].turn.time, request_id

    # Feedback

    def _signal(self, signal: Signal, effects: Effects) -> None:
        if signal.kind not in VOTERS:
            effects.count("labels_feedback", "unknown_kind")
            return
        target = self._target(signal)
        if target is not None:
            self._hear(target, signal, effects)
        elif signal.time + self._settings.wait <= self._now:
            effects.count("labels_feedback", "unmatched" if signal.session_id else "elsewhere_or_unmatched")
        else:
            self._wait_for(signal)

    def _target(self, signal: Signal) -> Answer | None:
        """The answer that feedback is about: the one it names, else the latest that its session had seen."""
        if signal.response_id is not None:
            request_id = self._of_response.get(signal.response_id)
            return None if request_id is None else self._answers[request_id]
        if signal.request_id is not None:
            return self._answers.get(signal.request_id)
        gap, best = self._settings.gap, None
        for serial in self._of_key.get(f"s{signal.session_id}", ()):
            session = self._sessions[serial]
            if session.start <= signal.time <= session.last + gap:
                for request_id in session.answers:
                    answer = self._answers[request_id]
                    if answer.turn.ended <= signal.time and (
                        best is None or (answer.turn.ended, request_id) > (best.turn.ended, best.turn.request_id)
                    ):
                        best = answer
        return best

    def _hear(self, answer: Answer, signal: Signal, effects: Effects) -> None:
        session = self._sessions[answer.session]
        if not session.ended and signal.time <= session.last + self._settings.gap:
            self._touch(session, signal.time)
        votes = self._detectors.of_feedback(signal.kind, signal.value, signal.comment, answer.turn.answer_chars)
        news = [vote for vote in votes if answer.hear(vote, signal.time, signal.event_id)]
        if news:
            self._changed_answers.add(answer.turn.request_id)
            self._publish(answer, effects)
            if answer.final:
                effects.count("labels_late", "feedback_in_time")
                self._learn(answer)

    def _wait_for(self, signal: Signal) -> None:
        self._waiting[signal.event_id] = signal
        for key in _keys_of_signal(signal):
            self._waiting_for.setdefault(key, []).append(signal.event_id)
        heappush(self._patience, (signal.time + self._settings.wait, signal.event_id))
        self._waits.add(signal.event_id)
        self._served.discard(signal.event_id)

    def _serve(self, signal: Signal) -> None:
        """A signal no longer waits."""
        del self._waiting[signal.event_id]
        for key in _keys_of_signal(signal):
            left = self._waiting_for[key]
            left.remove(signal.event_id)
            if not left:
                del self._waiting_for[key]
        self._waits.discard(signal.event_id)
        self._served.add(signal.event_id)

    # Labels

    def _evidence(self, answer: Answer) -> list[tuple[Vote, str | None]]:
        session = self._sessions[answer.session]
        return answer.evidence(session.ended and session.answers[-1:] == [answer.turn.request_id])

    def _publish(self, answer: Answer, effects: Effects) -> None:
        """A new version of the label, if it says something new."""
        evidence = self._evidence(answer)
        reacted = answer.reaction is not None or answer.repeat is not None
        if not evidence and not reacted and not answer.final:
            return
        votes = [vote for vote, _ in evidence]
        opinion = self._model.judge(_series(answer.turn), votes, reacted=reacted, settled=answer.final)
        score = round(opinion.score, 4)
        informed = reacted or any(vote.voter != "session_end" for vote in votes)  # that someone left is no opinion
        label: outputs.LabelName = (
            "neutral" if not informed else "positive" if score >= POSITIVE else "negative" if score <= NEGATIVE else "neutral"
        )
        explicit = any(VOTERS[vote.voter].explicit for vote in votes)
        known = answer.published
        if (
            known is not None
            and (known.label, known.explicit, known.final, known.evidence) == (label, explicit, answer.final, votes)
            and abs(known.score - score) < MATERIAL
        ):
            return
        version = 1 if known is None else known.version + 1
        answer.published = Published(version, label, score, explicit, answer.final, votes)
        self._changed_answers.add(answer.turn.request_id)
        turn = answer.turn
        signals = [
            outputs.Signal(kind=vote.voter, weight=round(weight, 3), event_id=event_id)  # type: ignore[arg-type]
            for (vote, event_id), weight in zip(evidence, opinion.weights, strict=True)
        ]
        found = outputs.Label(
            label_id=label_id(turn.response_id), response_id=turn.response_id, time=datetime.fromtimestamp(max(turn.ended, turn.time), UTC),
            label=label, score=score, request_id=turn.request_id, session_id=turn.session_id, tenant=turn.tenant,
            feature=turn.feature or None, explicit=explicit, signals=signals, final=answer.final, version=version,
        )  # fmt: skip
        key = turn.response_id.encode()
        effects.messages.append(Message(self._topic, partition_of(key, self._partitions), key, _encode_json(found)))
        effects.row(LabelRow.TABLE, _encode_json(_row(found, turn)))
        effects.count("labels", label)

    def _finish(self, answer: Answer, effects: Effects) -> None:
        """No more is expected to be heard of an answer: its label is final, and teaches."""
        if answer.final:
            self._publish(answer, effects)
            return
        answer.final = True
        self._changed_answers.add(answer.turn.request_id)
        self._publish(answer, effects)
        if answer.published is not None:
            self._model.observe(_series(answer.turn), answer.published.score)
        self._judge(answer)
        self._learn(answer)

    def _learn(self, answer: Answer) -> None:
        votes = [vote for vote, _ in self._evidence(answer)]
        if not answer.learned and any(VOTERS[vote.voter].explicit for vote in votes):
            answer.learned = True
            self._changed_answers.add(answer.turn.request_id)
            self._model.learn(_series(answer.turn), votes, reacted=answer.reaction is not None or answer.repeat is not None)

    # Sessions

    def _touch(self, session: Session, time: float) -> None:
        """There was activity. An ended session goes on if it was within the gap: what is final stays so."""
        self._changed_sessions.add(session.serial)
        session.last = max(session.last, time)
        session.ended = False
        self._await_end(session)

    def _end(self, session: Session, effects: Effects) -> None:
        session.ended = True
        self._changed_sessions.add(session.serial)
        heappush(self._expiring, (self._expiry(session), session.serial))
        for request_id in session.answers:
            self._finish(self._answers[request_id], effects)

    def _bound(self, session: Session, effects: Effects) -> None:
        """Texts of the last candidates only, and answers of a number."""
        for request_id in session.answers[: -2 * CANDIDATES]:
            answer = self._answers[request_id]
            if answer.turn.question:
                answer.turn = msgspec.structs.replace(answer.turn, question="")
                self._changed_answers.add(request_id)
        while len(session.answers) > self._settings.turns:
            request_id = session.answers[0]
            self._finish(self._answers[request_id], effects)
            session.forgotten = self._answers[request_id].turn.time
            session.answers.pop(0)
            self._forget_answer(request_id)
            effects.count("labels_late", "turn_given_up")

    def _evict(self, effects: Effects) -> None:
        """Make room for a session: an ended one goes, else the one that has been quiet for longest, whose labels become final."""
        while self._expiring:
            due, serial = heappop(self._expiring)
            session = self._sessions.get(serial)
            if session is not None and session.ended and self._expiry(session) == due:
                self._forget_session(session)
                return
        self._next_end()
        session = self._sessions[self._pop_due()]
        self._end(session, effects)
        self._forget_session(session)
        effects.count("labels_late", "session_given_up")

    def _add_session(self, session: Session) -> None:
        self._sessions[session.serial] = session
        serials = self._of_key.setdefault(session.key, [])
        if session.serial not in serials:
            serials.append(session.serial)
            serials.sort()

    def _forget_session(self, session: Session) -> None:
        for request_id in session.answers:
            self._forget_answer(request_id)
        self._drop_session(session.serial)
        self._changed_sessions.discard(session.serial)
        self._gone_sessions.append(session.serial)

    def _drop_session(self, serial: int) -> None:
        session = self._sessions.pop(serial, None)
        if session is None:
            return
        left = self._of_key[session.key]
        left.remove(serial)
        if not left:
            del self._of_key[session.key]

    def _forget_answer(self, request_id: str) -> None:
        answer = self._answers.pop(request_id, None)
        if answer is not None:
            self._of_response.pop(answer.turn.response_id, None)
        self._changed_answers.discard(request_id)
        self._gone_answers.append(request_id)

    # Persistence

    def _clear_changes(self) -> None:
        self._arrived: list[tuple[int, str]] = []
        self._waits: set[str] = set()
        self._served: set[str] = set()
        self._changed_sessions: set[int] = set()
        self._changed_answers: set[str] = set()
        self._gone_sessions: list[int] = []
        self._gone_answers: list[str] = []
        self._saved_at = self._now

    def changes(self) -> bytes | None:
        clocks = self._watermark.take_changes()
        counts, slope = self._model.take_changes()
        items = [self._pending[key] for key in self._arrived if key in self._pending]
        if not (clocks or counts or items or self._waits or self._served or self._changed_sessions or self._changed_answers
                or self._gone_sessions or self._gone_answers or self._now != self._saved_at):  # fmt: skip
            return None
        saved = Saved(
            now=self._now, serial=self._serial, clocks=clocks,
            turns=[item for item in items if isinstance(item, Turn)],
            signals=[item for item in items if isinstance(item, Signal)],
            waiting=[self._waiting[event_id] for event_id in sorted(self._waits)],
            served=sorted(self._served),
            sessions=[self._sessions[serial] for serial in sorted(self._changed_sessions)],
            answers=[self._answers[request_id] for request_id in sorted(self._changed_answers)],
            forgotten=[request_id for request_id in self._gone_answers if request_id not in self._answers],
            ended=self._gone_sessions,
            counts=counts, slope=slope, opinions=list(self._opinions.values()),
        )  # fmt: skip
        encoded = _encode_saved(saved)
        self._clear_changes()
        return encoded

    def snapshot(self) -> Iterator[bytes]:
        counts, slope = self._model.all()
        head = Saved(now=self._now, serial=self._serial, clocks=self._watermark.all(), slope=slope)
        yield _encode_saved(head)
        for field, entries in (
            ("sessions", list(self._sessions.values())),
            ("answers", list(self._answers.values())),
            ("turns", [item for item in self._pending.values() if isinstance(item, Turn)]),
            ("signals", [item for item in self._pending.values() if isinstance(item, Signal)]),
            ("waiting", list(self._waiting.values())),
            ("counts", counts),
            ("opinions", list(self._opinions.values())),
        ):
            for at in range(0, len(entries), SNAPSHOT_ENTRIES):
                part: dict[str, Any] = {field: entries[at : at + SNAPSHOT_ENTRIES]}
                yield _encode_saved(Saved(now=self._now, serial=self._serial, slope=slope, **part))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._now, self._serial = saved.now, saved.serial
        self._watermark.load(saved.clocks)
        for key, time in [(key, _time(item)) for key, item in self._pending.items()]:
            if time < self._now:
                del self._pending[key]
        for request_id in saved.forgotten:
            answer = self._answers.pop(request_id, None)
            if answer is not None:
                self._of_response.pop(answer.turn.response_id, None)
        for serial in saved.ended:
            self._drop_session(serial)
        for session in saved.sessions:
            self._add_session(session)
            if session.ended:
                heappush(self._expiring, (self._expiry(session), session.serial))
            else:
                self._await_end(session)
        for answer in saved.answers:
            self._answers[answer.turn.request_id] = answer
            self._of_response[answer.turn.response_id] = answer.turn.request_id
            if not answer.judged:
                due = max(answer.turn.time, answer.turn.ended) + self._settings.judged_after
                heappush(self._judging, (due, answer.turn.request_id))
        self._opinions.update({(item.window, item.series): item for item in saved.opinions})
        current = int(self._now) // WINDOW * WINDOW
        self._opinions = {key: item for key, item in self._opinions.items() if key[0] >= current}
        for event_id in saved.served:
            if event_id in self._waiting:
                self._serve(self._waiting[event_id])
        for signal in saved.waiting:
            if signal.event_id not in self._waiting:
                self._wait_for(signal)
        items: Iterable[tuple[tuple[int, str], Turn | Signal]] = [
            *(((0, turn.request_id), turn) for turn in saved.turns), *(((1, signal.event_id), signal) for signal in saved.signals)
        ]  # fmt: skip
        self._pending.update(items)
        self._queue = sorted((_time(item), *key) for key, item in self._pending.items())
        if saved.slope is not None:
            self._model.load(saved.counts, saved.slope)
        self._clear_changes()


def _share(turn: Turn) -> None:
    """Many turns are remembered, and few names are in them."""
    turn.tenant, turn.feature, turn.model, turn.outcome = map(intern, (turn.tenant, turn.feature, turn.model, turn.outcome))


def label_id(response_id: str) -> str:
    """The identity of a response's label."""
    return hashlib.blake2b(response_id.encode(), digest_size=16).hexdigest()


def _series(turn: Turn) -> str:
    return f"{turn.tenant}\n{turn.feature}"


def _session_key(turn: Turn) -> str:
    return f"r{turn.request_id}" if turn.session_id is None else f"s{turn.session_id}"


def _keys_of_turn(turn: Turn) -> tuple[str, ...]:
    own = (f"a{turn.response_id}", f"r{turn.request_id}")
    return own if turn.session_id is None else (*own, f"s{turn.session_id}")


def _keys_of_signal(signal: Signal) -> tuple[str, ...]:
    """What feedback waits for: the most precise thing it names."""
    if signal.response_id is not None:
        return (f"a{signal.response_id}",)
    return (f"r{signal.request_id}",) if signal.request_id is not None else (f"s{signal.session_id}",)


def _time(item: Turn | Signal) -> float:
    return max(item.time, item.ended) if isinstance(item, Turn) else item.time


def _row(label: outputs.Label, turn: Turn) -> LabelRow:
    return LabelRow(
        time=label.time, label_id=label.label_id, response_id=label.response_id, version=label.version, label=label.label,
        score=label.score, request_id=turn.request_id, session_id=turn.session_id or "", tenant=turn.tenant, feature=turn.feature,
        model=turn.model, explicit=label.explicit, signals=label.signals, final=label.final,
    )  # fmt: skip
