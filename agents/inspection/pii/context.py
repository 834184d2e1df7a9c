"""What the words around a number say about it, in English and Portuguese."""

from __future__ import annotations

import re
from typing import NamedTuple

from agents.inspection.folding import without_accents

BLANK = "\0"
"""Stands for what is already found, masked or known to be something else. Context does not reach beyond it."""

_BEFORE = 48
_AFTER = 24

_WORDS = {
    "CPF": r"cpfs?|cadastro de pessoas? fisicas?",
    "CNPJ": r"cnpjs?",
    "PIS": r"pis|pasep|nit|nis",
    "CNH": r"cnh|habilitacao|carteira de motorista|driver'?s? licen[cs]e|driving licen[cs]e",
    "TITULO": r"titulo(?: de)? eleitor(?:al)?|titulo|voter",
    "RG": r"rg|registro geral",
    "PHONE": r"telefones?|tel|telefono|telefon|fones?|celular(?:es)?|cel|whats ?app|whats|zap|phones?|telephone|mobile"
    r"|cell|call(?: me| us)?|ligue|ligar|liga|contatos?|contact|sms|fax|text me|reach me",
    "CARD": r"cartao|cartoes|cards?|visa|mastercard|amex|hipercard|credito|debito|pan",
    "SSN": r"ssn|social security",
    "CEP": r"cep|endereco|moro|entrega|address",
    "IP": r"ip|ips|ipv4|ipv6|host|servidor|server|address|endereco|login|dns|client",
    "PIX": r"pix|chave aleatoria|random key",
    "IBAN": r"iban",
    "VERSION": r"v|ver|version|versao|release|build|chrome|firefox|safari|edge|firmware|driver|secao|section|clause|clausula|item",
    "OTHER": r"pedidos?|orders?|protocolos?|protocol|tickets?|rastreio|rastreamento|tracking|nota fiscal|nfe?|boleto|codigo de barras"
    r"|barcode|ean|sku|ids?|invoice|fatura|transactions?|transacao|ref|reference|referencia|lote|batch|serial|serie|processo|case|chamado|products?|produtos?|contrato|contract"
    r"|hash|timestamp|epoch|imei|isbn|matricula|apolice|policy|parcel|shipment|encomenda|tamanho|bytes|size|job|run|request|req|trace|span|seed",
}
"""VERSION and OTHER are what personal data is not."""

_ALL = re.compile(r"(?<![a-z])(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _WORDS.items()) + r")(?![a-z])")
_LINK = r"(?:[\W_]|\d{1,2}(?!\d)|(?<![a-z])(?:n|no|nr|num|numero|number|de|do|da|e|is|are|was|foi|of|my|meu|code|codigo|id)(?![a-z])){0,8}"
_CLOSE = re.compile(r"(?<![a-z])(?:" + _WORDS["OTHER"] + "|" + _WORDS["VERSION"] + r")(?![a-z])" + _LINK + "$")
_TELEPHONE = re.compile(r"(?<![a-z])(?:" + _WORDS["PHONE"] + r")(?![a-z])" + _LINK + "$")
_HASH = re.compile(r"#\s?$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TRAILING = re.compile(r"^[\s,]{0,2}[(\[\-]\s?(?:my |meu |o |a )?(?=[a-z])")


class WordContext(NamedTuple):
    """`kind` of the nearest word, if any; `other`: the number is named as something else, right before it (`close`) or somewhere near."""

    kind: str | None
    other: bool
    close: bool


def _plain(text: str) -> str:
    return _CAMEL.sub(" ", without_accents(text)).lower()


def called_telephone(text: str, start: int) -> bool:
    """Whether what begins at text[start] is called a telephone, with nothing but signs and small words between."""
    return bool(_TELEPHONE.search(_plain(text[max(0, start - _BEFORE) : start].rpartition(BLANK)[2])))


class Before(NamedTuple):
    """What stands before a number. `kind`: of the nearest word; `direct`: nothing but signs is between; `other`, `close`: as of Context."""

    kind: str | None
    direct: bool
    other: bool
    close: bool


def before(text: str, start: int, *, reach: int = _BEFORE) -> Before:
    """The words in the `reach` characters before text[start]."""
    plain = _plain(text[max(0, start - reach) : start].rpartition(BLANK)[2])
    kind: str | None = None
    other = direct = False
    for match in _ALL.finditer(plain):
        if match.lastgroup in ("OTHER", "VERSION"):
            other = True
        kind = match.lastgroup
        direct = not any(character.isalnum() for character in plain[match.end() :])
    return Before(kind, direct, other, bool(_CLOSE.search(plain)) or bool(_HASH.search(plain)))


def around(words: Before, text: str, end: int) -> WordContext:
    """The context of what ends at text[end], `words` before it. A word right before counts rather than one after, in brackets or behind a
    dash."""
    after = _plain(text[end : end + _AFTER].partition(BLANK)[0])
    trailing = _TRAILING.match(after)
    if trailing is not None and not words.direct:
        match_after = _ALL.match(after, trailing.end())
        if match_after is not None:
            return WordContext(match_after.lastgroup, words.other, False)
    return WordContext(words.kind, words.other or words.close, words.close)


def context(text: str, start: int, end: int, *, reach: int = _BEFORE) -> WordContext:
    """The context of text[start:end]."""
    return around(before(text, start, reach=reach), text, end)
