"""Personal data and secrets that are not plain numbers: e-mail, secrets, IP addresses, IBAN, CNPJ with letters, random Pix keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from stdnum import iban
from stdnum.br import cnpj

from agents.guards.pii.context import context
from agents.guards.pii.span import Span

_EMAIL = re.compile(
    r"(?<![\w.%+\-])([\w%+\-](?:[\w.%+'\-]{0,62}[\w%+\-])?)@(?:\s*\n\s*)?((?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24})(?![\w\-])"
)
_SPOKEN = re.compile(
    r"(?<![\w.%+\-])([\w%+\-][\w.%+\-]{1,62}) ?(\[at\]|\(at\)| at | arroba ) ?"
    r"([a-z0-9\-]{2,40})((?:(?: ?\[dot\] ?| ?\(dot\) ?| dot | ponto |\.)[a-z]{2,10}){1,3})(?![\w\-@])",
    re.IGNORECASE,
)
_AT = ("[at]", "(at)", " at ", " arroba ")
_SPOKEN_DOT = re.compile(r" ?(?:\[dot\]|\(dot\)| dot | ponto ) ?", re.IGNORECASE)
_MAILERS = frozenset({"gmail", "hotmail", "outlook", "yahoo", "icloud", "live", "uol", "bol", "terra", "proton", "protonmail", "me", "msn"})
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "py", "md", "txt", "pdf"})

_ISSUED = tuple(
    (mark, re.compile(pattern))
    for mark, pattern in (
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[\s\S]{0,20000}?-----END [A-Z ]{0,30}PRIVATE KEY-----|[A-Za-z0-9+/=\s:,\-]*)",
        ),
        ("sk-", r"(?<![A-Za-z0-9])sk-(?:(?:proj|svcacct|admin|ant|or|lf)-[\w\-]{16,}|[A-Za-z0-9]{20,})"),
        ("AKIA", r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("ASIA", r"(?<![A-Za-z0-9])ASIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("gh", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,}"),
        ("github_pat_", r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{22,}"),
        ("glpat-", r"(?<![A-Za-z0-9])glpat-[\w\-]{20,}"),
        ("xox", r"(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9\-]{10,}"),
        ("AIza", r"(?<![A-Za-z0-9])AIza[\w\-]{35}"),
        ("k_", r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("hf_", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}"),
        ("gsk_", r"(?<![A-Za-z0-9])gsk_[A-Za-z0-9]{40,}"),
        ("npm_", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}"),
        ("SG.", r"(?<![A-Za-z0-9])SG\.[\w\-]{16,}\.[\w\-]{16,}"),
        ("ya29.", r"(?<![A-Za-z0-9])ya29\.[\w\-]{20,}"),
        ("eyJ", r"(?<![A-Za-z0-9])eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{6,}"),
    )
)
"""A text every such secret contains, and what it looks like."""
_NAMED = tuple(
    (mark, re.compile(pattern, re.IGNORECASE))
    for mark, pattern in (
        ("bearer", r"\bbearer\s+(?P<value>(?=[\w.~+/\-]*\d)[\w.~+/\-]{16,}=*)"),
        *(
            (
                mark,
                r"(?:api|secret|access|private|auth|client)[_\- ]?(?:access[_\- ]?)?"
                + mark
                + r"[\"'\\]{0,3}\s{0,3}(?:[:=]|is|é)\s{0,3}[\"'\\]{0,3}"
                r"(?P<value>(?=[a-z0-9+/_.\-]*\d)(?=[0-9+/_.\-]*[a-z])[a-z0-9+/_.\-]{20,}=*)",
            )
            for mark in ("key", "token", "secret")
        ),
    )
)

# A pattern that begins with a set of characters is searched several times as fast as one that begins by looking back.
_V4 = re.compile(r"[0-9](?<![\w.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|\.\d)")
_V6 = re.compile(r"[0-9a-fA-F](?<![\w:.].)[0-9a-fA-F]{2,3}:[0-9a-fA-F:]{3,35}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_IBAN = re.compile(r"[A-Za-z](?<![A-Za-z0-9].)[A-Za-z][0-9]{2}(?:[ \-]?[A-Za-z0-9]{4}){2,7}(?:[ \-]?[A-Za-z0-9]{1,3})?(?![A-Za-z0-9])")
_IBAN_SHORTEST = 15
_CNPJ = re.compile(
    r"[0-9A-Za-z](?<![0-9A-Za-z].)[0-9A-Za-z][.\s]{0,2}[0-9A-Za-z]{3}[.\s]{0,2}[0-9A-Za-z]{3}[/\s]{0,3}[0-9A-Za-z]{4}[\-\s]{0,3}\d{2}(?![0-9A-Za-z])"
)
UUID = re.compile(r"[0-9a-fA-F](?<![0-9A-Za-z].)[0-9a-fA-F]{7}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])")


def secrets(text: str) -> Iterator[Span]:
    """Keys and tokens by the prefixes their issuers give them, private keys, and values named as a secret."""
    for mark, pattern in _ISSUED:
        if mark in text:
            for match in pattern.finditer(text):
                yield Span("SECRET", match.start(), match.end(), match.group())
    lower = text.lower()
    for mark, pattern in _NAMED:
        if mark in lower:
            for match in pattern.finditer(text):
                yield Span("SECRET", *match.span("value"), match.group("value"))


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, also written with "at"/"arroba" and "dot"/"ponto"."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            user, domain = match.group(1), match.group(2)
            if user.lower() != "git" and domain.rpartition(".")[2].lower() not in _FILES:
                yield Span("EMAIL", match.start(), match.end(), f"{user}@{domain}".lower())
    lower = text.lower()
    for match in _SPOKEN.finditer(text) if any(word in lower for word in _AT) else ():
        user, at, host, rest = match.groups()
        written = at.strip().lower() == "at" and not _SPOKEN_DOT.search(rest)
        if written and (host.lower() not in _MAILERS or not re.search(r"[\d._]", user)):
            continue  # "look at example.com"
        yield Span("EMAIL", match.start(), match.end(), f"{user}@{host}{_SPOKEN_DOT.sub('.', rest)}".lower())


def addresses(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses of hosts; neither versions and section numbers nor loopback, unspecified and netmask addresses."""
    for match in _V4.finditer(text):
        octets = match.group().split(".")
        if any(int(octet) > 255 or (len(octet) > 1 and octet[0] == "0") for octet in octets):
            continue
        address = ipaddress.IPv4Address(match.group())
        if address.is_loopback or address.is_unspecified or octets[0] in ("0", "255"):
            continue
        around = context(text, match.start(), match.end(), reach=24)
        if around.kind != "IP" and (around.kind == "VERSION" or around.close or all(len(octet) == 1 for octet in octets)):
            continue
        if text[match.start() - 1 : match.start()] == "/" and text[match.start() - 2 : match.start() - 1].isalpha():
            continue  # Chrome/120.0.0.0
        yield Span("IP", match.start(), match.end(), str(address))
    for match in _V6.finditer(text) if "::" in text or text.count(":") >= 7 else ():
        written = match.group() if match.group().endswith("::") else match.group().rstrip(":")
        try:
            value = str(ipaddress.IPv6Address(written))
        except ValueError:
            continue
        if any(character.isdigit() for character in written):
            yield Span("IP", match.start(), match.start() + len(written), value)


