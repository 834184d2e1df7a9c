"""What stage 1 tells other agents, call by call and signal by signal: one tap for each agent that listens.

Sums go another way (agents/interactions/partials.py, usages.py). A tap holds what has come since the last checkpoint and nothing
else: after a crash the same events come again, perhaps grouped otherwise, so who receives its messages knows repeats by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from agents.inspection.leaks import Sighting
from schemas.aggregates import Contribution, Series
from schemas.events import Evaluation, Feedback, Request, Response
from schemas.rows import InteractionRow
from schemas.texts import question_of, text_of
from streams.effects import Effects


class Texts(msgspec.Struct, gc=False):
    """The texts of an interaction's row, personal data masked. Columns at their default are left out of the row, so they are here."""

    messages: list[dict[str, Any]] = []
    system_instructions: str = ""
    prompt_variables: dict[str, Any] = {}
    documents: list[dict[str, Any]] = []
    output: str = ""
    pii: Any = None
    injection: Any = None


_texts = msgspec.json.Decoder(Texts).decode


class Call(msgspec.Struct, eq=False, gc=False):
    """An answered interaction. Texts of ``request``, ``response`` and ``row`` are not masked: what is sent on comes from ``texts``, or
    from ``line``, the row as JSON with personal data masked. ``time``, ``ended``: event times of request and response, epoch seconds.
    ``late``: it was told as unanswered before. ``plain``: nothing in it had to be masked."""

    request: Request
    response: Response
    time: float
    row: InteractionRow
    line: bytes
    series: Series
    item: Contribution
    late: bool
    ended: float
    seen: Sequence[Sighting] = ()
    plain: bool = False
    _texts: Texts | None = None

    @property
    def texts(self) -> Texts:
        """Read once, for whoever asks first."""
        if self._texts is None:
            self._texts = _texts(self.line)
        return self._texts

    @property
    def question(self) -> str:
        """The last message of a user, as :func:`schemas.texts.question_of`; what needed no masking need not be read from the row."""
        if not self.plain:
            return question_of(self.texts.messages)
        for message in reversed(self.request.messages or ()):
            if message.role in ("user", None):
                return text_of(message.content)
        return ""

    @property
    def answer(self) -> str:
        """The text that was answered, without reading the row if nothing in it had to be masked."""
        return self.row.output if self.plain else self.texts.output


class Head(NamedTuple):
    """Who speaks, and up to which event time (epoch seconds) it has told of everything: its own events, and what other partitions
    forwarded to it. ``clock``: of calls; ``complete``: of feedback and evaluations, too. ``rests``: nobody has anything more to read.
    """

    source: str
    partition: int
    clock: float
    rests: bool
    complete: float = 0.0


class Tap(Protocol):
    """Of one partition. ``line``: the event's row as JSON with personal data masked."""

    def answered(self, call: Call) -> None:
        """An answered call, once its row is complete."""

    def unanswered(self, request: Request, time: float) -> None:
        """A call that counts as unanswered since ``time`` (epoch seconds)."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        """A signal from a user."""

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        """A score given to a response."""

    def close(self, head: Head, announce: bool, effects: Effects) -> None:
        """A checkpoint is about to be taken: send what has come since the last. ``announce``: tell everybody how far this partition
        is, even if there is nothing else to tell."""
