"""Mirante's SDK: publish what your AI features do, and keep the model on a leash.

Example::

    import mirante

    client = mirante.Client("http://localhost:4319", token="...", feature="support")
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mirante._guard import Answer, Request
from mirante._publisher import Stats
from mirante._streams import AsyncTextStream, TextStream
from mirante.client import AsyncClient, Client
from mirante.context import context
from mirante.errors import Blocked, CallTimeout, Killed, MiranteError, Refused, Throttled
from mirante.prompts import Prompt, prompt
from mirante.rails import BannedTerms, Injection, JsonSchema, PersonalData, Rail, Verdict

if TYPE_CHECKING:
    from mirante import anthropic, litellm, openai

try:
    __version__ = version("mirante-sdk")
except PackageNotFoundError:  # run from a source folder
    __version__ = "0"

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncTextStream",
    "BannedTerms",
    "Blocked",
    "CallTimeout",
    "Client",
    "Injection",
    "JsonSchema",
    "Killed",
    "MiranteError",
    "PersonalData",
    "Prompt",
    "Rail",
    "Refused",
    "Request",
    "Stats",
    "TextStream",
    "Throttled",
    "Verdict",
    "anthropic",
    "context",
    "litellm",
    "openai",
    "prompt",
]


def __getattr__(name: str) -> Any:
    """The wrappers, imported when they are first used: ``mirante.openai`` and the like."""
    if name in ("anthropic", "litellm", "openai"):
        return importlib.import_module(f"mirante.{name}")
    raise AttributeError(f"module 'mirante' has no attribute {name!r}")
