"""Passwords in addresses: taken out of what others can see, put back where a connection is made."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@")
_ADDRESS = re.compile(r"(--[\w-]+=)?https?://\S+")

URL = "MIRANTE_CLICKHOUSE_URL"


def without_password(text: str) -> str:
    """The text with every address in it as it may be shown: ``http://user@host``."""
    return _PASSWORD.sub(lambda found: f"{found[1]}@" if found[1] else "", text)


def with_password(url: str, known: str) -> str:
    """``url``; if it has no password, and ``known`` is the same server and user with one, then ``known``."""
    mine, theirs = urlsplit(url), urlsplit(known)
    if mine.password or not theirs.password or (mine.username or theirs.username) != theirs.username:
        return url
    return known if (mine.scheme, mine.hostname, mine.port) == (theirs.scheme, theirs.hostname, theirs.port) else url


def hide_passwords(arguments: Sequence[str] | None = None) -> None:
    """An address with a password among the program's arguments, which `ps` shows to all: begin again with it in the environment."""
    given = list(sys.orig_argv if arguments is None else arguments)
    addresses = [text for text in given if _ADDRESS.fullmatch(text) and without_password(text) != text]
    if not addresses:
        return
    full = addresses[-1]
    environment = {**os.environ, URL: full[full.index("http") :]}
    os.execve(sys.executable, [sys.executable, *map(without_password, given[1:])], environment)
