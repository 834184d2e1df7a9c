"""What stage 1 tells of users: their turns and their signals (schemas/turns.py), with texts from the masked row."""

from __future__ import annotations

import msgspec

from agents.interactions.taps import Call, Head
from schemas.events import DEFAULT_TENANT, Evaluation, Feedback, Request
from schemas.texts import question_of
from schemas.turns import MAX_TEXT, Signal, Turn, Turns
from streams import effects as out

PIECE = 2_000
"""Turns and signals in one message."""

_CONVERSATION = frozenset({"chat", "text_completion"})


class _Comment(msgspec.Struct, gc=False):
    comment: str = ""


_comment = msgspec.json.Decoder(_Comment).decode
_encode = msgspec.msgpack.Encoder().encode


class LabelsTap:
    """Of one partition of stage 1 (see :class:`agents.interactions.taps.Tap`).

    A turn stays in the partition of its session. A signal without a session may be about an answer anywhere, so all partitions get it.
    Its clock is when everything has come, which an idle partition knows as well as others: it is waited for.
    """

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = range(partitions)
        self._turns: list[Turn] = []
        self._signals: list[Signal] = []

    def answered(self, call: Call) -> None:
        request, response = call.request, call.response
        if not is_turn(request):
            return
        turn = Turn(
            request_id=request.request_id, response_id=response.response_id, session_id=request.session_id or response.session_id,
            tenant=request.tenant or DEFAULT_TENANT, feature=request.feature or "", model=call.row.model, user_id=request.user_id or "",
            time=call.time, ended=response.time.timestamp(), question=question_of(call.texts.messages)[:MAX_TEXT],
            answer_chars=len(response.output or ""), outcome=call.row.outcome, event_id=request.event_id,
        )  # fmt: skip
        self._turns.append(turn)

    def unanswered(self, request: Request, time: float) -> None:
        """Nobody can be satisfied with an answer that is not there: such a call has no label."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        signal = Signal(
            event_id=event.event_id, time=event.time.timestamp(), kind=event.kind, tenant=event.tenant or DEFAULT_TENANT, value=event.value,
            comment=_comment(line).comment[:MAX_TEXT] if event.comment else "", response_id=event.response_id, request_id=event.request_id,
            session_id=event.session_id, user_id=event.user_id or "",
        )  # fmt: skip
        self._signals.append(signal)

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
                self._send(Turns(head.source, head.partition, head.complete, False, turns, signals), partition, effects)
        self._turns, self._signals = [], []

    def _send(self, turns: Turns, partition: int, effects: out.Effects) -> None:
        effects.messages.append(out.Message(self._topic, partition, None, _encode(turns)))


def is_turn(request: Request) -> bool:
    """Whether a user asked this and saw the answer: a live conversation whose last message is not a tool's or the model's own."""
    if request.operation not in _CONVERSATION or request.variant == "shadow":
        return False
    messages = request.messages
    return not messages or messages[-1].role in ("user", None)
