"""Stage 2: what the guards found to findings about bursts of attempts and the first personal data of a feature.

Spans of 30 s of event time are judged once the watermark has passed their end, items in the order of (time, id). An item that comes later
is taken at the next span, with its own time. Rates are the agent ``anomaly``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import msgspec

from agents.common.stage2 import Progress, Section, WatermarkState, pieces
from agents.common.watermark import Reached, Source
from agents.guards.report import appeared_findings, burst_finding, ceased
from agents.guards.seen import Appeared, Attempted, AttemptsKey, PiiPlace, Seen
from agents.guards.settings import GuardSettings
from schemas.findings import Finding
from streams.effects import Effects

STAGE = "guards"

SECONDS = 30
"""Length of a span."""
MOST_CALLS = 200
"""Calls of one burst that are remembered: the last ones."""
_PENDING = 10
"""Times ``max_keys``: attempts that wait for a slower source."""
_PIECE = 500


class AttackBurst(msgspec.Struct, array_like=True, gc=False):
    """Attempts of one key within the window, by time; ``active``: it was reported."""

    calls: list[Attempted] = []
    active: bool = False


class SavedGuards(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``closed``: end of the last span judged, 0 before the first."""

    closed: int
    clocks: list[Reached] = []
    attempted: list[Attempted] = []
    appeared: list[Appeared] = []
    bursts: list[tuple[AttemptsKey, AttackBurst]] = []
    gone: list[AttemptsKey] = []
    places: list[PiiPlace] = []


_decode = msgspec.msgpack.Decoder(Seen).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedGuards).decode


