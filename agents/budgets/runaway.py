"""Loops: a session or trace that grows without end. Looks for what no conversation of people does, so it needs no configuration."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from agents.budgets.recent import Lap
from agents.budgets.rules import RUNAWAY_SPAN, RunawayTable
from agents.budgets.windows import BUCKET
from schemas.events import Request

_FEW = 2
"""A cycle of so many different calls is a loop when it makes up ``_SHARE`` of all calls."""
_SHARE = 0.8
_GROWTH = 0.3
"""By how much of the first half of the span the calls, or the tokens per call, of the second exceed it."""
STILL = 0.75
"""A loop has ceased when it is below so much of every threshold: it must not come and go."""
_LEAST_SPAN = 60
_LONGEST_TEXT = 8_192


class Loop(NamedTuple):
    """Why a group runs away: what was measured, where the threshold is, and the reason in words."""

    value: float
    threshold: float
    requests: int
    usd: float
    reason: str


def find_loop(laps: Sequence[tuple[int, Lap]], end: int, rule: RunawayTable, ease: float = 1.0) -> Loop | None:
    """Whether the calls of the ``RUNAWAY_SPAN`` seconds before ``end`` are a loop. ``ease``: multiplies every threshold."""
    laps = [(window, lap) for window, lap in laps if end - RUNAWAY_SPAN <= window < end]
    calls = sum(lap.requests for _, lap in laps)
    usd = sum(lap.picodollars for _, lap in laps) / 1e12
    minutes = RUNAWAY_SPAN // 60
    if usd > float(rule.usd) * ease:
        return Loop(usd, float(rule.usd), calls, usd, f"it has cost {usd:.2f} USD in {minutes} minutes")
    if calls >= rule.repeats * ease:
        signatures: Counter[int] = Counter()
        for _, lap in laps:
            signatures.update(dict(lap.signatures))
        common = signatures.most_common(_FEW)
        repeated = sum(count for _, count in common)
        if repeated >= rule.repeats * ease and repeated >= _SHARE * ease * calls:
            what = "one call" if len(common) == 1 else "two calls"
            reason = f"{repeated} of {calls} calls in {minutes} minutes repeat {what} almost word for word"
            return Loop(repeated, rule.repeats, calls, usd, reason)
    if calls > rule.calls * ease and (growth := _growth(laps, 1 + _GROWTH * ease)) is not None:
        return Loop(calls, rule.calls, calls, usd, f"{calls} calls in {minutes} minutes, and {growth}")
    return None


def _growth(laps: Sequence[tuple[int, Lap]], factor: float) -> str | None:
    """What grows from the first half of the time to the second."""
    first, last = min(window for window, _ in laps), max(window for window, _ in laps) + BUCKET
    if last - first < _LEAST_SPAN:
        return None
    middle = (first + last - BUCKET) / 2
    earlier, later = [lap for window, lap in laps if window < middle], [lap for window, lap in laps if window >= middle]
    before, after = sum(lap.requests for lap in earlier), sum(lap.requests for lap in later)
    if not before or not after:
        return None
    if after >= factor * before:
        return f"their rate grows ({before} in the first half, {after} in the second)"
    size_before = sum(lap.tokens for lap in earlier) / before
    size_after = sum(lap.tokens for lap in later) / after
    if size_before and size_after >= factor * size_before:
        return f"they grow (from {size_before:,.0f} to {size_after:,.0f} tokens per call)"
    return None


def signature_of(request: Request) -> int | None:
    """CRC-32 of what a call asks: operation and last message (else the prompt's variables), without digits, so that counters and
    times make no difference. None: nothing is known of it."""
    content: Any = None
    tool = ""
    if request.messages:
        last = request.messages[-1]
        content, tool = last.content or last.tool_calls, last.name or ""
    elif request.prompt is not None:
        content = request.prompt.variables
    if not content:
        return None
    text = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else msgspec.json.encode(content)
    return zlib.crc32(text[-_LONGEST_TEXT:].translate(None, b"0123456789"), zlib.crc32(f"{request.operation}\x1f{tool}".encode()))
