"""Debian's Chromium for tests and benchmarks: where it is, and how it is started without a network of its own."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

PROGRAM = os.environ.get("CHROMIUM") or shutil.which("chromium")

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


def missing() -> str:
    """What is not there and how to get it; empty if a browser can be started."""
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install -e '.[browser]'"
    if PROGRAM is None:
        return "Chromium is not installed (Debian: apt install chromium), or name it in CHROMIUM"
    return ""
