"""What a detector reports."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "CPF", "CNPJ", "RG", "PIS", "CNH", "TITULO", "PHONE", "CEP", "STREET", "EMAIL", "CARD", "IBAN", "PIX", "IP", "SECRET", "SSN",
    "DNI", "NIE", "CODICE_FISCALE", "AADHAAR", "PAN", "TFN", "ABN", "NRIC", "SIN", "PESEL", "STEUER_ID", "NHS", "NINO", "ROUTING", "ITIN",
    "PASSPORT", "LICENCE", "ACCOUNT", "BIRTH", "BITCOIN", "MAC", "UNREAD",
]  # fmt: skip
"""`PIX` is a random key (a UUID); the other Pix keys are an EMAIL, a PHONE, a CPF or a CNPJ. `UNREAD` is what was too much to
look at: words with digits or an @, which may be anything."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class PiiSpan(NamedTuple):
    """Personal data at text[start:end]. `value` is its one normal form, however it was written."""

    kind: Kind
    start: int
    end: int
    value: str
