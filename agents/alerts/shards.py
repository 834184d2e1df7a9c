"""Conditions that several partitions look at, each at its part of the traffic: a provider's outage is one alert, not one per partition."""

from __future__ import annotations

import msgspec

from agents.alerts.lifecycle import Life
from schemas.findings import Finding

SHARD = "shard"
"""Label by which a detector says that others report the same condition."""


def without_shard(finding: Finding) -> tuple[str | None, Finding]:
    """The shard of a finding, if it is of one, and the finding of the whole."""
    if SHARD not in finding.labels:
        return None, finding
    labels = {name: value for name, value in finding.labels.items() if name != SHARD}
    return finding.labels[SHARD], msgspec.structs.replace(finding, labels=labels)


def joined(life: Life, shard: str, active: bool) -> bool:
    """Note whether the condition holds in a shard; false if it has ceased there and still holds in another."""
    life.shards = sorted({*life.shards, shard} if active else set(life.shards) - {shard})
    return active or not life.shards
