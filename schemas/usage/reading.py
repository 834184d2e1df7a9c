"""Reading usage by the table of adapters."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.events import MAX_NAME, MAX_TOKENS, REQUEST_NAME, Usage
from schemas.usage.shape import (
    COUNTS,
    INFORMATION,
    REGION,
    REQUESTS,
    SAME,
    SPEED,
    TIER,
    TOTAL,
    Shape,
    Special,
    camel,
)
from schemas.usage.table import ALIKE, SHAPES

MAX_NAMED = 20
"""How many paths are named at most."""

MAX_LEVELS = 8
"""How deep unlisted fields are searched for numbers."""


class Normalised(NamedTuple):
    """Usage in OpenTelemetry's convention."""

    shape: str
    counts: dict[str, int]
    """Names of `COUNTS`; one that was not reported is absent."""
    requests: dict[str, int]
    """What is charged by the piece: `web_search`, ..."""
    service_tier: str | None
    """As served, where the provider's usage says so."""
    region: str | None
    not_understood: list[str]
    """Paths, in the provider's own spelling, of what is missing from the counts or contradicts
    them."""
    odd: list[str]
    """Paths of counts whose value makes no sense: negative, a fraction, not a number. They are
    among `not_understood`."""
    rest: dict[str, Any]
    """The top-level fields that hold anything no count holds, as they were."""


_Plan = dict[str, Any]
"""Key -> quantity, or the plan of an object; of a list, `_Items`."""


class _Items(NamedTuple):
    discriminator: str
    plans: dict[str, Any]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _plan(fields: Mapping[str, str]) -> _Plan:
    plan: _Plan = {}

    def put(node: _Plan, steps: list[str], quantity: str) -> None:
        step, *rest = steps
        if match := re.fullmatch(r"(\w+)\[(\w+)=(\w+)\]", step):
            name, discriminator, value = match.groups()
            items = node.setdefault(name, _Items(discriminator, {}))
            node[camel(name)] = items
            if rest:
                put(items.plans.setdefault(value, {}), rest, quantity)
            else:
                items.plans[value] = quantity
        elif rest:
            inner = node.setdefault(step, {})
            node[camel(step)] = inner
            put(inner, rest, quantity)
        else:
            node[step] = node[camel(step)] = quantity

    for path, quantity in fields.items():
        put(plan, path.split("."), quantity)
    return {"requests": REQUESTS, **plan}


_PLANS: dict[str, _Plan] = {shape.name: _plan(shape.fields) for shape in SHAPES}
_SHAPES: dict[str, Shape] = {shape.name: shape for shape in SHAPES}
_MARKS: dict[str, int] = {}
"""Top-level key -> index in SHAPES of the first shape it is a mark of."""
for _index, _shape in enumerate(SHAPES):
    for _mark in _shape.marks:
        _MARKS.setdefault(_mark, _index)

_NOT_CHARGED = re.compile(
    r"(^|_)(time|ms|latency|per_sec|per_second|time_to_first_token|timestamp|created|created_at"
    r"|rate|ratio|percent|cost|price|usd|version|index)$"
)
"""Names of numbers that are no quantities of anything."""

_PLAIN = re.compile(REQUEST_NAME)

_NO_REGION = frozenset({"not_available", "unknown", "unspecified", ""})


