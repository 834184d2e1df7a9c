"""Numbers, durations and moments as people write them, in English and in Portuguese.

Numbers have as many digits as are worth reading. Two that are compared never read equal when they
differ: they get more digits, at most ``_MOST`` significant ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import floor, isfinite, log10
from typing import Literal

Language = Literal["en", "pt"]

Unit = Literal["share", "usd", "tokens", "count", "per_minute", "ms", "score", "times", "plain"]
"""``share``: 0 to 1, said in per cent. ``times``: how many times as much."""

_MOST = 7
_DIGITS: Mapping[Unit, int] = {
    "share": 2, "usd": 3, "tokens": 3, "count": 3, "per_minute": 2, "ms": 3, "score": 2, "times": 2, "plain": 3,
}  # fmt: skip
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0

_SPANS: Mapping[Language, Mapping[str, tuple[str, str]]] = {
    "en": {"s": ("second", "seconds"), "min": ("minute", "minutes"), "h": ("hour", "hours"), "d": ("day", "days")},
    "pt": {"s": ("segundo", "segundos"), "min": ("minuto", "minutos"), "h": ("hora", "horas"), "d": ("dia", "dias")},
}  # fmt: skip


def quantity(value: float, unit: Unit, language: Language, digits: int | None = None) -> str:
    """``value`` with its unit. ``digits``: significant ones, if not the unit's own number."""
    digits = digits or _DIGITS[unit]
    if not isfinite(value):
        return "?"
    if unit == "share":
        return _share(value, language, digits)
    if unit == "usd":
        return money(value, language, digits)
    if unit == "ms":
        if abs(value) >= 1_000:
            return f"{plain(value / 1_000, language, max(2, digits - 1))} s"
        return f"{plain(value, language, digits)} ms"
    return plain(value, language, digits)


def pair(value: float, other: float, unit: Unit, language: Language) -> tuple[str, str]:
    """Two numbers that are compared: if they differ, so do their texts."""
    found = quantity(value, unit, language), quantity(other, unit, language)
    for digits in range(_DIGITS[unit] + 1, _MOST + 1):
        if found[0] != found[1] or value == other:
            break
        found = quantity(value, unit, language, digits), quantity(other, unit, language, digits)
    if found[0] == found[1] and value != other:
        sign = ">" if value > other else "<"
        return f"{sign} {found[1]}", found[1]
    return found


def plain(value: float, language: Language, digits: int = 3) -> str:
    """``digits`` significant ones; a number without a fraction has all of its own."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    text = f"{value:,.{min(decimals, 12)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return _local("0" if text == "-0" else text, language)


def money(usd: float, language: Language, digits: int = 3) -> str:
    """US dollars: two decimals from one dollar on, none from a thousand, as many as say something
    below."""
    extra, size = max(0, digits - _DIGITS["usd"]), abs(usd)
    if size >= 0.995 or usd == 0:
        text = f"{size:,.{(0 if size >= 1_000 else 2) + extra}f}"
    else:
        decimals = max(2, digits - 2 - floor(log10(size)))
        text = f"{size:.{min(decimals, 12)}f}"
    sign = "-" if usd < 0 else ""
    return f"{sign}{'US$ ' if language == 'pt' else '$'}{_local(text, language)}"


def span(seconds: float, language: Language) -> str:
    """How long, such as ``4 minutes``; at most two units, the smaller one in a short form."""
    seconds = max(0.0, seconds)
    if seconds < 1.5 * _MINUTE:
        return _unit(max(1, round(seconds)), "s", language)
    if seconds < 1.5 * _HOUR and seconds != _HOUR:
        return _unit(round(seconds / _MINUTE), "min", language)
    if seconds < 36 * _HOUR:
        return _two(round(seconds / _MINUTE), 60, "h", "min", language)
    return _two(round(seconds / _HOUR), 24, "d", "h", language)


def moment(at: datetime | float, now: datetime, language: Language) -> str:
    """Time of day in UTC, with the date unless it is that of ``now``."""
    if not isinstance(at, datetime):
        try:
            at = datetime.fromtimestamp(at, UTC)
        except (OverflowError, ValueError, OSError):
            return "a far day" if language == "en" else "um dia distante"
    at = at.astimezone(UTC)
    if at.date() == now.astimezone(UTC).date():
        return f"{at:%H:%M} UTC"
    return (
        f"{at:%H:%M} UTC on {at:%Y-%m-%d}"
        if language == "en"
        else f"{at:%H:%M} UTC de {at:%d/%m/%Y}"
    )


def counted(number: float, one: str, many: str, language: Language) -> str:
    """Such as ``1,204 requests``."""
    return f"{plain(round(number), language)} {one if round(number) == 1 else many}"


def listed(names: list[str], language: Language) -> str:
    """Such as ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {'and' if language == 'en' else 'e'} {names[-1]}"


def _share(value: float, language: Language, digits: int) -> str:
    percent = 100 * value
    text = _rounded(percent, digits)
    # What is nearly all is not all, and what is hardly any is not none.
    while float(text) == 100 and percent < 100 and digits < _MOST:
        digits += 1
        text = _rounded(percent, digits)
    return f"{_local(text, language)}%"


def _rounded(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    decimals = min(max(0, digits - 1 - floor(log10(abs(value)))), 12)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _local(text: str, language: Language) -> str:
    return text if language == "en" else text.translate(_SWAPPED)


_SWAPPED = str.maketrans(",.", ".,")


def _unit(number: int, unit: str, language: Language) -> str:
    one, many = _SPANS[language][unit]
    return f"{number} {one if number == 1 else many}"


def _two(number: int, of: int, large: str, small: str, language: Language) -> str:
    whole, rest = divmod(number, of)
    text = _unit(whole, large, language)
    return f"{text} {rest} {small}" if rest else text
