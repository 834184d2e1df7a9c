"""What is found about a number that is followed, as findings."""

from __future__ import annotations

from agents.detectors.detector import Score
from agents.watch.settings import Watch
from schemas.findings import Finding

STAGE = "watch"
_LEAST_KEPT = 900.0
_INTERVALS_KEPT = 3
"""Seconds, or intervals if they are longer, for which an alert stays after the last odd value."""


def odd(watch: Watch, series: tuple[str, ...], end: int, values: int, score: Score) -> list[Finding]:
    """That the interval before ``end`` (epoch seconds) is odd: told of once, over at once, and kept
    for a while, in which the next one belongs to the same alert."""
    labels: dict[str, str] = dict(zip(watch.by, series, strict=True))
    labels["watch"] = watch.name
    keep = max(_LEAST_KEPT, float(_INTERVALS_KEPT * watch.interval))
    began = float(end - watch.interval)
    found = Finding(
        name="WatchAnomaly",
        labels=labels,
        time=end - 0.001,
        active=True,
        severity=watch.severity,
        since=began,
        keep=keep,
        value=float(f"{score.value:.6g}"),
        expected=float(f"{score.expected:.6g}"),
        window=(began, float(end)),
        generator=STAGE,
        detail={"values": values, "detector": watch.detector},
        facts={
            "kind": "watch", "watch": watch.name, "of": watch.score or watch.field,
            "aggregate": watch.aggregate, "over": watch.interval,
        },
    )  # fmt: skip
    over = Finding(
        name="WatchAnomaly", labels=labels, time=float(end), active=False, keep=keep, generator=STAGE
    )
    return [found, over]
