"""Whether a text is worth scoring is decided by one pass over its bytes: as if its words and pairs were compared with the model's cues."""

from __future__ import annotations

import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.inspection.text.cues import Needed, cues_of
from agents.inspection.text.linear import load_model, ngrams, share, tokens
from agents.inspection.text.plain import plain, spaced

MODELS = {name: load_model(name) for name in ("injection", "injection_segment")}
CUES = sorted({cue for model in MODELS.values() for cue in model.cues})
PIECES = st.sampled_from(CUES) | st.sampled_from(["'", "’", " ", ".", "\n", "\0", "é", "AÍ", "Can't", "don’t"]) | st.text(max_size=3)
WORDS = st.lists(PIECES | PIECES.map(str.upper), max_size=8)
TEXTS = st.builds(str.join, st.sampled_from([" ", "", "-", ", ", " - "]), WORDS)
QUOTES = str.maketrans({"’": "'", "‘": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"'})


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.cues])
@given(text=TEXTS)
def test_a_text_is_worth_scoring_if_it_has_enough_different_cues(name: str, text: str) -> None:
    model = MODELS[name]
    enough = len(model.cues & cues_of(text)) >= model.needed.of(len(text))
    assert model.has_cues(text) == enough
    assert model.score(text) == (model.probability(text) if enough else 0.0)


def test_a_longer_text_needs_more_cues() -> None:
    needed = Needed(2, 100, 3)
    assert [needed.of(characters) for characters in (0, 100, 199, 200, 700)] == [2, 2, 2, 3, 5]


def test_a_pair_has_no_more_than_one_mark_between_its_words() -> None:
    assert "sorry but" in cues_of("Sorry, but") and "sorry but" in cues_of("sorry\tbut")
    assert "sorry but" not in cues_of("sorry. - but")
    assert "cant help" in cues_of("I can’t help")


ASCII, LATIN_1, CP1252 = (st.text(alphabet=st.characters(codec=codec)) for codec in ("ascii", "latin-1", "cp1252"))


@given(ASCII | LATIN_1 | CP1252 | st.text(alphabet=st.characters()) | st.lists(LATIN_1 | CP1252 | ASCII).map("".join))
def test_plain_text_is_what_compatibility_decomposition_leaves(text: str) -> None:
    decomposed = unicodedata.normalize("NFKD", text.translate(QUOTES)).encode("ascii", "ignore")
    assert plain(text) == decomposed.replace(b"'", b"")
    assert spaced(text) == _words(plain(text))


def _words(data: bytes) -> bytes:
    return b" %b " % re.sub(rb"[^a-z0-9]", b" ", data.lower())


def test_every_character_of_one_byte_is_plain_in_its_own_right() -> None:
    for character in {bytes((byte,)).decode(codec, "ignore") for byte in range(256) for codec in ("latin-1", "cp1252")}:
        decomposed = unicodedata.normalize("NFKD", character.translate(QUOTES)).encode("ascii", "ignore")
        assert plain(f"a{character}b") == b"a%bb" % decomposed.replace(b"'", b"")
        assert spaced(f"a{character}b") == _words(plain(f"a{character}b"))


@given(text=st.lists(PIECES | st.sampled_from(["you", "must", "assistant", "reply", "not"]), max_size=40).map(" ".join))
def test_scoring_by_first_words_is_the_sum_over_all_ngrams(text: str) -> None:
    for model in MODELS.values():
        known = [model.weights[gram] for gram in ngrams(text, singles=model.singles) if gram in model.weights]
        per = {"": 1.0, "words": share(len(tokens(plain(text)))), "ngrams": 1 / math.sqrt(len(known) or 1)}
        assert abs(model.logit(text) - model.bias - sum(known) * per[model.divided]) < 1
