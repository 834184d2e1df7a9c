"""Labelled texts with generated personal data in English and Portuguese, among numbers and codes that are none.

`TUNING` templates may be looked at while working on the detectors; `HELD_OUT` ones are for measuring only.
"""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.br import cnpj, cpf

from agents.inspection.pii.digits import is_cnh, is_pis, is_titulo

CHECK_DIGIT_KINDS = ("CPF", "CNPJ", "PIS", "CNH", "TITULO", "CARD", "IBAN")


class Labelled(NamedTuple):
    language: str
    text: str
    labels: list[tuple[str, int, int]]
    """Kind, start and end of what has to be found; everything else must not be."""


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _search(rng: random.Random, stem: str, checks: int, valid: Callable[[str], bool]) -> str | None:
    """`stem` with the first check digits that are valid."""
    for number in range(10**checks):
        if valid(candidate := f"{stem}{number:0{checks}d}"):
            return candidate
    return None


def new_cpf(rng: random.Random) -> str:
    while True:
        stem = _digits(rng, 9)
        number = stem + cpf._calc_check_digits(stem)
        if cpf.is_valid(number) and len(set(number)) > 1:
            return number


def new_cnpj(rng: random.Random, *, letters: bool = False) -> str:
    while True:
        stem = "".join(rng.choices(string.digits + string.ascii_uppercase, k=8)) if letters else _digits(rng, 8)
        stem += "000" + rng.choice("1123")
        number = stem + cnpj.calc_check_digits(stem)
        if cnpj.is_valid(number) and (not letters or not number.isdigit()):
            return number


def new_pis(rng: random.Random) -> str:
    while True:
        number = _search(rng, rng.choice("12") + _digits(rng, 9), 1, is_pis)
        if number:
            return number


def new_cnh(rng: random.Random) -> str:
    while True:
        number = _search(rng, _digits(rng, 9), 2, is_cnh)
        if number:
            return number


def new_titulo(rng: random.Random) -> str:
    while True:
        number = _search(rng, _digits(rng, 8) + f"{rng.randint(1, 28):02d}", 2, is_titulo)
        if number:
            return number


def new_card(rng: random.Random) -> str:
    prefix, length = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("37", 15), ("34", 15), ("6011", 16), ("36", 14), ("3530", 16), ("6362", 16)]
    )
    stem = prefix + _digits(rng, length - len(prefix) - 1)
    return stem + luhn.calc_check_digit(stem)


_IBANS = {"DE": "d" * 18, "BR": "d" * 23 + "ad", "NL": "aaaa" + "d" * 10}


def new_iban(rng: random.Random) -> str:
    country = rng.choice(["DE", "BR", "NL"])  # those without national check digits to compute
    sets = {"d": string.digits, "a": string.ascii_uppercase}
    while True:
        body = "".join(rng.choice(sets[kind]) for kind in _IBANS[country])
        for check in range(2, 99):
            if iban.is_valid(number := f"{country}{check:02d}{body}"):
                return number


def _grouped(number: str, sizes: Sequence[int], separators: Sequence[str]) -> str:
    parts, position = [], 0
    for index, size in enumerate(sizes):
        parts.append(number[position : position + size] + (separators[index] if index < len(separators) else ""))
        position += size
    return "".join(parts)


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _odd(rng: random.Random, formatted: str) -> str:
    """A formatted number as word processors, chats and OCR write it."""
    return rng.choice(
        [
            formatted,
            formatted,
            formatted,
            formatted.replace("-", "\u2013"),
            formatted.replace("-", "\u2011"),
            formatted.replace(".", "\u00a0"),
            _wide(formatted),
            formatted.replace("-", "-\n"),
            formatted.replace(".", ".\u200b"),
            formatted.replace("-", " - "),
        ]
    )


def _person(rng: random.Random, bare: bool) -> str:
    number = new_cpf(rng)
    if bare:
        return rng.choice([number, _grouped(number, (3, 3, 3, 2), " " * 3), _grouped(number, (9, 2), "-")])
    return _odd(rng, _grouped(number, (3, 3, 3, 2), "..-"))


def _company(rng: random.Random, bare: bool) -> str:
    number = new_cnpj(rng, letters=rng.random() < 0.3)
    return number if bare else _odd(rng, _grouped(number, (2, 3, 3, 4, 2), "../-"))


