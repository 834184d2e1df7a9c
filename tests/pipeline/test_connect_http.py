"""The programs of `docs/connect/http.md` as they are printed, against a running ingest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.embedded.broker_api import Broker
from tests.ingests import Ingest, eventually, running

PAGE = (Path(__file__).parents[2] / "docs/connect/http.md").read_text("utf-8")
PROGRAMS = {
    name: (language, code)
    for name, language, code in re.findall(r"<!-- test: (\w+) -->\n```(\w+)\n(.*?)```", PAGE, re.DOTALL)
}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the origin at which a web server shows it."""
    folder = tmp_path_factory.mktemp("site")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def ingest(
    broker: Broker, site: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ingest]:
    settings = {
        "ingest__token": "secret",
        "ingest__public_key": "pk-support-page",
        "ingest__origins": json.dumps([site[1]]),
    }
    folder = tmp_path_factory.mktemp("ingest")
    with running(Ingest(broker.bootstrap, "connect.", folder, **settings)) as started:
        yield started


def run(name: str, ingest: Ingest) -> str:
    language, code = PROGRAMS[name]
    command = {"sh": ["bash", "-eu", "-c", code], "python": [sys.executable, "-c", code]}[language]
    environment = {**os.environ, "MIRANTE_ENDPOINT": ingest.url, "MIRANTE_TOKEN": "secret"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ids(ingest: Ingest, topic: str) -> list[str]:
    return [json.loads(record.value)["request_id"] for record in ingest.records(f"connect.{topic}")]


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def test_all_programs_are_run() -> None:
    assert set(PROGRAMS) == {"curl", "python", "feedback", "otlp", "controls"}


@needs_curl
def test_curl(ingest: Ingest) -> None:
    assert json.loads(run("curl", ingest)) == {"accepted": 2}
    assert "call-1" in ids(ingest, "requests")
    assert "call-1" in ids(ingest, "responses")


def test_python(ingest: Ingest) -> None:
    before = len(ids(ingest, "requests"))
    run("python", ingest)
    assert len(ids(ingest, "requests")) == before + 1
    assert ids(ingest, "responses")[-1] in ids(ingest, "requests")


@needs_curl
def test_otlp_by_hand(ingest: Ingest) -> None:
    assert run("otlp", ingest) == "{}"
    assert any(b"by-hand" in record.value for record in ingest.records("otlp_spans"))


@needs_curl
def test_controls(ingest: Ingest) -> None:
    assert json.loads(run("controls", ingest)) == {"controls": []}


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_feedback_from_a_page(ingest: Ingest, site: tuple[Path, str], tmp_path: Path) -> None:
    folder, origin = site
    value = '{ kind: "thumbs_up", request_id: "from-a-page" }'
    call = f'feedback("{ingest.url}", "pk-support-page", {value})'
    script = f"{PROGRAMS['feedback'][1]}\n{call}.then(() => 'stored', String).then((t) => document.title = t);"
    (folder / "index.html").write_text(f"<!doctype html><title>?</title><script>{script}</script>")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", f"{origin}/index.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert "<title>stored</title>" in done.stdout, done.stdout + done.stderr[-2000:]
    assert eventually(lambda: "from-a-page" in ids(ingest, "feedback"))