def ibans(text: str) -> Iterator[Span]:
    """IBANs with valid check digits, country and length; in lower case only where the word IBAN is near."""
    for match in _IBAN.finditer(text):
        written = match.group()
        if not written.isupper() and not written[:2].isupper() and context(text, *match.span()).kind != "IBAN":
            continue
        # a word may follow after a space: the IBAN ends where it is valid
        for end in range(len(written), _IBAN_SHORTEST - 1, -1):
            if end < len(written) and written[end] not in " -":
                continue
            compact = written[:end].replace(" ", "").replace("-", "").upper()
            if 2 <= int(compact[2:4]) <= 98 and _mod97(compact) and iban.is_valid(compact):  # ISO 13616: 00, 01 and 99 are not used
                yield Span("IBAN", match.start(), match.start() + end, compact)
                break


def _mod97(compact: str) -> bool:
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def companies(text: str) -> Iterator[Span]:
    """CNPJ with letters (in use since July 2026): formatted, or where the word CNPJ is near."""
    for match in _CNPJ.finditer(text) if "/" in text or "cnpj" in text.lower() else ():
        written = match.group()
        number = re.sub(r"[^0-9A-Za-z]", "", written).upper()
        if number.isdigit() or not cnpj.is_valid(number):
            continue
        if "/" in written or context(text, *match.span()).kind == "CNPJ":
            yield Span("CNPJ", match.start(), match.end(), number)


def pix_keys(text: str) -> Iterator[Span]:
    """Random Pix keys: UUIDs where the text speaks of Pix."""
    for match in UUID.finditer(text) if text.count("-") >= 4 else ():
        if context(text, *match.span(), reach=80).kind == "PIX":
            yield Span("PIX", match.start(), match.end(), match.group().lower())
