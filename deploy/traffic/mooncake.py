"""Format `mooncake`: the Kimi traces, JSON lines of `timestamp` (ms), `input_length`, `output_length`, `hash_ids`.

Source: https://github.com/kvcache-ai/Mooncake (Apache-2.0). `hash_ids` name the prompt's blocks of 512 tokens; an id
stands for its block *and everything before it*, so one id in common is a whole prefix in common.

*Sessions.* A request continues the session of an earlier one if its prompt contains all the full blocks of the earlier
prompt (the last block is usually partial, and changes as soon as the conversation goes on). Prompts whose full blocks
are only the first one say nothing: that block is the system prompt every conversation shares.

*Cache.* `cache_read_tokens` is what an unbounded prefix cache would have served: the leading blocks seen before, 512
tokens each, at most the whole input.

Memory grows with the distinct blocks of the trace (one set entry each), not with its rows' texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from deploy.traffic.files import fault, lines
from deploy.traffic.pairs import Profile, interaction
from deploy.traffic.record import Shift, TimedRecord, in_time_order, parse_us, row_id

BLOCK_TOKENS = 512
START_US = parse_us("2024-01-01T00:00:00Z")
_MIN_SESSION_BLOCKS = 2

# 128k tokens of context: the trace has prompts of more than 100,000 tokens.
_PROFILE_MODEL = "moonshot-v1-128k"


class _Row(msgspec.Struct):
    timestamp: float
    input_length: int
    output_length: int
    hash_ids: list[int]


class _Sessions:
    """Which session a prompt belongs to, and how much of it has been seen."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._session_ending_at: dict[int, str] = {}

    def place(self, ident: str, entry: _Row) -> tuple[str, int]:
        """(id of the row that began the session, cached tokens). Rows must come in the order of the trace."""
        blocks = entry.hash_ids
        known = 0
        for block in blocks:
            if block not in self._seen:
                break
            known += 1
        session = ident
        # The deepest earlier prompt is the latest turn of the conversation.
        for block in reversed(blocks[:known]):
            found = self._session_ending_at.get(block)
            if found is not None:
                session = found
                break
        self._seen.update(blocks[known:])
        full = entry.input_length // BLOCK_TOKENS
        if full >= _MIN_SESSION_BLOCKS:
            self._session_ending_at.setdefault(blocks[min(full, len(blocks)) - 1], session)
        return session, min(known * BLOCK_TOKENS, entry.input_length)


def _rows(path: Path, run: str, shift: Shift, limit: int | None) -> Iterator[tuple[TimedRecord, TimedRecord]]:
    feature = "synthetic" if "synthetic" in path.name.lower() else "conversation"
    profile = Profile(
        tenant="mooncake", feature=feature, provider="moonshotai", model=_PROFILE_MODEL, input_ms_per_token=0.02
    )
    decoder = msgspec.json.Decoder(_Row)
    sessions = _Sessions()
    for row, (number, line) in enumerate(lines(path)):
        if limit is not None and row >= limit:
            return
        try:
            entry = decoder.decode(line)
            if min(entry.input_length, entry.output_length) < 0 or not entry.hash_ids:
                raise ValueError("lengths must not be negative and hash_ids not empty")
        except (msgspec.MsgspecError, ValueError) as error:
            raise fault(path, number, f"not a line of this format: {error}. Correct or remove it.") from error
        ident = row_id(run, row, line)
        began, cached = sessions.place(ident, entry)
        at_us = shift(START_US + round(entry.timestamp * 1000))
        yield interaction(
            profile,
            ident,
            f"ses-{began}",
            at_us,
            entry.input_length,
            entry.output_length,
            cached,
        )


def read(path: Path, *, run: str, shift_to: datetime | None = None, limit: int | None = None) -> Iterator[TimedRecord]:
    """One request and one response per line. Times count from 2024-01-01T00:00:00Z unless shifted."""
    return in_time_order(_rows(path, run, Shift(shift_to), limit))
