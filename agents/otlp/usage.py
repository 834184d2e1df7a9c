"""What a call used, as libraries write it in attributes. Provider's own objects are read by
`schemas.usage`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.otlp.step import Used
from agents.otlp.values import as_dict, below, count
from schemas.events import MAX_TOKENS
from schemas.usage import normalise

_NAMES = {
    "input_tokens": "input_tokens",
    "prompt_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "completion_tokens": "output_tokens",
    "cache_read.input_tokens": "cache_read_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cached_tokens": "cache_read_tokens",
    "cache_write.input_tokens": "cache_write_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "cache_creation.input_tokens": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "reasoning.output_tokens": "reasoning_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "audio.input_tokens": "input_audio_tokens",
    "audio.output_tokens": "output_audio_tokens",
    "image.input_tokens": "input_image_tokens",
    "image.output_tokens": "output_image_tokens",
    "audio.cache_read.input_tokens": "cache_read_audio_tokens",
}
"""After `gen_ai.usage.`, of the semantic conventions old and new, of OpenLLMetry and Strands."""

_DETAILS = {
    "reasoning_tokens": "reasoning_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
}
"""After `gen_ai.usage.details.`, which Pydantic AI fills with what the provider said: the rest of
it repeats what is said above, in the provider's way of counting."""

_SAME = frozenset({"total_tokens", "text.input_tokens", "text.output_tokens", "cost"})

_GENERIC = {
    "input": "input_tokens",
    "output": "output_tokens",
    "input_cached_tokens": "cache_read_tokens",
    "input_cache_read": "cache_read_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "input_cache_creation": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "output_reasoning": "reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
}
"""Langfuse's own names for kinds of usage."""


def of_attributes(attributes: Mapping[str, Any]) -> Used:
    """Usage in `gen_ai.usage.*`."""
    given = below(attributes, "gen_ai.usage.")
    if not given:
        return Used()
    counts: dict[str, int] = {}
    rest: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for name, value in given.items():
        amount = count(value)
        if name.startswith("details."):
            details[name.removeprefix("details.")] = value
        elif (ours := _NAMES.get(name)) is not None:
            if amount is not None:
                counts[ours] = max(amount, counts.get(ours, 0))
        elif amount and "tokens" in name and name not in _SAME:
            rest[name] = amount
    for name, ours in _DETAILS.items():
        if ours not in counts and (amount := count(details.get(name))):
            counts[ours] = amount
    return Used(_inclusive(counts, count(given.get("total_tokens"))), {}, rest)


def of_object(value: Any) -> Used:
    """Usage as a provider returned it; Langfuse's own names are known too."""
    given = as_dict(value)
    if not given:
        return Used()
    if "input" in given or "output" in given:
        return _of_generic(given)
    found = normalise(given)
    return Used(found.counts, found.requests, dict.fromkeys(found.not_understood, 1))


def union(used: Used, other: Used) -> Used:
    """What one place says, completed by what another says of the same call."""
    if not other.counts and not other.requests:
        return used
    return Used(
        {**other.counts, **used.counts},
        {**other.requests, **used.requests},
        used.rest if used.counts else other.rest,
    )


def _of_generic(given: dict[str, Any]) -> Used:
    """Langfuse: each kind of usage is apart from the others, unless the total says that it is not."""
    amounts = {name: amount for name, value in given.items() if (amount := count(value))}
    total = amounts.pop("total", None)
    counts: dict[str, int] = {}
    rest: dict[str, Any] = {}
    for name, amount in amounts.items():
        if (ours := _GENERIC.get(name)) is not None:
            counts[ours] = amount
        else:
            rest[name] = amount
    if total is None or total != amounts.get("input", 0) + amounts.get("output", 0):
        for name, amount in amounts.items():
            if name not in ("input", "output") and name in _GENERIC:
                side = "output_tokens" if name.startswith("output") else "input_tokens"
                counts[side] = min(counts.get(side, 0) + amount, MAX_TOKENS)
    return Used(counts, {}, rest)


def _inclusive(counts: dict[str, int], total: int | None) -> dict[str, int]:
    """Input with what came from caches, output with reasoning: older libraries hand on Anthropic's
    and Gemini's counts as they are."""
    given, answered = counts.get("input_tokens"), counts.get("output_tokens", 0)
    if given is None:
        return counts
    cached = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
    reasoned = counts.get("reasoning_tokens", 0)
    if cached and (cached > given or total == given + answered + cached):
        counts["input_tokens"] = min(given + cached, MAX_TOKENS)
    elif reasoned and (reasoned > answered or total == given + answered + reasoned):
        counts["output_tokens"] = min(answered + reasoned, MAX_TOKENS)
    return counts
