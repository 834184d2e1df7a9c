"""Prices as integers, and what a call costs by them.

Everything here is in 1/scale picodollars per token or request, so that sums are exact; the total is
rounded once, half to even. A `Plan` says all that is known of one model at one seller on one day in
one tier and region.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import time
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import msgspec

from agents.pricing.usage import UNKNOWN, Cost, CostSource, Tokens

PICODOLLARS_PER_USD = 10**12

# USD per million tokens, per thousand requests and per request, as picodollars.
PER_MTOK = Fraction(PICODOLLARS_PER_USD, 10**6)
PER_KCOUNT = Fraction(PICODOLLARS_PER_USD, 10**3)


class Rates(NamedTuple):
    """Prices for one size of input; `request` is per call."""

    source: CostSource
    uncached: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    request: int
    cache_write_1h: int
    input_audio: int
    input_image: int
    cache_read_audio: int
    cache_read_image: int
    output_audio: int
    output_image: int


class Plan(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How to price a call, with integers only."""

    scale: int
    """Rates are in 1/scale picodollars: 1 unless a price is finer than 1e-6 USD per million
    tokens."""
    base: Rates | None
    steps: tuple[tuple[int, Rates | None], ...] = ()
    """(threshold, rates of an input larger than it), largest threshold first. None: not known
    for that size."""
    plain: bool = True
    """Tokens of text tell the whole price; otherwise the fields below say why not."""
    fees: dict[str, int] = {}
    """What one request of a kind costs."""
    input_unpriced: bool = False
    """Input is sold by another unit (audio hours, characters), so tokens do not tell its price."""
    output_unpriced: bool = False
    input_mixed: bool = False
    """The model takes speech or images that are dearer than text: without a breakdown the price
    is not known."""
    output_mixed: bool = False
    audio_unpriced: bool = False
    """Audio is not sold by the token, or not at any price that is known."""
    hour_unpriced: bool = False
    """There is no price for cache writes of an hour."""
    lower_bound: str = ""
    """Why a call costs more than its tokens say."""
    peaks: tuple[tuple[time, ...], tuple[Plan | None, ...]] | None = None
    """Start of each part of the day and its plan, for models with peak hours; the other fields
    mean nothing then."""

    def at(self, clock: time) -> Plan | None:
        """The plan of a time of day (UTC)."""
        if self.peaks is None:
            return self
        bounds, plans = self.peaks
        return plans[bisect_right(bounds, clock.replace(tzinfo=None)) - 1]

    def rates(self, size: int) -> Rates | None:
        """The rates of an input of `size` tokens."""
        for start, larger in self.steps:
            if size > start:
                return larger
        return self.base


def text_cost(
    plan: Plan, tokens_in: int, tokens_out: int, read: int, write: int, reasoning: int
) -> Cost:
    """What text costs by a plan that is `plain`. The counts are not negative."""
    uncached = max(tokens_in - read - write, 0)
    rates = plan.base
    if plan.steps:
        rates = plan.rates(uncached + read + write)
    if rates is None:
        return UNKNOWN
    amount = (
        uncached * rates.uncached + max(tokens_out - reasoning, 0) * rates.output + rates.request
    )
    if read or write or reasoning:
        amount += read * rates.cache_read + write * rates.cache_write + reasoning * rates.reasoning
    if plan.scale != 1:
        amount = _divide_half_even(amount, plan.scale)
    return Cost(amount, rates.source)


class ExplainedCost(NamedTuple):
    """A cost, and why it is not the whole price (empty if it is)."""

    cost: Cost
    reasons: tuple[str, ...]


