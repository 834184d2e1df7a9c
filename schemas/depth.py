"""How deep JSON nests, found without a step of Python per bracket, and what is done when that is
too deep."""

import numpy as np

MAX_DEPTH = 100
"""Deepest nesting of objects and arrays. Far below Python's recursion limit, because what was
decoded near the bottom of a short call stack must still be encodable from a longer one."""

_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _without_escapes(value: bytes) -> bytes:
    """`value`, as long as it was, in which every quote begins or ends a string."""
    return value.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def too_deep(value: bytes) -> bool:
    """Whether valid JSON nests deeper than MAX_DEPTH. Exact."""
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    outside = b"".join(_without_escapes(value).split(b'"')[::2])
    brackets = outside.translate(_TO_SQUARE, delete=_NOT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round removes the innermost level
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


def without_depth(value: bytes) -> bytes:
    """Valid JSON with `NaN`, which no value of JSON is, in place of what lies deeper than
    MAX_DEPTH."""
    codes = np.frombuffer(_without_escapes(value), np.uint8)
    in_text = np.bitwise_xor.accumulate((codes == ord('"')).view(np.uint8))
    step = np.isin(codes, (ord("["), ord("{"))).astype(np.int8) - np.isin(
        codes, (ord("]"), ord("}"))
    ).astype(np.int8)
    step[in_text == 1] = 0
    depth = np.cumsum(step, dtype=np.int32)
    starts = np.flatnonzero((step == 1) & (depth == MAX_DEPTH + 1)).tolist()
    ends = np.flatnonzero((step == -1) & (depth == MAX_DEPTH)).tolist()
    if len(starts) != len(ends):
        return value  # not valid
    pieces: list[bytes] = []
    position = 0
    for start, end in zip(starts, ends, strict=True):
        pieces += value[position:start], b"NaN"
        position = end + 1
    return b"".join([*pieces, value[position:]])
