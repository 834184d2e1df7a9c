"""What a call used, and what it cost: the two ends of the price book."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

CostSource = Literal["computed", "override", "partial", "unknown"]


class Tokens(NamedTuple):
    """What one call used. None = not reported.

    The OpenTelemetry convention: `input` includes tokens read from and written to a cache, `output`
    includes reasoning. Tokens of a modality are inside `input` and `output`; what is left of those
    is text.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    """Written to a cache for any duration."""
    reasoning: int | None = None
    cache_write_1h: int | None = None
    """The part of `cache_write` that is kept for an hour."""
    input_audio: int | None = None
    output_audio: int | None = None
    input_image: int | None = None
    output_image: int | None = None
    requests: tuple[tuple[str, int], ...] = ()
    """What is charged by the piece: (name, count), sorted by name. `web_search`,
    `code_execution`, ..."""
    understood: bool = True
    """False if the usage held something nobody understood: its price is a lower bound then."""
    cache_read_audio: int | None = None
    cache_read_image: int | None = None
    """Of `cache_read`; both None if that is not reported."""


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What a call cost, in picodollars (1e-12 USD), and how we know.

    `computed` and `override`: every token and fee is priced. `partial`: something was not
    understood or has no price, so the amount is a lower bound. `unknown`: nothing can be said, and
    only then the amount is None; it is never 0.
    """

    picodollars: int | None
    source: CostSource


UNKNOWN = Cost(None, "unknown")
