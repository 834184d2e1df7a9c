"""What an adapter is: how one provider counts, as data."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = [
    "COUNTS", "INFORMATION", "REGION", "REQUESTS", "SAME", "SPEED", "TIER", "TOTAL",
    "Shape", "Special", "ambiguous", "both", "camel", "each", "one_request",
]  # fmt: skip

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_read_audio_tokens",
    "cache_read_image_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
)
"""The token counts of `Usage`."""


class Special(str):
    """What a path means besides a quantity: a plain `str`."""

    __slots__ = ()


SAME = Special("=")
"""Says again what other fields say (text tokens are what is left), so it may be dropped."""
INFORMATION = Special("~")
"""Is not charged for (times, costs, predictions that were accepted); kept, not counted."""
TIER = Special("tier")
SPEED = Special("speed")
REGION = Special("region")
REQUESTS = Special("requests")
"""An object of counts by name. Every adapter has it: a service may add to what its SDK returned. A
number there is the SDK's count of calls."""
TOTAL = "total"


def one_request(name: str) -> Special:
    """A count of what is charged by the piece."""
    return Special(f"requests.{name}")


def each(quantity: str) -> Special:
    """A quantity of which several items of a list may have a part."""
    return Special(f"+{quantity}")


def ambiguous(quantity: str) -> Special:
    """A quantity that the providers behind an SDK count differently: it is counted, and named."""
    return Special(f"?{quantity}")


class Shape(NamedTuple):
    """One way of counting: an adapter."""

    name: str
    source: str
    """Where it is documented."""
    marks: frozenset[str]
    """It is this shape if one of these is a top-level key."""
    fields: Mapping[str, str]
    """Path -> quantity. `a.b` is a field of an object; `a[modality=audio].b` one of those items of
    a list."""
    input_adds: tuple[str, ...] = ()
    """Quantities that are not in `input` as the provider counts it, and belong to it."""
    output_adds: tuple[str, ...] = ()
    total: Literal["all", "without", "either"] = "all"
    """What the total includes: all tokens, or those without what is added here."""
    output_is: str = ""
    """What all of the output is where it is not said."""

    @property
    def is_plain(self) -> bool:
        """Every quantity is counted as Mirante counts it."""
        return not (self.input_adds or self.output_adds or self.output_is)


def camel(name: str) -> str:
    """``input_tokens`` -> ``inputTokens``."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def both(*names: str) -> frozenset[str]:
    """As Python's SDK and as Node's SDK spells them."""
    return frozenset(names) | {camel(name) for name in names}
