"""Answers of made-up assistants, English and Portuguese, for the tests of the agent ``drift``."""

from __future__ import annotations

import random
from typing import Any

from schemas.samples import Sample

START = 1_790_000_000.0

_TOPICS = {
    "en": (
        ["order", "invoice", "delivery", "refund", "account"],
        ["where is my {}", "please explain the {} to me", "I have a problem with the {}"],
    ),
    "pt": (
        ["pedido", "boleto", "entrega", "reembolso", "cadastro"],
        ["onde está o meu {}", "me explique o {}", "tenho um problema com o {}"],
    ),
}
_FACTS = {
    "en": "the {} was registered yesterday|you can see the {} in the app|our team checks every {}|the {} takes three days"
    "|a copy of the {} is in your mail|we have found the {} in the system|the {} is waiting for the bank|nothing is missing in the {}",
    "pt": "o {} foi registrado ontem|você pode ver o {} no aplicativo|nossa equipe confere cada {}|o {} leva três dias"
    "|uma cópia do {} está no seu e-mail|encontramos o {} no sistema|o {} espera pelo banco|não falta nada no {}",
}
PLAIN, LISTS = "plain", "lists"


def sample(
    n: int, rng: random.Random, *, style: str = PLAIN, lang: str = "en", topics: int = 3, spacing: float = 30.0, **fields: Any
) -> Sample:
    """Answer number ``n``, ``spacing`` seconds after the one before. ``style``: how the model writes; ``topics``: how many of the subjects
    are asked about, from the first (negative: from the last)."""
    subjects, forms = _TOPICS[lang]
    subject = rng.choice(subjects[:topics] if topics > 0 else subjects[topics:])
    facts = [fact.format(subject) for fact in rng.sample(_FACTS[lang].split("|"), 3)]
    text = ". ".join(fact.capitalize() for fact in facts) + "."
    if style == LISTS:
        text = "**Here is what I know!**\n\n" + "\n".join(f"- {fact}" for fact in facts)
    common = {
        "rank": n, "response_id": f"a{n}", "session": f"s{n}", "time": START + n * spacing, "tenant": "acme", "feature": "support",
        "model": "gpt-4o", "served": "gpt-4o", "fingerprint": "", "environment": "", "prompt_sha": "p1", "index_version": "i1",
        "finish_reason": "stop", "tool": "", "outcome": "ok", "question": rng.choice(forms).format(subject), "answer": text,
        "output_tokens": len(text) // 4, "latency_ms": rng.lognormvariate(6, 0.4),
    }  # fmt: skip
    return Sample(**{**common, **fields})