def _mobile(rng: random.Random, bare: bool) -> str:
    while True:
        number = rng.choice(["11", "21", "31", "41", "51", "61", "71", "81", "85", "19"]) + "9" + rng.choice("6789") + _digits(rng, 7)
        if phonenumbers.is_valid_number(phonenumbers.parse("+55" + number)):
            break
    ddd, a, b = number[:2], number[2:7], number[7:]
    if bare:
        return rng.choice([number, "55" + number, f"{ddd} {a} {b}"])
    return rng.choice(
        [
            f"({ddd}) {a}-{b}",
            f"+55 {ddd} {a}-{b}",
            f"+55{number}",
            f"({ddd}){a}{b}",
            f"{ddd} {a}-{b}",
            f"({ddd}) 9 {a[1:]}-{b}",
            f"0{ddd} {a}-{b}",
        ]
    )


def _foreign(rng: random.Random) -> str:
    while True:
        area, a, b = rng.choice(["212", "415", "312", "617", "206"]), rng.choice("23456789") + _digits(rng, 2), _digits(rng, 4)
        number = rng.choice([f"+1 {area}-{a}-{b}", f"({area}) {a}-{b}", f"{area}-{a}-{b}", f"+1{area}{a}{b}"])
        if a[1:] != "11" and phonenumbers.is_valid_number(phonenumbers.parse(number, "US")):
            return number


_FIRST = ["ana", "joao", "maria", "pedro", "lucas", "john", "emily", "sarah", "rafael", "carla", "michael"]
_LAST = ["silva", "souza", "smith", "oliveira", "jones", "costa", "brown", "lima"]


def _email(rng: random.Random) -> str:
    user = rng.choice(_FIRST) + rng.choice([".", "_", "", "-"]) + rng.choice(_LAST) + rng.choice(["", "", str(rng.randint(1, 99))])
    domain = rng.choice(["gmail.com", "empresa.com.br", "example.org", "uol.com.br", "mail.acme.co.uk"])
    return f"{user}{rng.choice(['', '', '+news'])}@{domain}"


def _secret(rng: random.Random) -> str:
    alphabet = string.ascii_letters + string.digits
    some = lambda count: "".join(rng.choices(alphabet, k=count))  # noqa: E731
    return rng.choice(
        [
            lambda: "sk-" + some(48),
            lambda: "sk-proj-" + some(60),
            lambda: "sk-ant-api03-" + some(80),
            lambda: "AKIA" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=16)),
            lambda: "ghp_" + some(36),
            lambda: "xoxb-" + _digits(rng, 11) + "-" + some(24),
            lambda: "AIza" + some(35),
            lambda: "eyJ" + some(20) + ".eyJ" + some(40) + "." + some(43),
            lambda: "-----BEGIN RSA PRIVATE KEY-----\n" + some(64) + "\n" + some(40) + "==\n-----END RSA PRIVATE KEY-----",
        ]
    )()


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return "2804:" + ":".join(f"{rng.randint(0x100, 0xFFFF):x}" for _ in range(7))
    return f"{rng.choice([189, 177, 200, 54, 10, 192])}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(10, 254)}"


def _ssn(rng: random.Random) -> str:
    return f"{rng.randint(1, 665):03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def _cep(rng: random.Random) -> str:
    return f"{rng.randint(1000, 99999):05d}-{_digits(rng, 3)}"


VALUES: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "cpf": ("CPF", lambda rng: _person(rng, False)),
    "cpf_bare": ("CPF", lambda rng: _person(rng, True)),
    "cnpj": ("CNPJ", lambda rng: _company(rng, False)),
    "cnpj_bare": ("CNPJ", lambda rng: _company(rng, True)),
    "pis": ("PIS", lambda rng: _odd(rng, _grouped(new_pis(rng), (3, 5, 2, 1), "..-"))),
    "pis_bare": ("PIS", new_pis),
    "cnh": ("CNH", new_cnh),
    "titulo": ("TITULO", lambda rng: _grouped(new_titulo(rng), (4, 4, 4), "  ")),
    "titulo_bare": ("TITULO", new_titulo),
    "card": (
        "CARD",
        lambda rng: (
            lambda n: _grouped(
                n, (4, 4, 4, 4) if len(n) == 16 else (4, 6, len(n) - 10), rng.choice([" ", "-"]) * (3 if len(n) == 16 else 2)
            )
        )(new_card(rng)),
    ),
    "card_bare": ("CARD", new_card),
    "iban": ("IBAN", lambda rng: (lambda n: rng.choice([n, " ".join(n[i : i + 4] for i in range(0, len(n), 4))]))(new_iban(rng))),
    "phone": ("PHONE", lambda rng: _mobile(rng, False)),
    "phone_bare": ("PHONE", lambda rng: _mobile(rng, True)),
    "phone_us": ("PHONE", _foreign),
    "email": ("EMAIL", _email),
    "secret": ("SECRET", _secret),
    "ip": ("IP", _ip),
    "ssn": ("SSN", _ssn),
    "cep": ("CEP", _cep),
    "pix": ("PIX", lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4))),
}


