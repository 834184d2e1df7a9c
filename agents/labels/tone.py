"""What a user's message says of the answer before it: three linear models over n-grams of words
and characters.

*Complaint*: something is wrong with the answer. *Acceptance*: the answer, or what it offers, is
taken. *Declined*: an offer is turned down, another one is asked for, or a detail is put right; no
complaint, but who was satisfied seldom says it. Made by ``training/labels/tone.py``; sources and
figures are on the model card (MODEL.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agents.common.ngram_batch import logits
from agents.common.ngram_model import NgramModel, TextShape, View, load

__all__ = ["SHAPE", "TONES", "ToneModel", "Tones", "tone_model"]

FOLDER = Path(__file__).parent / "tone"

TONES = ("complaint", "acceptance", "declined")

SHAPE = TextShape(
    views=(
        View(part="whole", words=(1, 2), characters=(4,)),
        # How a message begins: "no, the other one" is another thing than "there is no other one".
        View(part="first", words=(1, 2), most=24, least=1_000),
    ),
    bits=16,
    head=300,
    tail=100,
)


class Tones(NamedTuple):
    """Log-odds."""

    complaint: float
    acceptance: float
    declined: float


SILENCE = Tones(-30.0, -30.0, -30.0)
"""Of a message without text."""


class ToneModel:
    """All three; not changed by use."""

    def __init__(self, models: Sequence[NgramModel] | None = None) -> None:
        """``models``: in the order of ``TONES``; those that ship if None. Raises ValueError if one
        reads texts in another shape."""
        self._models = (
            [load(FOLDER / f"{name}.npz") for name in TONES] if models is None else models
        )
        if any(model.shape != SHAPE for model in self._models):
            raise ValueError(
                f"a model of tones does not have the shape {SHAPE}: `make models` makes them anew"
            )

    def read_all(self, texts: Sequence[str]) -> list[Tones]:
        """Of each text; what is said of one does not depend on the others, to the last bit."""
        said = [text for text in texts if text.strip()]
        found = iter(logits(self._models, said).tolist() if said else ())
        return [Tones(*next(found)) if text.strip() else SILENCE for text in texts]


@cache
def tone_model() -> ToneModel:
    """The models that ship with Mirante, read once."""
    return ToneModel()
