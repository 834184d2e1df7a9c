"""Looking for personal data in long and hostile texts: the same is found as by judging everything, and what is too much is not stored."""

from __future__ import annotations

import random
import re
import string
import unicodedata
from unittest.mock import patch

import msgspec
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.br import cnpj, cpf

from agents.inspection.leaks import sightings
from agents.inspection.pii import Tagger, find, mask, mask_json, pii_column, sieve
from agents.inspection.pii.context import _WORDS
from agents.inspection.pii.digits import is_cnpj, is_cpf, is_luhn
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.finder import _find
from agents.inspection.pii.numbers import _SUBSCRIBER
from agents.inspection.text.linear import plain
from tests.bench.pii_text import VALUES

TAG = Tagger("session", b"secret")
PLENTY = 1 << 40
SEEDED = st.integers(0, 2**32).map(random.Random)
NAMES = sorted(VALUES)
WORDS = ("cpf", "tel:", "Rua das Flores,", "ordem", "total", "(pis)", "cartão", "endere\u0301ço", "+", "55", "(11)", "id")


def table(rng: random.Random) -> str:
    """Numbers of all sizes in columns and lines; among them words that name numbers, and personal data, some broken over lines."""
    separators = rng.choice([" ", "\n", " \n-", "\t,", ".- ", " -\n/"])
    cells: list[str] = []
    for _ in range(rng.choice((20, 90))):
        chance = rng.random()
        if chance < 0.15:
            value = VALUES[rng.choice(NAMES)][1](rng)
            broken = rng.randrange(1, len(value))
            cells.append(value if chance < 0.1 else value[:broken] + rng.choice(("\n", " ", " - ", ".\n")) + value[broken:])
        elif chance < 0.25:
            cells.append(rng.choice(WORDS))
        else:
            cells.append("".join(rng.choices(string.digits, k=rng.choice((1, 2, 3, 3, 4, 4, 5, 8, 9, 11, 13)))))
    return "".join(cell + rng.choice(separators) for cell in cells)


@settings(max_examples=150, deadline=None)
@given(SEEDED.map(table))
def test_in_a_table_the_same_is_found_as_by_judging_every_group_of_digits(text: str) -> None:
    with patch.object(sieve, "_FEW", 0):
        sifted = _find(text, Effort(PLENTY))
    with patch.object(sieve, "_FEW", PLENTY):
        assert sifted == _find(text, Effort(PLENTY))


@pytest.mark.parametrize("kind", sorted(_WORDS.keys() - {"IP", "PIX", "IBAN", "RG", "VERSION", "OTHER"}))
def test_the_sieve_knows_every_word_that_names_a_number(kind: str) -> None:
    for word in re.sub(r"\([^)]*\)\??|.\?", "", _WORDS[kind]).split("|"):
        assert any(word.startswith(cue) or cue in word for cue in sieve._CUES), word


def test_a_table_of_numbers_is_left_alone() -> None:
    rng = random.Random(3)
    text = "\n".join("\t".join(f"{rng.random():.4f}" for _ in range(8)) for _ in range(1_500))
    assert find(text) == []


def test_what_is_too_much_to_be_judged_is_not_stored() -> None:
    # given more telephones than are judged, among words
    rng = random.Random(5)
    numbers = [f"({rng.randrange(11, 99)}) 9{rng.randrange(6000, 9999)}-{rng.randrange(10**4):04d}" for _ in range(4_000)]
    text = "lista de contatos\n" + "\n".join(f"cliente {number}, e-mail x{index}@example.com" for index, number in enumerate(numbers))
    # when it is masked
    masked, spans = mask(text, TAG)
    # then some are found, the rest is unread, no digit is left, and the words are
    assert {"PHONE", "UNREAD", "EMAIL"} <= {span.kind for span in spans}
    assert not re.search(r"[0-9@]", re.sub(r"<[A-Z]+:\d+>", "", masked))
    assert masked.startswith("lista de contatos\n") and masked.count("cliente") == 4_000
    assert mask(masked, TAG) == (masked, [])


