"""The table ``[judge]`` of mirante.toml: whom `mirante judge` asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deploy.forward.receivers import ENVIRONMENT


class JudgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``: of an OpenAI-compatible API, up to and with its version, such as ``http://127.0.0.1:8000/v1``."""

    url: str
    model: str
    key: str = ""
    """``env:NAME`` takes it from the environment; empty: none is sent."""
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    timeout: Annotated[float, Meta(gt=0)] = 60.0
    """Seconds of one answer."""
    tries: Annotated[int, Meta(ge=1)] = 8
    """Of one question, before it is left out."""


def judge_settings(table: Mapping[str, Any], environment: Mapping[str, str]) -> JudgeSettings:
    """Raises ValueError naming the key, and no secret."""
    try:
        settings = msgspec.convert(dict(table), JudgeSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[judge]: {error}; it needs url and model, see mirante.example.toml") from error
    parts = urlsplit(settings.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("[judge]: url must be http[s]://HOST[:PORT][/PATH]")
    if settings.key.startswith(ENVIRONMENT):
        name = settings.key.removeprefix(ENVIRONMENT)
        if not environment.get(name):
            raise ValueError(f"[judge]: key is to come from the environment variable {name}, which is not set")
        settings = msgspec.structs.replace(settings, key=environment[name])
    return settings
