"""The versions of Faust and aiokafka that are known to work.

`streams.transport` and `streams.fetching` replace private parts of both, which may change with any version: then records
could be lost without an error. So a worker refuses to start with others than these. pyproject.toml has the same bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Range(NamedTuple):
    """Versions from ``first`` on and before ``end``."""

    first: str
    end: str

    def __contains__(self, version: object) -> bool:
        return _numbers(self.first) <= _numbers(str(version)) < _numbers(self.end)

    def __str__(self) -> str:
        return f">={self.first},<{self.end}"


KNOWN_TO_WORK: Mapping[str, Range] = {
    "faust-streaming": Range("0.15.3", "0.16"),
    "aiokafka": Range("0.14", "0.15"),
}
"""Distribution -> its versions."""


class UnknownVersion(RuntimeError):
    """A library is there in a version that nobody has tried; the text says which, and what to install."""


def check_versions(installed: Callable[[str], str] = version) -> None:
    """Raise UnknownVersion unless both libraries are installed in a version that is known to work.

    ``installed``: distribution -> its version; raises PackageNotFoundError where there is none.
    """
    wrong = []
    for name, known in KNOWN_TO_WORK.items():
        try:
            found = installed(name)
        except PackageNotFoundError:
            wrong.append(f"{name} is not installed")
        else:
            if found not in known:
                wrong.append(f"{name} {found} is installed")
    if wrong:
        ranges = " ".join(f"'{name}{known}'" for name, known in KNOWN_TO_WORK.items())
        raise UnknownVersion(
            f"{' and '.join(wrong)}, and the worker replaces private parts of them that other versions may not have. "
            f"Known to work: {ranges}. Install those, for example with pip install {ranges}"
        )


def _numbers(version: str) -> tuple[int, ...]:
    """``1.2.3rc1`` -> (1, 2, 3): a candidate counts as its release."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