def _moment(rng: random.Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.random() * 3e7)


DISTRACTORS: dict[str, Callable[[random.Random], str]] = {
    "order": lambda rng: rng.choice(
        [
            _digits(rng, 11),
            _digits(rng, 10),
            _digits(rng, 9),
            f"{_digits(rng, 3)}-{_digits(rng, 7)}-{_digits(rng, 7)}",
            f"BR-{_digits(rng, 8)}",
        ]
    ),
    "request": lambda rng: f"req-{rng.getrandbits(24):06x}",
    "hex": lambda rng: f"{rng.getrandbits(160):040x}"[: rng.choice([24, 32, 40])],
    "uuid": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "date": lambda rng: _moment(rng).strftime(
        rng.choice(["%Y-%m-%d", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S.%fZ", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S"])
    ),
    "epoch": lambda rng: str(int(_moment(rng).timestamp() * rng.choice([1, 1000]))),
    "price": lambda rng: rng.choice(
        [
            f"R$ {rng.random() * 1e6:,.2f}".replace(",", "_").replace(".", ",").replace("_", "."),
            f"US$ {rng.random() * 1e5:,.2f}",
            f"{rng.random():.12f}",
        ]
    ),
    "version": lambda rng: rng.choice(["version {}.{}.{}.{}", "v{}.{}.{}.{}", "build {}.{}.{}.{}"]).format(
        *(rng.randint(0, 20) for _ in range(4))
    ),
    "tracking": lambda rng: rng.choice([f"AA{_digits(rng, 9)}BR", f"1Z{_digits(rng, 6)}{_digits(rng, 10)}", f"LP{_digits(rng, 14)}"]),
    "iban_like": lambda rng: rng.choice(["DE", "GB", "FR"]) + "00" + _digits(rng, 18),
    "model": lambda rng: f"gpt-4o-mini-2024-07-{rng.randint(10, 28)}",
    "amount": lambda rng: rng.choice(
        [
            f"{rng.randint(1, 9)}.{_digits(rng, 3)}.{_digits(rng, 3)}",
            f"{rng.randint(1, 99)},{_digits(rng, 3)},{_digits(rng, 3)}",
            f"{rng.randint(10, 99)}%",
        ]
    ),
}

TUNING: dict[str, Sequence[str]] = {
    "pt": (
        "Olá, meu CPF é {cpf} e o pedido é {order}.",
        "cpf: {cpf_bare}",
        "O cliente {cpf_bare} pediu reembolso de {price} em {date}.",
        "Empresa com CNPJ {cnpj}, nota emitida em {date}.",
        "CNPJ {cnpj_bare}",
        "Meu PIS é {pis}, e o NIT do meu pai é {pis_bare}.",
        "CNH {cnh} vence em {date}",
        "título de eleitor {titulo}; título: {titulo_bare}",
        "Cartão {card}, validade 12/29.",
        "paguei com o cartão {card_bare} o valor {price}",
        "IBAN {iban} para a transferência",
        "Me liga no {phone} ou manda para {email}",
        "whatsapp {phone_bare}",
        "Moro na Rua das Flores, 123, Centro, CEP {cep}",
        "chave pix aleatória {pix}",
        "Acesso negado do IP {ip} às 14:32, request {request}",
        "use a chave {secret} no servidor",
        "Pedido {order} de {date}, valor {price}, rastreio {tracking}.",
        "Commit {hex}, sessão {uuid}, {epoch}, {version}.",
        "O modelo {model} gastou {amount} tokens em {date}",
    ),
    "en": (
        "Hi, my CPF is {cpf} and the order number is {order}.",
        "customer {cpf_bare} asked for a refund of {price}",
        "Company registration (CNPJ) {cnpj}",
        "My card {card} was charged {price} on {date}.",
        "card number {card_bare}",
        "IBAN: {iban}",
        "Call me at {phone_us} or {phone}, or write to {email}.",
        "My SSN is {ssn}.",
        "login from {ip} at {date}",
        "export KEY={secret}",
        "Order {order} shipped on {date}; tracking {tracking}.",
        "trace {hex} id {uuid} ts {epoch} {version}",
        "{model} used {amount} tokens, {price}",
        "Not an account: {iban_like}",
    ),
}

