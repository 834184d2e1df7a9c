"""Documents of other countries and what needs a name or a rare form: found when called so and valid, and never as a plain number."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.au import abn, tfn
from stdnum.ca import sin
from stdnum.gb import nhs
from stdnum.pl import pesel

from agents.inspection.pii import Tagger, find, mask, mask_json
from agents.inspection.pii.abroad import is_nric

CALLED = [
    ("My DNI is ", "12345678Z", "DNI"), ("NIE: ", "X1234567L", "NIE"), ("Aadhaar no. ", "2341 2341 2346", "AADHAAR"),
    ("PAN ", "ABCPE1234F", "PAN"), ("TFN ", "123 456 782", "TFN"), ("ABN ", "51 824 753 556", "ABN"), ("NRIC ", "S1234567D", "NRIC"),
    ("SIN ", "123-456-782", "SIN"), ("PESEL: ", "44051401359", "PESEL"), ("Steuer-ID ", "65 929 970 489", "STEUER_ID"),
    ("NHS number ", "943 476 5919", "NHS"), ("NI number ", "AB123456C", "NINO"), ("routing number ", "021000021", "ROUTING"),
    ("ITIN ", "912-70-1234", "ITIN"), ("my passport is ", "123456789", "PASSPORT"), ("passaporte nº ", "FN123456", "PASSPORT"),
    ("driver's license ", "D1234567", "LICENCE"), ("bank account ", "123456789012", "ACCOUNT"), ("conta poupança ", "12345678", "ACCOUNT"),
    ("date of birth: ", "12/05/1980", "BIRTH"), ("Data de nascimento: ", "12 de maio de 1980", "BIRTH"), ("DOB: ", "May 12, 1980", "BIRTH"),
]  # fmt: skip
FORMED = [
    ("", "RSSMRA85T10A562S", "CODICE_FISCALE"), ("send to ", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "BITCOIN"),
    ("", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BITCOIN"), ("from ", "00:1B:44:11:3A:B7", "MAC"), ("", "AB 12 34 56 C", "NINO"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "value", "kind"), [*CALLED, *FORMED])
def test_what_is_called_so_or_has_the_form_is_found_whole(before: str, value: str, kind: str) -> None:
    text = f"Olá. {before}{value}, thanks"
    assert [(span.kind, text[span.start : span.end]) for span in find(text)] == [(kind, value)]


@pytest.mark.parametrize(("before", "value", "kind"), CALLED)
def test_masked_text_holds_nothing_more(before: str, value: str, kind: str) -> None:
    masked, spans = mask(f"{before}{value}.", Tagger("session", b"secret"))
    assert spans and not find(masked)


@pytest.mark.parametrize(
    "text",
    [
        "943 476 5919 items", "id 123456782", "44051401359 rows", "build 12345678Z", "X1234567L", "ABCPE1234F", "021000021",
        "using a single business account", "sin(123456789) is small", "the pan is 24 cm", "NHS number 943 476 5918", "SIN 123-456-783",
        "RSSMRA85T10A562T", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "00:00:00:00:00:00", "aa:bb:cc:dd:ee:ff:00:11", "10:20:30:40:50:60",
        "date of birth of the project", "born in 1980", "the passport office opens at 9",
    ],
)  # fmt: skip
def test_plain_numbers_wrong_check_digits_and_other_words_are_none(text: str) -> None:
    assert not {span.kind for span in find(text)} - {"PHONE", "UNREAD"}


@given(st.integers(0, 2**32))
def test_numbers_without_a_name_are_none_of_these_though_their_check_digits_are_right(seed: int) -> None:
    rng = random.Random(seed)
    number = "".join(rng.choices("0123456789", k=rng.choice((9, 10, 11))))
    rare = {"TFN", "ABN", "SIN", "NHS", "PESEL", "ROUTING", "STEUER_ID"}
    assert not {span.kind for span in find(f"row {number} of the table")} & rare
    for name, check in (("TFN", tfn), ("ABN", abn), ("SIN", sin), ("NHS", nhs), ("PESEL", pesel)):
        found = {span.kind for span in find(f"{name} {number}")}
        if name in found:
            assert check.is_valid(number)


def test_check_letters_of_singapore() -> None:
    assert is_nric("S1234567D") and is_nric("G1234567X") and not is_nric("S1234567A")


def test_keys_of_json_say_what_a_text_is() -> None:
    masked, found = mask_json(b'{"user":{"nhsNumber":"943 476 5919","customerDni":"12345678Z","dob":"1990-01-31"}}', Tagger("s", b"k"))
    assert found == {"user": {"NHS": 1, "DNI": 1, "BIRTH": 1}}
    assert b"943" not in masked and b"1990" not in masked
