"""Names of topics: words that set its questions apart from those of its feature's other topics.

TF-IDF as scikit-learn computes it, each topic being a document (Salton and Buckley, "Term-weighting
approaches in automatic text retrieval", 1988). Words are as users write them, so a name is in their
language. No list of stop words is needed: how often a word is met in English and Portuguese is in
the embedding (agents/common/embedding.py), and what nearly everybody says names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfTransformer

from agents.common.embedding import embedding, words_of

TERMS = 8
"""Terms of a topic that are told."""
NAMED = 3
"""And those that are its name."""
COMMON = 3.2
"""-log10 of how often a word is met, below which it is a stop word."""
MOST_TERMS = 64
"""Words counted of a topic."""
MOST_CHARS = 24

_WORD = re.compile(r"<[^>]*>|[^\W\d_]+(?:-[^\W\d_]+)*")


def terms_of(text: str) -> list[str]:
    """The words of a question that may name a topic, each once, in order; nothing masked."""
    words = dict.fromkeys(
        word.lower() for word in _WORD.findall(text) if word[0] != "<" and len(word) <= MOST_CHARS
    )
    return [word for word in words if len(word) > 2 and _rarity(word) >= COMMON]


def _rarity(word: str) -> float:
    known = embedding()
    parts = words_of(word)
    return float(known.rarity[known.places(parts)].max()) if parts else 0.0


def counted(terms: dict[str, int], text: str) -> None:
    """Add the words of a question to what a topic has of them. Beyond ``MOST_TERMS`` a new word
    takes the place, and the count, of the rarest (space-saving: Metwally et al., "Efficient
    computation of frequent and top-k elements in data streams", 2005)."""
    for word in terms_of(text):
        known = terms.get(word)
        if known is None and len(terms) >= MOST_TERMS:
            known = terms.pop(min(terms, key=lambda term: (terms[term], term)))
        terms[word] = (known or 0) + 1


def together(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """The terms of two topics that have become one; at most ``MOST_TERMS``, the most frequent."""
    whole = {term: first.get(term, 0) + second.get(term, 0) for term in {**first, **second}}
    best = sorted(whole, key=lambda term: (-whole[term], term))[:MOST_TERMS]
    return {term: whole[term] for term in best}


def names_of(topics: Sequence[Mapping[str, int]]) -> list[list[str]]:
    """Of each topic's counts the terms that tell it from the others, the best first."""
    if not any(topics):
        return [[] for _ in topics]
    words = DictVectorizer()
    counts = words.fit_transform([dict(topic) for topic in topics])
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts).tocsr()
    found: list[list[str]] = []
    for begin, end in zip(weights.indptr, weights.indptr[1:], strict=False):
        own = zip(weights.data[begin:end], weights.indices[begin:end], strict=True)
        ranked = sorted(
            (-round(float(weight), 9), str(words.feature_names_[place])) for weight, place in own
        )
        found.append([term for _, term in ranked[:TERMS]])
    return found