HELD_OUT: dict[str, Sequence[str]] = {
    "pt": (
        "Boa tarde! Preciso atualizar o cadastro: {cpf}, fone {phone_bare}. Obrigada",
        "segue o documento do titular ({cpf}) para a compra de {date}, no total de {price}",
        "{cpf_bare}",
        "pode consultar o cpf {cpf_bare}? o protocolo do atendimento foi {order}",
        "Fornecedor: {cnpj} - razão social Padaria Dois Irmãos Ltda. Boleto de {price}",
        "favor faturar para o cnpj {cnpj_bare} até {date}",
        "Número do PIS/PASEP: {pis_bare}. Sacar {price}",
        "consta no extrato do FGTS o número {pis}",
        "minha carteira de habilitação tem registro {cnh}, emitida em {date}",
        "Título eleitoral nº {titulo}, zona 123, seção 45",
        "o cartão final não passou, é o {card}, cvv eu mando depois",
        "Dados: {card_bare}; nome no cartão JOAO SILVA",
        "conta no exterior: {iban}.",
        "Contato da Ana: {phone} / {email}",
        "Oi, aqui é o Pedro, {phone}. Meu pedido {order} não chegou, código de rastreio {tracking}",
        "Entrega na Avenida Paulista, 1578, apto 42, Bela Vista, São Paulo - SP, {cep}",
        "Te passei o pix: chave {pix}",
        "bloqueie {ip}, está atacando o servidor desde {date}",
        "vazou no log: {secret}\nrevoguem por favor",
        "A transação {uuid} de {price} foi processada em {date} (hash {hex}).",
        "Erro 500 em {epoch}; request {request}; build {hex}",
        "Comparando {model} com a {version}: {amount} requisições e custo {price}",
        "Nota fiscal número {order}, emitida em {date}, total {price}",
        "Os resultados foram 0.123456789012, 3.14159265 e {amount} no período de 2019-2026.",
    ),
    "en": (
        "Please update my records: tax id {cpf}, phone {phone_us}. Thanks!",
        "{cpf}",
        "She wrote that her CPF was {cpf_bare} and that ticket {order} is still open",
        "Supplier {cnpj} sent an invoice over {price}",
        "The worker's PIS is {pis}",
        "Brazilian driver's license {cnh}",
        "it was paid with {card} on {date}",
        "My Visa: {card_bare}",
        "Wire it to {iban}, please.",
        "You can reach me on {phone} after 5pm; {email} works too",
        "Her social security number is {ssn}, born {date}",
        "Requests from {ip} are rejected since {date}",
        "I accidentally pasted {secret} here",
        "send it by Pix, the random key is {pix}",
        "Invoice {order} of {date}: {price}",
        "Deployed {hex} as {version}; job {uuid} finished at {epoch}",
        "ids: {request}, {hex}, {uuid}",
        "The parcel {tracking} left on {date}",
        "We compared {model}: {amount} tokens and {price} per call",
        "Account reference {iban_like} was rejected",
        "Between 1990-2020 the series rose from {amount} to {amount}, i.e. by 12.5%",
    ),
}


def generate(seed: int, count: int, templates: dict[str, Sequence[str]]) -> Iterator[Labelled]:
    """`count` labelled texts, from the templates of both languages in turn."""
    rng = random.Random(seed)
    pool = [(language, template) for language, some in templates.items() for template in some]
    for index in range(count):
        language, template = pool[index % len(pool)]
        text = ""
        labels: list[tuple[str, int, int]] = []
        for literal, name, _, _ in string.Formatter().parse(template):
            text += literal
            if name in VALUES:
                kind, make = VALUES[name]
                value = make(rng)
                labels.append((kind, len(text), len(text) + len(value)))
                text += value
            elif name:
                text += DISTRACTORS[name](rng)
        yield Labelled(language, text, labels)
