"""A record on its way to Kafka, and one that lies there."""

from __future__ import annotations

from typing import NamedTuple

CODECS = (None, "gzip", "snappy", "lz4", "zstd")


class Outgoing(NamedTuple):
    """What a service publishes. Topics go by their kind, ``requests`` and the like."""

    at: float
    """When, epoch seconds."""
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """None: where murmur2 of the key puts it, as Java clients do, or anywhere without a key."""
    codec: str | None = None
    created: float | None = None
    """Kafka's CreateTime, epoch seconds, where it is not the moment of publishing: the service's host has a wrong clock."""


class Stored(NamedTuple):
    """What a reader of the topic finds. ``written``: Kafka's timestamp, epoch seconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    written: float
