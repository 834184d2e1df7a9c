"""Texts as short vectors of small integers: hashed n-grams (feature hashing, Weinberger et al. 2009) and style.

Deterministic on every machine: the hash is a polynomial over code points, computed for a whole text at once, which takes a tenth of the
time of scikit-learn's HashingVectorizer; a sample must cost little because every series pays it.
"""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Small = NDArray[np.int8]

GRAMS = 224
"""Buckets of the character n-grams of an answer."""
STYLE = 32
ANSWER = GRAMS + STYLE
QUESTION = 128

MAX_ANSWER = 2_000
"""Characters of an answer that are sent and read; more is cut off."""
MAX_QUESTION = 600

_SCALE = 200.0
_STEPS = 24.0
"""Steps of a style feature per unit."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(1_099_511_628_211)

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_BULLET = re.compile(r"^\s*[-*•] ", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\d+[.)] ", re.MULTILINE)
_HEADER = re.compile(r"^#+ ", re.MULTILINE)
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")

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
_STOPWORDS = {
    name: frozenset(words.split())
    for name, words in (
        ("en", "the and of to is in that for with you are this it on as be or can have not what how your my do i"),
        ("pt", "de que o e do da em um para com não uma os no se na por mais as dos como você ao são eu meu minha qual é"),
        ("es", "de que el la y en un para con no una los se por más las como usted al son yo mi cuál es del lo está"),
    )
}
_COMMON = frozenset().union(*_STOPWORDS.values())
_MARKS = ",;:!?()\"—'`*$%/"


def answer_vector(text: str) -> Small:
    """``ANSWER`` values of an answer: first its character n-grams, then its style."""
    text = text[:MAX_ANSWER]
    return np.concatenate([_quantised(_character_grams(text) * _SCALE), _quantised(np.array(_style(text)) * _STEPS)])


def question_vector(text: str) -> Small:
    """``QUESTION`` values of a question: its words by their beginnings, which forgives inflection, without the most common ones."""
    counts = np.zeros(QUESTION)
    words = _WORD.findall(text[:MAX_QUESTION].lower())
    for word in [word for word in words if word not in _COMMON] or words:
        code = crc32(word[:6].encode()) * 0x9E3779B1 & 0xFFFFFFFF
        counts[(code >> 16) % QUESTION] += 1.0 if code & 1 else -1.0
    return _quantised(_unit(np.sign(counts) * np.sqrt(np.abs(counts))) * _SCALE)


def language(text: str) -> str:
    """``en``, ``pt``, ``es``, or ``other`` if too few common words tell."""
    words = _WORD.findall(text[:400].lower())
    found = {name: sum(word in known for word in words) for name, known in _STOPWORDS.items()}
    best = max(found, key=lambda name: found[name])
    return best if found[best] >= max(1, len(words) // 12) else "other"


def words_of(text: str) -> list[str]:
    """Distinct words in lower case, as they are shown as evidence."""
    return sorted(set(_WORD.findall(text.lower())))


def word_vector(word: str) -> Floats:
    """The n-grams a word adds to an answer, for the share it has in a difference; ``GRAMS`` values."""
    return _character_grams(f" {word} ")


def _character_grams(text: str) -> Floats:
    counts = np.zeros(GRAMS)
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    with np.errstate(over="ignore"):
        rolling = codes
        for n in range(1, 4):
            if n > 1:
                if len(codes) < n:
                    break
                rolling = rolling[:-1] * _PRIME + codes[n - 1 :]
            mixed = (rolling + np.uint64(n)) * _MIX
            mixed ^= mixed >> np.uint64(29)
            mixed *= _MIX
            buckets = (mixed >> np.uint64(40)) % np.uint64(GRAMS)
            signs = np.where(mixed >> np.uint64(39) & np.uint64(1), 1.0, -1.0)
            counts += np.bincount(buckets.astype(np.int64), signs, GRAMS)
    return _unit(np.sign(counts) * np.sqrt(np.abs(counts)))


def _unit(values: Floats) -> Floats:
    norm = float(np.sqrt(values @ values))
    return values / norm if norm else values


def _quantised(values: Floats) -> Small:
    return np.clip(np.rint(values), -127, 127).astype(np.int8)


STYLE_NAMES = (
    "length", "words", "words_per_sentence", "lines", "word_length", "vocabulary", "bullets", "numbered_items", "headers", "code",
    "digits", "capitals", "paragraphs", "hedging", "first_person", "second_person", "politeness", "connectives", "negation",
    *(f"mark {mark}" for mark in _MARKS[: STYLE - 19]),
)  # fmt: skip


def _style(text: str) -> list[float]:
    size = max(1, len(text))
    words = _WORD.findall(text.lower())
    number = max(1, len(words))
    per_hundred = [100.0 * sum(word in lexicon for word in words) / number for lexicon in _LEXICA]
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
        10.0 * np.sqrt(sum(map(str.isdigit, text)) / size),
        10.0 * np.sqrt(sum(map(str.isupper, text)) / size) - 1.5,
        np.log1p(text.count("\n\n")),
        *(np.log1p(value) for value in per_hundred),
        *(10.0 * np.sqrt(text.count(mark) / size) for mark in _MARKS[: STYLE - 19]),
    ]
