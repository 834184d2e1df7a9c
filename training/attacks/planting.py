"""Documents with an instruction hidden in them."""

from __future__ import annotations

import random
import re
from typing import Final

__all__ = ["HOSTS", "plant"]

HOSTS: Final = ("e-mails (BIPIA)", "tables (BIPIA)", "code (Python)")
"""Sources of documents in which instructions are hidden to measure."""


def plant(document: str, order: str, rng: random.Random) -> str:
    """``document`` with ``order`` at its beginning, in the middle or at its end."""
    by_line = document.count("\n") > 8
    lines = re.split(r"\n" if by_line else r"(?<=[.!?])\s|\n", document)
    lines.insert(rng.choice((0, len(lines) // 2, len(lines))), order)
    return "\n".join(lines)
