"""The tables ``[[watch]]`` of mirante.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agents.detectors.named import RiverDetector, named
from agents.detectors.points import PointDetector
from schemas.outputs import Severity

Dimension = Literal["tenant", "feature", "model"]
Aggregation = Literal["mean", "sum", "count", "p99"]

NUMBERS = ("input_tokens", "output_tokens", "cost_usd", "latency_ms", "ttft_ms")
"""Fields of calls that are numbers already; the others are looked for among the unknown ones."""
RIVER = "river:"
POINTS = "points"


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry: which number is followed, how it is put together, and who judges it."""

    name: Annotated[str, Meta(pattern=r"^[\w.-]{1,64}$")]
    """Label ``watch`` of its alerts."""
    score: str = ""
    """Name of the evaluations whose scores are followed;"""
    field: str = ""
    """or a number of calls: one of ``NUMBERS``, or a path into the fields of request or response
    that the contract does not know, such as ``retrieval.milliseconds``."""
    aggregate: Aggregation = "mean"
    interval: Annotated[int, Meta(ge=30, le=86_400)] = 300
    """Seconds of event time."""
    by: list[Dimension] = msgspec.field(default_factory=lambda: ["tenant", "feature"])
    """A series for each value."""
    tenant: str = "*"
    """Which calls; ``*`` matches any characters."""
    feature: str = "*"
    model: str = "*"
    least: Annotated[int, Meta(ge=1)] = 1
    """Values below which an interval has no mean and no P99."""
    detector: str = POINTS
    """``points``, or ``river:`` and the name of a class, such as ``river:drift.ADWIN``."""
    parameters: dict[str, Any] = {}
    """Of river's class."""
    severity: Severity = "ticket"

    def __post_init__(self) -> None:
        if bool(self.score) == bool(self.field):
            raise ValueError("one of score and field says which number it is")
        if len(set(self.by)) < len(self.by):
            raise ValueError("by names each of tenant, feature and model once at most")

    @property
    def fills(self) -> bool:
        """Whether an interval without values has a number all the same: nought."""
        return self.aggregate in ("sum", "count")

    @property
    def kind(self) -> str:
        """What series must agree in for their past to be of use: another kind begins anew."""
        made = [self.score, self.field, self.aggregate, self.interval, self.by, self.least]
        whole = repr([*made, self.detector, sorted(self.parameters.items())])
        return blake2b(whole.encode(), digest_size=8).hexdigest()

    def covers(self, tenant: str, feature: str, model: str) -> bool:
        """Whether it follows these calls."""
        return (
            fnmatchcase(tenant, self.tenant)
            and fnmatchcase(feature, self.feature)
            and fnmatchcase(model, self.model)
        )

    def new_detector(self) -> PointDetector | RiverDetector:
        """For a series."""
        if self.detector == POINTS:
            return PointDetector()
        return RiverDetector(self.detector.removeprefix(RIVER), self.parameters)


def read_watches(rows: Sequence[Mapping[str, Any]]) -> list[Watch]:
    """The tables, by name. Raises ``ValueError`` that says which entry is wrong and what is
    possible; imports river if one is named."""
    try:
        found = msgspec.convert(list(rows), list[Watch])
    except msgspec.ValidationError as error:
        raise ValueError(f"[[watch]]: {error}") from error
    for name, times in Counter(watch.name for watch in found).items():
        if times > 1:
            raise ValueError(f"[[watch]]: {times} entries are called {name!r}")
    for watch in found:
        _check(watch)
    return sorted(found, key=lambda watch: watch.name)


def _check(watch: Watch) -> None:
    where = f"[[watch]] {watch.name!r}"
    if watch.detector.startswith(RIVER):
        try:
            named(watch.detector.removeprefix(RIVER), watch.parameters)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    elif watch.detector != POINTS:
        raise ValueError(
            f"{where}: detector is {POINTS!r} or 'river:NAME', such as 'river:drift.ADWIN',"
            f" not {watch.detector!r}"
        )
    elif watch.parameters:
        raise ValueError(f"{where}: the detector {POINTS!r} has no parameters")
