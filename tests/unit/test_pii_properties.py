"""Personal data: what holds for every text."""

from __future__ import annotations

import json
import random
import string
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.inspection.pii import Tagger, find, has_candidates, mask, mask_json
from agents.inspection.pii.digits import is_cnh, is_pis, is_titulo
from tests.bench.pii_text import new_card, new_cnh, new_cnpj, new_cpf, new_iban, new_pis, new_titulo

TAG = Tagger("session", b"secret")
SEPARATORS = st.sampled_from([" ", "\n", "\t", ": ", ", ", "; ", "(", '"', "\u00a0", "\u2014 "])
TEXT = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("0123456789 .-/:@+()#abcpfCPF\n<>")), max_size=60)


def spaced(sizes: tuple[int, ...], separators: str, number: str) -> str:
    parts, position = [], 0
    for index, size in enumerate(sizes):
        parts.append(number[position : position + size] + separators[index : index + 1])
        position += size
    return "".join(parts)


SEEDED = st.integers(0, 2**32).map(random.Random)
WRITTEN = st.one_of(
    SEEDED.map(new_cpf).map(lambda n: spaced((3, 3, 3, 2), "..-", n)),
    SEEDED.map(new_cnpj).map(lambda n: spaced((2, 3, 3, 4, 2), "../-", n)),
    SEEDED.map(lambda rng: new_cnpj(rng, letters=True)).map(lambda n: spaced((2, 3, 3, 4, 2), "../-", n)),
    SEEDED.map(new_pis).map(lambda n: spaced((3, 5, 2, 1), "..-", n)),
    SEEDED.map(new_pis).map("PIS: {}".format),
    SEEDED.map(new_cnh).map("CNH {}".format),
    SEEDED.map(new_titulo).map("título de eleitor {}".format),
    SEEDED.map(new_cpf).map("CPF {}".format),
    SEEDED.map(new_card).map("cartão {}".format),
    SEEDED.map(new_iban).map("IBAN {}".format),
    SEEDED.map(lambda rng: "cpf: " + spaced((3, 3, 3, 2), rng.choice((",,,", "__-", "///")), f"{rng.randrange(10**11):011d}")),
    SEEDED.map(lambda rng: f"cartão {rng.randrange(10**12, 10**16)}"),
    SEEDED.map(lambda rng: f"RG {rng.randrange(10**6, 10**9)}"),
    SEEDED.map(lambda rng: f"chave pix {rng.getrandbits(128):032x}"),
    SEEDED.map(lambda rng: f"tel. {rng.choice(('06 12 34 56 78', '030 1234567', '347 1234567', '(02) 9876 5432'))}"),
)
"""Numbers of the check-digit kinds in their own format, or bare with their name; and numbers that are called what they are."""

LEAVES = st.one_of(TEXT, WRITTEN, st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8)
COLUMNS = st.sampled_from(["messages", "output", "documents", "tool_calls", "extra"])


def number_of(written: str) -> str:
    return written.rpartition(" ")[2]


@settings(max_examples=400)
@given(TEXT, SEPARATORS, WRITTEN, SEPARATORS, TEXT)
def test_no_valid_number_survives_whatever_surrounds_it(before: str, left: str, written: str, right: str, after: str) -> None:
    masked, _ = mask(before + left + written + right + after, TAG)
    assert number_of(written) not in masked


@settings(max_examples=400)
@given(st.lists(st.one_of(TEXT, WRITTEN, SEPARATORS), max_size=6).map("".join))
@example("1234 5678 9012 529.982.247-25")
def test_masked_text_has_no_findings(text: str) -> None:
    masked, _ = mask(text, TAG)
    assert mask(masked, TAG) == (masked, [])


@settings(max_examples=400)
@given(st.lists(st.one_of(TEXT, WRITTEN, SEPARATORS), max_size=6).map("".join))
def test_only_the_spans_change(text: str) -> None:
    masked, spans = mask(text, lambda span: "")
    kept, position = "", 0
    for span in spans:
        assert position <= span.start < span.end <= len(text)
        kept += text[position : span.start]
        position = span.end
    assert masked == kept + text[position:]


