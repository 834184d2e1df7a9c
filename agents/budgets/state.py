"""Stage 2: usage by group to findings: budgets exhausted or burning, rate limits exceeded, loops.

What happens now is counted, and a crossing of it reported, when it is read. What depends on time passing (burn rates, and that a condition
has ceased) is decided when the clock moves on: event time that every source partition has reached, in steps of 10 s.

A history is read in any order, so its usage waits for the clock (agents/budgets/inbox.py) and is counted step by step: a crossing
belongs to the step in which the limit was reached, whoever was read first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

import msgspec

from agents.budgets import report
from agents.budgets.burn import burn, least_spent
from agents.budgets.inbox import FRESH, UsageInbox
from agents.budgets.ledger import AMOUNT, Key, Ledger, SavedGroup, SavedPart, key_of, values_of
from agents.budgets.recent import PartOrigin, Recent, SavedLap, lap_of
from agents.budgets.rules import Rule, Rules
from agents.budgets.runaway import STILL, find_loop, where_of
from agents.budgets.windows import BUCKET, FOREVER, History, entries, falls_below, peak
from agents.common.messages import messages
from agents.common.stage2 import FindingsWriter, Progress, Untimed, pieces
from agents.common.watermark import Reached, Source, Watermark
from schemas.findings import Finding
from schemas.group_usage import MOST_EXAMPLES, UsagePart, UsageParts
from schemas.outputs import AlertName, Severity
from schemas.partials import SETTLE
from streams.effects import Effects
from streams.state import Batch

STAGE = "budgets"

SNAPSHOT_ENTRIES = 1_000

LOOP_PAUSE = 120
"""Seconds without a call after which a session or trace is no loop. Nearly all of them end soon, and need not be remembered."""

_MIDDLE = BUCKET / 2
"""A crossing is known to within a bucket. Its middle is neither the end of one window nor the start of another."""
_AFTER = 0.001
"""Findings of one identity have distinct times."""

Identity = tuple[str, str, tuple[str, ...]]
"""Alert name, rule id and values of the group."""


class Active(msgspec.Struct, array_like=True, gc=False):
    """A condition that was reported and has not ceased. ``start``: of the calendar window it holds for."""

    name: AlertName
    rule: str
    values: tuple[str, ...]
    start: int
    time: float
    severity: Severity
    labels: dict[str, str]


class Pending(msgspec.Struct, array_like=True, gc=False):
    """A group whose burn rate is to be looked at; ``examples``: ids of expensive answers."""

    rule: str
    values: tuple[str, ...]
    start: int
    examples: list[str]


class SavedBudgets(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog. ``counted``: the parts are in the sums of the groups already."""

    grid: int = 0
    clocks: list[Reached] = []
    groups: list[SavedGroup] = []
    counted: bool = False
    parts: list[SavedPart] = []
    laps: list[SavedLap] = []
    settled: list[tuple[Source, tuple[int, ...]]] = []
    pending: list[Pending] = []
    active: list[Active] = []
    ceased: list[Identity] = []
    held: list[tuple[Source, UsagePart]] = []


_decode_parts = msgspec.msgpack.Decoder(UsageParts).decode
_encode = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedBudgets).decode


