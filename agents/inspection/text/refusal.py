"""Does an answer decline what was asked? Also in part, inside JSON, and by a moral statement that
leaves the task undone.

Not refusals: courtesy, asking for data, what a service cannot do for its customer ("this fare
cannot be changed"), and refusals that are quoted. How the model is made, and what it finds:
`agents/inspection/models/refusal.md`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import as_file, files
from typing import Final

import msgspec

from agents.common.ngram_model import NgramModel, load

__all__ = ["REFUSAL_THRESHOLD", "is_refusal", "looked_at", "refusal_probability"]

REFUSAL_THRESHOLD: Final = 0.5
"""An answer with at least this probability is a refusal."""

_AT_MOST: Final = 4_000
"""Characters whose quotations are looked for: the first half and the last."""
_QUOTED_WHOLE: Final = ("{", "[", "```", '"', "“", "«")
_QUOTE: Final = re.compile('"[^"\n]{1,300}+"|“[^“”\n]{1,300}+”|«[^«»\n]{1,300}+»')
_VALUES: Final = 8
"""Texts of a JSON answer that are looked at one by one, the first that are no mere names."""
_NAME: Final = 20
"""Characters of a name at most."""
_LONGEST_JSON: Final = 100_000


@cache
def _model() -> NgramModel:
    with as_file(files("agents.inspection.models").joinpath("refusal.npz")) as path:
        return load(path)


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
    return _model().score(text) if len(text.split(None, 1)) > 1 else 0.0


def is_refusal(answer: str) -> bool:
    """Whether an answer declines. Of a long JSON object each text at its top level is taken for
    itself too."""
    if refusal_probability(answer) >= REFUSAL_THRESHOLD:
        return True
    shape = _model().shape
    if not shape.head + shape.tail < len(answer) <= _LONGEST_JSON or not answer.startswith(
        ("{", "```")
    ):
        return False
    try:
        value = msgspec.json.decode(answer.removeprefix("```json").strip("`\n "))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False  # cut off, or code: judged as text
    values = value.values() if isinstance(value, dict) else ()
    texts = [text for text in values if isinstance(text, str) and len(text) > _NAME]
    return any(refusal_probability(text) >= REFUSAL_THRESHOLD for text in texts[:_VALUES])
