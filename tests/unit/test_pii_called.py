"""Numbers that the text calls what they are, by what others say such numbers are: phonenumbers, python-stdnum."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum.br import cnpj

from agents.inspection.pii import Tagger, find, mask, mask_json
from tests.bench.pii_called import numbers_that_are_none

TAG = Tagger("session", b"secret")
COUNTRIES = ("BR", "US", "PT", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "IE", "PL", "SE", "MX", "CL", "CO", "PE", "IN",
             "JP", "AU", "ZA", "AO", "MZ")  # fmt: skip


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize(
    ("before", "number", "after", "kind"),
    [
        ("meu CPF é ", "529.982.247-26", "", "CPF"),  # a check digit is mistyped
        ("cpf do titular: ", "12345678901", ".", "CPF"),
        ("CPF ", "529,982,247,25", " ok", "CPF"),
        ("CPF nº ", "529_982_247_25", "", "CPF"),
        ("C.P.F. ", "529/982/247/26", "", "CPF"),
        ("(", "529.982.247-26", " (CPF)", "CPF"),
        ('"customerCpf": "', "52998224726", '"', "CPF"),
        ("CPF/CNPJ: ", "16.727.230/0001-98", "", "CNPJ"),
        ("CNPJ ", "16 727 230 0001 98", "", "CNPJ"),
        ("o cnpj da empresa é ", "16-727-230-0001-97", "", "CNPJ"),
        ("my card number is ", "4111 1111 1111 1112", ", thanks", "CARD"),
        ("cartão: ", "4111:1111:1111:1111", "", "CARD"),
        ("Visa ", "4222222222222", "", "CARD"),  # 13 digits
        ("card ", "30569309025904", "", "CARD"),  # 14
        ("cartão de crédito ", "4000 0000 0000 0000 123", "", "CARD"),  # 19
        ("cartão ", "4111 1111 1111 1111", " 12/29", "CARD"),
        ("RG ", "12.345.678-9", "", "RG"),
        ("meu rg é ", "24.678.131-X", " SSP/SP", "RG"),
        ("RG: ", "MG-12.345.678", "", "RG"),
        ("RG nº ", "1234567", "", "RG"),
        ("chave pix ", "123e4567e89b42d3a456426614174000", "", "PIX"),
        ("the Pix key is ", "123e4567 e89b 42d3 a456 426614174000", "", "PIX"),
    ],
)
def test_what_is_called_so_is_masked(before: str, number: str, after: str, kind: str) -> None:
    assert found(before + number + after) == [(kind, number)]


@pytest.mark.parametrize(
    "text",
    [
        "paguei o pedido 52998224726 com cartão",
        "o CPF está certo, o protocolo é 12345678901",
        "cpf emitido em 12/05/2026 14:30",
        "CPF: 12/05/2026 123",
        "card ending in 1111",
        "discard 4111111111111112",
        "rg 123",
        "charge 12345678",
        "pix: hash 9f86d081884c7d659a2feaa0c55ad015",
        "ligue e informe o protocolo 12345678",
        "CNPJ is not yet over 50",
        "documento 529.982.247-26",
    ],
)
def test_what_is_not_called_so_is_left(text: str) -> None:
    assert find(text) == []


def test_a_list_of_numbers_is_called_by_its_head() -> None:
    text = "CPFs: 529.982.247-26, 111.444.777-36 e 12345678901"
    assert [kind for kind, _ in found(text)] == ["CPF", "CPF", "CPF"]


@pytest.mark.parametrize(
    "form",
    ["{}.{}.{}/{}-{}", "{}{}{}{}{}", "{} {} {} {} {}", "{}.{}.{}.{}-{}", "{}{}{}/{}-{}", "{}-{}-{}-{}-{}", "{}{}{}/{}{}",
     "{} . {} . {} / {} - {}"],
)  # fmt: skip
def test_a_cnpj_with_letters_is_found_in_every_form(form: str) -> None:
    stem = "12ABC34501DE"
    number = stem + cnpj.calc_check_digits(stem)
    written = form.format(number[:2], number[2:5], number[5:8], number[8:12], number[12:])
    for cased in (written, written.lower()):
        assert [(span.kind, span.value) for span in find(f"CNPJ {cased}")] == [("CNPJ", number)]


@pytest.mark.parametrize("region", COUNTRIES)
@pytest.mark.parametrize("kind", [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE])
def test_a_number_called_a_telephone_is_found_as_its_country_writes_it(region: str, kind: int) -> None:
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    for text in (f"telefone {written}", f"my phone is {written}.", f"WhatsApp: {written}"):
        masked, spans = mask(text, TAG)
        assert [span.kind for span in spans] == ["PHONE"], text
        assert written.strip("()")[-8:] not in masked


def test_numbers_of_json_are_explained_by_their_keys() -> None:
    masked, counts = mask_json(b'{"extra":{"cpf":12345678901,"rg":123456789,"card_number":4222222222223,"order":12345678901}}', TAG)
    assert counts == {"extra": {"CPF": 1, "RG": 1, "CARD": 1}} and b"12345678901" in masked


def test_numbers_that_are_none_stay() -> None:
    texts = list(numbers_that_are_none(random.Random(2026), 1_280))
    assert sum(len(find(text)) for text, _ in texts) <= 9
