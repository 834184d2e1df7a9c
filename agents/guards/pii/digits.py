"""Check digits of the Brazilian numbers that python-stdnum does not have. Each takes ASCII digits only."""

from __future__ import annotations

_PIS = (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def is_pis(number: str) -> bool:
    """PIS, PASEP, NIT and NIS: 11 digits, the last is a check digit modulo 11."""
    if len(number) != 11 or number == number[0] * 11:
        return False
    rest = 11 - sum(int(digit) * weight for digit, weight in zip(number, _PIS, strict=False)) % 11
    return int(number[10]) == (0 if rest >= 10 else rest)


def is_cnh(number: str) -> bool:
    """Registro da CNH (driver's licence): 11 digits, the last two are check digits (DENATRAN).

    Implementations differ on the second one in the rare case that the first sum leaves 10; what any of them takes is taken.
    """
    if len(number) != 11 or number == number[0] * 11:
        return False
    digits = [int(digit) for digit in number]
    first = sum(digit * weight for digit, weight in zip(digits, range(9, 0, -1), strict=False)) % 11
    second = sum(digit * weight for digit, weight in zip(digits, range(1, 10), strict=False)) % 11
    if first == 10:
        return digits[9] == 0 and digits[10] in ((second - 2) % 11 % 10, 0 if second == 10 else second - 2)
    return digits[9] == first and digits[10] == second % 10


def is_titulo(number: str) -> bool:
    """Título de eleitor: 8 digits, the state (01 to 28), two check digits modulo 11 (Resolução TSE 23.659/2021, art. 36).

    Many implementations give 1 instead of 0 in São Paulo and Minas Gerais, which the resolution does not say; both are taken.
    """
    if len(number) != 12 or number.startswith("00000000"):
        return False
    state = number[8:10]
    if not 1 <= int(state) <= 28:
        return False
    zeros = (0, 1) if state in ("01", "02") else (0,)

    def checks(total: int) -> tuple[int, ...]:
        rest = total % 11
        return zeros if rest == 0 else (rest % 10,)

    return any(
        number[10:] == f"{first}{second}"
        for first in checks(sum(int(digit) * weight for digit, weight in zip(number, range(2, 10), strict=False)))
        for second in checks(int(state[0]) * 7 + int(state[1]) * 8 + first * 9)
    )
