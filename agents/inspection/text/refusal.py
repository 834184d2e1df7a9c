"""Does an answer decline what was asked? Also in part, inside JSON, and by a moral statement that
leaves the task undone.

Not refusals: courtesy, asking for data, what a service cannot do for its customer ("this fare
cannot be changed"), and refusals that are quoted. How the model is made, and what it finds:
`agents/inspection/models/refusal.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Final

import msgspec

from agents.common.ngram_batch import logits
from agents.common.ngram_model import NgramModel, load
from agents.inspection.text.cues import Cues, Needed

__all__ = [
    "CUES_NEEDED",
    "REFUSAL_THRESHOLD",
    "is_refusal",
    "looked_at",
    "refusal_probability",
    "refusals",
]

REFUSAL_THRESHOLD: Final = 0.5
"""An answer with at least this probability is a refusal."""

_LEAST: Final = math.log(REFUSAL_THRESHOLD / (1 - REFUSAL_THRESHOLD))
"""The same as a logit."""
_AT_MOST: Final = 4_000
"""Characters whose quotations are looked for: the first half and the last."""
_QUOTED_WHOLE: Final = ("{", "[", "```", '"', "“", "«")
_QUOTE: Final = re.compile('"[^"\n]{1,300}+"|“[^“”\n]{1,300}+”|«[^«»\n]{1,300}+»')
CUES_NEEDED: Final = Needed(1, 50, 1)
"""Words by which a refusal is known that an answer must have to be scored: two from 150 characters
on."""
_VALUES: Final = 8
"""Texts of a JSON answer that are looked at one by one, the first that are no mere names."""
_NAME: Final = 20
"""Characters of a name at most."""
_LONGEST_JSON: Final = 100_000


@cache
def _model() -> NgramModel:
    with as_file(files("agents.inspection.models").joinpath("refusal.npz")) as path:
        return load(path)


@cache
def _cues() -> Cues:
    stored = files("agents.inspection.models").joinpath("refusal_cues.txt").read_text("ascii")
    return Cues(stored.split(), CUES_NEEDED)


def looked_at(text: str) -> str:
    """The ends of ``text`` without what it quotes: that somebody refused is no refusal. JSON, and a
    text that is one quotation, stay as they are."""
    if len(text) > _AT_MOST:
        text = f"{text[: _AT_MOST // 2]}\n{text[-_AT_MOST // 2 :]}"
    text = text.strip()
    if '"' not in text and "“" not in text and "«" not in text:
        return text
    return text if text.startswith(_QUOTED_WHOLE) else _QUOTE.sub('""', text)


def refusal_probability(text: str) -> float:
    """Probability (0 to 1) that the answer ``text`` declines what was asked, wholly or in part.
    Calibrated for a mix of which one in four declines; 0 for a single word: a label, a name.
    """
    text = looked_at(text)
    return _model().score(text) if _has_words(text) else 0.0


def _has_words(text: str) -> bool:
    return len(text.split(None, 1)) > 1


def is_refusal(answer: str) -> bool:
    """Whether an answer declines, as :func:`refusals` tells."""
    return refusals((answer,))[0]


def refusals(answers: Sequence[str]) -> list[bool]:
    """Which of ``answers`` decline. Of a long JSON object each text at its top level is taken for
    itself too. What is told of one does not depend on the others. An answer takes some
    microseconds if it has no word without which hardly one declines, and ten if it has."""
    found = _declining(answers)
    for number, answer in enumerate(answers):
        if not found[number] and (texts := _texts_in(answer)):
            found[number] = any(_declining(texts))
    return found


def _declining(texts: Sequence[str]) -> list[bool]:
    """At once: alone a text takes four times as long."""
    model, cues = _model(), _cues()
    found = [False] * len(texts)
    seen: list[str] = []
    places: list[int] = []
    for place, text in enumerate(map(looked_at, texts)):
        if _has_words(text) and cues.met(model.shape.bounded(text)):
            seen.append(text)
            places.append(place)
    if seen:
        for place, logit in zip(places, logits((model,), seen)[:, 0].tolist(), strict=True):
            found[place] = logit >= _LEAST
    return found


def _texts_in(answer: str) -> list[str]:
    """The texts of a long JSON object, some of them, without mere names."""
    shape = _model().shape
    if not shape.head + shape.tail < len(answer) <= _LONGEST_JSON or not answer.startswith(
        ("{", "```")
    ):
        return []
    try:
        value = msgspec.json.decode(answer.removeprefix("```json").strip("`\n "))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []  # cut off, or code: judged as text
    values: Iterable[object] = value.values() if isinstance(value, dict) else ()
    return [text for text in values if isinstance(text, str) and len(text) > _NAME][:_VALUES]
