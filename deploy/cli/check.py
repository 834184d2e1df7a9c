"""What one check of ``mirante doctor`` says."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Check(NamedTuple):
    """What was looked at, how it is, and what to do if it is not well."""

    check: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""
