"""Personal data and secrets that are not plain numbers: e-mail, secrets, IP addresses, IBAN, CNPJ with letters, random Pix keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from stdnum import iban
from stdnum.br import cnpj

from agents.inspection.pii.context import context
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.span import Kind, PiiSpan

# Effort: to report something and put a tag in its place, to read an address or the like, to judge by the words around.
_SPAN, _PARTS, _JUDGED = 3.0, 4.0, 18.0

_USER = re.compile(r"(?<![\w.%+\-])[\w%+\-](?:[\w.%+'\-]{0,62}[\w%+\-])?\Z")
_DOMAIN = re.compile(r"@(?:[^\S\n]*+\n\s*+)?((?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24})(?![\w\-])")
_LONGEST_USER = 64
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
    )
)
"""How every such secret begins, and what it looks like: to find the beginning first is ten times as fast."""
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY-----")
_KEY = re.compile(r"[A-Za-z0-9+/=\s:,\-]*+")
_LONGEST_KEY = 20_000
_TOKEN = re.compile(r"(?<![\w\-])(?P<head>[\w\-]{11,}+)(?=\.[\w\-]{8,}+\.(?P<rest>[\w\-]{6,}+))")
"""Every run of a token's characters is read three times at most; a pattern that begins with the mark would read it from each."""
_TOKEN_BEGINS = re.compile(r"(?<![A-Za-z0-9])eyJ(?=[\w\-]{8})")
_BEARER = re.compile(r"\bbearer\s+(?P<value>(?=[\w.~+/\-]*\d)[\w.~+/\-]{16,}=*)", re.IGNORECASE)
_OWNER = re.compile(r"(?:api|secret|access|private|auth|client)[_\- ]?(?:access[_\- ]?)?\Z", re.IGNORECASE)
_LONGEST_OWNER = 15
_NAMED = re.compile(
    r"(?:key|token|secret)[\"'\\]{0,3}\s{0,3}(?:[:=]|is|é)\s{0,3}[\"'\\]{0,3}"
    r"(?P<value>(?=[a-z+/_.\-]{0,127}+\d)(?=[0-9+/_.\-]{0,127}+[a-z])[a-z0-9+/_.\-]{20,}=*)",
    re.IGNORECASE,
)
"""A digit and a letter are looked for in the first 128 characters. What a key is called is read from right to left, where the last word of
its name is found: a word may begin anywhere."""

