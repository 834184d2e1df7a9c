"""Fields that hold for every call made within a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_FIELDS: ContextVar[Mapping[str, Any]] = ContextVar("mirante_context", default=MappingProxyType({}))


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Calls inside the block carry these fields: ``session_id user_id tenant feature environment
    prompt`` and what else :class:`mirante.Client` takes for a call. Blocks nest, the inner one
    wins; each thread and asyncio task sees its own.

    Example::

        with mirante.context(session_id="s1", feature="support"):
            openai_client.chat.completions.create(model="gpt-4o", messages=messages)
    """
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def current() -> Mapping[str, Any]:
    """The fields that hold here."""
    return _FIELDS.get()