class GuardsState(WatermarkState[Seen]):
    """State of the agent ``guards`` for one partition (see :class:`streams.state.PartitionState`).

    ``source``: the Kafka cluster, for dead letters; ``findings``: the topic for what is found; ``sources``: partitions of stage 1.
    """

    def __init__(self, partition: int, source: str, findings: str, settings: GuardSettings, sources: int) -> None:
        super().__init__(
            STAGE, "what the guards found", _decode,
            partition=partition, source=source, sources=sources, findings=findings,
        )  # fmt: skip
        self._settings = settings
        self._closed = 0
        self._attempted: dict[tuple[AttemptsKey, str], Attempted] = {}
        self._appeared: dict[tuple[PiiPlace, float, str], Appeared] = {}
        self._bursts: Section[AttemptsKey, AttackBurst] = Section()
        self._places: dict[PiiPlace, None] = {}
        self._forget_changes()

    @property
    def _progress(self) -> Progress:
        return Progress(float(self._closed), self._watermark.rests)

    def _source_of(self, message: Seen) -> Source:
        return Source(message.source, message.partition)

    def _take(self, message: Seen, effects: Effects) -> None:
        for attempted in message.attempted:
            self._hold_attempted(attempted)
            self._new_attempted.append(attempted)
        for appeared in message.appeared:
            self._hold_appeared(appeared)
            self._new_appeared.append(appeared)

    # Persistence

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        bursts, gone = self._bursts.take_changes()
        attempted = [item for item in self._new_attempted if self._attempted.get((item.key, item.request_id)) is item]
        appeared = [a for a in self._new_appeared if self._appeared.get((a.place, a.time, a.response_id)) is a]
        clocks = self._watermark.take_changes()
        saved = SavedGuards(self._closed, clocks, attempted, appeared, bursts, gone, self._new_places)
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedGuards(self._closed, self._watermark.all()))
        sections = pieces(
            partial(SavedGuards, self._closed), _PIECE, bursts=self._bursts.items(), places=self._places,
            attempted=self._attempted.values(), appeared=self._appeared.values(),
        )  # fmt: skip
        yield from map(_encode_saved, sections)

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._watermark.load(saved.clocks)
        if saved.closed > self._closed:
            self._closed = saved.closed
            self._attempted = {at: item for at, item in self._attempted.items() if item.time >= self._closed}
            self._appeared = {at: item for at, item in self._appeared.items() if item.time >= self._closed}
        self._bursts.load(saved.bursts, saved.gone)
        self._places.update(dict.fromkeys(saved.places))
        for attempted in saved.attempted:
            self._hold_attempted(attempted)
        for appeared in saved.appeared:
            self._hold_appeared(appeared)
        self._findings.told = self._progress
        self._forget_changes()

    def waiting(self) -> int:
        return 0

    def gauges(self) -> Mapping[str, float]:
        return {"guard_bursts": len(self._bursts), "guard_places": len(self._places), "guard_pending": len(self._attempted)}

    def _forget_changes(self) -> None:
        self._new_attempted: list[Attempted] = []
        self._new_appeared: list[Appeared] = []
        self._new_places: list[PiiPlace] = []
        self._dirty = False

    # Items

    def _hold_attempted(self, item: Attempted) -> None:
        """Until its span is judged. What has left the window, or is known, says nothing new."""
        burst = self._bursts.get(item.key)
        known = burst is not None and any(call.request_id == item.request_id for call in burst.calls)
        if not known and item.time > self._closed - self._settings.window:
            self._attempted[item.key, item.request_id] = item

    def _hold_appeared(self, item: Appeared) -> None:
        if item.place not in self._places:
            self._appeared[item.place, item.time, item.response_id] = item

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        """Judge every span that is over for all sources; and the oldest ones when more is held than may be."""
        clock = self._watermark.time
        if clock > float("-inf"):
            self._close_until(clock, found)
        while len(self._attempted) > _PENDING * self._settings.max_keys:
            effects.count("guards_closed_early")
            self._close_until(min(item.time for item in self._attempted.values()) + SECONDS, found)

    def _close_until(self, clock: float, found: list[Finding]) -> None:
        end = int(clock // SECONDS) * SECONDS
        if not self._closed:
            times = [item.time for item in self._attempted.values()] + [item.time for item in self._appeared.values()]
            self._closed = int(min([clock, *times]) // SECONDS) * SECONDS
        while self._closed < end:
            if not self._bursts and not self._attempted and not self._appeared:
                self._closed = end  # nothing can happen in between
                break
            self._closed += SECONDS
            self._judge(self._closed, found)

    def _judge(self, end: int, found: list[Finding]) -> None:
        for attempted in sorted((a for a in self._attempted.values() if a.time < end), key=lambda a: (a.time, a.request_id, a.key)):
            del self._attempted[attempted.key, attempted.request_id]
            burst = self._bursts.get(attempted.key, AttackBurst())
            burst.calls = sorted([*burst.calls, attempted], key=lambda call: (call.time, call.request_id))[-MOST_CALLS:]
            self._bursts.put(attempted.key, burst)
        for appeared in sorted((a for a in self._appeared.values() if a.time < end), key=lambda a: (a.time, a.place, a.response_id)):
            del self._appeared[appeared.place, appeared.time, appeared.response_id]
            if appeared.place not in self._places:
                self._remember(appeared.place)
                found.extend(appeared_findings(appeared, float(end), STAGE))
        for key, burst in sorted(self._bursts.items(), key=lambda item: item[0]):
            first = end - self._settings.window
            if burst.calls[0].time <= first:
                burst.calls = [call for call in burst.calls if call.time > first]
                self._bursts.touch(key)
            self._watch(key, burst, float(end), found)
            if not burst.calls:
                self._bursts.drop(key)
        self._evict(float(end), found)

    def _watch(self, key: AttemptsKey, burst: AttackBurst, end: float, found: list[Finding]) -> None:
        least = self._settings.retrievals if key.scope == "document" else self._settings.attempts
        if len(burst.calls) >= least:
            burst.active = True
            found.append(burst_finding(key, burst.calls, least, self._settings.window, end, STAGE))
        elif burst.active:
            burst.active = False
            found.append(ceased(key, end, STAGE))

    def _remember(self, place: PiiPlace) -> None:
        if len(self._places) >= self._settings.max_keys:
            del self._places[next(iter(self._places))]
        self._places[place] = None
        self._new_places.append(place)

    def _evict(self, end: float, found: list[Finding]) -> None:
        """The longest idle give way; what was said of them is withdrawn."""
        over = len(self._bursts) - self._settings.max_keys
        if over > 0:
            for key in sorted(self._bursts, key=lambda key: (self._bursts[key].calls[-1].time, key))[:over]:
                if self._bursts[key].active:
                    found.append(ceased(key, end, STAGE))
                self._bursts.drop(key)