# A pattern that begins with a set of characters is searched several times as fast as one that begins by looking back.
_V4 = re.compile(r"[0-9](?<![\w.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|\.\d)")
_V6 = re.compile(r"[0-9a-fA-F](?<![\w:.].)[0-9a-fA-F]{2,3}:[0-9a-fA-F:]{3,35}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_IBAN = re.compile(r"[A-Za-z](?<![A-Za-z0-9].)[A-Za-z][0-9]{2}(?:[ \-]?[A-Za-z0-9]{4}){2,7}(?:[ \-]?[A-Za-z0-9]{1,3})?(?![A-Za-z0-9])")
_IBAN_SHORTEST = 15
_IBAN_REACH = 48
_CNPJ = re.compile(
    r"[0-9A-Za-z](?<![0-9A-Za-z].)[0-9A-Za-z][.\s]{0,2}[0-9A-Za-z]{3}[.\s]{0,2}[0-9A-Za-z]{3}[/\s]{0,3}[0-9A-Za-z]{4}[\-\s]{0,3}\d{2}(?![0-9A-Za-z])"
)
_PIX_REACH = 80
_PIX_WORDS = ("pix", "aleat", "random")
_PIX_KEY = re.compile(
    r"[0-9a-fA-F](?<![0-9A-Za-z].)[0-9a-fA-F]{7}(?:[ \-_.:/]{0,3}[0-9a-fA-F]{4}){3}[ \-_.:/]{0,3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
)
UUID = re.compile(r"[0-9a-fA-F](?<![0-9A-Za-z].)[0-9a-fA-F]{7}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])")


def secrets(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """Keys and tokens by the prefixes their issuers give them, private keys, and values named as a secret."""
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    for mark, pattern in _ISSUED:
        position, ahead = 0, mark == "k_"  # sk_, rk_
        for start in _all(text, mark):
            match = pattern.match(text, start - ahead) if start - ahead >= position else None
            if match is not None:
                position = match.end()
                yield _found(effort, "SECRET", match.start(), position, match.group())
    if "eyJ" in text:
        yield from _web_tokens(text, effort)
    lower = _lower(text)
    for start in _all(lower, "bearer"):
        if (token := _BEARER.match(text, start)) is not None:
            yield _found(effort, "SECRET", *token.span("value"), token.group("value"))
    for mark in ("key", "token", "secret"):
        position = 0
        for start in _all(lower, mark):
            named = _NAMED.match(text, start) if start >= position else None
            if named is not None and _OWNER.search(text, max(position, start - _LONGEST_OWNER), start) is not None:
                position = named.end()
                yield _found(effort, "SECRET", *named.span("value"), named.group("value"))


def _lower(text: str) -> str:
    """In lower case, one character for one."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)


def _all(text: str, word: str) -> Iterator[int]:
    start = text.find(word)
    while start >= 0:
        yield start
        start = text.find(word, start + 1)


def _private_keys(text: str) -> Iterator[PiiSpan]:
    """PEM: to its end, or as far as it may go if that is not there."""
    position = 0
    last, after = -1, -1
    while (begin := _KEY_BEGINS.search(text, position)) is not None:
        if last < begin.end():  # not sought again for each beginning
            ends = _KEY_ENDS.search(text, begin.end())
            last, after = ends.span() if ends is not None else (len(text) + _LONGEST_KEY + 1, -1)
        if last - begin.end() <= _LONGEST_KEY:
            position = after
        else:
            rest = _KEY.match(text, begin.end())
            position = rest.end() if rest is not None else begin.end()
        yield PiiSpan("SECRET", begin.start(), position, text[begin.start() : position])


def _web_tokens(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """JWT."""
    position = 0
    for match in _TOKEN.finditer(text):
        begin = _TOKEN_BEGINS.search(text, max(position, match.start()), match.end())
        if begin is not None:
            position = match.end("rest")
            yield _found(effort, "SECRET", begin.start(), position, text[begin.start() : position])


def _found(effort: Effort, kind: Kind, start: int, end: int, value: str) -> PiiSpan:
    effort.spend(_SPAN)
    return PiiSpan(kind, start, end, value)


def emails(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """E-mail addresses, also written with "at"/"arroba" and "dot"/"ponto"."""
    position = 0
    for match in _DOMAIN.finditer(text):  # from the sign to the left: a word may begin anywhere
        sign = match.start()
        name = _USER.search(text, max(position, sign - _LONGEST_USER), sign)
        if name is not None:
            position = match.end()
            address = f"{name.group()}@{match.group(1)}".lower()
            if not address.startswith("git@") and address.rpartition(".")[2] not in _FILES:
                yield _found(effort, "EMAIL", name.start(), match.end(), address)
    lower = text.lower()
    for match in _SPOKEN.finditer(text) if any(word in lower for word in _AT) else ():
        user, at, host, rest = match.groups()
        written = at.strip().lower() == "at" and not _SPOKEN_DOT.search(rest)
        if written and (host.lower() not in _MAILERS or not re.search(r"[\d._]", user)):
            continue  # "look at example.com"
        yield _found(effort, "EMAIL", match.start(), match.end(), f"{user}@{host}{_SPOKEN_DOT.sub('.', rest)}".lower())


def addresses(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """IPv4 and IPv6 addresses of hosts; neither versions and section numbers nor loopback, unspecified and netmask addresses."""
    for match in _V4.finditer(text):
        if effort.spent:
            return
        effort.spend(_PARTS)
        octets = match.group().split(".")
        if any(int(octet) > 255 or (len(octet) > 1 and octet[0] == "0") for octet in octets):
            continue
        address = ipaddress.IPv4Address(match.group())
        if address.is_loopback or address.is_unspecified or octets[0] in ("0", "255"):
            continue
        effort.spend(_JUDGED)
        around = context(text, match.start(), match.end(), reach=24)
        if around.kind != "IP" and (around.kind == "VERSION" or around.close or all(len(octet) == 1 for octet in octets)):
            continue
        if text[match.start() - 1 : match.start()] == "/" and text[match.start() - 2 : match.start() - 1].isalpha():
            continue  # Chrome/120.0.0.0
        yield PiiSpan("IP", match.start(), match.end(), str(address))
    for match in _V6.finditer(text) if "::" in text or text.count(":") >= 7 else ():
        if effort.spent:
            return
        effort.spend(_JUDGED)
        written = match.group() if match.group().endswith("::") else match.group().rstrip(":")
        try:
            value = str(ipaddress.IPv6Address(written))
        except ValueError:
            continue
        if any(character.isdigit() for character in written):
            yield PiiSpan("IP", match.start(), match.start() + len(written), value)


def ibans(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """IBANs with valid check digits, country and length; in lower case only where the word IBAN is near."""
    for match in _IBAN.finditer(text):
        if effort.spent:
            return
        written = match.group()
        if not written.isupper() and not written[:2].isupper():
            near = text[max(0, match.start() - _IBAN_REACH) : match.end() + _IBAN_REACH]
            if near.isascii() and "iban" not in near.lower():
                continue
            effort.spend(_JUDGED)
            if context(text, *match.span()).kind != "IBAN":
                continue
        # a word may follow after a space: the IBAN ends where it is valid
        for end in range(len(written), _IBAN_SHORTEST - 1, -1):
            if end < len(written) and written[end] not in " -":
                continue
            effort.spend(_PARTS)
            compact = written[:end].replace(" ", "").replace("-", "").upper()
            if 2 <= int(compact[2:4]) <= 98 and _mod97(compact) and iban.is_valid(compact):  # ISO 13616: 00, 01 and 99 are not used
                yield PiiSpan("IBAN", match.start(), match.start() + end, compact)
                break


def _mod97(compact: str) -> bool:
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def companies(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """CNPJ with letters (in use since July 2026): formatted, or where the word CNPJ is near."""
    for match in _CNPJ.finditer(text) if "/" in text or "cnpj" in text.lower() else ():
        if effort.spent:
            return
        effort.spend(_JUDGED)
        written = match.group()
        number = re.sub(r"[^0-9A-Za-z]", "", written).upper()
        if number.isdigit() or not cnpj.is_valid(number):
            continue
        if "/" in written or context(text, *match.span()).kind == "CNPJ":
            yield PiiSpan("CNPJ", match.start(), match.end(), number)


def pix_keys(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """Random Pix keys: UUIDs, with or without hyphens, where the text speaks of Pix."""
    lower = text.lower()
    if text.isascii() and not any(word in lower for word in _PIX_WORDS):
        return
    for match in _PIX_KEY.finditer(text):
        near = text[max(0, match.start() - _PIX_REACH) : match.end() + _PIX_REACH]
        if near.isascii() and not any(word in near.lower() for word in _PIX_WORDS):
            continue
        if effort.spent:
            return
        effort.spend(_JUDGED)
        if context(text, *match.span(), reach=_PIX_REACH).kind == "PIX":
            key = "".join(filter(str.isalnum, match.group())).lower()
            yield PiiSpan("PIX", match.start(), match.end(), f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}")
