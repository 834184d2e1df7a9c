"""Is an answer a refusal? Also a partial one, one inside JSON, and a lecture that never says "sorry" or "I cannot".

Not refusals: apologies with an answer, rules told to a customer ("não é possível trocar após 7 dias"), and refusals that are quoted.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import msgspec

from agents.inspection.text.linear import LinearModel, load_model

__all__ = ["REFUSAL_THRESHOLD", "is_refusal", "refusal_probability", "without_quotes"]

REFUSAL_THRESHOLD: Final = 0.8
"""An answer with at least this probability is a refusal."""

_HEAD: Final = 400
_TAIL: Final = 200
_AT_MOST: Final = 8_000
"""Characters whose quotations are looked for: the first half and the last."""
_PER_CUE: Final = 200
"""Characters for each of which a text needs one more cue to be scored: in more text there is one by chance."""
_QUOTED_WHOLE: Final = ("{", "[", "```", '"', "“", "«")
_QUOTE: Final = re.compile('"[^"\n]{1,300}+"|“[^”\n]{1,300}+”|«[^»\n]{1,300}+»')
_VALUES: Final = 20
"""Texts of a JSON answer that are looked at one by one."""
_LONGEST_JSON: Final = 100_000


@cache
def _model() -> LinearModel:
    return load_model("refusal")


def without_quotes(text: str) -> str:
    """`text` without what it quotes: that somebody refused is no refusal. JSON, and a text that is one quotation, stay as they are."""
    if '"' not in text and "“" not in text and "«" not in text:
        return text
    if text.startswith(_QUOTED_WHOLE):
        return text
    return _QUOTE.sub('""', text)


def refusal_probability(text: str) -> float:
    """Probability (0 to 1) that the answer `text` declines what was asked, wholly or in part.

    The beginning and the end decide: a refusal is said first or last.
    """
    if len(text) > _AT_MOST:
        text = text[: _AT_MOST // 2] + text[-_AT_MOST // 2 :]
    text = without_quotes(text).strip()
    if not text:
        return 0.0
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    return _model().score(text, more=len(text) // _PER_CUE)


def is_refusal(answer: str) -> bool:
    """Whether an answer declines. Of a long JSON object each text at its top level is taken for itself too."""
    if refusal_probability(answer) >= REFUSAL_THRESHOLD:
        return True
    if not _HEAD + _TAIL < len(answer) <= _LONGEST_JSON or not answer.startswith(("{", "```")) or not _model().has_cue(answer):
        return False
    try:
        value = msgspec.json.decode(answer.removeprefix("```json").strip("`\n "))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False  # cut off, or code: judged as text
    texts = [text for text in value.values() if isinstance(text, str)] if isinstance(value, dict) else []
    return any(refusal_probability(text) >= REFUSAL_THRESHOLD for text in texts[:_VALUES])
