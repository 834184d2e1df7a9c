"""Durations as people write them: ``90s``, ``30m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def duration(text: str) -> timedelta:
    """The duration that ``text`` says; longer than nothing and at most ten years. Raises ValueError with what to write instead."""
    match = _DURATION.fullmatch(text.strip())
    numbers = [int(group or 0) for group in match.groups()] if match else []
    if not any(numbers):
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 30m, 1h30m or 2d")
    days, hours, minutes, seconds = numbers
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > 3650 * 86_400:
        raise ValueError(f"{text!r} is longer than ten years")
    return timedelta(seconds=total)