def whole_cost(plan: Plan, usage: Tokens) -> ExplainedCost:
    """What any usage costs by any plan. The counts are not negative.

    What has no price is left out and named, so that a `partial` amount is a lower bound. Where
    counts do not say which tokens are meant (cached tokens of a call with audio) the cheapest
    reading counts.
    """
    missing: list[str] = []
    if usage.input is None and usage.output is None and not usage.requests:
        return ExplainedCost(UNKNOWN, ("no tokens are reported",))
    read, write = usage.cache_read or 0, max(usage.cache_write or 0, usage.cache_write_1h or 0)
    audio_in, image_in = usage.input_audio or 0, usage.input_image or 0
    audio_out, image_out = usage.output_audio or 0, usage.output_image or 0
    size = max(usage.input or 0, read + write)
    written = max(usage.output or 0, usage.reasoning or 0)
    if size < audio_in + image_in or written < audio_out + image_out:
        missing.append("more tokens of audio and images are reported than tokens")
    size, written = max(size, audio_in + image_in), max(written, audio_out + image_out)
    rates = plan.rates(size)
    if rates is None:
        return ExplainedCost(UNKNOWN, (f"there is no price for an input of {size:,} tokens",))
    mixed_in = (
        plan.input_mixed and size > 0 and usage.input_audio is None and usage.input_image is None
    )
    mixed_out = (
        plan.output_mixed
        and written > 0
        and usage.output_audio is None
        and usage.output_image is None
    )
    split = not (
        usage.input_audio is usage.input_image is usage.output_audio is usage.output_image is None
    )
    if (mixed_in or mixed_out) and not split:
        return ExplainedCost(
            UNKNOWN,
            ("tokens of text, audio and images have different prices and are not told apart",),
        )

    amount, priced = rates.request, rates.request > 0
    if size and plan.input_unpriced:
        missing.append("input is not sold by the token")
    elif size:
        audio_read, image_read = usage.cache_read_audio, usage.cache_read_image
        cost, exact = _input_cost(
            rates,
            size,
            read,
            write,
            min(usage.cache_write_1h or 0, write),
            audio_in,
            image_in,
            None if audio_read is image_read is None else (audio_read or 0, image_read or 0),
        )
        amount += cost
        priced = True
        if not exact:
            missing.append("which of the cached tokens are text is not reported")
        if usage.cache_write_1h and plan.hour_unpriced:
            missing.append("there is no price for cache writes of an hour")
        if mixed_in:
            missing.append("input tokens of text, audio and images are not told apart")
    if written and plan.output_unpriced:
        missing.append("output is not sold by the token")
    elif written:
        text = written - audio_out - image_out
        reasoning = min(usage.reasoning or 0, text)
        amount += (text - reasoning) * rates.output + reasoning * rates.reasoning
        amount += audio_out * rates.output_audio + image_out * rates.output_image
        priced = True
        if mixed_out:
            missing.append("output tokens of text, audio and images are not told apart")
    if (audio_in or audio_out) and plan.audio_unpriced:
        missing.append("there is no price for tokens of audio")
    for name, count in usage.requests:
        fee = plan.fees.get(fee_name(name))
        if fee is None and count:
            missing.append(f"there is no price for a {fee_name(name)}")
        elif fee is not None and count:
            amount += count * fee
            priced = True
    if usage.input is None and rates.uncached:
        missing.append("input tokens are not reported")
    if usage.output is None and rates.output:
        missing.append("output tokens are not reported")
    if not usage.understood:
        missing.append("the usage holds something that was not understood")
    if plan.lower_bound:
        missing.append(plan.lower_bound)
    if missing and not (priced and amount):
        return ExplainedCost(UNKNOWN, tuple(missing))
    if plan.scale != 1:
        amount = _divide_half_even(amount, plan.scale)
    return ExplainedCost(Cost(amount, "partial" if missing else rates.source), tuple(missing))


def _input_cost(
    rates: Rates,
    size: int,
    read: int,
    write: int,
    hour: int,
    audio: int,
    image: int,
    told: tuple[int, int] | None,
) -> tuple[int, bool]:
    """What an input of `size` tokens costs, and whether that is certain.

    `told` is how many of the cached tokens are audio and images, None if that is not reported. All
    ways to share them out then cost the same if there is one kind of token only, or if a cached
    token is as much cheaper as its uncached one whatever it is; else the cheapest way counts.
    Tokens written are taken for text as far as there is text.
    """
    text = size - audio - image
    kinds = [
        (rates.uncached, rates.cache_read, text),
        (rates.input_audio, rates.cache_read_audio, audio),
        (rates.input_image, rates.cache_read_image, image),
    ]
    amount = sum(full * count for full, _, count in kinds)
    amount += (
        (write - hour) * rates.cache_write + hour * rates.cache_write_1h - write * rates.uncached
    )
    if told is not None and told[0] <= audio and told[1] <= image and read - sum(told) <= text:
        shares = (read - sum(told), *told)
        most = least = sum(
            (full - cached) * share
            for (full, cached, _), share in zip(kinds, shares, strict=True)
        )
    else:
        savings = sorted(
            ((full - cached, count) for full, cached, count in kinds if count), reverse=True
        )
        most, least = _saved(savings, read), _saved(list(reversed(savings)), read)
    certain = most == least and (
        not write or all(full == rates.uncached for full, _, count in kinds if count)
    )
    return amount - most, certain


def _saved(savings: list[tuple[int, int]], read: int) -> int:
    """What `read` cached tokens save if they are taken from `savings` (saving, tokens) in this
    order."""
    total = 0
    for saving, count in savings:
        taken = min(read, count)
        total += saving * taken
        read -= taken
    return total


def _divide_half_even(amount: int, scale: int) -> int:
    quotient, rest = divmod(amount, scale)
    if 2 * rest > scale or (2 * rest == scale and quotient & 1):
        quotient += 1
    return quotient


def fee_name(name: str) -> str:
    """One name for what is charged by the piece, whatever SDKs call it: `web_search_requests` is
    `web_search`."""
    plain = name.strip().lower().replace("-", "_")
    return _FEE_ALIASES.get(plain, plain)


_FEE_ALIASES = {
    "web_searches": "web_search",
    "web_search_requests": "web_search",
    "web_search_calls": "web_search",
    "web_search_call": "web_search",
    "web_search_queries": "web_search",
    "num_search_queries": "web_search",
    "google_search": "web_search",
    "grounding": "web_search",
    "web_fetch_requests": "web_fetch",
    "file_searches": "file_search",
    "file_search_call": "file_search",
    "file_search_calls": "file_search",
    "storage_search": "file_search",
    "storage_searches": "file_search",
    "x_search": "social_search",
    "social_searches": "social_search",
    "code_executions": "code_execution",
    "code_execution_requests": "code_execution",
    "rerank_searches": "rerank_search",
    "search_units": "rerank_search",
}

