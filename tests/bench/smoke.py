"""The smoke mode of every benchmark: `python -m tests.bench.X --smoke` runs all of it in seconds, and its figures mean nothing.

What it shows is that the benchmark still works; `make bench-smoke` runs all of them.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

FLAG = "--smoke"

EVENTS = 2_000
"""What a worker gets in smoke mode."""


def asked_for() -> bool:
    """Of a program without options of its own: whether its smoke mode is wanted."""
    return FLAG in sys.argv[1:]


def parse(parser: ArgumentParser, arguments: Sequence[str] | None = None, **small: object) -> Namespace:
    """The options of a benchmark. ``small``: their defaults in smoke mode."""
    parser.add_argument(FLAG, action="store_true", help="in seconds: whether it works, not how well")
    given = parser.parse_args(arguments)
    if given.smoke:
        parser.set_defaults(**small)
        given = parser.parse_args(arguments)
    return given