class _Reading:
    """What a walk through one usage has found so far."""

    __slots__ = ("amounts", "odd", "requests", "rest", "texts", "unknown")

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}
        self.requests: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.unknown: list[str] = []
        self.odd: list[str] = []
        self.rest: dict[str, Any] = {}

    def walk(self, node: Mapping[str, Any], plan: _Plan, above: str) -> bool:
        """Whether all of `node` has been understood and is held by a quantity."""
        complete, amounts = True, self.amounts
        for key, value in node.items():
            if value is None:
                continue
            rule = plan.get(key)
            if rule.__class__ is str:
                # The usual case by far, and a short cut: `_leaf` would say the same of it.
                if (
                    value.__class__ is int
                    and 0 <= value <= MAX_TOKENS
                    and amounts.setdefault(rule, value) == value
                ):
                    continue
                held = self._leaf(rule, value, above + key)
            elif rule.__class__ is Special:
                if rule is SAME:
                    continue
                held = self._leaf(rule, value, above + key)
            elif rule.__class__ is dict and isinstance(value, dict):
                held = self.walk(value, rule, f"{above}{key}.")
            elif rule.__class__ is _Items and isinstance(value, list):
                held = self._list(value, rule, above + key)
            else:
                held = self._unlisted(value, above + _word(key))
            if not held:
                complete = False
                if not above:
                    self.rest[key] = value
        return complete

    def _list(self, items: list[Any], rule: _Items, path: str) -> bool:
        complete = True
        for item in items:
            kind = item.get(rule.discriminator) if isinstance(item, dict) else None
            plan = rule.plans.get(str(kind).lower())
            if plan is SAME:
                continue
            named = f"{path}[{_word(kind)}]" if isinstance(kind, str) else f"{path}[]"
            if isinstance(plan, dict):
                others = {key: value for key, value in item.items() if key != rule.discriminator}
                complete = self.walk(others, plan, f"{named}.") and complete
            else:
                complete = self._unlisted(item, named) and complete
        return complete

    def _leaf(self, rule: str, value: Any, path: str) -> bool:
        if rule is INFORMATION:
            return not value
        if rule in (TIER, SPEED, REGION):
            if not isinstance(value, str) or len(value) > MAX_NAME:
                return self._strange(path)
            if value:
                self.texts.setdefault(rule, value)
            return True
        if rule is REQUESTS:
            return self._requests(value, path)
        count = _count(value)
        if count is None:
            return self._strange(path)
        if rule[0] == "?":
            rule = rule[1:]
            if count:
                self.name(path)
        if rule[0] == "+":
            rule = rule[1:]
            count = min(count + self.amounts.get(rule, 0), MAX_TOKENS)
        elif rule.startswith("requests."):
            name = rule.partition(".")[2]
            self.requests[name] = max(count, self.requests.get(name, 0))
            return True
        elif (known := self.amounts.get(rule, 0)) and count and known != count:
            self.name(path)  # two fields, two answers
            self.amounts[rule] = max(known, count)
            return False
        else:
            count = max(count, known)
        self.amounts[rule] = count
        return True

    def _requests(self, value: Any, path: str) -> bool:
        if not isinstance(value, dict):
            return False if _count(value) is not None else self._strange(path)
        complete = True
        for name, given in value.items():
            count = None if given is None else _count(given)
            if count is not None and _word(name) == name:
                self.requests[name] = count
            elif given is not None:
                complete = self._strange(f"{path}.{_word(name)}")
        return complete

    def _strange(self, path: str) -> bool:
        self.odd.append(path)
        self.name(path)
        return False

    def name(self, path: str) -> None:
        if len(self.unknown) < MAX_NAMED and path not in self.unknown:
            self.unknown.append(path)

    def _unlisted(self, value: Any, path: str, levels: int = MAX_LEVELS) -> bool:
        """What no rule speaks of: kept, and named where it may be charged for."""
        if not value:
            return True
        if isinstance(value, dict | list) and not levels:
            self.name(path)
        elif isinstance(value, dict):
            for key, inner in value.items():
                self._unlisted(inner, f"{path}.{_word(key)}", levels - 1)
        elif isinstance(value, list):
            for inner in value[:MAX_NAMED]:
                self._unlisted(inner, f"{path}[]", levels - 1)
        elif isinstance(value, int | float) and value > 0 and not _is_free(value, path):
            self.name(path)
        return False


def _word(name: str) -> str:
    """A name that nobody has listed, as it may be shown: it could be anything, personal data too."""
    return name if _PLAIN.fullmatch(name) else "*"


def _is_free(value: float, path: str) -> bool:
    return (
        isinstance(value, bool) or _NOT_CHARGED.search(_snake(path.rpartition(".")[2])) is not None
    )


def _count(value: Any) -> int | None:
    """A count, None if it is none. Cohere's SDK, and JavaScript, write whole numbers as `12.0`."""
    if value.__class__ is float and value.is_integer():
        value = int(value)
    return value if value.__class__ is int and 0 <= value <= MAX_TOKENS else None


_NAMES = {name.removesuffix("_tokens"): name for name in COUNTS}
"""Quantity -> its field in `Usage`."""
_WHOLE = _NAMES.keys() - {"cache_write_1h"}
"""Quantities that need no other to be complete."""


def normalise(usage: Mapping[str, Any]) -> Normalised:
    """Usage in whatever shape, as Mirante counts it. Never fails; time is linear in what is given.

    >>> normalise({"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}).counts
    {'input_tokens': 100, 'output_tokens': 5}
    """
    raw = usage.get("raw")
    if isinstance(raw, dict) and ("inputTokens" in usage or "input_tokens" in usage):
        # The AI SDK hands on what the provider said, which says more than its own summary.
        original = normalise(raw) if "raw" not in raw else None
        if original is not None and "input_tokens" in original.counts:
            return original
    index = len(SHAPES)
    for key in usage:
        if (found := _MARKS.get(key, index)) < index:
            index = found
    shape = SHAPES[index] if index < len(SHAPES) else SHAPES[0]
    if shape.name == "openai_responses" and _is_of_images(usage):
        shape = _SHAPES["openai_images"]
    reading = _Reading()
    reading.walk(usage, _PLANS[shape.name], "")
    amounts = reading.amounts
    if (total := amounts.pop(TOTAL, None)) is not None and not _adds_up(shape, amounts, total):
        other = _SHAPES.get(ALIKE.get(shape.name, ""))
        if other is not None and _adds_up(other, amounts, total):
            shape = other
        else:
            for key in ("total_tokens", "totalTokens", "total_token_count", "totalTokenCount"):
                if key in usage:
                    reading.name(key)
                    reading.rest[key] = usage[key]
    return Normalised(
        shape.name,
        _counts(shape, reading),
        {name: count for name, count in reading.requests.items() if count}
        if reading.requests
        else {},
        *(_served(reading.texts) if reading.texts else (None, None)),
        reading.unknown,
        reading.odd,
        reading.rest,
    )