def test_texts_of_one_row_share_what_may_be_spent() -> None:
    # given a row of many short texts, each with a telephone of its own
    rng = random.Random(6)
    row = {
        "messages": [f"tel (11) 9{rng.randrange(6000, 9999)}-{rng.randrange(10**4):04d}" for _ in range(3_000)],
        "output": "sim, em 2026",
    }
    # when it is masked
    masked, found = mask_json(msgspec.json.encode(row), TAG)
    # then no number is left, and what was not read is said, but is nobody's leak
    assert not re.search(rb"9\d{4}-\d{4}", masked) and found["messages"].keys() == {"PHONE", "UNREAD"}
    assert {"kind": "UNREAD", "where": "messages", "count": found["messages"]["UNREAD"]} in pii_column(found)
    assert [kind for _, kind in sightings(masked, found)] == ["PHONE"]
    assert mask_json(masked, TAG) == (masked, {})


def test_what_a_text_costs_does_not_depend_on_whether_it_was_seen_before() -> None:
    text = "ligue (11) 98765-4321 ou 21 99876-5432, cpf 529.982.247-25"
    first, again = Effort(0), Effort(0)
    assert find(text, first) == find(text, again) and first.left == again.left


@pytest.mark.parametrize("written", ["[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, "[" * 50_000])
def test_json_in_text_that_is_too_deep_is_a_text(written: str) -> None:
    row = msgspec.json.encode({"output": written + " 529.982.247-25", "extra": written})
    masked, found = mask_json(row, TAG)
    assert found["output"] == {"CPF": 1} and msgspec.json.decode(masked)["extra"] == written


def test_keys_of_one_tag_stay_different_keys() -> None:
    values = {f"529.982.247-25{' ' * count}": count for count in range(200)}
    masked, _ = mask_json(msgspec.json.encode({"extra": values}), TAG)
    assert sorted(msgspec.json.decode(masked)["extra"].values()) == list(range(200))


@pytest.mark.parametrize("end", ["-----END PRIVATE KEY-----", ""])
def test_private_keys_are_found_whole_one_after_another(end: str) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "abcd" * 20 + "\n" + end
    text = f"a! {key} ! {key} !"
    assert [text[span.start : span.end].strip() for span in find(text)] == [key.strip(), key.strip()]


def test_a_web_token_is_found_in_the_middle_of_a_run() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    assert [span.value for span in find(f"x-eyJ-{token} a.b.{token}")] == [f"eyJ-{token}", token]


@given(st.text(string.digits, min_size=8, max_size=19))
def test_check_digits_are_those_of_python_stdnum(number: str) -> None:
    if len(number) == 11 and number != number[0] * 11:
        assert is_cpf(number) == cpf.is_valid(number)
        completed = number[:9] + cpf._calc_check_digits(number[:9])
        assert is_cpf(completed) == cpf.is_valid(completed)
    assert is_luhn(number) == luhn.is_valid(number)
    stem = number.ljust(12, "7")[:12]
    completed = stem + cnpj.calc_check_digits(stem)
    assert is_cnpj(completed) == cnpj.is_valid(completed) and is_cnpj(stem + "00") == cnpj.is_valid(stem + "00")


@settings(max_examples=500)
@given(st.text("123456789", min_size=1, max_size=1), st.text(string.digits, min_size=9, max_size=10))
def test_brazilian_telephones_are_those_of_phonenumbers(first: str, rest: str) -> None:
    number = phonenumbers.parse(f"+55{first}{rest}")
    kind = phonenumbers.number_type(number)
    known = phonenumbers.is_valid_number(number) and kind in (
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.MOBILE,
    )
    assert bool(_SUBSCRIBER.fullmatch(first + rest)) == known


@given(st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\u0315\u0300\u0327½…ﷺ’'")), max_size=40))
def test_plain_text_is_what_decomposition_leaves(text: str) -> None:
    for mark, quote in (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"'), ("«", '"'), ("»", '"'), ("´", "'")):
        text = text.replace(mark, quote)
    assert plain(text) == unicodedata.normalize("NFKD", text).encode("ascii", "ignore").replace(b"'", b"")
