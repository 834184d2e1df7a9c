"""Names with `*`: as overrides, aliases and corrections write models and regions."""

from __future__ import annotations

import re
from collections.abc import Iterable


def compiled(patterns: Iterable[str]) -> re.Pattern[str]:
    """Matches a whole name in lower case if one of the `patterns` does; `*` stands for any run of
    characters."""
    return re.compile("|".join(_one(pattern) for pattern in patterns), re.DOTALL)


def _one(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.strip().lower().split("*"))
