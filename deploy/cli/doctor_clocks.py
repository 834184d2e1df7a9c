"""What ``mirante doctor`` says of the clocks of services: the workers' metrics tell whose are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT = 3.0


class Skew(NamedTuple):
    """A service whose clock is wrong: by how many seconds on average, and in how many calls."""

    feature: str
    seconds: float
    calls: int

    def __str__(self) -> str:
        tenant, _, feature = self.feature.rpartition("/")
        of = f" of tenant {tenant}" if tenant else ""
        way = "ahead" if self.seconds > 0 else "behind"
        return f"feature {feature}{of}: its clock is {_length(abs(self.seconds))} {way} ({self.calls:,} calls)"


def fetch(urls: Iterable[str]) -> list[str]:
    """The metrics of workers, as text. Raises OSError if one does not answer."""
    texts = []
    for url in urls:
        with urlopen(url, timeout=_TIMEOUT) as answer:
            texts.append(answer.read().decode())
    return texts


def skews(metrics: Iterable[str]) -> list[Skew]:
    """Services whose clock is wrong, the worst first."""
    sums: dict[str, dict[str, float]] = {}
    for text in metrics:
        for family in text_string_to_metric_families(text):
            if family.name.startswith("mirante_clock_"):
                values = sums.setdefault(family.name, {})
                for sample in family.samples:
                    if sample.name.endswith("_total"):
                        feature = sample.labels["feature"]
                        values[feature] = values.get(feature, 0.0) + sample.value
    found = [*_of(sums, "ahead", 1.0), *_of(sums, "behind", -1.0)]
    return sorted(found, key=lambda skew: (-abs(skew.seconds), skew.feature))


def _of(sums: Mapping[str, Mapping[str, float]], way: str, sign: float) -> Iterable[Skew]:
    seconds = sums.get(f"mirante_clock_{way}_seconds", {})
    for feature, calls in sums.get(f"mirante_clock_{way}_calls", {}).items():
        if calls:
            yield Skew(feature, sign * seconds.get(feature, 0.0) / calls, int(calls))


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 3_540:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 129_600 else f"{seconds / 86_400:.1f} days"
