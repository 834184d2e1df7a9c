"""Whether the other partitions have read what was written: asked before anything irrevocable is done about a missing counterpart.

An event found in a wrong partition is forwarded to its home. Before a home gives up a response without a request, or forgets a request,
it must know that nothing for it is still on its way: a partition may lag behind the others for as long as its worker is down. So it
*asks* every partition, itself included, and waits for *answers*. A partition answers when it has read everything that was written
to it before the question. Questions and answers travel through the topic of the forwarded events, behind them, so what was forwarded before
an answer has arrived with it. Nothing is sent while nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

ASK_EVERY = 2.0
"""Seconds of processing time between questions."""

MARGIN = 1.0
"""Seconds by which the clocks of those who write to Kafka may differ."""

TICKS = 2
"""Looks at the clock between hearing a question and calling a topic silent: what was written with the question may come a fetch later."""

MOST_WANTED = 500


class Ask(msgspec.Struct):
    """Partition ``asker`` wants to know whether the receiver has read what was written before this.

    ``wanted``: requests that responses without a session wait for at the asker; whoever has one says so. ``events``: the ids of these
    responses; whoever has taken a copy of one says so too. ``nonce`` tells the asker's state from one restored after a crash. ``until``:
    of a request that is sought (strays.py), epoch seconds of event time up to which everything must have come to who answers.
    """

    asker: int
    round: int
    nonce: str
    wanted: list[str]
    events: list[str] = []
    until: float = 0.0


class ReadAnswer(msgspec.Struct):
    """``partition`` has read what was written before question ``round``."""

    partition: int
    round: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Question:
    """An ask to be answered. ``written``: when, in epoch seconds. ``tick``: how often the clock had been looked at when it came."""

    ask: Ask
    written: float
    tick: int


class ReadingProgress:
    """Questions and answers of one partition.

    ``nonce`` differs between any two states of a partition: an answer to a question from before a crash says nothing after it,
    because what was read then is read again.
    """

    def __init__(self, partitions: int, nonce: str) -> None:
        self._partitions = partitions
        self._nonce = nonce
        self._answers: dict[int, int] = {}
        self._asked_at = float("-inf")
        self._fresh = False
        self.questions: dict[int, Question] = {}
        """To be answered: the oldest of each asker."""
        self.round = 0
        """The last round asked."""

    def ask(self, asker: int, now: float, wanted: Callable[[int, int], list[tuple[str, str]]]) -> Ask | None:
        """The next question to every partition, if it is time for one. ``wanted``: given a round and how many at most, pairs of what is
        asked for in it: a ``request_id`` and the response that waits for it."""
        if now - self._asked_at < ASK_EVERY:
            return None
        self._asked_at = now
        self.round += 1
        pairs = wanted(self.round, MOST_WANTED)
        return Ask(asker, self.round, self._nonce, [request for request, _ in pairs], [event for _, event in pairs])

    def asked(self, question: Question) -> None:
        """Another partition, or this one, asks. A state restored after a crash asks under a new nonce, in place of the old one."""
        known = self.questions.get(question.ask.asker)
        if known is None or known.ask.nonce != question.ask.nonce:
            self.questions[question.ask.asker] = question

    def answered(self, answer: ReadAnswer) -> None:
        """An answer to one of our questions, or to one of an earlier owner of the partition."""
        if answer.nonce == self._nonce:
            self._answers[answer.partition] = max(answer.round, self._answers.get(answer.partition, 0))
            self._fresh = True

    def take_fresh(self) -> bool:
        """Whether answers have come since the last call."""
        fresh, self._fresh = self._fresh, False
        return fresh

    def confirmed(self, asked_after: int) -> bool:
        """Whether every partition has answered a question later than round ``asked_after``."""
        return len(self._answers) == self._partitions and min(self._answers.values()) > asked_after
