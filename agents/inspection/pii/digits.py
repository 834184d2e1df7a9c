"""Check digits, by integers alone: of the Brazilian numbers that python-stdnum does not have, and of those that it takes long for.

Each function takes ASCII digits only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import mul

_CNPJ = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
_DOUBLED = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))
_PIS = (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def _mod11(digits: Sequence[int], weights: Iterable[int]) -> int:
    rest = sum(map(mul, digits, weights)) % 11
    return 0 if rest < 2 else 11 - rest


def is_cpf(number: str) -> bool:
    """CPF: 11 digits, the last two are check digits modulo 11. Eleven equal digits are none, which the check digits allow."""
    if len(number) != 11 or number == number[0] * 11:
        return False
    digits = list(map(int, number))
    return digits[9] == _mod11(digits, range(10, 1, -1)) and digits[10] == _mod11(digits, range(11, 1, -1))


def is_cnpj(number: str) -> bool:
    """CNPJ of digits: 14, the last two are check digits modulo 11."""
    if len(number) != 14 or number == "0" * 14:
        return False
    digits = list(map(int, number))
    return digits[12] == _mod11(digits, _CNPJ[1:]) and digits[13] == _mod11(digits, _CNPJ)


def is_luhn(number: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    return (sum(map(int, number[-1::-2])) + sum(map(_DOUBLED.__getitem__, number[-2::-2]))) % 10 == 0


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
