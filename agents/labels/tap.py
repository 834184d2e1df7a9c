"""What stage 1 tells of users: their turns and their signals (schemas/turns.py), with texts from the masked row."""

from __future__ import annotations

import msgspec

from agents.common.taps import Call, Head
from schemas.events import DEFAULT_TENANT, Evaluation, Feedback, Request
from schemas.turns import MAX_TEXT, FeedbackSignal, Turn, Turns
from streams import effects as out

PIECE = 2_000
"""Turns and signals in one message."""

_CONVERSATION = frozenset({"chat", "text_completion"})


class _Comment(msgspec.Struct, gc=False):
    comment: str = ""


_comment = msgspec.json.Decoder(_Comment).decode
_encode = msgspec.msgpack.Encoder().encode


class LabelsTap:
    """Of one partition of stage 1 (see :class:`agents.common.taps.Tap`).

    A turn stays in the partition of its session. A signal without a session may be about an answer anywhere, so all partitions get it.
    Its clock is when everything has come.
    """

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = range(partitions)
        self._turns: list[Turn] = []
        self._signals: list[FeedbackSignal] = []

    def answered(self, call: Call) -> None:
        request, response = call.request, call.response
        if is_turn(request):
            self._turns.append(
                Turn(
                    request.request_id, response.response_id, request.session_id or response.session_id, request.tenant or DEFAULT_TENANT,
                    request.feature or "", call.row.model, call.time, call.ended, call.question[:MAX_TEXT], len(response.output or ""),
                    request.event_id, call.row.outcome,
                )
            )  # fmt: skip

    def unanswered(self, request: Request, time: float) -> None:
        """Nobody can be satisfied with an answer that is not there: such a call has no label."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        comment = _comment(line).comment[:MAX_TEXT] if event.comment else ""
        self._signals.append(
            FeedbackSignal(
                event.event_id, event.time.timestamp(), event.kind, event.value, comment,
                event.response_id, event.request_id, event.session_id,
            )
        )  # fmt: skip

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        """A judge's score is not what the user thought."""

    def close(self, head: Head, announce: bool, effects: out.Effects) -> None:
        abroad = [signal for signal in self._signals if signal.session_id is None]
        for partition in self._partitions:
            own = partition == head.partition
            turns, signals = (self._turns, self._signals) if own else ([], abroad)
            while len(turns) > PIECE or len(signals) > PIECE:  # a message must not be too large; only the last one moves the clock
                self._send(Turns(head.source, head.partition, 0.0, False, turns[:PIECE], signals[:PIECE]), partition, effects)
                turns, signals = turns[PIECE:], signals[PIECE:]
            if turns or signals or announce:
                self._send(Turns(head.source, head.partition, head.complete, head.rests, turns, signals), partition, effects)
        self._turns, self._signals = [], []

    def _send(self, turns: Turns, partition: int, effects: out.Effects) -> None:
        effects.messages.append(out.OutgoingMessage(self._topic, partition, None, _encode(turns)))


def is_turn(request: Request) -> bool:
    """Whether a user asked this and saw the answer: a live conversation whose last message is not a tool's or the model's own."""
    if request.operation not in _CONVERSATION or request.variant == "shadow":
        return False
    messages = request.messages
    return not messages or messages[-1].role in ("user", None)
