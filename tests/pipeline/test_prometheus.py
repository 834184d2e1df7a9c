"""Prometheus and Alertmanager, as Debian has them, on a real worker's /metrics: a rule fires, and its alert arrives."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.stack import fetch
from tests.installation import Installation, Sent, request, response, unique

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus/rules.yml"

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None,
    reason="not installed (Debian: apt install prometheus prometheus-alertmanager)",
)


@contextmanager
def running(command: list[str], folder: Path, ready: str) -> Iterator[None]:
    """A program for as long as the block; answers at the URL ``ready`` when it begins."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as out, subprocess.Popen(command, cwd=folder, stdout=out, stderr=out) as process:
        try:
            eventually(lambda: fetch(ready) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(20)


def eventually(what: Callable[[], Any], within: float = 60.0) -> Any:
    """The first true value of ``what``."""
    deadline = time.monotonic() + within
    while not (found := what()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def alertmanager(mirante: Installation, tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that a Prometheus with the rules posts to; it asks the worker every second."""
    worker = [url.removeprefix("http://") for url in mirante.stack.metrics_urls]
    prometheus, alertmanager = (f"{LOOPBACK}:{free_port()}" for _ in range(2))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "mirante", "static_configs": [{"targets": worker}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    (tmp_path / "alertmanager.yml").write_text(json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
    own = ["--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address="]
    its = ["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"]
    with ExitStack() as programs:
        start = (str(ALERTMANAGER), *own, f"--web.listen-address={alertmanager}")
        programs.enter_context(running(list(start), tmp_path, f"http://{alertmanager}/-/ready"))
        start = (str(PROMETHEUS), *its, f"--web.listen-address={prometheus}")
        programs.enter_context(running(list(start), tmp_path, f"http://{prometheus}/-/ready"))
        up = f"http://{prometheus}/api/v1/query?query=up%3D%3D1"
        eventually(lambda: json.loads(fetch(up) or b'{"data":{"result":[]}}')["data"]["result"])
        yield f"http://{alertmanager}"


def firing(alertmanager: str, model: str) -> list[dict[str, Any]]:
    alerts = json.loads(fetch(f"{alertmanager}/api/v2/alerts") or b"[]")
    return [alert for alert in alerts if alert["labels"].get("model") == model]


def test_a_model_without_a_price_reaches_alertmanager_at_its_first_call(mirante: Installation, alertmanager: str) -> None:
    number, model = unique("call"), unique("in-house")
    assert firing(alertmanager, model) == []
    mirante.publish([
        Sent("requests", request(number, provider="acme", model=model), number),
        Sent("responses", response(number, model=model), number),
    ])  # fmt: skip
    (alert,) = eventually(lambda: firing(alertmanager, model))
    assert alert["labels"] == {"alertname": "MiranteUnpriced", "severity": "ticket", "model": model}
    assert alert["annotations"]["summary"] == f"Calls of {model} have no price."
