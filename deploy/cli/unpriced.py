"""`mirante doctor --prices`: which models were not priced this week, or only in part, why, and
what to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from agents.interactions.rows import NOT_BILLED
from agents.pricing import PriceBook, Tokens
from agents.pricing.paste import price_lines
from schemas.events import MODEL_CALLS

_SAMPLES = 200
"""Calls of each model that are priced again to say why."""
_MOST_MODELS = 200


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


_THIS_WEEK = f"""
FROM mirante.interactions
WHERE time > (SELECT max(time) FROM mirante.interactions) - INTERVAL 7 DAY AND cost_source IN ('unknown', 'partial')
  AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL OR notEmpty(usage_requests)
       OR (operation IN ({_listed(MODEL_CALLS)}) AND outcome NOT IN ({_listed((*NOT_BILLED, "unanswered"))})))
"""

TOTALS = f"""
SELECT provider, model, countIf(cost_source = 'unknown') AS unpriced, countIf(cost_source = 'partial') AS partial,
       sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) AS tokens, min(time) AS first, max(time) AS last
{_THIS_WEEK}
GROUP BY provider, model ORDER BY unpriced + partial DESC, provider, model LIMIT {_MOST_MODELS}
"""

_COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cache_write_1h_tokens",
    "input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens",
)  # fmt: skip
"""In the order of `Tokens`."""

CALLS = f"""
SELECT provider, model, time, {", ".join(_COUNTS)}, usage_requests, usage_unknown, region,
       if(service_tier != '', service_tier, JSONExtractString(params, 'service_tier')) AS tier
{_THIS_WEEK}
ORDER BY time DESC LIMIT {_SAMPLES} BY provider, model
"""


class Lacking(msgspec.Struct, frozen=True, kw_only=True):
    """A model of which calls have no whole price. `reasons`: why, the most frequent first; empty if
    it has one by now.

    `paste`: lines for `mirante.toml`; empty if a price would not help.
    """

    provider: str
    model: str
    unpriced: int
    partial: int
    tokens: int
    first: datetime
    last: datetime
    reasons: list[str]
    paste: str


class _Call(NamedTuple):
    """A call as `CALLS` gives it."""

    provider: str
    model: str
    time: datetime
    counts: Sequence[int | None]
    requests: Mapping[str, int]
    unknown: Sequence[str]
    region: str
    tier: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> _Call:
        provider, model, time, *counts, requests, unknown, region, tier = row
        return cls(provider, model, time, counts, dict(requests), unknown, region, tier)

    @property
    def has_usage(self) -> bool:
        return self.counts[0] is not None or self.counts[1] is not None or bool(self.requests)


def lacking(rows: Callable[[str], Sequence[Sequence[Any]]], prices: PriceBook) -> list[Lacking]:
    """What `rows` (a query's rows, as ClickHouse gives them) say of this week, by the prices of
    today's settings."""
    reasons: dict[tuple[str, str], Counter[str]] = {}
    usable: set[tuple[str, str]] = set()
    for call in map(_Call.of, rows(CALLS)):
        key = call.provider, call.model
        reasons.setdefault(key, Counter()).update(_reasons(call, prices))
        if call.has_usage:
            usable.add(key)
    found = []
    for provider, model, unpriced, partial, tokens, first, last in rows(TOTALS):
        key = provider, model
        why = [reason for reason, _ in reasons.get(key, Counter()).most_common()]
        found.append(
            Lacking(
                provider=provider,
                model=model,
                unpriced=unpriced,
                partial=partial,
                tokens=tokens,
                first=first,
                last=last,
                reasons=why,
                paste=price_lines(provider, model) if why and key in usable else "",
            )
        )
    return found


def _reasons(call: _Call, prices: PriceBook) -> Iterable[str]:
    if not call.has_usage:
        return ["the service reports no usage"]
    counts = dict(zip(Tokens._fields, call.counts, strict=False))
    usage = Tokens(
        **counts, requests=tuple(sorted(call.requests.items())), understood=not call.unknown
    )
    moment = call.time
    explained = prices.explain(
        call.provider or None,
        call.model,
        moment.date(),
        usage,
        call.tier or None,
        at=moment.time(),
        region=call.region or None,
    )
    # Said with its paths below.
    told = [reason for reason in explained.reasons if "not understood" not in reason]
    return [*told, *(f"not understood: {path}" for path in call.unknown)]


def described(found: Sequence[Lacking]) -> str:
    """The list as text."""
    if not found:
        return "Every call of the last seven days has a whole price."
    paragraphs = [f"{len(found):,} models of the last seven days have calls without a whole price:"]
    for one in found:
        provider = f" (provider {one.provider})" if one.provider else ""
        lines = [
            f"{one.model}{provider}: {one.unpriced:,} calls without a price, {one.partial:,} priced in part,"
            f" {one.tokens:,} tokens"
        ]
        lines += [
            f"  why: {reason}"
            for reason in one.reasons or ["has a price by now: later calls have it"]
        ]
        if one.paste:
            lines += ["  for mirante.toml:", *(f"    {line}" for line in one.paste.splitlines())]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def as_json(found: Sequence[Lacking]) -> str:
    """The list for programs."""
    return json.dumps(msgspec.to_builtins(found), ensure_ascii=False)
