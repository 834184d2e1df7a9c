"""Everything on one machine: broker, ClickHouse, workers. Started in order, watched, stopped in reverse."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.embedded.broker import TansuBroker
from deploy.embedded.directory import DataDirectory, Endpoints
from deploy.embedded.ports import LOOPBACK, free_port, take_port
from deploy.embedded.processes import ManagedProcess, ProcessFailed, Service, Supervisor
from deploy.kafka.apache import ApacheKafka
from streams.kafka import by_topic, end_offsets
from streams.prepare import prepare
from streams.settings import Settings, load_settings

EMBEDDED_SESSION_TIMEOUT = 6.0
"""Joining a group takes half the session timeout on the embedded broker."""

EMBEDDED_DRAIN_TIMEOUT = 1.2
"""The embedded broker gives a member's partitions away after half its session timeout: the last checkpoint must be shorter."""

RESTART_DELAY = 1.0

PASSED_ON = ("kafka_bootstrap", "clickhouse_url", "session_timeout", "drain_timeout", "topic_prefix")
"""Settings that workers get from the stack, whatever their environment says."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class StackOptions:
    """What `mirante up` is asked for.

    ``kafka``: embedded, apache (``nodes`` of it) or HOST:PORT. ``clickhouse``: embedded or a URL. Port 0: any free one.
    """

    data: Path
    kafka: str = "embedded"
    nodes: int = 1
    clickhouse: str = "embedded"
    workers: int = 1
    kafka_port: int = 0
    clickhouse_port: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of this stack and its workers, beside those of the environment and the file."""


