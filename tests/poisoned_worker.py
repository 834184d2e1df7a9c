"""A worker that dies of what no Python code can catch when it reads a certain text: `python -m tests.poisoned_worker`.

Stands for a defect in a library that is written in C. Everything else is a worker as it is.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from deploy.cli import main
from schemas.decoding import DECODERS

POISON = "a text that kills"


def poisoned(value: bytes | None) -> Any:
    if value and POISON.encode() in value:
        ctypes.string_at(0)
    return decode(value)


if __name__ == "__main__":
    decode, DECODERS["requests"] = DECODERS["requests"], poisoned
    sys.argv = ["mirante", "worker"]
    main()
