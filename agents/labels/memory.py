"""The sessions and answers of a partition, by every name they go by, and what of them is to be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agents.labels.sessions import Answer, Known, Session, SessionHead
from schemas.turns import Turn

CANDIDATES = 4
"""Earlier questions that a turn is compared with."""
REMEMBERED = 2 * CANDIDATES
"""Answers of a session whose questions are kept."""

ENTRIES = 500
"""In a piece of a snapshot."""


class MemoryChange(msgspec.Struct, array_like=True, gc=False):
    """What changed, as small as it can be told. ``answers``: new ones as serial of the session and request id, their turns are what the
    inbox gave; ``turns``: the same for a snapshot, which has no inbox to tell of them; ``known``: by request id.

    Texts beyond the last ones of a session follow from the rest, and with a session its answers go.
    """

    sessions: list[SessionHead] = []
    answers: list[tuple[int, str]] = []
    turns: list[tuple[int, Turn]] = []
    known: list[tuple[str, Known]] = []
    forgotten: list[str] = []
    ended: list[int] = []


class Memory:
    """``sessions`` by serial, those with an id by that; ``answers`` by request id and by response id."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.of_id: dict[str | None, list[Session]] = {}
        self.answers: dict[str, Answer] = {}
        self.of_response: dict[str, Answer] = {}
        self._parting: list[Session] = []
        self._forget_changes()

    def add_session(self, session: Session) -> None:
        """Remember a session that begins, or was restored."""
        self.sessions[session.head.serial] = session
        if session.id is not None:
            self.of_id.setdefault(session.id, []).append(session)
        self.changed(session)

    def add_answer(self, answer: Answer) -> int:
        """Its place in its session."""
        turn, session = answer.turn, answer.session
        request_id, answers = turn.request_id, session.answers
        self.answers[request_id] = self.of_response[turn.response_id] = answer
        self._new_answers[request_id] = session.head.serial
        at = session.add(answer)
        if len(answers) > REMEMBERED:
            answers[-REMEMBERED - 1].turn.question = ""
            if at < len(answers) - REMEMBERED:
                turn.question = ""
        return at

    def changed(self, session: Session) -> None:
        """What is known of a session has changed: it goes into the next changes."""
        self._changed_sessions[session.head.serial] = session

    def learned(self, answers: Mapping[Answer, None]) -> None:
        """What is known of these has changed. One that had to make room meanwhile has said its last word."""
        self._changed_answers |= answers
        for answer in self._departed:
            self._changed_answers.pop(answer, None)
        self._departed.clear()

    def forget_session(self, session: Session) -> None:
        """Forget a session with all its answers."""
        self._drop(session.answers)
        serial = session.head.serial
        del self.sessions[serial]
        if session.id is not None:
            left = self.of_id[session.id]
            left.remove(session)
            if not left:
                del self.of_id[session.id]
        self._changed_sessions.pop(serial, None)
        self._gone_sessions.append(serial)
        self._parting.append(session)

    def part(self) -> None:
        """Nobody needs the sessions that were forgotten any more. They and their answers refer to each other: without this they would stay
        until a collection of garbage finds them among everything that lives, at a third of the cost of all else that is done for them."""
        for session in self._parting:
            session.answers.clear()
        self._parting.clear()

    def forget_answer(self, answer: Answer) -> None:
        """Forget one answer of a session that goes on."""
        answer.session.answers.remove(answer)
        self._drop((answer,))
        self._gone_answers.append(answer.turn.request_id)

    def _drop(self, gone: Sequence[Answer]) -> None:
        answers, of_response = self.answers, self.of_response
        new, changed = self._new_answers, self._changed_answers
        for answer in gone:
            turn = answer.turn
            request_id = turn.request_id
            del answers[request_id], of_response[turn.response_id]
            if request_id in new:
                del new[request_id]
            if answer in changed:
                del changed[answer]
        self._departed += gone

    # Persistence

    def _forget_changes(self) -> None:
        self._changed_sessions: dict[int, Session] = {}
        self._new_answers: dict[str, int] = {}
        self._changed_answers: dict[Answer, None] = {}
        self._gone_sessions: list[int] = []
        self._gone_answers: list[str] = []
        self._departed: list[Answer] = []

    def take_changes(self) -> MemoryChange | None:
        """Since the last call; None if there are none."""
        if not (self._changed_sessions or self._new_answers or self._changed_answers or self._gone_sessions or self._gone_answers):
            return None
        changes = MemoryChange(
            sessions=[session.head for session in self._changed_sessions.values()],
            answers=[(serial, request_id) for request_id, serial in self._new_answers.items()],
            known=[(answer.turn.request_id, answer.known) for answer in self._changed_answers],
            forgotten=self._gone_answers,
            ended=self._gone_sessions,
        )
        self._forget_changes()
        return changes

    def all(self) -> Iterator[MemoryChange]:
        """Everything, in pieces of a bounded size."""
        heads = [session.head for session in self.sessions.values()]
        for at in range(0, len(heads), ENTRIES):
            yield MemoryChange(sessions=heads[at : at + ENTRIES])
        answers = list(self.answers.values())
        for at in range(0, len(answers), ENTRIES):
            part = answers[at : at + ENTRIES]
            yield MemoryChange(
                turns=[(answer.session.head.serial, answer.turn) for answer in part],
                known=[(answer.turn.request_id, answer.known) for answer in part],
            )

    def load(self, saved: MemoryChange, taken: Mapping[str, Turn]) -> tuple[list[Session], list[Answer]]:
        """Restore what the above returned; ``taken``: turns that the inbox has given. Returns the sessions in it, and new answers."""
        for request_id in saved.forgotten:
            if request_id in self.answers:
                self.answers[request_id].judged = True
                self.forget_answer(self.answers[request_id])
        for serial in saved.ended:
            if serial in self.sessions:
                for answer in self.sessions[serial].answers:
                    answer.judged = True
                self.forget_session(self.sessions[serial])
        self.part()
        for head in saved.sessions:
            if head.serial in self.sessions:
                self.sessions[head.serial].head = head
            else:
                self.add_session(Session.of(head))
        told = [(serial, taken[request_id]) for serial, request_id in saved.answers if request_id not in self.answers]
        told += [item for item in saved.turns if item[1].request_id not in self.answers]
        new = [Answer.to(turn, self.sessions[serial]) for serial, turn in told]
        for answer in new:
            self.add_answer(answer)
        for request_id, known in saved.known:
            self.answers[request_id].known = known
            self.answers[request_id].judged |= known.final
        self._forget_changes()
        return [self.sessions[head.serial] for head in saved.sessions], new
