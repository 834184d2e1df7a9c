"""Given events that kill the worker that works on them, when it is started again, then they alone are dead letters."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.broker_api import Broker
from deploy.embedded.ports import free_port
from tests.installation import Installation, Sent, request, response, unique
from tests.poisoned_worker import POISON

CALLS, WORST = 40, 20


@pytest.fixture
def own(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    with Installation(broker.bootstrap, tmp_path, workers=0) as installation:
        yield installation


class Supervised:
    """A poisoned worker, started again each time it has died."""

    def __init__(self, mirante: Installation) -> None:
        self._environment = mirante.environment(free_port()) | {
            "MIRANTE_NOTES_DIR": str(mirante.directory / "notes"),
            "MIRANTE_JOIN__ORPHAN": "5",  # seconds that the answer of what is a dead letter waits
        }
        self._log = (mirante.directory / "worker.log").open("ab")
        self.deaths: list[int] = []

    def __enter__(self) -> Supervised:
        self._start()
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.poisoned_worker"]
        self._process = subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log)

    def look(self) -> None:
        if (code := self._process.poll()) is not None:
            self.deaths.append(code)
            self._start()

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()


def test_an_event_that_kills_workers_is_a_dead_letter_and_the_rest_is_processed(own: Installation) -> None:
    run = unique("p")

    def call(n: int) -> list[Sent]:
        text = POISON if n == WORST else "hello"
        asked = request(f"{run}-{n}", session_id=run, at=n, messages=[{"role": "user", "content": text}])
        return [Sent("requests", asked, run), Sent("responses", response(f"{run}-{n}", session_id=run, at=n + 1), run)]

    own.publish(record for n in range(CALLS) for record in call(n))
    with Supervised(own) as worker:
        deadline = time.monotonic() + 150
        while (ended := account(own)) != {"rows": CALLS - 1, "requests poison": 1, "responses interactions": 1}:
            assert time.monotonic() < deadline, (ended, worker.deaths)
            worker.look()
            time.sleep(0.1)
    assert worker.deaths == [-signal.SIGSEGV] * 2
    ((reason,),) = own.query("SELECT reason FROM mirante.deadletter WHERE stage = 'poison'")
    assert "Segmentation fault, Segmentation fault" in reason


def account(mirante: Installation) -> dict[str, int]:
    """How many records have ended as rows of whole calls, and as what dead letters."""
    rows = mirante.query("SELECT count() FROM mirante.interactions WHERE outcome = 'ok'")
    letters = mirante.query("SELECT topic, stage, count() FROM mirante.deadletter GROUP BY ALL")
    of = {f"{topic.removeprefix(mirante.prefix)} {stage}": count for topic, stage, count in letters}
    return {"rows": rows[0][0], **of}
