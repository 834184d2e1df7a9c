"""Which events one partition knows, and what is noted of them (agents/interactions/copies.py).

In: ids of events. Out: whether they are new, and their :class:`Copy`. Fails never; bounded by
``dedup_window``.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.common.seen import SeenIds
from agents.interactions.copies import Copy, Note
from schemas.aggregates import Contribution
from schemas.events import Event, Request
from streams.deadletters import REPLAY_HEADER

MARK = "\0"
"""Before a ``request_id``, what is remembered of a request besides its ``event_id``: every one is
used once."""

IDS_PER_EVENT = 2
"""What is remembered of a request: its ``event_id`` and its ``request_id``. Of any other event it
is less."""


def remembered_id(event: Event, headers: Sequence[tuple[str, bytes | None]]) -> str:
    """What is remembered of an event in order to know its repeats.

    A dead letter's event may have been remembered when it became one: sent back, it is known by its
    id and its replay header, so that each replay counts once.
    """
    if not headers:
        return event.event_id
    replay = next((value for name, value in headers if name == REPLAY_HEADER), None)
    if replay is None:
        return event.event_id
    return f"{event.event_id}\0{replay.decode(errors='backslashreplace')}"


class Identity:
    """Of one partition: the ids of its last events, with what has changed since the last
    checkpoint."""

    def __init__(self, events: int) -> None:
        self.seen: SeenIds[Note] = SeenIds(IDS_PER_EVENT * events)
        self.add = self.seen.add
        """Remember an id; False if it was known already."""
        self._saved = 0
        """How many ids had been seen at the last checkpoint."""
        self._new_notes: dict[str, Note] = {}

    def note(self, item: str, note: Note) -> None:
        """Note something of an id, or that its note has changed."""
        self.seen.set_note(item, note)
        self._new_notes[item] = note

    def copy_of(self, request: Request) -> Copy | None:
        """The copy of a request that counts; None if there can be no other."""
        note = self.seen.note(MARK + request.request_id)
        return note if isinstance(note, Copy) else None

    def count(self, request: Request, copy: Copy | None, item: Contribution) -> None:
        """What a request has added to the sums: if a smaller copy comes, it moves."""
        if copy is not None and not copy.final:
            copy.item = item
            self.note(MARK + request.request_id, copy)

    def send(self, event_id: str, partition: int) -> None:
        """An event was sent on to a partition: its copies follow it."""
        if isinstance(copy := self.seen.note(event_id), Copy):
            copy.sent = partition
            self.note(event_id, copy)

    def end(self, event_id: str) -> None:
        """An event is a dead letter: its copies are repeats."""
        if isinstance(copy := self.seen.note(event_id), Copy):
            copy.final = True
            self.note(event_id, copy)

    def take_changes(self) -> tuple[int, list[str], list[tuple[str, Note]]]:
        """(ids seen before these, new ids, notes) since the last call."""
        ids, notes = self.seen.since(self._saved), list(self._new_notes.items())
        self._saved, self._new_notes = self.seen.count, {}
        return self.seen.count - len(ids), ids, notes

    def load(self, ids: Sequence[str], notes: Sequence[tuple[str, Note]]) -> None:
        """Restore what :meth:`take_changes` returned."""
        for item in ids:
            self.seen.add(item)
        for item, note in notes:
            self.seen.set_note(item, note)
        self._saved = self.seen.count
