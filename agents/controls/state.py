"""The agent ``controls``: rules that switch off or throttle on alerts, and the audit of every switch.

An alert lies in the partition of its fingerprint, a switch in that of its scope. So a rule's wish travels as a *proposal* to the
partition of the scope, where it is decided with that switch in view: automation never weakens what is in force, nor replaces an
operator's word by its own.

When a switch ends and another alert's still stands (a user is over the budgets of the day and of the month), that one is written
(``wishes``). An operator's restore ends them all. Otherwise nothing is written to ``llm.controls`` when a switch expires: readers know by
``expires_at``. What is written then could follow, and undo, what an operator has just written; the operator's word is then written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal

import msgspec

from agents.common.stage2 import Untimed, pieces
from agents.controls.fold import AUTHOR_HEADER, OPERATOR, ControlError, is_in_force, read_control, strictness
from agents.controls.rules import Proposal, SwitchRule, proposals
from agents.controls.wishes import Wish, Wishes, weight
from schemas.outputs import Alert, Control
from schemas.rows import ControlRow
from streams.deadletters import dead_letter, origin_of
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of
from streams.state import Batch

STAGE = "controls"

MAX_ACTED = 10_000
"""Proposals remembered per partition; one that comes again after as many others is acted on again."""

MAX_SAID = 10_000
"""Scopes for which it is remembered what rules and operators have said."""

SNAPSHOT_ENTRIES = 500

CLOCK_SAVED_EVERY = 60.0
"""Seconds the clock goes on before it alone is worth a place in the changelog."""

_decode_alert = msgspec.json.Decoder(Alert).decode
_decode_proposal = msgspec.json.Decoder(Proposal).decode
_encode = msgspec.json.Encoder().encode


class CurrentControl(msgspec.Struct, array_like=True, gc=False):
    """The control that holds for a scope. ``offset``: of its record, -1 until it has been read back. ``recorded``: the last one
    that was read, which is what a record's note speaks of: what rules have decided since is not written yet."""

    control: Control
    offset: int
    recorded: Control | None = None


class RuledControl(msgspec.Struct, array_like=True, gc=False):
    """The last control of a scope that a rule has written, and what an operator has said since. A worker that dies after writing it may
    write it again, behind the operator's word; so may one that puts back what still stood when a stricter switch ended."""

    by_rule: Control
    since: Control | None = None


