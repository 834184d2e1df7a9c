"""Whether a text is worth scoring is decided by one pass over its bytes: as if its words were compared with the model's cues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.guards.text.linear import cue_words, load_model

MODELS = {name: load_model(name) for name in ("refusal", "injection", "injection_retrieved")}
CUES = sorted({cue.decode() for model in MODELS.values() for cue in model.cues})
PIECES = st.sampled_from(CUES) | st.sampled_from(["'", "’", " ", ".", "\n", "\0", "é", "AÍ", "Can't", "don’t"]) | st.text(max_size=3)
WORDS = st.lists(PIECES | PIECES.map(str.upper), max_size=8)
TEXTS = st.builds(str.join, st.sampled_from([" ", "", "-"]), WORDS)


@pytest.mark.parametrize("name", MODELS)
@given(text=TEXTS)
def test_a_text_is_worth_scoring_if_it_has_enough_different_cues(name: str, text: str) -> None:
    model = MODELS[name]
    assert model.has_cue(text) == (len(model.cues.intersection(cue_words(text))) >= model.least)
