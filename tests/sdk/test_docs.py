"""The programs of `docs/connect` run as they are printed, against the fakes on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.sdk.fakes import Ingest, Provider

DOCS = Path(__file__).parents[2] / "docs/connect"
PAGES = ("python.md", "litellm.md", "budgets.md")
PROGRAMS = [
    (page, name, code)
    for page in PAGES
    for name, code in re.findall(
        r"<!-- test: (\w+) -->\n```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL
    )
]
EXPECTED = {
    "chat": ("It is sunny in Recife.", 1),
    "anthropic": ("It is sunny in Recife.", 1),
    "call": ("It is sunny in Recife.", 3),
    "stream": ("It is sunny in Recife.", 1),
    "async": ("It is sunny.", 1),
    "prompt": ("support", 1),
    "library": ("It is sunny in Recife.", 1),
    "plain": ("It is sunny in Recife.", 1),
    "proxy": ("", 0),
}
"""What a program prints, and how many calls it publishes."""
STOPPED = "agent"
"""Runs until it is stopped."""


def test_every_program_is_run() -> None:
    assert {name for _, name, _ in PROGRAMS} == {*EXPECTED, STOPPED}
    for page in PAGES:
        text = (DOCS / page).read_text()
        assert text.count("```python") == sum(found == page for found, _, _ in PROGRAMS)


def run(code: str, provider: Provider, ingest: Ingest, folder: Path) -> str:
    """What it prints."""
    environment = {
        **os.environ,
        "MIRANTE_ENDPOINT": ingest.url,
        "MIRANTE_TOKEN": "secret-token",
        "OPENAI_BASE_URL": provider.openai_url,
        "OPENAI_API_BASE": provider.openai_url,
        "OPENAI_API_KEY": "k",
        "ANTHROPIC_BASE_URL": provider.url,
        "ANTHROPIC_API_KEY": "k",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("page", "name", "code"),
    [program for program in PROGRAMS if program[1] in EXPECTED],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_the_program_works_as_printed(
    page: str, name: str, code: str, provider: Provider, ingest: Ingest, tmp_path: Path
) -> None:
    printed, calls = EXPECTED[name]
    assert printed in run(code, provider, ingest, tmp_path)
    assert len(ingest.of("requests")) == len(ingest.of("responses")) == calls
    assert all(response["status"] == "ok" for response in ingest.of("responses"))
    assert "529.982" not in str(provider.requests) + str(ingest.events)


def test_the_agent_that_never_ends_is_stopped(
    provider: Provider, ingest: Ingest, tmp_path: Path
) -> None:
    provider.seconds = 0.05
    (code,) = (code for _, name, code in PROGRAMS if name == STOPPED)

    def stop() -> None:
        while len(provider.requests) < 3 and not provider.closing.is_set():
            time.sleep(0.01)
        ingest.control("user:ana", "kill", reason="Budget user-day (user ana) is exhausted")

    threading.Thread(target=stop, daemon=True).start()
    printed = run(code, provider, ingest, tmp_path)
    assert printed == "stopped: kill_switch: user:ana: Budget user-day (user ana) is exhausted\n"
    *answered, refused = ingest.of("responses")
    assert {response["status"] for response in answered} == {"ok"}
    assert refused["status"] == "blocked"
    assert len(answered) == len(provider.requests)
