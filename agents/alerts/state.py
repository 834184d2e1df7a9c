"""State of the agent ``alerts``: from findings to alerts.

All findings are in partition 0 of their topic, so one state sees everything. Findings of an agent in ``IMMEDIATE`` act when they are read.
Those of other agents are held until every partition of the agent has come as far, and then act in the order (time, name, labels), between
them what becomes due by itself; those of one moment act together, so that an outage is known before the alerts it explains are published.
What immediate and ordered alerts share is the cap on pages: which of them gets the last page depends on the order in the topic. Ids, starts
and ends never do.

**What consumers see after a crash.** The state is a function of the records in their order in the topic, and is stored with their offsets.
Whatever was published and not yet stored is published again, byte for byte and in the same order: a consumer sees the last few messages
twice, with the same ``alert_id``, ``updated_at`` and content, and the row has the same version. A consumer that lets a later message of
a key replace the earlier is right; one that acts on messages (a pager) ignores one it has seen, or one whose ``updated_at`` is older than
the last of its ``alert_id``. An alert is neither forgotten nor given a second id.

Memory: one entry per condition that holds or held within the last hour, the findings that wait for a slower partition, and at most
``MOST_SILENCES`` silences.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple, get_args

import msgspec

from agents.alerts.digests import ceased, counted, describe
from agents.alerts.inbox import read_findings
from agents.alerts.inhibition import DIGEST, Key, explained_by, explains, is_traffic, lately
from agents.alerts.lifecycle import Change, Life, Shown, begin, expire, fingerprint, report
from agents.alerts.pages import Pages
from agents.alerts.present import alert_of, encode_alert, row_of
from agents.alerts.settings import AlertSettings
from agents.alerts.shards import joined, without_shard
from agents.alerts.silence import KIND_HEADER, SILENCE, Silence, read_silence, row_of_silence
from agents.alerts.sources import FindingSource, Lane, Sources, lane_of
from agents.common.stage2 import Untimed, pieces
from schemas.findings import Finding, Findings
from schemas.rows import AlertRow, SilenceRow
from streams.deadletters import dead_letter, origin_of
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of
from streams.state import Batch

STAGE = "alerts"

MOST_SILENCES = 1_000

SNAPSHOT_ENTRIES = 500

_SILENCE_CHANGES = ""
"""Stands for a fingerprint among what is due: a silence begins or ends."""


class HeldKey(NamedTuple):
    """Order in which held findings act."""

    time: float
    name: str
    labels: tuple[tuple[str, str], ...]


class SavedAlerts(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog."""

    lives: list[tuple[str, Life]] = []
    forgotten: list[str] = []
    clocks: list[tuple[FindingSource, float | None]] = []
    held: list[tuple[str, Finding]] = []
    """With the agent that found it; one not after ``ordered`` has acted."""
    silences: list[Silence] = []
    pages: Pages | None = None
    immediate: float = -math.inf
    ordered: float = -math.inf
    acted: float = -math.inf
    tickets: list[tuple[str, Pages]] = []
    """By the digest's fingerprint, how many of its kind were told of singly."""


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedAlerts).decode
_encode_row = msgspec.json.Encoder().encode


