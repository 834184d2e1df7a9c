"""Questions to all partitions about what is missing here, and answers to theirs (progress.py,
strays.py).

In: ticks of processing time, questions and answers of other partitions. Out: the same, to them; and
how far they have confirmed (:attr:`Inquiries.progress`). Fails never.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from agents.interactions.gossip import Gossip
from agents.interactions.identity import remembered_id
from agents.interactions.join import WaitingResponse
from agents.interactions.outbox import ANSWER, ASK, SEEK, SOUGHT
from agents.interactions.partition import Partition
from agents.interactions.progress import Ask, Question, ReadAnswer, ReadingProgress
from agents.interactions.whereabouts import Whereabouts
from streams.effects import Effects


class Inquiries:
    """Of one partition."""

    def __init__(self, partition: Partition, gossip: Gossip, whereabouts: Whereabouts) -> None:
        self.progress = ReadingProgress(partition.count, uuid4().hex)
        """Whether others have read what was written."""
        self.seeking = ReadingProgress(partition.count, uuid4().hex)
        """Whether others have the requests of strays."""
        self._partition = partition
        self._gossip = gossip
        self._whereabouts = whereabouts

    def asked(self, kind: str, ask: Ask, written: float) -> None:
        """A partition asks (ASK or SEEK); ``written``: when, epoch seconds."""
        question = Question(ask, written, self._partition.clocks.ticks)
        (self.progress if kind == ASK else self.seeking).asked(question)

    def answered(self, kind: str, answer: ReadAnswer) -> None:
        """A partition answers (ANSWER or SOUGHT)."""
        (self.progress if kind == ANSWER else self.seeking).answered(answer)

    def tick(self, now: float, effects: Effects) -> None:
        """Ask what there is to ask. ``now``: seconds of processing time."""
        here = self._partition
        join, strays, time = here.join, here.strays, self._gossip.read_calls.time
        if join.holds:
            ask = self.progress.ask(
                here.number, now, lambda round, most: _pairs(join.wanted(round, most))
            )
            if ask is not None:
                here.outbox.tell_all(ASK, ask, effects)
        if strays.earliest <= time:  # all up to these responses has come, but not their requests
            ask = self.seeking.ask(
                here.number, now, lambda round, most: _pairs(strays.seek(round, time))
            )
            if ask is not None:
                ask.until = time
                here.outbox.tell_all(SEEK, ask, effects)

    @property
    def pending(self) -> bool:
        """Whether others wait for an answer that may be given, or soon."""
        return bool(self.progress.questions) or any(
            map(self._has_come, self.seeking.questions.values())
        )

    def answer(self, effects: Effects) -> None:
        """Answer the questions of others that can be answered now."""
        for kind, inquiry, is_ready in (
            (ANSWER, self.progress, self._partition.clocks.has_read),
            (SOUGHT, self.seeking, self._has_come),
        ):
            for asker, question in list(inquiry.questions.items()):
                if is_ready(question):
                    del inquiry.questions[asker]
                    self._whereabouts.tell_wanted(question.ask, effects)
                    answer = ReadAnswer(self._partition.number, question.ask.round, question.ask.nonce)
                    self._partition.outbox.tell(asker, kind, answer, effects)

    def _has_come(self, question: Question) -> bool:
        """Whether everything has come here that could be what is sought."""
        return self._gossip.read_calls.time >= question.ask.until


def _pairs(waiting: Sequence[WaitingResponse]) -> list[tuple[str, str]]:
    """Of responses the requests that they wait for, and what is remembered of themselves."""
    return [(w.response.request_id, remembered_id(w.response, w.origin.headers)) for w in waiting]