def _is_of_images(usage: Mapping[str, Any]) -> bool:
    details = usage.get("input_tokens_details")
    return (
        isinstance(details, dict) and "image_tokens" in details and "cached_tokens" not in details
    )


def _adds_up(shape: Shape, amounts: Mapping[str, int], total: int) -> bool:
    without = amounts.get("input", 0) + amounts.get("output", 0)
    if total == without and shape.total != "all":
        return True
    for name in (*shape.input_adds, *shape.output_adds):
        without += amounts.get(name, 0)
    return total == without and shape.total != "without"


def _counts(shape: Shape, reading: _Reading) -> dict[str, int]:
    amounts = reading.amounts
    if shape.is_plain and amounts.keys() <= _WHOLE:
        return {_NAMES[quantity]: amount for quantity, amount in amounts.items()}
    _unbilled(amounts)
    if "cache_read_text" in amounts:  # modalities of which nothing was cached may be left out
        amounts.setdefault("cache_read_audio", 0)
        amounts.setdefault("cache_read_image", 0)
    _written(amounts, shape, reading)
    if shape.output_is and "output" in amounts:
        amounts.setdefault(shape.output_is, amounts["output"])
    for name in shape.input_adds:
        if name in amounts:
            amounts["input"] = amounts.get("input", 0) + amounts[name]
    for name in shape.output_adds:
        if name in amounts:
            amounts["output"] = amounts.get("output", 0) + amounts[name]
    _compacted(amounts)
    return {
        _NAMES[quantity]: min(amount, MAX_TOKENS)
        for quantity, amount in amounts.items()
        if quantity in _NAMES
    }


def _unbilled(amounts: dict[str, int]) -> None:
    for side in ("input", "output"):
        if (processed := amounts.get(f"unbilled_{side}")) is not None:
            amounts.setdefault(side, processed)


def _written(amounts: dict[str, int], shape: Shape, reading: _Reading) -> None:
    """What was written to a cache is at least what was written for each duration."""
    parts = amounts.get("cache_write_5m", 0) + amounts.get("cache_write_1h", 0)
    # In our own shape a part does not stand for the whole.
    if parts > amounts.get("cache_write", 0) and (
        shape is not SHAPES[0] or "cache_write_5m" in amounts
    ):
        if amounts.get("cache_write"):
            reading.name("cache_write_tokens")
        amounts["cache_write"] = parts


def _compacted(amounts: dict[str, int]) -> None:
    """Anthropic: what a compaction used is charged for as well."""
    if "compaction_input" in amounts or "compaction_output" in amounts:
        read, written = amounts.get("compaction_read", 0), amounts.get("compaction_write", 0)
        for quantity, more in (
            ("input", amounts.get("compaction_input", 0) + read + written),
            ("output", amounts.get("compaction_output", 0)),
            ("cache_read", read),
            ("cache_write", written),
        ):
            amounts[quantity] = amounts.get(quantity, 0) + more


def _served(texts: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Tier and region. Anthropic's fast mode is priced like a tier, and said beside it."""
    speed, region = texts.get(SPEED), texts.get(REGION)
    is_fast = speed is not None and speed.lower() not in ("standard", "normal")
    return speed if is_fast else texts.get(TIER), None if region in _NO_REGION else region


def contradictions(usage: Usage) -> list[str]:
    """Names of the parts that are more than the whole they are parts of."""
    tokens_in, tokens_out = usage.input_tokens or 0, usage.output_tokens or 0
    read, write, reasoning = (
        usage.cache_read_tokens or 0,
        usage.cache_write_tokens or 0,
        usage.reasoning_tokens or 0,
    )
    found = []
    if read + write > tokens_in:
        found.append("cache_read_tokens" if read else "cache_write_tokens")
    if reasoning > tokens_out:
        found.append("reasoning_tokens")
    if (usage.cache_read_audio_tokens or 0) + (usage.cache_read_image_tokens or 0) > read:
        found.append(
            "cache_read_audio_tokens"
            if usage.cache_read_audio_tokens
            else "cache_read_image_tokens"
        )
    if (usage.cache_write_1h_tokens or 0) > write:
        found.append("cache_write_1h_tokens")
    audio, image = usage.input_audio_tokens or 0, usage.input_image_tokens or 0
    if audio + image > tokens_in:
        found.append("input_audio_tokens" if audio else "input_image_tokens")
    audio, image = usage.output_audio_tokens or 0, usage.output_image_tokens or 0
    if audio + image > tokens_out:
        found.append("output_audio_tokens" if audio else "output_image_tokens")
    return found
