"""Events as something that went wrong would publish them: a seeded mutator that knows their
structure."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from random import Random
from typing import Any

LITERALS = (
    "NaN",
    "-Infinity",
    "1e400",
    "-0",
    "1e3",
    "9" * 400,
    '"\\ud83d"',
    '"\\udc00 half"',
    "[" * 150 + "]" * 150,
    "01",
    "nul",
    "'x'",
)
"""What stands in the text in place of a value: numbers and halves of pairs that no Python value is
written as, and no JSON at all."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.0, 1.5, -0.0, 10**12 + 1, 2**63, 10**30, 1e300, "", "x", "12", "HIT", "rerank", "é" * 300, "x" * 600,
    "2026-02-30T12:00:00Z", "2100-12-31T23:59:59.999999Z", [], {}, [[]], [None], ["x", 1], {"a": {"b": [1]}}, "\x00", "📦",
)  # fmt: skip


def mutated(chance: Random, event: dict[str, Any], most: int = 3) -> bytes:
    """`event` as JSON with up to `most` of its parts changed; one in eight is damaged, cut, framed
    or encoded otherwise as well."""
    tree, literals = deepcopy(event), []
    for _ in range(chance.randint(1, most)):
        _mutate(chance, tree, literals)
    text = json.dumps(tree, ensure_ascii=chance.random() < 0.5)
    for literal in literals:
        text = text.replace(json.dumps(_mark(literal)), literal)
    value = text.encode()
    return _damaged(chance, value) if chance.random() < 1 / 8 else value


def _mark(literal: str) -> str:
    return f"literal {LITERALS.index(literal)}"


def _mutate(chance: Random, tree: Any, literals: list[str]) -> None:
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(tree[key], dict | list) or chance.random() < 0.3:
            break
        tree = tree[key]
    match chance.randrange(7):
        case 0:
            del tree[key]
        case 1:
            tree[key] = [tree[key]]
        case 2:
            tree[key] = {"value": tree[key]}
        case 3:
            tree[key] = json.dumps(tree[key])
        case 4:
            literals.append(chance.choice(LITERALS))
            tree[key] = _mark(literals[-1])
        case 5 if isinstance(tree, dict):
            tree[chance.choice(("novelty", "ação", "", "\x00", "specversion", key.upper()))] = (
                deepcopy(chance.choice(VALUES))
            )
        case _:
            tree[key] = deepcopy(chance.choice(VALUES))


def _damaged(chance: Random, value: bytes) -> bytes:
    at = chance.randrange(len(value))
    match chance.randrange(8):
        case 0:
            return value[:at]
        case 1:
            return value[:at] + chance.randbytes(chance.randint(1, 4)) + value[at:]
        case 2:
            return value[:at] + value[at + 1 :]
        case 3:
            return b"\xef\xbb\xbf" + value
        case 4:
            return bytes(4) + bytes([chance.randrange(256)]) + value
        case 5:
            return value.decode("utf-8", "replace").encode(
                chance.choice(("utf-16", "utf-32-be", "latin-1", "utf-8-sig")), "replace"
            )
        case 6:
            return gzip.compress(value, mtime=0)
        case _:
            return b"[" + value + b"," + value + b"]"
