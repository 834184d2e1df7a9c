"""`mirante ingest` as a process of its own, for tests that talk to it as services do."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.embedded.ports import free_port
from tests.kafka_clients import read_all

PARTITIONS = 4
JSON, LINES, PROTOBUF = "application/json", "application/x-ndjson", "application/x-protobuf"


class Ingest:
    """A running `mirante ingest`."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, **settings: str) -> None:
        self.prefix, self.bootstrap, self.port = prefix, bootstrap, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"kafka_bootstrap": bootstrap, "topic_prefix": prefix, "partitions": str(PARTITIONS)}
        self._env = {**os.environ, "MIRANTE_CONFIG": str(folder / "mirante.toml")}
        (folder / "mirante.toml").write_text("")
        self._env |= {f"MIRANTE_{name.upper()}": value for name, value in {**own, **settings}.items()}
        self._log = folder / "ingest.log"
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "deploy.cli", "ingest", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    def until_healthy(self, within: float = 30.0) -> Ingest:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                if self.get("/health")[0] == 200:
                    return self
            except OSError:
                assert self.process.poll() is None, self.log
            time.sleep(0.05)
        raise AssertionError(f"not healthy after {within:g} s: {self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self.connect()
        try:
            return ask(connection, method, path, body, **headers)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path, **headers)

    def post(
        self, path: str, body: Any, kind: str = LINES, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        return self.ask("POST", path, body, Content_Type=kind, **headers)

    def records(self, topic: str) -> list[Any]:
        return asyncio.run(read_all(self.bootstrap, topic))


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


@contextmanager
def running(ingest: Ingest) -> Iterator[Ingest]:
    try:
        yield ingest.until_healthy()
    finally:
        if ingest.process.poll() is None:
            ingest.end()


def eventually(holds: Callable[[], bool], within: float = 15.0) -> bool:
    deadline = time.monotonic() + within
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held