class BudgetState(Untimed):
    """State of the agent ``budgets`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(
        self, partition: int, rules: Rules, *, findings: str, source: str, sources: int, settle: float = SETTLE
    ) -> None:
        """``findings``: topic; ``source``: id of the cluster; ``sources``: partitions of stage 1, for all of which the clock waits;
        ``settle``: seconds after its window in which a call is expected to end (agents/interactions/parts.py)."""
        self._rules = rules.by_id
        self._findings = FindingsWriter(STAGE, partition, findings)
        self._source = source
        budgets = {identity: rule for identity, rule in self._rules.items() if rule.kind == "budget"}
        self._ledger = Ledger(budgets)
        self._burning = {
            identity: least_spent(rule.pairs, rule.limit, rule.window.seconds) for identity, rule in budgets.items() if rule.pairs
        }
        self._recent = {
            identity: Recent(identity, rule.window.seconds, LOOP_PAUSE if rule.kind == "runaway" else rule.window.seconds)
            for identity, rule in self._rules.items()
            if rule.kind != "budget"
        }
        self._pending: dict[str, dict[tuple[int, Key], list[str]]] = {identity: {} for identity in self._burning}
        self._touched: set[tuple[str, int, Key]] = set()
        self._active: dict[Identity, Active] = {}
        self._changed: set[Identity] = set()
        self._watermark = Watermark(sources)
        self._grid = 0
        self._settle = settle
        self._inbox = UsageInbox()
        self._settling: dict[Source, tuple[int, ...]] = {}
        self._found: list[Finding] = []
        self._ordered = False
        """Whether what is found is of a history."""
        self._heard_at = 0.0
        """Processing time of what was read last, epoch seconds; infinite once time alone decides."""

    @property
    def clock(self) -> int:
        """Event time, in steps of 10 s, up to which everything was read; 0 at first."""
        return self._grid

    def apply(self, batch: Batch, effects: Effects) -> None:
        told = self._heard_at = batch.records[-1].timestamp / 1000 if batch.records else 0.0
        for message in messages(batch, _decode_parts, "usage", STAGE, self._source, effects):
            source = Source(message.source, message.partition)
            for part in message.parts:
                rule = self._rules.get(part.group.rule)
                if rule is None or len(part.group.values) != len(rule.by):
                    effects.count("unknown_rule")  # of a worker with other settings, while they are being changed
                elif part.judged + BUCKET > self._grid and told - part.judged > FRESH:
                    self._inbox.put(source, part)
                else:
                    self._find_of_history(told - part.judged > FRESH, effects)
                    self._count(rule, source, part)
            self._settling[source] = message.settled
            self._watermark.hear(source, message.clock, message.rests)
            self._advance(told, effects)
        for source, settled in self._settling.items():
            self._ledger.settle(source, self._inbox.unsettled(source, settled))
        self._settling = {source: settled for source, settled in self._settling.items() if self._inbox}
        self._tell(effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        if not (self._inbox and self._watermark.rests):
            return False
        self._heard_at = float("inf")
        self._advance(self._heard_at, effects)
        self._tell(effects)
        return True

    def _tell(self, effects: Effects) -> None:
        """What was found; and how far the clock is, because alerts wait for it."""
        progress = Progress(float(self._grid), self._watermark.rests and not self._inbox)
        if self._found or progress != self._findings.told:
            self._findings.told = progress
            self._send(effects)

    def _find_of_history(self, ordered: bool, effects: Effects) -> None:
        """Whether what is found from here on is of a history."""
        if ordered != self._ordered:
            if self._found:
                self._send(effects)
            self._ordered = ordered

    def _send(self, effects: Effects) -> None:
        told = self._findings.told
        past = [f for f in self._found if self._ordered and self._heard_at - f.time > FRESH]
        now = [f for f in self._found if f not in past] if past else self._found  # a clock that is ahead makes no history
        for ordered, found in ((True, past), (False, now)):
            if found or ordered == self._ordered:
                clock = None if told.rests else float(told.clock)
                self._findings.send(found, clock, effects, ordered=ordered)
        self._found = []

    def waiting(self) -> int:
        """Usage held until every source has passed it."""
        return len(self._inbox)

    def gauges(self) -> Mapping[str, float]:
        return {
            "budget_groups": len(self._ledger),
            "budget_parts": self._ledger.parts,
            "limited_groups": sum(map(len, self._recent.values())),
            "active_findings": len(self._active),
            "usage_held": len(self._inbox),
        }

    def used(self) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
        """(budget, values, start of the window, amount) of every group: picodollars, tokens or requests."""
        for identity, windows in self._ledger.windows.items():
            rule = self._rules[identity]
            for start, groups in windows.items():
                for key, history in groups.items():
                    yield rule.name, values_of(key), start, rule.resolution.fold(history, self._grid)[0]

    # Crossings

    def _count(self, rule: Rule, source: Source, part: UsagePart) -> None:
        """Count a part, and look at its group."""
        values, window = part.group.values, part.window
        examples = [response for _, response in part.usage.examples]
        if rule.kind == "budget":
            if (history := self._put(rule, source, part)) is not None:
                self._look_at_budget(rule, values, history, window, examples)
        elif self._put_recent(rule, source, part):
            self._look_at_rate(rule, values, window, examples)

    def _count_step(self, step: int, parts: Iterable[tuple[Source, UsagePart]]) -> None:
        """Count all that a history has of one step, and then look at each group once, so that the order within the step does not matter."""
        touched: dict[tuple[str, tuple[str, ...], int], tuple[History, list[tuple[float, str]]]] = {}
        for source, part in parts:
            if (rule := self._rules.get(part.group.rule)) is None:
                continue
            history: History | None = ()
            if rule.kind == "budget":
                history, start = self._put(rule, source, part), rule.window.bounds(part.window)[0]
            else:
                start = 0
                if not self._put_recent(rule, source, part):
                    history = None
            if history is not None:
                key = rule.id, part.group.values, start
                touched[key] = history, [*touched.get(key, ((), []))[1], *part.usage.examples]
        for (identity, values, _), (history, examples) in sorted(touched.items(), key=lambda item: item[0]):
            rule, shown = self._rules[identity], [response for _, response in sorted(examples, reverse=True)[:MOST_EXAMPLES]]
            if rule.kind == "budget":
                self._look_at_budget(rule, values, history, step, shown)
            else:
                self._look_at_rate(rule, values, step, shown)

    def _put(self, rule: Rule, source: Source, part: UsagePart) -> History | None:
        key, usage, amount = key_of(part.group.values), part.usage, AMOUNT[rule.unit](part.usage)
        return self._ledger.put(source, part.segment, rule, key, part.window, usage.version, amount, self._grid, part.counted)

    def _put_recent(self, rule: Rule, source: Source, part: UsagePart) -> bool:
        origin = PartOrigin(part.window, part.segment, source, part.counted)
        return self._recent[rule.id].put(key_of(part.group.values), origin, lap_of(part.usage), self._grid)

    def _look_at_budget(self, rule: Rule, values: tuple[str, ...], history: History, window: int, examples: list[str]) -> None:
        """Whether a budget is exhausted. ``window``: of the usage that was counted last; ``examples``: its dearest answers."""
        key = key_of(values)
        least = self._burning.get(rule.id)
        if least is not None and history[0] >= least:
            start = rule.window.bounds(window)[0]
            self._pending[rule.id][start, key] = examples
            self._touched.add((rule.id, start, key))
        if history[0] < rule.limit:
            return
        start, end = rule.window.bounds(window)
        known = self._active.get(("BudgetExhausted", rule.id, values))
        if known is not None and known.start >= start:
            return
        spent, at = history[0], window
        if rule.window.rolling:
            folded = rule.resolution.fold(history, self._grid)
            spent, at = peak(list(entries(folded)), rule.window.seconds)
            if spent < rule.limit:
                return
            start, end = at + BUCKET - rule.window.seconds, at + BUCKET
        if known is not None:
            self._cease(known, rule.window.bounds(known.start)[1])
        finding = report.exhausted(
            rule, values, time=self._now(at), since=at + _MIDDLE, spent=spent, window=(start, end), examples=examples
        )
        self._report(rule, values, 0 if rule.window.rolling else start, finding)

    def _look_at_rate(self, rule: Rule, values: tuple[str, ...], window: int, examples: list[str]) -> None:
        """Whether a rate limit is exceeded, or a session or trace is a loop."""
        key, recent = key_of(values), self._recent[rule.id]
        name: AlertName = "RunawayLoop" if rule.runaway else "RateLimitExceeded"
        if (name, rule.id, values) in self._active:
            return
        if rule.runaway is None:
            used, at = peak(recent.used(key, self._grid, AMOUNT[rule.unit]), rule.window.seconds)
            if used > rule.limit:
                span = (at + BUCKET - rule.window.seconds, at + BUCKET)
                laps = [lap for lap in recent.laps(key, self._grid) if lap[0] < span[1]]
                found = report.limited(
                    rule, values, time=self._now(at), since=at + _MIDDLE, used=used, window=span, examples=examples,
                    where=where_of(laps, rule.labels(values)),
                )  # fmt: skip
                self._report(rule, values, 0, found)
            return
        laps = recent.laps(key, self._grid)
        for end in sorted({window + BUCKET, max(at for at, _ in laps) + BUCKET}):
            if (loop := find_loop(laps, end, rule.runaway)) is not None:
                found = report.looping(
                    rule, values, time=self._now(end - BUCKET), since=loop.begun + _MIDDLE, loop=loop, window=(loop.begun, end),
                    examples=examples, where=where_of((lap for lap in laps if lap[0] < end), rule.labels(values)),
                )  # fmt: skip
                self._report(rule, values, 0, found)
                return

    def _now(self, bucket: int) -> float:
        """The time of a finding about a bucket: its own, but after all that the clock has decided."""
        return max(bucket + _MIDDLE, self._grid + _AFTER)

    def _report(self, rule: Rule, values: tuple[str, ...], start: int, finding: Finding) -> None:
        identity = finding.name, rule.id, values
        self._found.append(finding)
        self._active[identity] = Active(finding.name, rule.id, values, start, finding.time, finding.severity, finding.labels)
        self._changed.add(identity)

    def _cease(self, known: Active, time: float) -> None:
        identity = known.name, known.rule, known.values
        del self._active[identity]
        self._changed.add(identity)
        self._found.append(
            Finding(
                name=known.name, labels=known.labels, time=max(float(time), known.time + _AFTER), active=False,
                severity=known.severity, generator=report.GENERATOR,
            )
        )  # fmt: skip

    # Time

    def _advance(self, told: float, effects: Effects) -> None:
        """Go on to where the sources are; in a history, to where its calls have ended. ``told``: when they said so, of processing time."""
        clock, rests, now, end = self._watermark.time, self._watermark.rests, 0.0, 0.0
        ordered = told - clock > FRESH
        if clock > float("-inf"):
            now = clock - self._settle if ordered and not rests else clock
            end = float("inf") if rests else now // BUCKET * BUCKET
        self._find_of_history(ordered, effects)
        for step, waiting in self._inbox.take(end):
            if step >= end:
                effects.count("usage_counted_early", by=len(waiting))
            self._go_to(step)
            self._count_step(step, waiting)
        self._go_to(now)

    def _go_to(self, time: float) -> None:
        now = int(max(time, self._grid)) // BUCKET * BUCKET
        while self._grid < now:
            looping = self._ordered and any(known.name == "RunawayLoop" for known in self._active.values())
            self._move_on(self._grid + BUCKET if looping else now)  # when a loop ends is looked at step by step

    def _move_on(self, now: int) -> None:
        before, self._grid = self._grid, now
        for identity in self._burning:
            self._look_at_burns(self._rules[identity], before)
        over = [(identity, time) for identity, known in self._active.items() if (time := self._ceased(known, before)) is not None]
        for ended, time in sorted(over):
            self._cease(self._active[ended], time)
        self._ledger.advance(before, now)
        for recent in self._recent.values():
            recent.advance(before, now)

    def _ceased(self, known: Active, before: int) -> float | None:
        """When a condition that held at ``before`` has ceased, None if it holds. Burn rates are looked at elsewhere."""
        now = self._grid
        rule = self._rules.get(known.rule)
        if rule is None:
            return now  # the rule was taken out of the settings, or counts something else now
        key, span = key_of(known.values), rule.window.seconds
        if known.name == "BudgetBurn":
            return None if rule.id in self._burning else now
        if known.name == "BudgetExhausted":
            history = self._ledger.windows[rule.id].get(known.start, {}).get(key)
            if not rule.window.rolling:
                end = rule.window.bounds(known.start)[1]
                return end if end <= now else None if history is not None and history[0] >= rule.limit else now
            used, least = list(entries(history or (0,))), rule.limit
        elif rule.runaway is None:
            used, least = self._recent[rule.id].used(key, before, AMOUNT[rule.unit]), rule.limit + 1
        else:
            laps = self._recent[rule.id].laps(key, now)
            ends = {now, *(window + BUCKET for window, _ in laps if window >= now)}
            return None if any(find_loop(laps, end, rule.runaway, STILL) is not None for end in ends) else now
        time = falls_below(used, span, least)
        return now if time is None else time if time <= now else None

    def _look_at_burns(self, rule: Rule, before: int) -> None:
        """Burn rates at the steps of the rule's resolution since ``before``."""
        size, now = rule.resolution.fine, self._grid
        first, last = before // size * size, now // size * size
        if first == last:
            return
        pending = self._pending[rule.id]
        for (start, key), examples in sorted(pending.items(), key=lambda item: (item[0][0], values_of(item[0][1]))):
            self._look_at_burn(rule, start, key, first, last, examples)
            end = rule.window.bounds(start)[1]
            known = self._active.get(("BudgetBurn", rule.id, values_of(key)))
            holds = known is not None and known.start == start
            if holds and end <= now:
                self._cease(known, end)  # type: ignore[arg-type]
            if end <= now or not (holds or self._has_used_since(rule, start, key, last)):
                del pending[start, key]

    def _has_used_since(self, rule: Rule, start: int, key: Key, time: int) -> bool:
        history = self._ledger.windows[rule.id].get(start, {}).get(key, (0,))
        return len(history) > 1 and history[-2] + rule.resolution.fine > time

    def _look_at_burn(self, rule: Rule, start: int, key: Key, first: int, last: int, examples: list[str]) -> None:
        resolution, size = rule.resolution, rule.resolution.fine
        begin, end = rule.window.bounds(start)
        stop = min(last, (end - 1) // size * size)
        history = self._ledger.windows[rule.id].get(start, {}).get(key, (0,))
        # Between its ends of steps with usage a rate only falls, so a burn begins at one of them (or now, for what came late).
        ends = sorted({e for time in history[1::2] if first < (e := time + size) < stop} | ({stop} if first < stop else set()))
        values, time = values_of(key), first
        while True:
            known = self._active.get(("BudgetBurn", rule.id, values))
            if known is not None and known.start != start:
                known = None
            if known is not None:
                time += size
            else:
                time = next((e for e in ends if e > time), FOREVER)
            if time > stop:
                return
            folded = resolution.fold(history, time)
            found = burn(folded, time, pairs=rule.pairs, limit=rule.limit, window=rule.window, start=begin, end=end)
            if found is None:
                if known is not None:
                    self._cease(known, time)
                continue
            window = (time - rule.window.seconds, time) if rule.window.rolling else (begin, end)
            finding = report.burning(rule, values, time=time, found=found, window=window, examples=examples)
            self._touched.add((rule.id, start, key))
            if known is None or _RANK[finding.severity] > _RANK[known.severity]:
                self._report(rule, values, start, finding)

    # Persistence

    def changes(self) -> bytes | None:
        parts, settled = self._ledger.take_changes(), self._ledger.take_settled()
        laps = [lap for recent in self._recent.values() for lap in recent.take_changes()]
        clocks, held = self._watermark.take_changes(), self._inbox.take_changes()
        if not (parts or laps or settled or clocks or held or self._changed):
            return None
        touched, self._touched = self._touched, set()
        changed, self._changed = self._changed, set()
        return _encode(
            SavedBudgets(
                grid=self._grid,
                clocks=clocks,
                parts=parts,
                laps=laps,
                settled=settled,
                pending=[
                    Pending(rule, values_of(key), start, self._pending[rule][start, key])
                    for rule, start, key in touched
                    if (start, key) in self._pending[rule]
                ],
                active=[self._active[identity] for identity in changed if identity in self._active],
                ceased=[identity for identity in changed if identity not in self._active],
                held=held,
            )
        )

    def snapshot(self) -> Iterator[bytes]:
        pending = (
            Pending(rule, values_of(key), start, examples)
            for rule, groups in self._pending.items()
            for (start, key), examples in groups.items()
        )
        clocks, settled = self._watermark.all(), self._ledger.all_settled()
        yield _encode(SavedBudgets(grid=self._grid, clocks=clocks, settled=settled))
        laps = chain.from_iterable(recent.all() for recent in self._recent.values())
        sections = chain(
            pieces(SavedBudgets, SNAPSHOT_ENTRIES, groups=self._ledger.all_groups()),
            pieces(partial(SavedBudgets, counted=True), SNAPSHOT_ENTRIES, parts=self._ledger.all_parts()),
            pieces(
                SavedBudgets, SNAPSHOT_ENTRIES, laps=laps, pending=pending,
                active=self._active.values(), held=self._inbox.all(),
            ),
        )  # fmt: skip
        yield from map(_encode, sections)

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        for group in saved.groups:
            self._ledger.load_group(group)
        for part in saved.parts:
            self._ledger.load_part(part, self._grid, counted=saved.counted)
        for lap in saved.laps:
            if (recent := self._recent.get(lap.rule)) is not None:
                recent.load(lap, self._grid)
        for source, settled in saved.settled:
            self._ledger.settle(Source(*source), settled)
        self._watermark.load(saved.clocks)
        if saved.grid > self._grid:
            self._pass(saved.grid)
        for item in saved.pending:
            if item.rule in self._pending:
                self._pending[item.rule][item.start, key_of(item.values)] = item.examples
        for known in saved.active:
            self._active[known.name, known.rule, known.values] = known
        for identity in saved.ceased:
            known_before = self._active.pop(identity, None)
            if known_before is not None and known_before.name == "BudgetBurn" and known_before.rule in self._burning:
                self._drop_pending(self._rules[known_before.rule], known_before.start, key_of(known_before.values))
        self._inbox.load(saved.held, self._grid)
        self._ledger.forget_changes()
        for recent in self._recent.values():
            recent.loaded(self._grid)
        self._changed.clear()
        self._touched.clear()

    def _pass(self, now: int) -> None:
        """The clock has moved on, and what there was to say was said."""
        before, self._grid = self._grid, now
        for identity, pending in self._pending.items():
            rule = self._rules[identity]
            size = rule.resolution.fine
            if before // size == now // size:
                continue
            for start, key in list(pending):
                if ("BudgetBurn", identity, values_of(key)) not in self._active:
                    self._drop_pending(rule, start, key)
        self._ledger.advance(before, now)
        for recent in self._recent.values():
            recent.advance(before, now)

    def _drop_pending(self, rule: Rule, start: int, key: Key) -> None:
        """Unless there is usage that the clock has not reached."""
        size = rule.resolution.fine
        if rule.window.bounds(start)[1] <= self._grid or not self._has_used_since(rule, start, key, self._grid // size * size):
            self._pending[rule.id].pop((start, key), None)


_RANK: Mapping[Severity, int] = {"info": 0, "ticket": 1, "page": 2}
