"""Texts as short vectors of small integers: hashed n-grams (feature hashing, Weinberger et al. 2009), style and layout.

An answer's n-grams are of characters, and of *shapes* of words: short words and marks as they are, longer words by their length alone (text
distortion, Stamatatos, "Authorship attribution using text distortion", EACL 2017), because who writes shows in how the words are put
together and what is written about in the long words, which differ from question to question.

Deterministic on every machine: the hash is a polynomial over code points, computed for a whole text at once, which takes a tenth of the
time of scikit-learn's HashingVectorizer; a sample must cost little because every series pays it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import log1p, sqrt
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Small = NDArray[np.int8]

GRAMS = 128
"""Buckets of the character n-grams of an answer."""
SHAPES = 256
"""Buckets of the n-grams of its words' shapes."""
STYLE = 44
"""Features of style: 19 counts and rates, 13 marks, 12 of layout."""
WORDS = 32
"""Words of a question that are kept, each as sixteen bits."""
QUESTION = 256
"""Buckets of a question's words."""

MAX_ANSWER = 2_000
"""Characters of an answer that are sent and read; more is cut off."""
MAX_QUESTION = 600

LENGTH = 38.0
"""Length of a vector of n-grams in what is kept, four bits a value."""
_MOST = 7
_STEPS = 24.0
"""Steps of a style feature per unit."""
_SHORT = 4
"""Letters of the words that are kept as they are: most function words, in English, Portuguese and Spanish."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(1_099_511_628_211)

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+|\n+|[^\w\s]")
_BULLET = re.compile(r"^\s*[-*•] ", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\d+[.)] ", re.MULTILINE)
_HEADER = re.compile(r"^#+ ", re.MULTILINE)
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_BREAK = re.compile(r"[.!?:]+\s+|\n+")

_LEXICA = tuple(
    frozenset(words.split())
    for words in (
        # hedging
        "may might perhaps could possibly probably maybe seems talvez pode podem poderia provavelmente possivelmente parece",
        # the writer
        "i i'm i'll i've my me we our eu meu minha nós nosso nossa estou posso",
        # the reader
        "you your you're yours você seu sua seus suas vocês te",
        # politeness
        "sorry apologize apologies please thank thanks welcome glad happy desculpe desculpa favor obrigado obrigada prazer feliz",
        # connecting
        "however therefore overall additionally furthermore moreover finally also portanto entretanto contudo porém além também assim",
        # refusing
        "cannot can't unable won't not não unfortunately impossível infelizmente nem",
    )
)
_LEXICON = {word: at for at, lexicon in enumerate(_LEXICA) for word in lexicon}
_STOPWORDS = {
    name: frozenset(words.split())
    for name, words in (
        ("en", "the and of to is in that for with you are this it on as be or can have not what how your my do i"),
        ("pt", "de que o e do da em um para com não uma os no se na por mais as dos como você ao são eu meu minha qual é"),
        ("es", "de que el la y en un para con no una los se por más las como usted al son yo mi cuál es del lo está"),
    )
}
_COMMON = frozenset().union(*_STOPWORDS.values())
_MARKS = ",;:!?()\"—'`*$"


def answer_grams(text: str, embedded: Small | None = None) -> Small:
    """``GRAMS + SHAPES`` values of an answer. ``embedded`` takes the place of the character n-grams."""
    text = text[:MAX_ANSWER]
    shapes = np.fromiter(map(_shape, _TOKEN.findall(text)), np.uint64)
    characters = quantised(_grams(_codes(text), GRAMS)) if embedded is None else embedded
    return np.concatenate([characters, quantised(_grams(shapes, SHAPES))])


def answer_style(text: str) -> Small:
    """``STYLE`` values of an answer."""
    return np.clip(np.rint(np.array(_style(text[:MAX_ANSWER])) * _STEPS), -127, 127).astype(np.int8)


def question_words(text: str) -> NDArray[np.uint16]:
    """A question's words by their beginnings, which forgives inflection, without the most common ones: ``WORDS`` hashes above 0, those
    with the smallest, then 0."""
    words = _WORD.findall(text[:MAX_QUESTION].lower())
    told = {word[:6] for word in words if word not in _COMMON} or {word[:6] for word in words}
    found = sorted({1 + crc32(word.encode("utf-8", "replace")) % 0xFFFF for word in told})[:WORDS]
    return np.array(found + [0] * (WORDS - len(found)), np.uint16)


def question_vectors(words: NDArray[np.uint16]) -> Floats:
    """Rows of length 1 from rows of ``question_words``, by feature hashing; of zeros where there are none."""
    mixed = words.astype(np.uint32) * np.uint32(0x9E3779B1)
    at = (mixed >> 20) % QUESTION + QUESTION * np.arange(len(words), dtype=np.uint32)[:, None]
    signs = np.where(mixed >> 19 & 1, 1.0, -1.0) * (words > 0)
    counts = np.bincount(at.ravel(), signs.ravel(), QUESTION * len(words)).reshape(-1, QUESTION).astype(np.float32)
    found: Floats = counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), np.float32(1e-9))
    return found


def language(text: str) -> str:
    """``en``, ``pt``, ``es``, or ``other`` if too few common words tell."""
    words = _WORD.findall(text[:400].lower())
    found = {name: sum(word in known for word in words) for name, known in _STOPWORDS.items()}
    best = max(found, key=lambda name: found[name])
    return best if found[best] >= max(1, len(words) // 12) else "other"


def words_of(text: str) -> list[str]:
    """Distinct words in lower case, as they are shown as evidence."""
    return sorted(set(_WORD.findall(text.lower())))


def packed(values: Small) -> NDArray[np.uint8]:
    """Two values of ``-7`` to ``7`` to a byte."""
    half = len(values) // 2
    return ((values[:half] & 15) | (values[half:] << 4)).astype(np.uint8)


def unpacked(rows: NDArray[np.uint8]) -> Small:
    """Rows of values from rows of what ``packed`` gave."""
    both = rows.view(np.int8)
    return np.concatenate([(both << 4) >> 4, both >> 4], axis=1)


def _codes(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)


@lru_cache(maxsize=1 << 14)
def _shape(token: str) -> int:
    first = token[0]
    if first.isalpha() and len(token) > _SHORT:
        shape = f"{'A' if first.isupper() else 'a'}{min(len(token), 12)}"
    elif first.isdecimal():
        shape = "0"
    else:
        shape = token[:_SHORT].lower()
    return crc32(shape.encode("utf-8", "replace"))


def _grams(codes: NDArray[np.uint64], buckets: int) -> Floats:
    """Signed roots of the counts of the sequences of one to three codes, hashed, to unit length."""
    with np.errstate(over="ignore"):
        rolling, mixed = codes, [codes + np.uint64(1)]
        for n in range(2, min(3, len(codes)) + 1):
            rolling = rolling[:-1] * _PRIME + codes[n - 1 :]
            mixed.append(rolling + np.uint64(n))
        hashed = np.concatenate(mixed) * _MIX
        hashed ^= hashed >> np.uint64(29)
        hashed *= _MIX
    at = ((hashed >> np.uint64(40)) % np.uint64(buckets)).astype(np.int64)
    signs = np.where(hashed >> np.uint64(39) & np.uint64(1), 1.0, -1.0)
    counts = np.bincount(at, signs, buckets)
    return _unit(np.sign(counts) * np.sqrt(np.abs(counts)))


def _unit(values: Floats) -> Floats:
    norm = float(np.sqrt(values @ values))
    return values / norm if norm else values


def quantised(vectors: Floats) -> Small:
    """Of vectors of length 1, what is kept."""
    found: Small = np.clip(np.rint(vectors * LENGTH), -_MOST, _MOST).astype(np.int8)
    return found


STYLE_NAMES = (
    "length", "words", "words_per_sentence", "lines", "word_length", "vocabulary", "bullets", "numbered_items", "headers", "code",
    "digits", "capitals", "paragraphs", "hedging", "first_person", "second_person", "politeness", "connectives", "negation",
    *(f"mark {mark}" for mark in _MARKS),
    "ends_in_mark", "ends_in_colon", "ends_in_word", "opening", "opening_colon", "first_paragraph", "sentence_spread", "trailing_spaces",
    "wide_gaps", "paragraphs_by_lines", "bold", "bold_labels",
)  # fmt: skip


def _style(text: str) -> list[float]:
    size = max(1, len(text))
    words = _WORD.findall(text.lower())
    number = max(1, len(words))
    found = [_LEXICON[word] for word in words if word in _LEXICON]
    per_hundred = [100.0 * found.count(lexicon) / number for lexicon in range(len(_LEXICA))]
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
    digits = np.count_nonzero((codes >= 48) & (codes <= 57))
    capitals = np.count_nonzero(((codes >= 65) & (codes <= 90)) | ((codes >= 192) & (codes <= 222)))
    return [
        np.log1p(len(text)) - 5.0,
        np.log1p(len(words)) - 4.0,
        np.log1p(number / max(1, len(_SENTENCE.findall(text)))) - 2.0,
        np.log1p(text.count("\n")) - 1.0,
        min(size / number, 12.0) - 6.0,
        3.0 * len(set(words)) / number**0.8 - 3.0,
        np.log1p(len(_BULLET.findall(text))),
        np.log1p(len(_NUMBERED.findall(text))),
        np.log1p(len(_HEADER.findall(text))),
        np.log1p(text.count("```")),
        10.0 * np.sqrt(digits / size),
        10.0 * np.sqrt(capitals / size) - 1.5,
        np.log1p(text.count("\n\n")),
        *(np.log1p(value) for value in per_hundred),
        *(10.0 * np.sqrt(text.count(mark) / size) for mark in _MARKS),
        *_layout(text),
    ]


def _layout(text: str) -> list[float]:
    """How an answer begins and ends, how even its sentences are, and how it is set."""
    paragraph = next((part for part in text.split("\n\n") if part.strip()), "")
    sentences = [len(part) for part in _BREAK.split(text) if part.strip()] or [0]
    mean = sum(sentences) / len(sentences)
    last = text.rstrip()[-1:]
    ends = (last in ".!?", last == ":", last.isalnum()) if len(text) < MAX_ANSWER else (0.5,) * 3  # where it is cut off says nothing
    return [
        *map(float, ends),
        log1p(sentences[0]) - 4.0,
        float(text.split("\n", 1)[0].rstrip().endswith(":")),
        log1p(len(paragraph)) - 5.0,
        log1p(sqrt(sum((size - mean) ** 2 for size in sentences) / len(sentences))) - 3.0,
        sqrt(text.count(" \n")),
        sqrt(text.count("\n\n\n")),
        log1p(text.count("\n\n")) - log1p(text.count("\n")),
        sqrt(text.count("**")),
        sqrt(text.count(":**") + text.count("**:")),
    ]