class Stack:
    """A running stack on a data directory. ``async with Stack(options, say) as stack: ...``

    ``settings`` point at its servers. Raises DirectoryInUse, ProcessFailed or OSError with what to do.
    """

    def __init__(self, options: StackOptions, say: Say = print) -> None:
        self._options = options
        self._say = say
        self._directory = DataDirectory(options.data)
        self._supervisor = Supervisor(within=4.5)
        self.workers: list[ManagedProcess] = []
        self._worker_ports: list[int] = []
        self.broker: Service | None = None
        self.clickhouse: ManagedProcess | None = None
        self.settings: Settings
        self.restarts = 0

    async def __aenter__(self) -> Self:
        self._directory.__enter__()
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def _servers(self) -> list[Service]:
        return [server for server in (self.broker, self.clickhouse) if server is not None]

    @property
    def metrics_urls(self) -> list[str]:
        return [f"http://{LOOPBACK}:{port}" for port in self._worker_ports]

    @property
    def pids(self) -> dict[str, int]:
        return {**self._supervisor.pids, **{name: pid for worker in self.workers for name, pid in worker.pids.items()}}

    async def _start(self) -> None:
        self.broker, bootstrap = self._new_broker()
        self.clickhouse, url = self._new_clickhouse()
        if servers := self._servers:
            self._say(f"starting {' and '.join(server.name for server in servers)} ...")
            await self._supervisor.start(*servers)
        overrides: dict[str, Any] = {"clickhouse_url": url, **self._options.settings}
        overrides["kafka_bootstrap"] = bootstrap() if callable(bootstrap) else bootstrap
        if self.broker is not None:
            overrides.setdefault("session_timeout", EMBEDDED_SESSION_TIMEOUT)
        if self._options.kafka == "embedded":
            overrides.setdefault("drain_timeout", EMBEDDED_DRAIN_TIMEOUT)
        self.settings = load_settings(**overrides)
        await prepare(self.settings)
        self._say(f"topics and tables are ready; starting {self._options.workers} worker(s) ...")
        self._worker_ports = [free_port() for _ in range(self._options.workers)]
        self.workers = [self._worker(number, port) for number, port in enumerate(self._worker_ports, 1)]
        await self._supervisor.start(*self.workers)
        self._publish()

    def _new_broker(self) -> tuple[Service | None, Any]:
        options = self._options
        if options.kafka == "embedded":
            tansu = TansuBroker(log_dir=self._directory.logs, port=options.kafka_port)
            return tansu, lambda: tansu.bootstrap
        if options.kafka == "apache":
            apache = ApacheKafka(data_dir=self._directory.kafka, log_dir=self._directory.logs, port=options.kafka_port, nodes=options.nodes)
            return apache, lambda: apache.bootstrap
        if ":" not in options.kafka:
            raise OSError(f"--kafka {options.kafka!r} is none of embedded, apache, HOST:PORT")
        return None, options.kafka

    def _new_clickhouse(self) -> tuple[ManagedProcess | None, str]:
        options = self._options
        if options.clickhouse != "embedded":
            return None, options.clickhouse
        port = take_port(options.clickhouse_port, "ClickHouse")
        url = f"http://{LOOPBACK}:{port}"
        command = [sys.executable, "-m", "deploy.embedded.clickhouse"]
        command += ["--path", str(self._directory.clickhouse), "--port", str(port)]

        async def ready() -> bool:
            return await asyncio.to_thread(fetch, f"{url}/ping") is not None

        hint = "Choose another port with --clickhouse-port, or name a server with --clickhouse URL."
        process = ManagedProcess("clickhouse", command, log_dir=self._directory.logs, ready=ready, ready_timeout=60, hint=hint)
        return process, url

    def _worker(self, number: int, port: int) -> ManagedProcess:
        own = {name: str(getattr(self.settings, name)) for name in PASSED_ON}
        given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in self._options.settings.items()}
        env = {f"MIRANTE_{name.upper()}": value for name, value in {**own, **given, "web_port": str(port)}.items()}
        # A heap for each thread, or large buffers in a heap, would keep what was once needed.
        env |= {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "1048576"}

        async def ready() -> bool:
            return await asyncio.to_thread(fetch, f"http://{LOOPBACK}:{port}/health") is not None

        return ManagedProcess(
            f"worker-{number}",
            [sys.executable, "-m", "streams.cli", "worker"],
            log_dir=self._directory.logs,
            env=env,
            ready=ready,
            ready_timeout=90,
            hint="`mirante doctor` checks the servers and the settings.",
        )

    def _publish(self) -> None:
        self._directory.publish(
            Endpoints(
                kafka=self.settings.kafka_bootstrap,
                clickhouse=self.settings.clickhouse_url,
                metrics=[f"{url}/metrics" for url in self.metrics_urls],
                pids={"up": os.getpid(), **self.pids},
            )
        )

    async def watch(self) -> None:
        """Restart workers that end by themselves; raises ProcessFailed when a server does, because its data may be gone."""
        while True:
            await asyncio.sleep(0.2)
            for server in self._servers:
                expected = getattr(server, "size", 1)
                if len(server.pids) < expected:
                    raise ProcessFailed(f"{server.name} has ended by itself; see {self._directory.logs / server.name}*.log")
            for worker in self.workers:
                if not worker.alive:
                    self.restarts += 1
                    self._say(f"{worker.name} ended ({worker.returncode}); starting it again. Its log: {worker.log_file}")
                    await asyncio.sleep(RESTART_DELAY)
                    await worker.start()
                    self._publish()

    async def status(self) -> list[dict[str, Any]]:
        """What each worker says of itself (its /status); one that does not answer is left out."""
        answers = await asyncio.gather(*(asyncio.to_thread(fetch, f"{url}/status") for url in self.metrics_urls))
        return [json.loads(answer) for answer in answers if answer is not None]

    async def at_rest(self, quiet: float) -> bool:
        """Whether all there is has been processed: every worker is ready, every partition has one owner, everything written to any agent's
        input is durable, nothing waits for its counterpart, and nothing has come of it for ``quiet`` seconds."""
        status = await self.status()
        if len(status) < len(self.workers) or not all(worker["ready"] and not worker["waiting"] for worker in status):
            return False
        if any(worker["quiet_seconds"] <= quiet for worker in status):
            return False
        if sorted(n for worker in status for n in worker["partitions"]) != list(range(self.settings.partitions)):
            return False  # a rebalance is under way
        durable = Counter[str]()
        for worker in status:
            durable.update(worker["durable"])
        # Not equal: the embedded broker counts the last batch of a partition as one record.
        written = await end_offsets(self.settings, status[0]["inputs"])
        return all(durable[topic] >= end for topic, end in by_topic(written).items())

    async def _stop(self) -> None:
        self._directory.withdraw()
        try:
            await self._supervisor.stop_all()
        finally:
            self._directory.__exit__(None, None, None)


def fetch(url: str) -> bytes | None:
    """The body of a successful answer; None of any other."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None
