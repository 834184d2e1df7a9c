"""Stage 2: turns and users' signals to labels.

Everything is decided in the order of event time, as far as the clock has come (the slowest source partition), in whole periods of
``PERIOD`` seconds: the items of a period one by one, at its end what is due, and then a version of each label of which something new is
known. So the result does not depend on how the input was cut into batches, on the order among source partitions, or on restarts. What comes
after its time is taken at once. A label's versions count what was published of it; nothing is published that says nothing new. What was
learned about signals counts from the next minute (``STUDY``) on, so that equal answers are judged once and not each.

Who reacts to what, with interleaved turns (two tabs in one session): a turn is a reaction to the latest answer that had ended when it was
asked; it asks again the latest of the last ``CANDIDATES`` questions that it surely repeats, else the one it resembles most.

Only speed depends on the batch: what is about to be decided is read and compared at once beforehand. A checkpoint holds messages as they
came, and what changed and cannot be told from them: what is known of an answer when that changes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from math import inf
from operator import attrgetter, itemgetter
from typing import NamedTuple

import msgspec

from agents.common.label_settings import LabelSettings
from agents.common.messages import messages
from agents.common.stage2 import Untimed, pieces
from agents.common.watermark import Reached, Source, Watermark
from agents.labels.detectors import STRONG, Detectors
from agents.labels.inbox import Entry, Inbox
from agents.labels.memory import CANDIDATES, ENTRIES, REMEMBERED, Memory, MemoryChange
from agents.labels.publishing import LabelPublisher, label_id
from agents.labels.reliability import VOTERS, VOTES, Clues, LabelModel, Learned
from agents.labels.sessions import Answer, Reaction, Repeat, Session, SessionHead, session_key
from agents.labels.waiting import Waiting
from schemas.opinions import TOLD, WINDOW, Foresight, JudgedUpTo, Opinions
from schemas.turns import FeedbackSignal, Turn, Turns
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of
from streams.state import Batch

__all__ = ["LabelsState", "label_id"]

STAGE = "labels"

_ACCEPTED = VOTES["acceptance"]["strong"]
_ELSEWHERE = VOTES["topic_change"][""]

_there = attrgetter("there")
_time = itemgetter(0)

PERIOD = 5
"""Seconds of event time in which everything new about an answer becomes one version of its label. Stage 1 tells how far it is every ten
seconds and ``settle`` is five, so nobody waits for it."""
STUDY = 60
"""Seconds of event time after which what was learned counts."""

TOGETHER = 2_000
"""Items whose texts are read and compared at once, however many have waited."""

FORMAT = 4
"""Of the state in the changelog. 1 and 2, of earlier versions, began with the clock."""
FORMER = 3
"""Had counts and a slope where there are weights, which are learned anew."""


class Lesson(NamedTuple):
    """An answer with explicit feedback: its series, tenant and feature, and everything that is
    known of it."""

    request_id: str
    series: str
    of: tuple[str, str]
    clues: Clues


class SavedLabels(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``read``: messages as they came; of their items those from ``now`` on wait for the clock, the
    others were taken. ``lessons`` count when the minute of ``now`` is over.

    Whether an answer has counted for satisfaction follows from the rest.
    """

    format: int = FORMAT
    now: float = 0.0
    serial: int = 0
    clocks: list[Reached] = []
    read: list[bytes] = []
    waiting: list[FeedbackSignal] = []
    served: list[str] = []
    remembered: MemoryChange | None = None
    learned: list[Learned] = []
    opinions: list[Opinions] = []
    lessons: list[Lesson] = []


_decode = msgspec.msgpack.Decoder(Turns).decode


def _decode_both(raw: bytes) -> tuple[Turns, bytes]:
    return _decode(raw), raw


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedLabels).decode
_decode_format = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_encode_judged = msgspec.msgpack.Encoder().encode