class SavedControls(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``clock``: Kafka time of the newest record, epoch seconds."""

    held: list[tuple[str, CurrentControl | None]] = []
    acted: list[str] = []
    clock: float = 0.0
    said: list[tuple[str, RuledControl]] = []
    wishes: list[tuple[str, list[Wish]]] = []


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedControls).decode


class ControlsState(Untimed):
    """State of the agent ``controls`` for one partition (see :class:`streams.state.PartitionState`).

    ``alerts``, ``proposals``, ``controls``: names of its input topics, with ``partitions`` partitions each. ``source``: the Kafka cluster.
    """

    def __init__(
        self, partition: int, *, alerts: str, proposals: str, controls: str, partitions: int, source: str, rules: Sequence[SwitchRule]
    ) -> None:
        self._partition = partition
        self._partitions = partitions
        self._source = source
        self._rules = rules
        self._proposals_topic = proposals
        self._controls_topic = controls
        self._handlers = {alerts: self._alert, proposals: self._proposal, controls: self._control}
        self._held: dict[str, CurrentControl] = {}
        self._acted: dict[str, None] = {}
        self._said: dict[str, RuledControl] = {}
        self._wishes = Wishes()
        self._clock = 0.0
        self._ticked: float | None = None
        """Processing time at which ``_clock`` was last moved on."""
        self._changed_scopes: set[str] = set()
        self._changed_acted: list[str] = []
        self._changed_said: set[str] = set()
        self._saved_clock = 0.0
        self._next_expiry = inf

    def apply(self, batch: Batch, effects: Effects) -> None:
        handle = self._handlers[batch.topic]
        for record in batch.records:
            self._advance(record.timestamp / 1000, effects)
            try:
                handle(record, effects)
            except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ControlError) as error:
                effects.count("dead_letter", STAGE)
                effects.letters.append(dead_letter(origin_of(record), source=self._source, stage=STAGE, reason=str(error)))

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        """Switches expire by the wall clock of Kafka's records, which goes on between them."""
        before, self._ticked = self._ticked, now
        if before is None or not self._held:
            return False
        self._advance(self._clock + now - before, effects)
        return bool(self._changed_scopes or self._wishes.changed) or self._clock - self._saved_clock > CLOCK_SAVED_EVERY

    def changes(self) -> bytes | None:
        stale = self._clock - self._saved_clock > CLOCK_SAVED_EVERY
        if not (stale or self._changed_scopes or self._changed_acted or self._changed_said or self._wishes.changed):
            return None
        held = [(scope, self._held.get(scope)) for scope in sorted(self._changed_scopes)]
        said = [(scope, self._said[scope]) for scope in sorted(self._changed_said)]
        saved = SavedControls(held, self._changed_acted, self._clock, said, self._wishes.take_changes())
        self._unchanged()
        return _encode_saved(saved)

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedControls(clock=self._clock))
        sections = pieces(
            SavedControls, SNAPSHOT_ENTRIES, held=self._held.items(), acted=self._acted,
            said=self._said.items(), wishes=self._wishes.all(),
        )  # fmt: skip
        yield from map(_encode_saved, sections)

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        for scope, held in saved.held:
            if held is None:
                self._held.pop(scope, None)
            else:
                self._hold(scope, held)
        for key in saved.acted:
            self._remember(key)
        for scope, known in saved.said:
            self._note_said(scope, known)
        self._wishes.load(saved.wishes)
        self._clock = max(self._clock, saved.clock)
        self._unchanged()

    def waiting(self) -> int:
        return 0

    def gauges(self) -> Mapping[str, float]:
        return {"switches": len(self._held), "acted_alerts": len(self._acted)}

    def _alert(self, record: Any, effects: Effects) -> None:
        """Stateless, so a repeat proposes the same again."""
        if record.value is None:
            return  # a deleted key of a topic that someone has made compacted
        for proposal in proposals(self._rules, _decode_alert(record.value)):
            key = proposal.control.scope.encode()
            effects.messages.append(OutgoingMessage(self._proposals_topic, partition_of(key, self._partitions), key, _encode(proposal)))

    def _proposal(self, record: Any, effects: Effects) -> None:
        proposal = _decode_proposal(record.value)
        control = proposal.control
        key = f"{proposal.alert_id}/{control.action}/{control.scope}/{proposal.dry_run:d}"
        if key in self._acted:
            return
        self._remember(key)
        self._changed_acted.append(key)
        said = self._said.get(control.scope)
        if said is not None and said.by_rule == control:
            return  # written before a crash, and read back since
        if control.action == "restore":
            self._wishes.withdraw(control.scope, proposal.alert_id)
        elif not proposal.dry_run and is_in_force(control, self._now()):
            self._wishes.add(Wish(proposal.alert_id, control))
        held = self._held.get(control.scope)
        ending = held is not None and held.control.action == "restore"  # not read back yet
        objection = _objection(proposal, held.control if held and not ending else None, self._now())
        if objection is not None:
            effects.count("switch", "refused")
            self._audit(record, control, "refused", effects, note=objection)
        elif proposal.dry_run:
            effects.count("switch", "dry_run")
            self._audit(record, control, "dry_run", effects)
        elif control.action != "restore" or not self._put_back(control.scope, effects):
            self._write(control, effects)

    def _write(self, control: Control, effects: Effects) -> None:
        effects.count("switch", control.action)
        held = self._held.get(control.scope)
        # Known at once, not only when read back: the next proposal is decided in its view.
        self._hold(control.scope, CurrentControl(control, -1, held.recorded if held else None))
        effects.messages.append(OutgoingMessage(self._controls_topic, self._partition, control.scope.encode(), _encode(control)))

    def _put_back(self, scope: str, effects: Effects) -> bool:
        """What was in force has ended: write what other alerts still want, if they do."""
        wish = self._wishes.strictest(scope, self._now())
        if wish is None:
            return False
        self._note_said(scope, RuledControl(wish.control))
        self._write(wish.control, effects)
        return True

    def _control(self, record: Any, effects: Effects) -> None:
        """What has been written holds, whoever wrote it."""
        if record.value is None:
            scope = (record.key or b"").decode(errors="replace")
            control = Control(scope=scope, action="restore", time=_moment(record.timestamp / 1000), reason="record deleted")
        else:
            control = read_control(record.key, record.value)
        said = self._said.get(control.scope)
        if record.value is None or control.source == OPERATOR:
            if said is not None:
                self._note_said(control.scope, RuledControl(said.by_rule, control))
        elif said is not None and said.since is not None and said.by_rule == control:
            effects.count("switch", "repeated")
            self._audit(record, control, "recorded", effects, note="written before what an operator has said was known; that holds")
            effects.messages.append(OutgoingMessage(self._controls_topic, self._partition, control.scope.encode(), _encode(said.since)))
            return
        else:
            self._note_said(control.scope, RuledControl(control))
        held = self._held.get(control.scope)
        note = _note(control, held.recorded if held else None, self._now())
        self._audit(record, control, "recorded", effects, note=note)
        holds = is_in_force(control, self._now())
        if held is not None and held.offset < 0 and held.control != control and control.source != OPERATOR:
            # What was decided since is still to be read.
            self._hold(control.scope, CurrentControl(held.control, -1, control if holds else None))
        elif holds:
            self._hold(control.scope, CurrentControl(control, record.offset, control))
        elif held is not None:
            self._drop(control.scope)
        if not holds and control.source == OPERATOR:
            if control.action == "restore":
                self._wishes.forget(control.scope)
            self._put_back(control.scope, effects)

    def _advance(self, clock: float, effects: Effects) -> None:
        self._clock = max(self._clock, clock)
        if self._clock < self._next_expiry:
            return
        now = self._now()
        for scope, held in list(self._held.items()):
            if is_in_force(held.control, now) or (held.control.action == "restore" and held.offset < 0):
                continue
            if held.offset >= 0:  # else its record is still to be read, and is then audited as it is
                self._expired(held, effects)
            self._drop(scope)
            self._put_back(scope, effects)
        self._next_expiry = min(map(_expiry, self._held.values()), default=inf)

    def _expired(self, held: CurrentControl, effects: Effects) -> None:
        control = held.control
        row = self._row(self._controls_topic, held.offset, control, "expired")
        row.time = control.expires_at or control.time
        effects.row(ControlRow.TABLE, _encode(row))

    def _audit(
        self, record: Any, control: Control, status: Literal["recorded", "refused", "dry_run"], effects: Effects, *, note: str = ""
    ) -> None:
        row = self._row(record.topic, record.offset, control, status)
        row.note = note
        row.author = next((value.decode(errors="replace") for name, value in record.headers if name == AUTHOR_HEADER and value), "")
        effects.row(ControlRow.TABLE, _encode(row))

    def _row(self, topic: str, offset: int, control: Control, status: str) -> ControlRow:
        return ControlRow(
            cluster=self._source,
            topic=topic,
            partition=self._partition,
            offset=offset,
            status=status,
            **{name: getattr(control, name) for name in Control.__struct_fields__},
        )

    def _hold(self, scope: str, held: CurrentControl) -> None:
        self._held[scope] = held
        self._next_expiry = min(self._next_expiry, _expiry(held))
        self._changed_scopes.add(scope)

    def _drop(self, scope: str) -> None:
        del self._held[scope]
        self._changed_scopes.add(scope)

    def _remember(self, key: str) -> None:
        self._acted[key] = None
        while len(self._acted) > MAX_ACTED:
            del self._acted[next(iter(self._acted))]

    def _note_said(self, scope: str, said: RuledControl) -> None:
        self._said[scope] = said
        self._changed_said.add(scope)
        if len(self._said) > MAX_SAID:
            oldest = next(iter(self._said))
            del self._said[oldest]
            self._changed_said.discard(oldest)

    def _now(self) -> datetime:
        return _moment(self._clock)

    def _unchanged(self) -> None:
        self._changed_scopes = set()
        self._changed_acted = []
        self._changed_said = set()
        self._saved_clock = self._clock