@settings(max_examples=400)
@given(st.lists(st.one_of(TEXT, WRITTEN, SEPARATORS), max_size=6).map("".join), st.booleans())
def test_what_is_found_is_a_candidate_in_json_with_and_without_escapes(text: str, escaped: bool) -> None:
    if find(text):
        assert has_candidates(json.dumps({"text": text}, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
        assert has_candidates(json.dumps({"inner": json.dumps({"text": text}, ensure_ascii=escaped)}, ensure_ascii=escaped).encode())


@settings(max_examples=300)
@given(
    st.integers(0, 2**160 - 1),
    st.sampled_from([24, 32, 40]),
    st.uuids(version=4),
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),
    st.floats(0, 1e7),
)
def test_ids_times_and_prices_are_never_found(number: int, length: int, uuid: object, moment: datetime, price: float) -> None:
    hexadecimal = f"{number:040x}"[:length]
    if not hexadecimal.isdigit():
        assert find(f"commit {hexadecimal}") == [] and find(f"id {hexadecimal}, ok") == []
    assert find(f"trace {uuid} ok") == [] and find(str(uuid)) == []
    aware = moment.replace(tzinfo=UTC)
    assert find(f"at {aware.isoformat()}, {moment:%d/%m/%Y %H:%M}, {moment:%Y-%m-%d %H:%M:%S}") == []
    assert find(f"{int(aware.timestamp() * 1000)}") == []
    assert find(f"R$ {price:.2f} US$ {price:,.2f} {price:.12f}") == []


def same_shape(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return isinstance(after, dict) and all(same_shape(a, b) for a, b in zip(before.values(), after.values(), strict=True))
    if isinstance(before, list):
        return isinstance(after, list) and all(same_shape(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, str):
        return isinstance(after, str)
    return before == after or isinstance(after, str)


@settings(max_examples=300)
@given(st.dictionaries(COLUMNS, VALUES, max_size=3))
def test_masked_json_is_json_of_the_same_structure_without_findings(row: dict[str, Any]) -> None:
    masked, found = mask_json(msgspec.json.encode(row), TAG)
    after = json.loads(masked)
    assert list(after) == list(row) and same_shape(json.loads(msgspec.json.encode(row)), after)
    assert mask_json(masked, TAG) == (masked, {})
    assert set(found) <= set(row)


@given(st.text(string.digits, min_size=11, max_size=12))
def test_a_changed_check_digit_is_noticed(number: str) -> None:
    # given any digits, then of the ten last digits at most one is a valid PIS (two for the título of São Paulo and Minas Gerais)
    assert sum(is_pis(number[:10] + last) for last in string.digits) <= 1
    assert sum(is_cnh(number[:9] + f"{checks:02d}") for checks in range(100)) <= 2
    assert sum(is_titulo((number + "0")[:10] + f"{checks:02d}") for checks in range(100)) <= 4


@given(st.dictionaries(COLUMNS | TEXT, VALUES, max_size=6))
def test_what_is_masked_does_not_depend_on_how_the_json_is_laid_out(row: dict[str, Any]) -> None:
    compact, found = mask_json(msgspec.json.encode(row), TAG)
    laid_out, also_found = mask_json(json.dumps(row, indent=1).encode(), TAG)
    assert found == also_found
    assert msgspec.json.decode(compact) == msgspec.json.decode(laid_out)


@settings(max_examples=400)
@given(st.dictionaries(COLUMNS, VALUES | WRITTEN | st.lists(WRITTEN, max_size=3), max_size=5))
def test_the_fields_that_are_looked_at_are_all_that_may_hold_something(row: dict[str, Any]) -> None:
    data = msgspec.json.encode(row)
    masked, _ = mask_json(data, TAG)
    each = {name: msgspec.json.decode(mask_json(msgspec.json.encode({name: value}), TAG)[0])[name] for name, value in row.items()}
    assert msgspec.json.decode(masked) == each
