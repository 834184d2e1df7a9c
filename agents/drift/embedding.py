"""An embedding model: ``[drift] embedding = "mirante:static"``, which ships, or one that the user plugs in as ``"module:function"``, texts
to an array of float32 (n, d).

What it says of an answer takes the place of the answer's character n-grams, so a row stays as small as it is. More dimensions than there is
room for are projected at random (Achlioptas, "Database-friendly random projections", JCSS 2003), which keeps distances; the signs come from
a hash, so that every process projects alike. The function must give a text the same vector every time, or a replay tells another story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from agents.drift.text import GRAMS, MAX_ANSWER, Floats, Small, quantised

SHIPPED: Final = {"mirante:static": "agents.common.embedding:embed"}
"""Those that need nothing else installed, by the names that settings give them."""
_PROBE = ("Your order is on its way.", "Seu pedido está a caminho.", "?")


class EmbeddingError(ValueError):
    """What is plugged in does not embed texts."""


class Embedding:
    """``name``: of those that ship, or a function as ``module:function``. Raises EmbeddingError if there is none or it gives no vectors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._function = _found(name)
        self._projection = _signs(self._vectors(_PROBE).shape[1])

    def __call__(self, texts: Sequence[str]) -> list[Small]:
        """For each text ``GRAMS`` values, as its character n-grams would be. Raises EmbeddingError."""
        vectors = self._vectors([text[:MAX_ANSWER] for text in texts])
        if vectors.shape[1] != len(self._projection):
            raise EmbeddingError(
                f"embedding {self.name}: vectors of {vectors.shape[1]} numbers, at the start they had {len(self._projection)}"
            )
        projected = vectors @ self._projection
        norms = np.linalg.norm(projected, axis=1, keepdims=True)
        return list(quantised(projected / np.where(norms > 0, norms, 1.0)))

    def _vectors(self, texts: Sequence[str]) -> Floats:
        try:
            found = np.asarray(self._function(list(texts)), np.float64)
        except Exception as error:  # whatever a program of somebody else raises
            raise EmbeddingError(f"embedding {self.name}: {type(error).__name__}: {error}") from error
        if found.ndim != 2 or len(found) != len(texts) or not found.shape[1]:
            raise EmbeddingError(
                f"embedding {self.name}: for {len(texts)} texts an array of ({len(texts)}, d) is expected, not {found.shape}"
            )
        if not np.isfinite(found).all():
            raise EmbeddingError(f"embedding {self.name}: a vector holds NaN or infinity")
        return found


def _found(name: str) -> Callable[[list[str]], Any]:
    module, _, attribute = SHIPPED.get(name, name).partition(":")
    if module == "mirante":
        raise EmbeddingError(f"embedding {name!r}: what ships is {', '.join(SHIPPED)}")
    if not module or not attribute:
        raise EmbeddingError(f"embedding {name!r}: expected 'module:function'")
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise EmbeddingError(f"embedding {name}: {error}") from error
    if not callable(function):
        raise EmbeddingError(f"embedding {name}: is no function but {type(function).__name__}")
    return function  # type: ignore[no-any-return]


def _signs(dimensions: int) -> Floats:
    """What ``dimensions`` numbers are multiplied with to become ``GRAMS``: themselves, or signs that are as good as random."""
    if dimensions <= GRAMS:
        return np.eye(dimensions, GRAMS)
    at = np.arange(dimensions * GRAMS, dtype=np.uint64)
    with np.errstate(over="ignore"):  # splitmix64
        at = (at + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        at = (at ^ (at >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        at = (at ^ (at >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.where(at >> np.uint64(63), 1.0, -1.0).reshape(dimensions, GRAMS)
