"""Text in plain ASCII: what n-grams of words are taken of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from agents.inspection.folding import Folding, in_ascii

__all__ = ["plain", "spaced", "translation"]

_QUOTES: Final = {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "´": "'"}


def translation(kept: bytes) -> bytes:
    """For `bytes.translate`: letters in lower case, digits and `kept` stay, all else becomes a
    blank."""
    return bytes(
        b if b in kept else ord(chr(b).lower()) if b < 128 and chr(b).isalnum() else 32
        for b in range(256)
    )


_WORDS: Final = translation(b"")
_folds: Final = Folding(lambda character: in_ascii(_QUOTES.get(character, character)))


def _folded(text: str) -> bytes:
    """ASCII for `text`: accents, zero-width characters and letters in disguise (full width, mathematical) are resolved."""
    return text.translate(_folds).encode()


class _Codec(NamedTuple):
    """An encoding of one byte a character, and what `_folded` makes of each: nearly all text that is not ASCII has one."""

    name: str
    table: bytes
    dropped: bytes
    longer: tuple[tuple[bytes, bytes], ...]
    """Characters that stand for several: `½`, `…`."""


def _codec(name: str) -> _Codec:
    folded = {b: _folded(bytes((b,)).decode(name, "ignore")) for b in range(256)}
    return _Codec(
        name,
        bytes(to[0] if to else b for b, to in folded.items()),
        bytes(b for b, to in folded.items() if not to),
        tuple((bytes((b,)), to) for b, to in folded.items() if len(to) > 1),
    )


_CODECS: Final = (_codec("latin-1"), _codec("cp1252"))


def plain(text: str) -> bytes:
    """`text` in ASCII without apostrophes (`can't` is `cant`); character by character what Unicode's compatibility decomposition (NFKD,
    UAX 15) leaves of it."""
    data = text.encode() if text.isascii() else _plain(text)
    return data.replace(b"'", b"") if b"'" in data else data


def _plain(text: str, codecs: Sequence[_Codec] = _CODECS) -> bytes:
    for codec in codecs:
        try:
            data = text.encode(codec.name)
        except UnicodeEncodeError:
            continue
        for written, read in codec.longer:
            if written in data:
                data = data.replace(written, read)
        return data.translate(codec.table, codec.dropped)
    return _folded(text)


_NONE, _SEVERAL = b"\0", b"\1"


def _word_byte(character: str) -> int:
    """Its letter, digit or blank in plain words, or one of the signs that it has none or several there."""
    folded = _folded(character).replace(b"'", b"")
    return _WORDS[folded[0]] if len(folded) == 1 else (_SEVERAL if folded else _NONE)[0]


_AT_ONCE: Final = bytes(_word_byte(chr(b)) for b in range(256))


def spaced(text: str) -> bytes:
    """`text` in plain ASCII as words in lower case between blanks. One translation does for Latin-1, which nearly all text is."""
    try:
        data = text.encode("latin-1").translate(_AT_ONCE)
    except UnicodeEncodeError:
        return _spaced(_plain(text, _CODECS[1:]))
    if _SEVERAL in data:
        return _spaced(_plain(text))
    return b" %b " % (data.replace(_NONE, b"") if _NONE in data else data)


def _spaced(data: bytes) -> bytes:
    return b" %b " % data.replace(b"'", b"").translate(_WORDS)
