"""Plain attempts to overrule a model's instructions or to have them shown, as patterns of folded
text (lower case, without accents), in English, Portuguese and Spanish."""

from __future__ import annotations

import re


def _any(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


_IGNORE = _any(
    "ignore disregard forget override bypass "
    "ignora ignorem desconsidere desconsidera esqueca esquece olvida omite"
)
_SHOW = _any(
    "reveal print repeat show output display leak "
    "revele mostre mostra repita imprima exiba muestra revela"
)
_OLD = _any(
    "previous prior above earlier preceding your system "
    "anterior anteriores acima previas previos seu seus sua suas tu tus"
)
_RULES = _any(
    "instructions? prompts? rules? guidelines? "
    "instrucoes instrucao regras diretrizes instrucciones reglas"
)
_SECRET = _any("system hidden secret")
_PERSONA = _any("dan jailbroken unrestricted unfiltered")
_FREE = r"(?:developer mode|sem restricoes|sin restricciones|without (?:any )?restrictions)"
_BE = r"(?:you are|act as|pretend to be|voce e|aja como|finja ser|actua como)"
_FILLER = _any("now agora ahora um uma una an? as")


def _few(most: int) -> str:
    """Up to so many words between two."""
    return rf"(?:\W+\w+){{0,{most}}}?\W+"


ATTACKS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("ignore instructions", rf"\b{_IGNORE}{_few(4)}{_OLD}{_few(3)}{_RULES}\b"),
        ("ignore instructions", rf"\b{_IGNORE}{_few(3)}{_RULES}{_few(2)}{_OLD}\b"),
        ("reveal the prompt", rf"\b{_SHOW}{_few(4)}{_SECRET}\W+(?:prompt|instructions?)\b"),
        (
            "reveal the prompt",
            rf"\b{_SHOW}{_few(4)}(?:prompt|instrucoes|instrucciones)\W+"
            r"(?:d[oe]l?\W+)?(?:sistema|ocult\w+|secret\w+)\b",
        ),
        ("another role", rf"\b{_BE}\W+(?:{_FILLER}\W+)*(?:{_PERSONA}|{_FREE})\b"),
        ("another role", rf"\b{_BE}{_few(4)}{_FREE}(?!\w)"),
        ("forged turn", r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?inst\]|<</?sys>>"),
    )
)
"""What it is called, and what it looks like."""

_CUES = re.compile(rf"{_IGNORE}|{_SHOW}|{_BE}|<\||inst\]|<<")


def attack(folded: str) -> str | None:
    """The name of the first attempt that is found."""
    if not _CUES.search(folded):
        return None
    return next((name for name, pattern in ATTACKS if pattern.search(folded)), None)
