"""Numbers that are called what they are, by outside truth: `python -m tests.bench.pii_called`.

Values come from Faker's locales (`pip install faker`; left out, and said so, without it), from phonenumbers' examples of each
country and from python-stdnum, not from our own rules. Beside them 1,280 numbers that are none, half of them near a word that
names personal data.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import string
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from rich.console import Console
from rich.table import Table
from stdnum.br import cnpj

from agents.inspection.pii import find
from tests.bench import smoke
from tests.bench.pii_text import DISTRACTORS, new_cnpj, new_cpf

Make = Callable[[random.Random], str]

CUES: dict[str, Sequence[str]] = {
    "CPF": ("meu CPF é {}", "CPF: {}", "cpf {} por favor", "CPF do titular: {}.", "my CPF is {}, thanks", "({}) CPF nº {}"),
    "CNPJ": ("CNPJ {}", "o cnpj da empresa é {}", "CNPJ/MF nº {}", "company CNPJ: {}", "Fornecedor, CNPJ: {}."),
    "CARD": ("cartão {}", "número do cartão: {}", "my card number is {}", "card: {}", "cartão de crédito {} venceu"),
    "RG": ("RG {}", "meu RG é {}", "RG: {} SSP/SP", "CPF não tenho, RG nº {}", "my RG is {}"),
    "PIX": ("chave pix {}", "pix: {}", "minha chave aleatória é {}", "the Pix key is {}", "Chave Pix aleatória: {}"),
    "PHONE": ("telefone {}", "tel: {}", "my phone is {}", "call me: {}", "WhatsApp {}", "meu celular é {}"),
}
LOCALES = ("pt_PT", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "es_MX", "es_CL", "en_IN", "ja_JP", "en_AU", "de_CH",
           "en_IE", "pl_PL", "sv_SE", "es_AR", "es_CO", "en_US", "pt_BR")  # fmt: skip
REGIONS = ("PT", "GB", "DE", "FR", "ES", "IT", "NL", "MX", "CL", "IN", "JP", "AU", "CH", "IE", "PL", "SE", "AR", "CO", "PE", "UY",
           "AO", "MZ", "ZA", "BE", "AT", "US", "BR")  # fmt: skip


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def joined(number: str, sizes: Sequence[int], separators: Sequence[str]) -> str:
    parts, at = [], 0
    for index, size in enumerate(sizes):
        parts.append(number[at : at + size] + (separators[index] if index < len(separators) else ""))
        at += size
    return "".join(parts)


def odd(rng: random.Random, number: str, sizes: Sequence[int]) -> str:
    """As people write it when no form helps them."""
    separator = rng.choice([" ", ".", "-", "/", "_", ",", " - ", " . ", ":", "·", "|"])
    return joined(number, sizes, [separator] * (len(sizes) - 1))


def wrong(number: str, checks: int = 2) -> str:
    return number[:-checks] + f"{(int(number[-checks:]) + 37) % 10**checks:0{checks}d}"


def letters(rng: random.Random) -> str:
    number = new_cnpj(rng, letters=True)
    assert cnpj.is_valid(number)
    a, b, c, d, e = (number[i:j] for i, j in ((0, 2), (2, 5), (5, 8), (8, 12), (12, 14)))
    form = rng.choice(["{}.{}.{}/{}-{}", "{}{}{}{}{}", "{} {} {} {} {}", "{}.{}.{}.{}-{}", "{}{}{}/{}-{}", "{}-{}-{}-{}-{}",
                       "{}{}{}/{}{}", "{} . {} . {} / {} - {}", "{}.{}.{}/{}{}"])  # fmt: skip
    written: str = form.format(a, b, c, d, e)
    return written.lower() if rng.random() < 0.3 else written


def called() -> dict[str, tuple[str, Make]]:
    return {
        "CPF, wrong check digits": ("CPF", lambda r: joined(wrong(new_cpf(r)), (3, 3, 3, 2), r.choice(["..-", "   ", "", ".-"]))),
        "CPF, odd separators": ("CPF", lambda r: odd(r, new_cpf(r), (3, 3, 3, 2))),
        "CNPJ, wrong check digits": ("CNPJ", lambda r: joined(wrong(new_cnpj(r)), (2, 3, 3, 4, 2), r.choice(["../-", "", "    "]))),
        "CNPJ, odd separators": ("CNPJ", lambda r: odd(r, new_cnpj(r), (2, 3, 3, 4, 2))),
        "CNPJ with letters": ("CNPJ", letters),
        "card, wrong check digit": ("CARD", lambda r: joined("4" + digits(r, 15), (4, 4, 4, 4), r.choice(["   ", "---", ""]))),
        "card, odd separators": ("CARD", lambda r: odd(r, "5" + digits(r, 15), (4, 4, 4, 4))),
        "Pix key without hyphens": ("PIX", lambda r: uuid.UUID(int=r.getrandbits(128), version=4).hex),
        "telephone, phonenumbers": ("PHONE", lambda r: example(r.choice(REGIONS), r)),
    }


def example(region: str, rng: random.Random) -> str:
    """A subscriber's number as its country writes it, other digits in the last four places if that is valid as well."""
    kind = rng.choice([PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE])
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    other = phonenumbers.PhoneNumber(number.country_code, number.national_number // 10_000 * 10_000 + rng.randrange(10_000))
    valid = phonenumbers.is_valid_number_for_region(other, region)
    return phonenumbers.format_number(other if valid else number, PhoneNumberFormat.NATIONAL)


def from_faker() -> dict[str, tuple[str, Make]]:
    if importlib.util.find_spec("faker") is None:
        return {}
    from faker import Faker  # type: ignore[import-not-found, unused-ignore]

    fakers: dict[str, Any] = {locale: Faker(locale) for locale in (*LOCALES, "pt_BR")}

    def made(locale: str, name: str, *given: str) -> Make:
        def make(rng: random.Random) -> str:
            fakers[locale].seed_instance(rng.getrandbits(32))
            return str(getattr(fakers[locale], name)(*given))

        return make

    def phone(rng: random.Random) -> str:
        while True:
            locale = rng.choice(LOCALES)
            written = made(locale, "phone_number")(rng)
            region = locale[-2:]
            parsed = phonenumbers.parse(written, region) if "x" not in written else None
            if parsed is not None and phonenumbers.is_valid_number_for_region(parsed, region) and "+" not in written:
                return written

    cards = ("visa13", "visa16", "visa19", "mastercard", "amex", "diners", "discover", "jcb15", "jcb16", "maestro")
    return {
        "RG, Faker": ("RG", made("pt_BR", "rg")),
        "RG with dots, Faker": ("RG", lambda r: (lambda n: f"{n[:2]}.{n[2:5]}.{n[5:8]}-{n[8:]}")(made("pt_BR", "rg")(r))),
        "CPF, Faker": ("CPF", made("pt_BR", "cpf")),
        "CNPJ, Faker": ("CNPJ", made("pt_BR", "cnpj")),
        "card of any age, Faker": ("CARD", lambda r: made("en_US", "credit_card_number", r.choice(cards))(r)),
        "telephone, Faker": ("PHONE", phone),
    }


NONE = (
    "Pedido {}, rastreio {}", "order {} of {}", "paguei o pedido {} com cartão", "o CPF está certo, o protocolo é {}",
    "ligue e informe o protocolo {}", "call about ticket {}", "my card was declined on order {}", "the phone arrived, invoice {}",
    "pix recebido, transação {}", "CNPJ conferido; nota fiscal {}", "commit {} em {}", "request {} failed", "valor {} no dia {}",
    "{} tokens", "RG e CPF enviados em {}", "cartão recusado em {}", "card updated at {}", "telefone comprado por {}",
    "the job {} finished", "lote {} item {}",
)  # fmt: skip


def numbers_that_are_none(rng: random.Random, count: int) -> Iterator[tuple[str, int]]:
    """Texts, and how many such numbers are in each."""
    names = [name for name in DISTRACTORS if name != "model"]
    made = 0
    while made < count:
        template = NONE[made % len(NONE)]
        values = [DISTRACTORS[rng.choice(names)](rng) for _ in range(template.count("{}"))]
        made += len(values)
        yield template.format(*values), len(values)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="of each row")
    parser.add_argument("--verbose", action="store_true")
    options = smoke.parse(parser, arguments, count=20)
    outside = from_faker()
    table = Table("numbers", "of", "found", title="called what they are")
    for name, (kind, make) in {**called(), **outside}.items():
        rng, found = random.Random(name), 0
        for index in range(options.count):
            value = make(rng)
            cue = CUES[kind][index % len(CUES[kind])]
            text = cue.replace("({}) ", "").format(value)
            start = text.index(value)
            hit = any(span.start <= start and span.end >= start + len(value) for span in find(text))
            found += hit
            if options.verbose and not hit:
                print("missed", repr(text), find(text))
        table.add_row(name, str(options.count), f"{found / options.count:.1%}")
    rng, false, of = random.Random(2026), 0, 0
    for text, count in numbers_that_are_none(rng, max(1_280, options.count)):
        spans = find(text)
        false, of = false + len(spans), of + count
        if options.verbose and spans:
            print("false", repr(text), spans)
    console = Console()
    console.print(table)
    console.print(f"{false} of {of} numbers that are none were taken for personal data")
    if not outside:
        console.print("faker is not installed: its rows are left out")


if __name__ == "__main__":
    main()
