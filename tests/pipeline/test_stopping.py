"""Given a worker that has only just started, when it is told to stop, then it does."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded.broker_api import Broker
from deploy.embedded.ports import free_port
from deploy.embedded.stack import fetch
from tests.installation import Installation

MOMENTS = [pytest.param(0.0, id="before it joins its group"), pytest.param(1.5, id="before it has partitions")]


@pytest.mark.parametrize("after", MOMENTS)
def test_a_worker_told_to_stop_as_soon_as_it_answers_ends(broker: Broker, tmp_path: Path, after: float) -> None:
    with Installation(broker.bootstrap, tmp_path, workers=0) as mirante:
        port = free_port()
        with (tmp_path / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "deploy.cli", "worker"]
            worker = subprocess.Popen(command, env=mirante.environment(port), stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while fetch(f"http://127.0.0.1:{port}/status") is None:
                assert worker.poll() is None, "the worker has ended by itself"
                assert time.monotonic() < until, "the worker does not answer"
                time.sleep(0.01)
            time.sleep(after)
            worker.terminate()
            assert worker.wait(30) == 0
        finally:
            worker.kill()
            worker.wait()
