"""What a call asks, in one number: calls that repeat each other have the same. And where it comes from."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import msgspec

from schemas.events import Request
from schemas.group_usage import Caller

_LONGEST_TEXT = 8_192


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
    return zlib.crc32(text[-_LONGEST_TEXT:].translate(None, b"0123456789"), _begun(request.operation, tool))


@lru_cache(maxsize=256)
def _begun(operation: str | None, tool: str) -> int:
    """CRC-32 of what is before the text: few ever differ."""
    return zlib.crc32(f"{operation}\x1f{tool}".encode())


def caller_of(request: Request, model: str) -> Caller:
    """Where a call comes from that ``model`` answered."""
    tool = (request.messages[-1].name if request.messages else None) or ""
    step = f"{request.operation} {tool}" if tool else str(request.operation or "")
    return Caller(request.tenant or "", request.feature or "", model, request.user_id or "", step)
