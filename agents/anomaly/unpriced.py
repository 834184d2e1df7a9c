"""Which models are called at no known price, or at a price that is a lower bound: one condition per
model.

Not a matter of statistics: the price list lacks a model, or something of its usage. So the first
call tells, whatever the rate. The condition ends when the model has a price, or a day after its
last such call. A model of which only some calls have no price does not come and go: it is over when
far more calls in a row had a price than ever before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from agents.detectors.pace import SECONDS
from agents.pricing.paste import price_lines
from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Aggregate, Series
from schemas.findings import Finding

MOST = 500
"""Models remembered; those that were called least lately are forgotten first."""

_DAY = 86_400
_REPEAT = 300
"""Seconds after which a condition that holds is told of again: `alerts` resolves what is silent."""
KEEP = 600.0
"""Seconds a condition must be absent before its alert is resolved."""
_IN_A_ROW = 20
"""Calls with a price, in a row, for each call that there was for every one without."""
_UNREPORTED = 20
_UNREPORTED_SHARE = 0.05
"""How many calls without usage are more than a few: such a model may well have a price."""
_MOST_NAMED = 5
_OK = OUTCOME_INDEX["ok"]


class ModelKey(NamedTuple):
    """A model at a provider; "" if the calls do not name it."""

    provider: str
    model: str


class Unpriced(msgspec.Struct, array_like=True, gc=False):
    """What was seen of a model since the first call without a whole price. Event time in
    seconds."""

    since: int
    last: int
    """End of the last bucket with such a call."""
    unpriced: int = 0
    partial: int = 0
    tokens: int = 0
    priced: int = 0
    """Calls at a known price, until the last one without."""
    run: int = 0
    """Calls at a known price since then."""
    told: int = 0
    """When it was last told of; 0: not now."""
    features: list[str] = []
    examples: list[str] = []

    @property
    def lacking(self) -> int:
        """Calls without a whole price."""
        return self.unpriced + self.partial


class _Seen(msgspec.Struct, gc=False):
    """What one bucket shows of a model."""

    answered: int = 0
    unpriced: int = 0
    partial: int = 0
    tokens: int = 0
    features: set[str] = set()
    examples: set[str] = set()


class UnpricedModels:
    """The models of one partition."""

    def __init__(self) -> None:
        self._models: dict[ModelKey, Unpriced] = {}
        self._changed: set[ModelKey] = set()
        self._gone: set[ModelKey] = set()

    def judge(
        self, end: int, parts: Iterable[tuple[Series, Aggregate]], shard: Mapping[str, str], by: str
    ) -> Iterator[Finding]:
        """What the bucket that ends at `end` shows."""
        seen = _seen(parts)
        for key in sorted(seen.keys() | self._models.keys()):
            bucket, known = seen.get(key), self._models.get(key)
            if bucket is not None and (bucket.unpriced or bucket.partial):
                known = known or Unpriced(end - SECONDS, end)
                _count(known, bucket, end)
                self._keep(key, known)
                self._gone.discard(key)
            elif known is not None and bucket is not None:
                known.run += bucket.answered
                self._keep(key, known)
            if known is None:
                continue
            if _over(known, end):
                yield from self._forget(key, end, shard, by)
            elif _worth_telling(known) and (known.last == end or end - known.told >= _REPEAT):
                known.told = end
                self._keep(key, known)
                yield _finding(key, known, end, shard, by)
        idle = sorted(self._models, key=lambda key: (self._models[key].last, key))
        for key in idle[: max(0, len(idle) - MOST)]:
            yield from self._forget(key, end, shard, by)

    def late(
        self, end: int, series: Series, part: Aggregate, shard: Mapping[str, str], by: str
    ) -> Iterator[Finding]:
        """What a part shows that came when its bucket had been judged; `end`: of the last such
        bucket. A backfill's models are told of, too, once: later versions of a part contain the
        earlier ones, so only the first part of a model that is not known counts."""
        for key, bucket in _seen([(series, part)]).items():
            if key not in self._models and (bucket.unpriced or bucket.partial):
                known = Unpriced(end - SECONDS, end)
                _count(known, bucket, end)
                if _worth_telling(known):
                    known.told = end
                    self._keep(key, known)
                    self._gone.discard(key)
                    yield _finding(key, known, end, shard, by, least=True)

    def take_changes(self) -> tuple[list[tuple[ModelKey, Unpriced]], list[ModelKey]]:
        """(what changed, what is gone) since the last time."""
        changed = [(key, self._models[key]) for key in sorted(self._changed)]
        gone = sorted(self._gone)
        self._changed, self._gone = set(), set()
        return changed, gone

    def all(self) -> list[tuple[ModelKey, Unpriced]]:
        """Everything, in a fixed order."""
        return sorted(self._models.items(), key=lambda item: item[0])

    def load(self, changed: Iterable[tuple[ModelKey, Unpriced]], gone: Iterable[ModelKey]) -> None:
        """Take what `take_changes` or `all` gave."""
        for key in gone:
            self._models.pop(key, None)
        self._models.update(changed)
        self._changed, self._gone = set(), set()

    def _keep(self, key: ModelKey, known: Unpriced) -> None:
        self._models[key] = known
        self._changed.add(key)

    def _forget(
        self, key: ModelKey, end: int, shard: Mapping[str, str], by: str
    ) -> Iterator[Finding]:
        known = self._models.pop(key)
        self._changed.discard(key)
        self._gone.add(key)
        if known.told:
            yield Finding(
                name="UnpricedModel",
                labels=_labels(key, shard),
                time=float(end),
                active=False,
                keep=KEEP,
                generator=by,
            )


def _seen(parts: Iterable[tuple[Series, Aggregate]]) -> dict[ModelKey, _Seen]:
    seen: dict[ModelKey, _Seen] = {}
    for series, part in parts:
        # An answer that comes late makes up for a request that was counted as unanswered: -1 + 1.
        answered = part.requests - part.outcomes[UNANSWERED]
        if answered <= 0:
            continue
        bucket = seen.setdefault(ModelKey(series.provider, series.model), _Seen())
        bucket.answered += answered
        if part.unpriced or part.partial:
            bucket.unpriced += part.unpriced
            bucket.partial += part.partial
            bucket.tokens += part.unpriced_tokens
            bucket.features = bucket.features | {series.feature or "(none)"}
            bucket.examples = (
                bucket.examples | {part.examples[_OK]} if _OK in part.examples else bucket.examples
            )
    return seen


def _count(known: Unpriced, bucket: _Seen, end: int) -> None:
    known.priced += known.run + max(0, bucket.answered - bucket.unpriced - bucket.partial)
    known.run = 0
    known.unpriced += bucket.unpriced
    known.partial += bucket.partial
    known.tokens += bucket.tokens
    known.last = end
    known.features = sorted({*known.features, *bucket.features})[:_MOST_NAMED]
    known.examples = sorted({*known.examples, *bucket.examples})[:_MOST_NAMED]


def _over(known: Unpriced, end: int) -> bool:
    usual = 1 + known.priced / known.lacking
    return end - known.last >= _DAY or known.run >= _IN_A_ROW * usual


def _worth_telling(known: Unpriced) -> bool:
    """Whether the price list lacks something; calls that report no usage must be more than a
    few."""
    if known.told or known.tokens or known.partial:
        return True
    calls = known.lacking + known.priced + known.run
    return known.unpriced >= max(_UNREPORTED, _UNREPORTED_SHARE * calls)


def _labels(key: ModelKey, shard: Mapping[str, str]) -> dict[str, str]:
    return {"provider": key.provider, "model": key.model, **shard}


def _finding(
    key: ModelKey, known: Unpriced, end: int, shard: Mapping[str, str], by: str, *, least: bool = False
) -> Finding:
    calls = known.lacking + known.priced
    lines = price_lines(key.provider, key.model)
    return Finding(
        name="UnpricedModel",
        labels=_labels(key, shard),
        time=float(end),
        active=True,
        severity="ticket" if known.unpriced else "info",
        since=float(known.since),
        keep=KEEP,
        value=known.lacking / calls,
        expected=0.0,
        threshold=0.0,
        window=(float(known.since), float(end)),
        requests=known.lacking,
        response_ids=known.examples,
        detail={
            "unpriced": known.unpriced,
            "partial": known.partial,
            "tokens": known.tokens,
            "provider": key.provider,
            "paste": lines,
        },
        generator=by,
        facts={
            "kind": _kind(known),
            "unpriced": known.unpriced,
            "partial": known.partial,
            "tokens": known.tokens,
            "features": known.features,
            "paste": lines,
            "least": least or bool(shard),
        },
    )


def _kind(known: Unpriced) -> str:
    """What there is to say: which of the numbers are not zero."""
    if not known.tokens and not known.partial:
        return "no_usage"
    if not known.partial:
        return "unpriced"
    return "unpriced_and_partial" if known.unpriced else "partial"