class LabelsState(Untimed):
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
        self._satisfaction = satisfaction
        self._partitions = partitions
        self._source = source
        self._settings = settings or LabelSettings()
        self._detectors = detectors or Detectors()
        self._model = LabelModel()
        self._publisher = LabelPublisher(labels, partitions, self._model)
        self._watermark = Watermark(sources)  # what waits is bounded by its number
        self._now = 0.0
        self._serial = 0
        self._inbox = Inbox()
        self._waiting = Waiting()
        self._memory = Memory()
        self._due: list[tuple[float, int]] = []
        self._judging: deque[Answer] = deque()
        self._opinions: dict[tuple[int, tuple[str, str]], Opinions] = {}
        self._expiring: deque[tuple[float, int]] = deque()
        self._changed_opinions: set[tuple[int, tuple[str, str]]] = set()
        self._foresights: dict[tuple[int, tuple[str, str]], Foresight] = {}
        """Told in the batch in which the minute is over, so there is nothing of them to save."""
        self._saved_at = 0.0
        self._news: dict[Answer, None] = {}
        self._finished: list[Answer] = []
        self._forget_lessons()

    @property
    def clock(self) -> float:
        """Event time, epoch seconds, up to which everything was decided; 0 at first."""
        return self._now

    @property
    def model(self) -> LabelModel:
        """What has been learned of signals."""
        return self._model

    def apply(self, batch: Batch, effects: Effects) -> None:
        before = int(self._now) // TOLD, self._watermark.rests
        for message, raw in messages(batch, _decode_both, "turns", STAGE, self._source, effects):
            self._inbox.put(message, raw)
            self._watermark.hear(Source(message.source, message.partition), message.clock, message.rests)
            self._advance(effects)
        self._publisher.send(effects)
        if (int(self._now) // TOLD, self._watermark.rests) != before:
            self._tell_satisfaction(effects)

    def waiting(self) -> int:
        """Turns and feedback up to the clock. What a service tells whose clock is ahead waits until
        then, and nothing comes of it before."""
        return self._inbox.before(self._watermark.time + self._settings.settle)

    def gauges(self) -> Mapping[str, float]:
        return {
            "label_sessions": len(self._memory.sessions),
            "label_answers": len(self._memory.answers),
            "label_inbox": len(self._inbox),
            "label_pending": self.waiting(),
            "label_waiting_feedback": len(self._waiting),
            "label_series": len(self._model),
        }

    # Order

    def _advance(self, effects: Effects) -> None:
        """Take every item and all that is due before the clock, period by period.

        The clock goes in whole periods; when there is nothing more to read, to the end of the one it is in. When more waits
        for it than may be held, the earliest are taken before their time.
        """
        told, rests = self._now, self._watermark.rests
        if (clock := self._watermark.time - (0.0 if rests else self._settings.settle)) > 0:
            told = max(told, clock // PERIOD * PERIOD + rests * PERIOD)
        end = told
        early = self._inbox.beyond(self._settings.pending)
        if early is not None and early >= end:
            end = early // PERIOD * PERIOD + PERIOD
        items = self._inbox.take(end)
        if end > told and (taken_early := sum(entry[0] >= told for entry in items)):
            effects.count("label_exceptions", "taken_early", taken_early)
        at = 0
        while True:
            moment = self._next_due()
            if at < len(items):
                moment = min(moment, items[at][0])
            if moment >= end:
                break
            if late := moment < self._now:
                boundary = self._now
            else:
                self._go_to(moment // PERIOD * PERIOD)
                boundary = self._now + PERIOD
            stop = bisect_left(items, boundary, at, key=_time)
            if late and stop > at:
                effects.count("label_exceptions", "late", stop - at)
            while at < stop:
                if at % TOGETHER == 0:
                    self._prepare(items[at : at + TOGETHER])
                prepared = min(stop, (at // TOGETHER + 1) * TOGETHER)
                for _, _, _, item in items[at:prepared]:
                    if isinstance(item, Turn):
                        self._turn(item, effects)
                    else:
                        self._signal(item, effects)
                at = prepared
            self._close_period(boundary, effects)
            self._go_to(boundary)
        self._go_to(end)

    def _next_due(self) -> float:
        """Before that nothing happens by itself."""
        judged, ending, expiring = self._judging, self._due, self._expiring
        return min(
            judged[0].there + self._settings.judged_after if judged else inf,
            ending[0][0] if ending else inf,
            expiring[0][0] if expiring else inf,
            self._waiting.patience,
        )

    def _go_to(self, moment: float) -> None:
        """Nothing happens until then, but that a minute may be over."""
        if moment // STUDY != self._now // STUDY and self._lessons:
            window = int(self._now) // WINDOW * WINDOW
            for lesson in self._lessons.values():
                foretold = self._model.learn(lesson.series, lesson.clues)
                if foretold is not None:
                    key = window, lesson.of
                    self._foresights.setdefault(key, Foresight(*key)).add(*foretold)
            self._publisher.forget()
            self._forget_lessons()
        self._now = moment

    def _forget_lessons(self) -> None:
        self._lessons: dict[str, Lesson] = {}
        self._new_lessons: list[Lesson] = []

    def _close_period(self, boundary: float, effects: Effects) -> None:
        """What is due before the end of a period; then labels, and what they teach."""
        for session in self._ending(boundary):
            self._end(session)
        if self._news:
            self._publisher.publish(self._news)
            self._memory.learned(self._news)
            self._news = {}
        judging, after, judged = self._judging, self._settings.judged_after, []
        while judging and judging[0].there + after < boundary:
            judged.append(judging.popleft())
        if self._finished:
            judged += self._finished
            self._finished = []
        if judged:
            self._judge(judged)
        self._expire(boundary, effects)
        self._memory.part()

    def _prepare(self, taken: Iterable[Entry]) -> None:
        """Read and compare at once what will probably be compared one by one."""
        said: list[str] = []
        pairs: list[tuple[str, str]] = []
        asked: dict[str, list[Turn]] = {}
        of_id = self._memory.of_id
        for _, _, _, item in taken:
            if isinstance(item, FeedbackSignal):
                if item.comment:
                    said.append(item.comment)
            elif item.session_id is not None:
                session_id, question, time = item.session_id, item.question, item.time
                earlier = asked.get(session_id)
                if earlier is None:
                    known = of_id.get(session_id)
                    if known is None:
                        asked[session_id] = [item]
                        continue
                    earlier = asked[session_id] = [answer.turn for answer in known[-1].answers[-CANDIDATES:]]
                if question:
                    said.append(question)
                    pairs += [(turn.question, question) for turn in earlier[-CANDIDATES:] if turn.question and turn.ended <= time]
                earlier.append(item)
        if said:
            self._detectors.prepare(said, pairs)

    def _await_judgement(self, answer: Answer) -> None:
        """In the order of time, in which answers come but for late ones."""
        if self._judging and answer.there < self._judging[-1].there:
            insort(self._judging, answer, key=_there)
        else:
            self._judging.append(answer)

    def _await_end(self, session: Session) -> None:
        """One entry per session: what happens in it meanwhile is looked at when its time has come."""
        if not session.awaited:
            session.awaited = True
            heappush(self._due, (session.head.last + self._settings.gap, session.head.serial))

    def _ending(self, boundary: float) -> Iterator[Session]:
        """Sessions that end before it, one after another, unless something happens in them."""
        due, sessions, gap = self._due, self._memory.sessions, self._settings.gap
        while due and due[0][0] < boundary:
            end, serial = heappop(due)
            session = sessions.get(serial)
            if session is None:
                continue
            session.awaited = False
            if session.head.ended:
                continue
            if session.head.last + gap == end:
                yield session
            else:
                self._await_end(session)

    def _expire(self, boundary: float, effects: Effects) -> None:
        """Forget sessions whose time for late feedback has passed, and feedback whose answer has not come."""
        while self._expiring and self._expiring[0][0] < boundary:
            due, serial = self._expiring.popleft()
            session = self._memory.sessions.get(serial)
            if session is not None and session.head.ended and self._expiry(session) == due:
                self._memory.forget_session(session)
        if self._waiting.patience <= boundary or len(self._waiting) > self._settings.waiting:
            for signal in self._waiting.give_up(boundary, self._settings.waiting):
                effects.count("label_exceptions", _unmatched(signal))

    def _await_expiry(self, session: Session) -> None:
        """In the order of time, in which sessions end but for those that were evicted or come from a snapshot."""
        entry = self._expiry(session), session.head.serial
        if self._expiring and entry < self._expiring[-1]:
            insort(self._expiring, entry)
        else:
            self._expiring.append(entry)

    def _expiry(self, session: Session) -> float:
        return session.head.last + self._settings.gap + self._settings.retention

    # Satisfaction

    def _judge(self, answers: Iterable[Answer]) -> None:
        """The score of an answer counts for the satisfaction of its feature, once."""
        window = int(self._now) // WINDOW * WINDOW
        of_series: dict[str, tuple[Opinions, float]] = {}
        for answer in answers:
            if answer.judged:
                continue
            answer.judged = True
            published, series = answer.known.published, answer.series
            found = of_series.get(series)
            if found is None:
                key = window, (answer.turn.tenant, answer.turn.feature)
                opinions = self._opinions.setdefault(key, Opinions(*key))
                found = of_series[series] = opinions, self._publisher.judge((series, False, Clues())).score
                self._changed_opinions.add(key)
            opinions, score = found
            opinions.add(score if published is None else published.score, answer.turn.response_id)

    def _tell_satisfaction(self, effects: Effects) -> None:
        """Windows that are over, to where their series come together; to everybody, how far this partition is."""
        over = sorted(key for key in self._opinions if key[0] + WINDOW <= self._now)
        homes: dict[int, list[Opinions]] = {partition: [] for partition in range(self._partitions)}
        for key in over:
            homes[self._home(key[1])].append(self._opinions.pop(key))
        foretold: dict[int, list[Foresight]] = {}
        for key in sorted(self._foresights):
            foretold.setdefault(self._home(key[1]), []).append(self._foresights.pop(key))
        for home, windows in homes.items():
            judged = JudgedUpTo(self._partition, self._now, windows, self._watermark.rests, foretold.get(home, []))
            effects.messages.append(OutgoingMessage(self._satisfaction, home, None, _encode_judged(judged)))

    def _home(self, series: tuple[str, str]) -> int:
        return partition_of("\x1f".join(series).encode(), self._partitions)

    # Turns

    def _turn(self, turn: Turn, effects: Effects) -> None:
        memory = self._memory
        if turn.request_id in memory.answers:
            return
        session = self._session_of(turn, effects)
        if session is None:
            effects.count("label_exceptions", "turn")
            return
        if turn.response_id in memory.of_response:  # another call's answer under the same id: the first keeps the label
            effects.count("label_exceptions", "response_id_taken")
            return
        answer = Answer.to(turn, session)
        at, answers = memory.add_answer(answer), session.answers
        self._await_judgement(answer)
        self._touch(session, answer.there)
        if turn.time < session.head.start:
            session.head.start = turn.time
        # A turn that comes late also gives those after it another past.
        if len(answers) > 1:
            for later in range(at or 1, min(at + CANDIDATES + 1, len(answers))):
                self._react(answers, later)
        if self._waiting:
            for signal in self._waiting.of(turn):
                target = self._target(signal)
                if target is not None:
                    self._waiting.serve(signal)
                    self._hear(target, signal, effects)
        if len(answers) > self._settings.turns:
            self._bound(session, effects)

    def _session_of(self, turn: Turn, effects: Effects) -> Session | None:
        """The session a turn belongs to, a new one if need be; None if it is too late."""
        gap, time = self._settings.gap, turn.time
        found: Session | None = None
        for session in self._memory.of_id.get(turn.session_id, ()):
            head = session.head
            if head.start - gap <= time <= head.last + gap and (found is None or head.last > found.head.last):
                found = session
        if found is not None:
            return None if time <= found.head.forgotten else found
        if max(time, turn.ended) + gap + self._settings.retention <= self._now:
            return None
        while len(self._memory.sessions) >= self._settings.sessions:
            self._evict(effects)
        self._serial += 1
        found = Session(SessionHead(self._serial, session_key(turn), time, time), turn.session_id)
        self._memory.add_session(found)
        return found

    def _react(self, answers: list[Answer], at: int) -> None:
        """What a turn says about the answers before it."""
        turn = answers[at].turn
        time = turn.time
        seen = [answer for answer in answers[max(0, at - REMEMBERED) : at] if answer.there <= time]
        if not seen:
            return
        latest = seen[-1]
        for answer in seen[:-1]:
            ended = answer.turn.ended
            if ended >= latest.turn.ended and (ended, answer.turn.request_id) > (latest.turn.ended, latest.turn.request_id):
                latest = answer
        detectors = self._detectors
        votes = detectors.tone.votes(turn.question)
        reaction = latest.known.reaction
        if reaction is None or (time, turn.request_id) < (reaction.time, reaction.request_id):
            if not votes and detectors.topic_change.changed(latest.turn.question, turn.question):
                votes = [_ELSEWHERE]
            balance = detectors.tone.balance(turn.question)
            latest.known.reaction = Reaction(time, turn.request_id, turn.event_id, votes, balance)
            self._news[latest] = None
        if _ACCEPTED in votes:  # "thanks, and ..." repeats nothing
            return
        probability, answer = self._repeated(seen[-CANDIDATES:], turn)
        vote, repeat = detectors.reformulation.vote(probability), answer.known.repeat
        if vote is not None and (repeat is None or probability > repeat.probability):
            answer.known.repeat = Repeat(probability, turn.event_id, vote.level)
            self._news[answer] = None

    def _repeated(self, earlier: list[Answer], turn: Turn) -> tuple[float, Answer]:
        """The answer whose question a turn asks again: the latest that surely is, else the most alike."""
        best, probability_of = (0.0, earlier[-1]), self._detectors.reformulation.probability
        for answer in reversed(earlier):
            probability = probability_of(answer.turn.question, turn.question)
            if probability >= STRONG:
                return probability, answer
            if probability > best[0]:
                best = (probability, answer)
        return best

    # Feedback

    def _signal(self, signal: FeedbackSignal, effects: Effects) -> None:
        if signal.kind not in VOTERS:
            effects.count("label_exceptions", "unknown_kind")
            return
        if signal.event_id in self._waiting:
            return
        target = self._target(signal)
        if target is not None:
            self._hear(target, signal, effects)
        elif signal.time + self._settings.wait <= self._now:
            effects.count("label_exceptions", _unmatched(signal))
        else:
            self._waiting.add(signal, signal.time + self._settings.wait)

    def _target(self, signal: FeedbackSignal) -> Answer | None:
        """The answer that feedback is about: the one it names, else the latest that its session had seen."""
        if signal.response_id is not None:
            return self._memory.of_response.get(signal.response_id)
        if signal.request_id is not None:
            return self._memory.answers.get(signal.request_id)
        seen = (
            answer
            for session in self._memory.of_id.get(signal.session_id, ())
            if session.head.start <= signal.time <= session.head.last + self._settings.gap
            for answer in session.answers
            if answer.turn.ended <= signal.time
        )
        return max(seen, key=lambda answer: (answer.turn.ended, answer.turn.request_id), default=None)

    def _hear(self, answer: Answer, signal: FeedbackSignal, effects: Effects) -> None:
        session = answer.session
        if not session.head.ended and signal.time <= session.head.last + self._settings.gap:
            self._touch(session, signal.time)
        votes = self._detectors.of_feedback(signal.kind, signal.value, signal.comment, answer.turn.answer_chars)
        news = [vote for vote in votes if answer.hear(vote, signal.time, signal.event_id)]
        if news:
            self._news[answer] = None
            if answer.known.final:
                effects.count("label_exceptions", "feedback_in_time")
                self._learn(answer)

    # Sessions

    def _touch(self, session: Session, time: float) -> None:
        """There was activity. An ended session goes on if it was within the gap: what is final stays so."""
        head = session.head
        self._memory.changed(session)
        if time > head.last:
            head.last = time
        head.ended = False
        if not session.awaited:
            self._await_end(session)

    def _end(self, session: Session) -> None:
        session.head.ended = True
        self._memory.changed(session)
        self._await_expiry(session)
        self._finish(session.answers)

    def _finish(self, answers: Iterable[Answer]) -> None:
        """No more is expected to be heard of these: their labels are final, and teach."""
        news, finished = self._news, self._finished
        for answer in answers:
            news[answer] = None
            known = answer.known
            if not known.final:
                known.final = True
                finished.append(answer)
                if known.said:
                    self._learn(answer)

    def _learn(self, answer: Answer) -> None:
        if answer.explicit and not answer.known.learned:
            answer.known.learned = True
            turn = answer.turn
            of = turn.tenant, turn.feature
            lesson = Lesson(turn.request_id, answer.series, of, answer.clues()[0])
            self._lessons[lesson.request_id] = lesson
            self._new_lessons.append(lesson)

    def _bound(self, session: Session, effects: Effects) -> None:
        """Answers of a number only."""
        while len(session.answers) > self._settings.turns:
            answer = session.answers[0]
            self._finish((answer,))
            session.head.forgotten = answer.turn.time
            self._memory.forget_answer(answer)
            effects.count("label_exceptions", "turn_given_up")

    def _evict(self, effects: Effects) -> None:
        """Make room for a session: an ended one goes, else the one that has been quiet for longest, whose labels become final."""
        while self._expiring:
            due, serial = self._expiring.popleft()
            session = self._memory.sessions.get(serial)
            if session is not None and session.head.ended and self._expiry(session) == due:
                self._memory.forget_session(session)
                return
        session = next(self._ending(inf))
        self._end(session)
        self._memory.forget_session(session)
        effects.count("label_exceptions", "session_given_up")

    # Persistence

    def changes(self) -> bytes | None:
        clocks, remembered = self._watermark.take_changes(), self._memory.take_changes()
        learned = self._model.take_changes()
        read, (waiting, served) = self._inbox.take_changes(), self._waiting.take_changes()
        if not (clocks or learned or read or waiting or served or remembered or self._now != self._saved_at):
            return None
        saved = SavedLabels(
            now=self._now, serial=self._serial, clocks=clocks, read=read, waiting=waiting, served=served, remembered=remembered,
            learned=learned,
            opinions=[self._opinions[key] for key in sorted(self._changed_opinions) if key in self._opinions],
            lessons=self._new_lessons,
        )  # fmt: skip
        self._changed_opinions, self._saved_at = set(), self._now
        self._new_lessons = []
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        saved = partial(SavedLabels, now=self._now, serial=self._serial)
        yield _encode_saved(saved(clocks=self._watermark.all()))
        for remembered in self._memory.all():
            yield _encode_saved(saved(remembered=remembered))
        for message in self._inbox.all(ENTRIES):
            yield _encode_saved(saved(read=[message]))
        sections = pieces(
            saved, ENTRIES, waiting=self._waiting.all(), learned=self._model.all(),
            opinions=self._opinions.values(), lessons=self._lessons.values(),
        )  # fmt: skip
        yield from map(_encode_saved, sections)

    def load(self, piece: bytes) -> None:
        saved = _decode_state(piece)
        if saved.now // STUDY != self._now // STUDY:
            self._forget_lessons()
        self._now, self._serial = saved.now, saved.serial
        self._watermark.load(saved.clocks)
        taken = self._inbox.load(self._now, saved.read)
        self._waiting.load(saved.waiting, saved.served, self._settings.wait)
        if saved.remembered is not None:
            sessions, answers = self._memory.load(saved.remembered, taken)
            for session in sessions:
                if session.head.ended:
                    self._await_expiry(session)
                else:
                    self._await_end(session)
            for answer in answers:
                self._await_judgement(answer)
        while self._judging and self._judging[0].there + self._settings.judged_after < self._now:
            self._judging.popleft().judged = True
        self._opinions.update({(item.window, item.series): item for item in saved.opinions})
        current = int(self._now) // WINDOW * WINDOW
        self._opinions = {key: item for key, item in self._opinions.items() if key[0] >= current}
        self._model.load(saved.learned)
        self._lessons |= {lesson.request_id: lesson for lesson in saved.lessons}
        self._saved_at = self._now


def _decode_state(piece: bytes) -> SavedLabels:
    """A piece of the changelog; of ``FORMER``, without what was learned and is about to be. Raises
    ``ValueError`` for one of another version: it says other things in the same places."""
    fields = _decode_format(piece)
    found = msgspec.msgpack.decode(fields[0])
    if found == FORMER:
        before, (_, _, opinions) = fields[1:8], fields[8:11]  # counts, slope
        return _decode_saved(_encode_saved([FORMAT, *before, [], opinions]))
    if type(found) is not int or found != FORMAT:
        found = found if type(found) is int else 2
        raise ValueError(
            f"the changelog of the agent labels was written by another version of Mirante, in format {found}; "
            f"this one reads format {FORMAT}. All it holds are the sessions of the last hours: stop all workers, delete its topic "
            "(docs/operations.md, Labels) and start them again, or go on with the version that wrote it"
        )
    return _decode_saved(piece)


def _unmatched(signal: FeedbackSignal) -> str:
    return "unmatched" if signal.session_id else "elsewhere_or_unmatched"
