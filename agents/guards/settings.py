"""The table ``[guards]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When ``PromptInjection`` is told of a user or a document. One attempt is never enough: classifiers err."""

    attempts: Annotated[int, Meta(ge=2, le=200)] = 5
    """Calls of one user with an attempt, within ``window``."""
    retrievals: Annotated[int, Meta(ge=2, le=200)] = 5
    """Calls that retrieved one document with orders to the model, within ``window``."""
    window: Annotated[float, Meta(ge=30, le=86_400)] = 600.0
    """Seconds of event time."""
    max_keys: Annotated[int, Meta(ge=100)] = 10_000
    """Users, sessions and documents remembered per partition, and places of personal data; the longest idle give way."""


def guard_settings(table: Mapping[str, Any]) -> GuardSettings:
    """The table ``[guards]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), GuardSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[guards]: {error}") from error
