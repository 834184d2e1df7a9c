"""Personal data in text: what is found, what is not, and what masking leaves."""

from __future__ import annotations

import json

import pytest

from agents.inspection.pii import Tagger, find, has_candidates, mask, mask_fields, mask_json, pii_column

SECRET = b"key of the installation"
TAG = Tagger("session-1", SECRET)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize(
    "written",
    [
        "529.982.247-25",
        "52998224725",
        "529 982 247 25",
        "529982247-25",
        "５２９．９８２．２４７－２５",
        "529\u00a0982\u00a0247\u00a025",
        "529.982.247\u201325",
        "529.982.\n247-25",
        "529.98\n2.247-25",
        "529.\u200b982.247-25",
        "٥٢٩.٩٨٢.٢٤٧-٢٥",
    ],
)
def test_a_cpf_is_found_however_it_is_written(written: str) -> None:
    text = f"meu cpf: {written} ok"
    assert [(span.kind, span.value, text[span.start : span.end]) for span in find(text)] == [("CPF", "52998224725", written)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("CNPJ 16.727.230/0001-97", "CNPJ", "16727230000197"),
        ("de 12.ABC.345/01DE-35", "CNPJ", "12ABC34501DE35"),
        ("cnpj 12ABC34501DE35", "CNPJ", "12ABC34501DE35"),
        ("PIS 120.56412.54-5", "PIS", "12056412545"),
        ("meu pis é 12056412545", "PIS", "12056412545"),
        ("cartão 4111 1111 1111 1111", "CARD", "4111111111111111"),
        ("378282246310005", "CARD", "378282246310005"),
        ("para DE89 3704 0044 0532 0130 00 hoje", "IBAN", "DE89370400440532013000"),
        ("ligue (11) 98765-4321", "PHONE", "+5511987654321"),
        ("meu número é 11987654321", "PHONE", "+5511987654321"),
        ("telefone 1133334444", "PHONE", "+551133334444"),
        ("call +44 20 7946 0958", "PHONE", "+442079460958"),
        ("ana.lima@empresa.com.br,", "EMAIL", "ana.lima@empresa.com.br"),
        ("ana arroba gmail ponto com", "EMAIL", "ana@gmail.com"),
        ("do IP 189.10.20.30.", "IP", "189.10.20.30"),
        ("2001:db8:85a3::8a2e:370:7334", "IP", "2001:db8:85a3::8a2e:370:7334"),
        ("SSN 536-90-4399", "SSN", "536904399"),
        ("chave pix 123e4567-e89b-42d3-a456-426614174000", "PIX", "123e4567-e89b-42d3-a456-426614174000"),
        ("AKIAIOSFODNN7EXAMPLE", "SECRET", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abcdef1234567890abcdef", "SECRET", "abcdef1234567890abcdef"),
    ],
)
def test_each_kind_is_found_in_its_normal_form(text: str, kind: str, value: str) -> None:
    assert [(span.kind, span.value) for span in find(text)] == [(kind, value)]


def test_a_cep_is_found_with_its_street() -> None:
    text = "Moro na Rua das Flores, 123, Centro, CEP 01310-100."
    assert kinds(text) == [("STREET", "Rua das Flores, 123"), ("CEP", "01310-100")]


@pytest.mark.parametrize(
    "text",
    [
        "pedido 52998224725",
        "Order #52998224725",
        '{"order_id": "52998224725"}',
        "documento 529.982.247-26",
        "req-0001f3",
        "9f86d081884c7d659a2feaa0c55ad015",
        "123e4567-e89b-42d3-a456-426614174000",
        "2026-05-01T12:34:56.789123Z em 01/05/2026 12:34",
        "1777638896789 e 1777638896",
        "R$ 1.234.567,89 e 0.001234567890",
        "version 1.2.3.4, Chrome/120.0.6099.71, 127.0.0.1",
        "DE00370400440532013000",
        "rastreio AA123456789BR",
        "std::vector<int> e git@github.com:org/repo.git e logo@2x.png",
        "look at example.com",
        "0800 123 4567",
        "10² + 3³ = 127",
        "sk-learn-something-very-long-name",
    ],
)
def test_ids_hashes_times_prices_and_code_are_no_personal_data(text: str) -> None:
    assert find(text) == []


def test_the_words_before_a_number_decide_where_check_digits_do_not() -> None:
    # given one number that is valid as a CPF and as a PIS
    number = "29056400061"
    assert [span.kind for span in find(f"pis {number}")] == ["PIS"]
    assert [span.kind for span in find(f"cliente {number}")] == ["CPF"]
    assert find(f"pedido {number}") == []


def test_one_value_has_one_tag_in_a_session_and_another_in_the_next() -> None:
    masked, _ = mask("529.982.247-25 ou 52998224725", TAG)
    first, _, second = masked.partition(" ou ")
    assert first == second
    assert mask("52998224725", Tagger("session-1", SECRET))[0] == first  # a restart changes nothing
    assert mask("52998224725", Tagger("session-2", SECRET))[0] != first
    assert mask("52998224725", Tagger("session-1", b"another key"))[0] != first


def test_a_row_is_masked_except_its_ids() -> None:
    # given a row with personal data in an id, in messages, and in tool arguments as JSON in text and as numbers
    row = {
        "request_id": "52998224725",
        "messages": [{"role": "user", "content": "cpf 529.982.247-25\né meu"}],
        "tool_calls": [{"arguments": '{"cpf": 52998224725, "ratio": 1.50}'}, {"arguments": {"cpf": 52998224725, "id": 52998224725}}],
        "cost_usd": "0.001234567890",
        "latency_ms": 1e-7,
    }
    # when it is masked
    masked, found = mask_fields(json.dumps(row).encode(), None, TAG, skip="request_id")
    # then only the personal data differ
    tag = mask("52998224725", TAG)[0]
    assert json.loads(masked) == row | {
        "messages": [{"role": "user", "content": f"cpf {tag}\né meu"}],
        "tool_calls": [{"arguments": f'{{"cpf":"{tag}","ratio":1.50}}'}, {"arguments": {"cpf": tag, "id": 52998224725}}],
    }
    assert pii_column(found) == [
        {"kind": "CPF", "where": "messages", "count": 1},
        {"kind": "CPF", "where": "tool_calls", "count": 2},
    ]


def test_a_cpf_that_lost_its_leading_zero_as_a_number_is_masked() -> None:
    masked, found = mask_json(b'{"arguments":{"customer_cpf":1234567890}}', TAG)
    assert found == {"arguments": {"CPF": 1}} and masked == b'{"arguments":{"customer_cpf":"%s"}}' % mask("01234567890", TAG)[0].encode()


def test_keys_below_the_top_level_are_masked_and_none_is_lost() -> None:
    masked, found = mask_json(b'{"extra":{"ana@example.org":1,"ANA@example.org":2}}', TAG)
    assert found == {"extra": {"EMAIL": 2}} and sorted(json.loads(masked)["extra"].values()) == [1, 2]


def test_a_row_without_candidates_keeps_its_bytes() -> None:
    row = (
        b'{"time":"2026-05-01T12:34:56.789123Z","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","cost_usd":"0.001234567890","latency_ms":1234.5678,'
        b'"output":"R$ 1.234,56 em 12/05/2026 \xe2\x80\x94 tudo certo"}'
    )
    assert not has_candidates(row) and mask_json(row, TAG) == (row, {})