def _objection(proposal: Proposal, current: Control | None, now: datetime) -> str | None:
    """Why a rule may not do what it wants while ``current`` is in force; None if it may."""
    control = proposal.control
    if control.action == "restore":
        if current is None or not current.reason.endswith(f"(alert {proposal.alert_id})"):
            return f"not in force because of this alert{_in_force(current)}"
        return None
    if not is_in_force(control, now):
        return "the alert is older than the switch would last"
    if current is None:
        return None
    if current.source == OPERATOR and strictness(current) >= strictness(control):
        return f"an operator's word stands{_in_force(current)}"
    if strictness(current) > strictness(control):
        return f"something stricter is in force{_in_force(current)}"
    if weight(current) > weight(control):
        return f"something as strict is in force for longer{_in_force(current)}"
    return None


def _note(control: Control, current: Control | None, now: datetime) -> str:
    if control.action != "restore" and not is_in_force(control, now):
        return "had expired when it was read"
    if control == current:
        return ""  # it was read before
    if current is None:
        return "nothing was in force" if control.action == "restore" else ""
    return f"{'ends' if control.action == 'restore' else 'replaces'} {_described(current)}"


def _in_force(current: Control | None) -> str:
    return f": {_described(current)}" if current else ""


def _described(control: Control) -> str:
    return f"{control.action} by {control.source} of {control.time:%Y-%m-%d %H:%M:%S} UTC"


def _expiry(held: CurrentControl) -> float:
    return held.control.expires_at.timestamp() if held.control.expires_at else inf


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
