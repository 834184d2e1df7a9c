"""Latency objectives; how fast their error budgets burn is agents/detectors/burn.py's to say."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from agents.anomaly.bucket import Bucket
from agents.detectors.rates import Share
from schemas.sketch import value_of


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``[[slos]]``: of the requests that match, a share of ``target`` is answered within ``latency_ms``.

    ``*`` matches any characters in ``tenant``, ``feature`` and ``model``.
    """

    latency_ms: float
    name: str = ""
    tenant: str = "*"
    feature: str = "*"
    model: str = "*"
    target: float = 0.99

    def __post_init__(self) -> None:
        if not 0.0 < self.target < 1.0:
            raise ValueError("target must lie between 0 and 1, such as 0.99")
        if self.latency_ms <= 0:
            raise ValueError("latency_ms must be positive")

    @property
    def label(self) -> str:
        """Its name among the labels of a finding."""
        return self.name or f"{self.feature}/{self.model} {self.target * 100:g}% in {self.latency_ms:g} ms"

    def covers(self, tenant: str, feature: str, model: str) -> bool:
        """Whether the objective is one of this series; its patterns are those of ``fnmatch``."""
        return fnmatchcase(tenant, self.tenant) and fnmatchcase(feature, self.feature) and fnmatchcase(model, self.model)

    @property
    def budget(self) -> float:
        """The share of requests that may be slow."""
        return 1 - self.target

    def slow(self, bucket: Bucket) -> Share:
        """How many requests of a bucket were slow, of how many; those without an answer are."""
        late = [n for index, n in bucket.latency.items() if value_of(index) > self.latency_ms]
        return Share(bucket.lost + sum(late), bucket.lost + sum(bucket.latency.values()))
