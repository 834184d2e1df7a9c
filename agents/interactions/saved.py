"""What a partition of stage 1 keeps in the changelog: its changes since the last checkpoint, or all
of it in pieces.

In: the partition's tables. Out: bytes that :meth:`Persistence.load` accepts in the order in which
they were made; loading them twice is the same as once. Raises ``msgspec.DecodeError`` for any other
bytes. States of earlier versions are read (agents/interactions/former.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from agents.interactions import former
from agents.interactions.clock import Leap
from agents.interactions.completeness import Bound
from agents.interactions.copies import Note
from agents.interactions.gossip import Gossip
from agents.interactions.join import OpenRequest, WaitingResponse
from agents.interactions.late import KeptRequest
from agents.interactions.outbox import Locate
from agents.interactions.partition import Partition
from agents.interactions.publishing import Publisher
from agents.interactions.whereabouts import Whereabouts
from schemas.group_usage import UsagePart
from schemas.partials import ALONE, Part

SNAPSHOT_IDS, SNAPSHOT_ENTRIES = 10_000, 500
"""Entries per piece of a snapshot."""


class SavedInteractions(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of state in the changelog."""

    clocks: dict[str, float] = {}
    heads: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()
    announced: tuple[int, ...] = ()
    told: tuple[int, bool] = (0, False)
    gone: list[str] = []
    requests: list[OpenRequest] = []
    responses: list[WaitingResponse] = []
    located: list[Locate] = []
    seen: list[str] = []
    parts: list[Part] = []
    usages: list[UsagePart] = []
    read: list[Bound] = []
    leaps: dict[str, list[Leap]] = {}
    backing: dict[str, int] = {}
    kept: list[KeptRequest] = []
    let_go: list[str] = []
    notes: list[tuple[str, Note]] = []
    count: int = 0
    """Ids seen before those in ``seen``, of this piece or of the ones that follow."""
    last: dict[int, int] = {}
    """See :meth:`agents.interactions.segments.Segments.load`."""
    joined: list[Bound] = []
    live: tuple[float, float] = (0.0, 0.0)
    whole: list[Bound] = []
    joined_whole: list[Bound] = []

    def is_settled(self, segment: int) -> bool:
        """Whether it was when this was saved: nothing of the segment changes any more."""
        return segment >= ALONE or segment < self.settled[segment % len(self.settled)]


_encode = msgspec.msgpack.Encoder().encode
_decode = former.reader(SavedInteractions)


class Persistence:
    """Of one partition."""

    def __init__(
        self, partition: Partition, gossip: Gossip, publisher: Publisher, whereabouts: Whereabouts
    ) -> None:
        self._partition = partition
        self._gossip = gossip
        self._publisher = publisher
        self._whereabouts = whereabouts

    def changes(self) -> bytes:
        """What has changed since the last call."""
        here, gossip = self._partition, self._gossip
        saved = self._saved()
        saved.requests, saved.responses, saved.gone = here.join.take_changes()
        saved.kept, saved.let_go = here.late.take_changes()
        saved.count, saved.seen, saved.notes = here.identity.take_changes()
        saved.parts, saved.usages = self._publisher.take_changes()
        saved.located = self._whereabouts.take_changes()
        saved.read, saved.joined = gossip.read_all.take_changes(), gossip.read_calls.take_changes()
        saved.whole = gossip.whole.take_changes()
        saved.joined_whole = gossip.whole_calls.take_changes()
        return _encode(saved)

    def snapshot(self) -> Iterator[bytes]:
        """All of it, in pieces of a bounded size."""
        here, gossip, seen = self._partition, self._gossip, self._partition.identity.seen
        saved = self._saved()
        saved.count = seen.count - len(seen)
        saved.located = self._whereabouts.all()
        saved.read, saved.joined = gossip.read_all.all(), gossip.read_calls.all()
        saved.whole, saved.joined_whole = gossip.whole.all(), gossip.whole_calls.all()
        yield _encode(saved)
        for ids in _cut(seen.all(), SNAPSHOT_IDS):
            yield _encode(SavedInteractions(seen=ids))
        for notes in _cut(list(seen.notes()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(notes=notes))
        for requests in _cut(list(here.join.requests.values()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(requests=requests))
        for responses in _cut(list(here.join.responses.values()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(responses=responses))
        for kept in _cut(list(here.late.all()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(kept=kept))
        for parts in _cut(list(here.partials.all()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(parts=parts))
        for usages in _cut(list(here.usages.all()), SNAPSHOT_ENTRIES):
            yield _encode(SavedInteractions(usages=usages))

    def load(self, piece: bytes) -> None:
        """Restore what the above returned."""
        saved, here = _decode(piece), self._partition
        here.clocks.load(saved.clocks, saved.leaps, saved.backing)
        if saved.heads:
            here.identity.seen.count = saved.count
        here.identity.load(saved.seen, saved.notes)
        self._load_join(saved)
        here.late.load(saved.kept, saved.let_go)
        self._whereabouts.load(saved.located)
        here.partials.load(saved.parts)
        here.usages.load(saved.usages)
        self._gossip.load(saved.read, saved.joined, saved.whole, saved.joined_whole)
        if saved.heads:
            here.partials.forget(saved.is_settled)
            here.usages.forget(saved.is_settled)
            here.segments.load(saved.heads, saved.last)
            self._publisher.load(saved.settled, saved.announced, saved.told)
            here.clocks.live = saved.live

    def _load_join(self, saved: SavedInteractions) -> None:
        here = self._partition
        changed = {*saved.gone, *(entry.request.request_id for entry in saved.requests)}
        for request_id in changed:
            if (known := here.join.requests.get(request_id)) is not None:
                here.segments.settle(known.segment)
        for entry in saved.requests:
            here.segments.reopen(entry.segment)
        here.join.load(saved.requests, saved.responses, saved.gone)
        here.strays.add(saved.responses)

    def _saved(self) -> SavedInteractions:
        """What is small, and written every time."""
        clocks, segments = self._partition.clocks, self._partition.segments
        publisher = self._publisher
        return SavedInteractions(
            clocks=clocks.times(),
            heads=segments.heads,
            settled=publisher.settled,
            announced=publisher.announced,
            told=publisher.told,
            leaps=clocks.leaps(),
            backing=clocks.backing(),
            last=segments.last,
            live=clocks.live,
        )


def _cut(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield list(items[at : at + size])