# Keys of genai-prices for fees, and what a request of each is called here.
FEE_KEYS = {
    "web_searches_kcount": "web_search",
    "storage_searches_kcount": "file_search",
    "social_searches_kcount": "social_search",
    "code_executions_kcount": "code_execution",
    "rerank_searches_kcount": "rerank_search",
}

# Units that a call's tokens do not answer for but that its input may be sold by.
_OTHER_UNITS = frozenset(
    {
        "audio_hours",
        "input_audio_hours",
        "input_mchars",
        "input_text_messages_kcount",
        "input_document_kpages",
        "input_annotated_document_kpages",
    }
)

# Models whose input is speech or images as a rule. Others take them too, but text without a
# breakdown is text.
_SPEECH_OR_PICTURES = re.compile(r"audio|realtime|transcri|live|sonic|voxtral|voice|image")

Amounts = Mapping[str, Fraction]
"""Key of genai-prices -> picodollars per token or request."""


class SizeRates(NamedTuple):
    """What a model costs for an input larger than `over` tokens."""

    over: int
    amounts: Amounts | None
    """None: not known."""
    source: CostSource


def plan_of(
    name: str,
    sizes: Sequence[SizeRates],
    *,
    fees: Mapping[str, Fraction],
    lower_bound: str,
    audio_is_text: bool,
) -> Plan | None:
    """The plan of a model by what it costs for an input of each size, smallest first; None if
    nothing is known.

    `audio_is_text`: one price holds for text and audio where no other is listed.
    """
    known = next((size.amounts for size in sizes if size.amounts is not None), None)
    if known is None:
        return None
    exact = [None if size.amounts is None else _exact_rates(size.amounts) for size in sizes]
    scale = lcm(
        *(rate.denominator for rates in exact if rates is not None for rate in rates),
        *(fee.denominator for fee in fees.values()),
    )
    base, *larger = (
        None if rates is None else Rates(size.source, *(int(rate * scale) for rate in rates))
        for size, rates in zip(sizes, exact, strict=True)
    )
    dear_in, dear_out = _dearer(known, "input"), _dearer(known, "output")
    speaks = _SPEECH_OR_PICTURES.search(name) is not None
    hours = not {"audio_hours", "input_audio_hours"}.isdisjoint(known)
    input_unpriced = "input_mtok" not in known
    input_mixed = not input_unpriced and ((dear_in and (speaks or dear_out)) or (hours and speaks))
    # No output price at all is how an embedding model is listed: its output costs nothing.
    other_output = any(key.startswith("output_") and key != "output_mtok" for key in known)
    output_unpriced = "output_mtok" not in known and (
        other_output or not _OTHER_UNITS.isdisjoint(known)
    )
    audio_listed = "input_audio_mtok" in known or "output_audio_mtok" in known
    return Plan(
        scale=scale,
        base=base,
        steps=tuple(
            reversed([(size.over, rates) for size, rates in zip(sizes[1:], larger, strict=True)])
        ),
        plain=not (input_mixed or dear_out or input_unpriced or output_unpriced or lower_bound),
        fees={kind: int(fee * scale) for kind, fee in fees.items()},
        input_unpriced=input_unpriced,
        output_unpriced=output_unpriced,
        input_mixed=input_mixed,
        output_mixed=dear_out,
        audio_unpriced=hours or not (audio_listed or audio_is_text),
        hour_unpriced="cache_write_1h_mtok" not in known,
        lower_bound=lower_bound,
    )


def _exact_rates(amounts: Amounts) -> list[Fraction]:
    """Numbers in the order of `Rates`. What has no price of its own has that of what it is a part
    of."""
    zero = Fraction(0)
    uncached, output = amounts.get("input_mtok", zero), amounts.get("output_mtok", zero)
    read, write = (
        amounts.get("cache_read_mtok", uncached),
        amounts.get("cache_write_mtok", uncached),
    )
    audio, image = (
        amounts.get("input_audio_mtok", uncached),
        amounts.get("input_image_mtok", uncached),
    )
    return [
        uncached,
        read,
        write,
        output,
        amounts.get("output_reasoning_mtok", output),
        amounts.get("requests_kcount", zero),
        amounts.get("cache_write_1h_mtok", write),
        audio,
        image,
        amounts.get("cache_audio_read_mtok", read),
        amounts.get("cache_image_read_mtok", read),
        amounts.get("output_audio_mtok", output),
        amounts.get("output_image_mtok", output),
    ]


def _dearer(amounts: Amounts, direction: str) -> bool:
    """Whether tokens of audio, images or video cost more than those of text."""
    zero = Fraction(0)
    text = amounts.get(f"{direction}_mtok", zero)
    return any(
        amounts.get(f"{direction}_{kind}_mtok", zero) > text for kind in ("audio", "image", "video")
    )