class AlertsState(Untimed):
    """State for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, topic: str, partitions: int, settings: AlertSettings, source: str, agents: Iterable[str] = ()) -> None:
        """``topic``: of the alerts, with ``partitions`` partitions, as many as every agent has. ``source``: Kafka cluster of the input.
        ``agents``: all that have findings."""
        self._topic = topic
        self._partitions = partitions
        self._settings = settings
        self._source = source
        self._lives: dict[str, Life] = {}
        self._sources = Sources(partitions, agents)
        self._held: dict[HeldKey, tuple[str, Finding]] = {}
        self._silences: dict[str, Silence] = {}
        self._pages = Pages()
        self._tickets: dict[str, Pages] = {}
        self._acted = -math.inf
        """Up to here findings of the lane ``ordered`` have acted."""
        self._expired: dict[Lane, float] = dict.fromkeys(get_args(Lane), -math.inf)
        """Up to here what was due has happened."""
        # Derived from the above.
        self._due: dict[Lane, list[tuple[float, str]]] = {lane: [] for lane in get_args(Lane)}
        self._firing: set[str] = set()
        self._explaining: defaultdict[Key, set[str]] = defaultdict(set)
        self._explained: defaultdict[Key, set[str]] = defaultdict(set)
        # Changed since the last checkpoint.
        self._changed: dict[str, None] = {}
        self._forgotten: dict[str, None] = {}
        self._moved: set[FindingSource] = set()
        self._new_held: dict[HeldKey, None] = {}
        self._new_silences: dict[str, None] = {}
        self._new_tickets: dict[str, None] = {}
        self._dirty = False

    # Input

    def apply(self, batch: Batch, effects: Effects) -> None:
        for record in batch.records:
            try:
                read = self._read(record)
            except ValueError as error:
                effects.count("dead_letter", STAGE)
                effects.letters.append(dead_letter(origin_of(record), source=self._source, stage=STAGE, reason=str(error)))
                continue
            if isinstance(read, Silence):
                self._silence(read, effects)
                effects.row(SilenceRow.TABLE, _encode_row(row_of_silence(read, record.offset)))
            else:
                self._take(read, effects)
                self._advance(effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        gone = self._sources.let_time_pass(now)
        if gone:
            self._moved.update(gone)
            self._dirty = True
            self._advance(effects)
        return bool(gone)

    def _read(self, record: Any) -> Findings | Silence:
        """Raises ValueError that says why a record is refused."""
        if (KIND_HEADER, SILENCE) not in record.headers:
            return read_findings(record.value)
        silence = read_silence(record.value)
        passed = min(self._expired.values())
        self._silences = {i: s for i, s in self._silences.items() if s.end >= passed or i == silence.id}
        if silence.id not in self._silences and len(self._silences) >= MOST_SILENCES:
            raise ValueError(f"there are {MOST_SILENCES} silences already: end one, or use one with a wider pattern")
        return silence

    def _take(self, message: Findings, effects: Effects) -> None:
        source = FindingSource(message.agent, message.partition)
        if self._sources.hear(source, message.clock):
            self._moved.add(source)
            self._dirty = True
        now: dict[HeldKey, tuple[str, Finding]] = {}
        for finding in message.findings:
            key = HeldKey(finding.time, finding.name, tuple(sorted(finding.labels.items())))
            at_once = lane_of(message.agent) == "immediate" and not message.ordered
            if at_once or finding.time <= self._acted:
                now |= self._take_earlier(key)
                now[key] = message.agent, finding
            elif key not in self._held:
                self._held[key] = message.agent, finding
                self._new_held[key] = None
                self._dirty = True
        self._act(now, effects)

    def _take_earlier(self, key: HeldKey) -> dict[HeldKey, tuple[str, Finding]]:
        """What is held of the same condition: nothing overtakes it."""
        earlier = [held for held in self._held if held[1:] == key[1:] and held.time <= key.time]
        for held in earlier:
            self._new_held.pop(held, None)
        return {held: self._held.pop(held) for held in earlier}

    def _has_acted(self, agent: str, finding: Finding) -> bool:
        """Whether a finding that was held has acted before its time: see ``_take_earlier``."""
        life = self._lives.get(fingerprint(finding))
        return lane_of(agent) == "immediate" and life is not None and life.finding.time >= finding.time

    def _silence(self, silence: Silence, effects: Effects) -> None:
        self._silences[silence.id] = silence
        self._new_silences[silence.id] = None
        self._dirty = True
        self._schedule_silence(silence)
        for found in sorted(self._firing):
            life = self._lives[found]
            self._show_again(found, max(life.updated_at, self._expired[lane_of(life.agent)]), effects)

    # Time

    def _advance(self, effects: Effects) -> None:
        """Event time has moved as far as the sources say."""
        immediate, ordered = self._sources.clock("immediate"), self._sources.clock("ordered")
        if ordered is not None:
            ready = {key: self._held[key] for key in sorted(self._held) if key.time <= ordered}
            for key in ready:
                del self._held[key]
                self._new_held.pop(key, None)
            self._act(ready, effects, ordered=True)
            if ordered < math.inf:
                # Nothing up to the clock is still to come, so what is due at the clock itself may happen.
                self._reach("ordered", math.nextafter(ordered, math.inf), effects)
                self._acted = max(self._acted, ordered)
        # A lane that is idle altogether follows the other one: its alerts must not stay forever.
        if immediate is not None and immediate < math.inf:
            waiting = (key.time for key, (agent, _) in self._held.items() if lane_of(agent) == "immediate")
            self._reach("immediate", min(immediate, min(waiting, default=immediate)), effects)
            if ordered == math.inf:
                self._reach("ordered", immediate, effects)
        elif ordered is not None and ordered < math.inf:
            self._reach("immediate", ordered, effects)

    def _reach(self, lane: Lane, until: float, effects: Effects) -> None:
        self._expire(lane, until, effects)
        if until > self._expired[lane]:
            self._expired[lane] = until
            self._dirty = True

    def _expire(self, lane: Lane, until: float, effects: Effects) -> None:
        """Everything due before ``until`` happens, in order, what is due at one time together."""
        due = self._due[lane]
        while due and due[0][0] < until:
            at = due[0][0]
            found: dict[str, None] = {}
            while due and due[0][0] == at:
                found[heapq.heappop(due)[1]] = None
            self._settle([(f, c) for f in found if f in self._lives and (c := self._expire_one(f, at))], at, effects)
            if _SILENCE_CHANGES in found:
                for f in sorted(f for f in self._firing if lane_of(self._lives[f].agent) == lane):
                    self._show_again(f, max(at, self._expired[lane]), effects)

    def _expire_one(self, found: str, at: float) -> Change | None:
        life = self._lives[found]
        if life.due != at:
            return None
        change = expire(life, self._settings)
        if change == "forgotten":
            del self._lives[found]
            self._changed.pop(found, None)
            self._forgotten[found] = None
            self._dirty = True
            return None
        self._keep(found, life)
        return change

    # Findings

    def _act(self, findings: Mapping[HeldKey, tuple[str, Finding]], effects: Effects, *, ordered: bool = False) -> None:
        """Findings act, in order, those of one time together. ``ordered``: they have waited for their turn, whosever they are."""
        for time, group in groupby(sorted(findings), key=lambda key: key.time):
            keys = list(group)
            if ordered or lane_of(findings[keys[0]][0]) == "ordered":
                self._expire("ordered", time, effects)
                self._acted = max(self._acted, time)
            if ordered:
                self._expire("immediate", time, effects)
            changes = [(f, change) for key in keys for f, change in self._report(*findings[key], effects)]
            self._settle(changes, time, effects)

    def _report(self, agent: str, finding: Finding, effects: Effects) -> Iterator[tuple[str, Change]]:
        shard, finding = without_shard(finding)
        found = fingerprint(finding)
        while (life := self._lives.get(found)) is not None and life.due is not None and life.due < finding.time:
            at = life.due
            if change := self._expire_one(found, at):
                self._settle([(found, change)], at, effects)
        if life is None:
            if not finding.active:
                return
            life = begin(agent, finding)
        if shard is not None and not joined(life, shard, finding.active):
            self._keep(found, life)
            return
        change = report(life, finding, self._settings)
        self._keep(found, life)
        if change is not None:
            yield found, change

    def _keep(self, found: str, life: Life) -> None:
        self._lives[found] = life
        self._changed[found] = None
        self._forgotten.pop(found, None)
        self._dirty = True
        self._schedule(found, life)

    def _schedule(self, found: str, life: Life) -> None:
        if life.due is None:
            return
        lane = lane_of(life.agent)
        heapq.heappush(self._due[lane], (life.due, found))
        if len(self._due[lane]) > 4 * len(self._lives) + 4 * MOST_SILENCES:  # mostly superseded entries
            lives = [(f, other) for f, other in self._lives.items() if lane_of(other.agent) == lane and other.due is not None]
            self._due[lane] = [(other.due, f) for f, other in lives if other.due is not None]
            self._due[lane] += [(at, _SILENCE_CHANGES) for s in self._silences.values() for at in (s.start, s.end)]
            heapq.heapify(self._due[lane])

    def _schedule_silence(self, silence: Silence) -> None:
        for due in self._due.values():
            heapq.heappush(due, (silence.start, _SILENCE_CHANGES))
            heapq.heappush(due, (silence.end, _SILENCE_CHANGES))

    # Publishing

    def _settle(self, changes: list[tuple[str, Change]], at: float, effects: Effects) -> None:
        """Publish what changed at one time: first who explains whom is brought up to date, then each is shown."""
        affected: set[str] = set()
        for found, change in changes:
            life = self._lives[found]
            if change == "fired":
                life.explained_by = explained_by(life.finding)
            if self._index(found, life):
                affected.update(*(self._explained.get(key, ()) for key in explains(life.finding)))
        for found, change in sorted(changes, key=lambda item: item[1] != "resolved"):
            life = self._lives[found]
            if change == "resolved":
                assert life.shown is not None
                self._publish(found, life, life.shown, at, effects)
                life.finding = Finding(name=life.finding.name, labels=life.finding.labels, time=life.finding.time, active=False)
                self._unfold(life, at, effects)
            else:
                self._publish(found, life, self._shown(found, life, at, effects), at, effects)
                life.told = life.finding.time, life.finding.value, life.finding.severity
        for found in sorted(affected.difference(f for f, _ in changes)):
            self._show_again(found, at, effects)

    def _index(self, found: str, life: Life) -> bool:
        """Keep the indexes of firing alerts; whether they changed."""
        if (life.phase == "firing") == (found in self._firing):
            return False
        change = set.add if life.phase == "firing" else set.discard
        change(self._firing, found)
        keys = [(self._explaining, key) for key in explains(life.finding)]
        for index, key in keys + ([(self._explained, life.explained_by)] if life.explained_by is not None else []):
            change(index[key], found)
            if not index[key]:
                del index[key]
        return True

    def _reasons(self, life: Life, at: float) -> tuple[str, str]:
        """Fingerprint of what explains a firing alert, id of what silences it; '' each if nothing does."""
        key = life.explained_by
        inhibited = (min(self._explaining.get(key, ()), default="") or lately(life, self._lives)) if key is not None else ""
        silenced = min((s.id for s in self._silences.values() if s.matches(life.finding, at)), default="")
        return inhibited, silenced

    def _shown(self, found: str, life: Life, at: float, effects: Effects) -> Shown:
        """How a firing alert is to be shown. Becoming a page, or a ticket of which there may be many, needs room below the cap."""
        inhibited, silenced = self._reasons(life, at)
        if inhibited or silenced or is_traffic(life.finding):
            return Shown("info", inhibited, silenced)
        shown = Shown(life.finding.severity)
        if shown.severity == "page":
            if life.shown is not None and life.shown.severity == "page":
                return life.shown
            may, digest = self._pages.ask(at, self._settings.pages_per_hour)
            shown = Shown("page" if may else "ticket", digest=digest)
        if shown.severity == "ticket" and life.finding.by and (life.shown is None or life.shown.severity != "ticket"):
            return self._ticket(found, life, shown, at, effects)
        return shown

    def _ticket(self, found: str, life: Life, shown: Shown, at: float, effects: Effects) -> Shown:
        """One of many tickets: itself while there is room below the cap, else the digest of its kind tells of it."""
        digest = counted(life.finding, None, 1, at)
        name, key = fingerprint(digest), explains(digest)[0]
        self._new_tickets[name] = None
        if self._tickets.setdefault(name, Pages()).admit(at, self._settings.tickets_per_hour):
            return shown
        others = self._explained.get(key, set())
        digest = counted(life.finding, self._lives.get(name), len(others) + 1, at)
        changes = list(self._report(life.agent, digest, effects))
        if changes:
            describe(digest, [life.finding, *(self._lives[other].finding for other in others)], self._settings.tickets_per_hour)
            self._settle(changes, at, effects)
        if life.explained_by is not None:
            self._explained[life.explained_by].discard(found)
        life.explained_by = key
        self._explained[key].add(found)
        return Shown("info", inhibited_by=name)

    def _unfold(self, life: Life, at: float, effects: Effects) -> None:
        """An alert has ended; if it was the last one of its digest, the digest's condition has ceased."""
        key = life.explained_by
        if key is not None and key[0] == DIGEST and not self._explained.get(key):
            for name in list(self._explaining.get(key, ())):
                changes = list(self._report(life.agent, ceased(self._lives[name], at), effects))
                self._settle(changes, at, effects)

    def _show_again(self, found: str, at: float, effects: Effects) -> None:
        """Publish an alert again if what explains or silences it has changed."""
        life = self._lives[found]
        if life.phase != "firing" or life.shown is None:
            return
        at = max(at, life.updated_at)
        if self._reasons(life, at) != (life.shown.inhibited_by, life.shown.silenced_by):
            self._publish(found, life, self._shown(found, life, at, effects), at, effects)

    def _publish(self, found: str, life: Life, shown: Shown, at: float, effects: Effects) -> None:
        life.updated_at = at if life.version == 0 else max(at, life.updated_at)
        life.shown = shown
        life.version += 1
        self._changed[found] = None
        self._dirty = True
        alert = alert_of(found, life, shown, self._settings, self._lives.get(shown.inhibited_by))
        key = found.encode()
        effects.messages.append(OutgoingMessage(self._topic, partition_of(key, self._partitions), key, encode_alert(alert)))
        effects.row(AlertRow.TABLE, _encode_row(row_of(alert, life.version)))

    # The changelog

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        saved = self._saved(
            lives=[(found, self._lives[found]) for found in self._changed],
            forgotten=list(self._forgotten),
            clocks=[(source, self._sources.clocks[source]) for source in sorted(self._moved)],
            held=[self._held[key] for key in self._new_held],
            silences=[self._silences[i] for i in self._new_silences if i in self._silences],
            tickets=[(name, self._tickets[name]) for name in self._new_tickets],
        )
        self._forget_changes()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(
            self._saved(
                clocks=list(self._sources.clocks.items()), silences=list(self._silences.values()), tickets=list(self._tickets.items())
            )
        )
        lives, held = self._lives.items(), self._held.values()
        yield from map(_encode_saved, pieces(self._saved, SNAPSHOT_ENTRIES, lives=lives, held=held))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        for found in [*(f for f, _ in saved.lives), *saved.forgotten]:
            old = self._lives.pop(found, None)
            if old is not None and old.phase == "firing":
                old.phase = "inactive"
                self._index(found, old)
        for found, life in saved.lives:
            self._lives[found] = life
            self._index(found, life)
            self._schedule(found, life)
        self._sources.clocks.update(saved.clocks)
        self._tickets.update(saved.tickets)
        if saved.pages is not None:
            self._pages = saved.pages
        self._expired["immediate"] = max(self._expired["immediate"], saved.immediate)
        self._expired["ordered"] = max(self._expired["ordered"], saved.ordered)
        self._acted = max(self._acted, saved.acted)
        for agent, finding in saved.held:
            self._held[HeldKey(finding.time, finding.name, tuple(sorted(finding.labels.items())))] = agent, finding
        for key in [key for key, (agent, finding) in self._held.items() if key.time <= self._acted or self._has_acted(agent, finding)]:
            del self._held[key]
        for silence in saved.silences:
            self._silences[silence.id] = silence
            self._schedule_silence(silence)
        self._forget_changes()

    def waiting(self) -> int:
        """Findings held until every agent's clock has passed them."""
        return len(self._held)

    def gauges(self) -> Mapping[str, float]:
        return {
            "alerts_known": len(self._lives),
            "alerts_firing": len(self._firing),
            "findings_held": len(self._held),
            "silences": len(self._silences),
        }

    def _saved(
        self, *, lives: Iterable[tuple[str, Life]] = (), forgotten: Iterable[str] = (),
        clocks: Iterable[tuple[FindingSource, float | None]] = (), held: Iterable[tuple[str, Finding]] = (),
        silences: Iterable[Silence] = (), tickets: Iterable[tuple[str, Pages]] = (),
    ) -> SavedAlerts:  # fmt: skip
        return SavedAlerts(
            list(lives), list(forgotten), list(clocks), list(held), list(silences),
            self._pages, self._expired["immediate"], self._expired["ordered"], self._acted, list(tickets),
        )  # fmt: skip

    def _forget_changes(self) -> None:
        self._changed.clear()
        self._forgotten.clear()
        self._moved.clear()
        self._new_held.clear()
        self._new_silences.clear()
        self._new_tickets.clear()
        self._dirty = False
