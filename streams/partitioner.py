"""Kafka's default partitioner (murmur2 as in the Java client), for one key and for a whole batch.

Same result as `aiokafka.partitioner.murmur2` and `DefaultPartitioner`, and as
`org.apache.kafka.common.utils.Utils.murmur2`; aiokafka's takes about 5 microseconds for a key of 36 bytes,
`partitions_of` 0.1 to 0.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["murmur2", "partition_of", "partitions_of"]

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
#: Longer keys are hashed one by one: a matrix padded to the longest key must not grow with a rogue key.
_LONG: Final = 256


def murmur2(key: bytes) -> int:
    """The unsigned 32-bit hash of one key."""
    length = len(key)
    words, rest = divmod(length, 4)
    h = _SEED ^ length
    for k in struct.unpack_from(f"<{words}I", key):
        k = k * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if rest:
        h = (h ^ int.from_bytes(key[-rest:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, n: int) -> int:
    """The partition of `key` in a topic with `n` partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % n


def partitions_of(keys: Sequence[bytes], n: int) -> NDArray[np.int64]:
    """`partition_of` for every key, in order."""
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    if not len(keys) or n == 1:
        return np.zeros(len(keys), np.int64)
    if int(lengths.max()) <= _LONG:
        hashes = _murmur2_many(keys, lengths)
    else:
        hashes = np.empty(len(keys), np.uint32)
        short = np.flatnonzero(lengths <= _LONG)
        if len(short):
            hashes[short] = _murmur2_many([keys[i] for i in short.tolist()], lengths[short])
        for i in np.flatnonzero(lengths > _LONG).tolist():
            hashes[i] = murmur2(keys[i])
    return (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % n


def _murmur2_many(keys: Sequence[bytes], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Keys as rows of little-endian words, longest first: the keys that have a word `j` are a prefix of the rows."""
    longest = int(lengths.max())
    width = longest // 4 * 4 + 4  # room for a zero-padded tail word
    order: NDArray[np.int64] | None = None
    if int(lengths.min()) != longest:
        order = np.argsort(-lengths, kind="stable")
        keys = [keys[i] for i in order.tolist()]
        lengths = lengths[order]
    words = np.frombuffer(b"".join([key.ljust(width, b"\0") for key in keys]), "<u4").reshape(len(keys), width // 4).T
    full = lengths // 4
    m = np.uint32(_M)
    h = np.uint32(_SEED) ^ lengths.astype(np.uint32)
    for j in range(longest // 4):
        active = len(keys) if order is None else int(np.count_nonzero(full > j))
        k = words[j, :active] * m
        k ^= k >> np.uint32(24)
        k *= m
        h[:active] *= m
        h[:active] ^= k
    tailed = np.flatnonzero(lengths % 4)
    if len(tailed):
        h[tailed] = (h[tailed] ^ words[full[tailed], tailed]) * m
    h ^= h >> np.uint32(13)
    h *= m
    h ^= h >> np.uint32(15)
    if order is None:
        return h
    hashes = np.empty_like(h)
    hashes[order] = h
    return hashes
