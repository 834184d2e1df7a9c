"""Everything on one machine: broker, ClickHouse, workers. Started in order, watched, stopped in reverse."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import TopicPartition

from deploy.embedded.broker import TansuBroker
from deploy.embedded.directory import DataDirectory, Endpoints
from deploy.embedded.ports import LOOPBACK, free_port, take_port
from deploy.embedded.processes import ManagedProcess, ProcessFailed, Service, Supervisor
from deploy.kafka.apache import ApacheKafka
from streams.kafka import end_offsets
from streams.prepare import prepare
from streams.settings import Settings, load_settings
from streams.topics import Topics

EMBEDDED_SESSION_TIMEOUT = 6.0
"""Joining a group takes half the session timeout on the embedded broker."""

EMBEDDED_DRAIN_TIMEOUT = 1.2
"""The embedded broker gives a member's partitions away after half its session timeout: the last checkpoint must be shorter."""

RESTART_DELAY = 1.0

MOMENT, LOOKS = 2.0, 3
"""Seconds within which what one agent tells another is read and durable, and how often it is looked whether it is: a busy machine takes
longer."""

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
    dashboard: bool = False
    dashboard_port: int = 0
    ingest: bool = False
    ingest_port: int = 0
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
        self.pages: list[ManagedProcess] = []
        """Web servers beside the workers: dashboard, ingest."""
        self.ingest_url = ""
        self.dashboard_url = ""
        self.dashboard_token = secrets.token_urlsafe(24)
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
        own = (*self.workers, *self.pages)
        return {**self._supervisor.pids, **{name: pid for process in own for name, pid in process.pids.items()}}

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
        self._say("preparing topics and tables ...")
        await prepare(self.settings)
        self._say(f"topics and tables are ready; starting {self._options.workers} worker(s) ...")
        self._worker_ports = [free_port() for _ in range(self._options.workers)]
        if self._options.dashboard:
            self.pages.append(self._new_dashboard())
        if self._options.ingest:
            self.pages.append(self._new_ingest())
        self.workers = [self._worker(number, port) for number, port in enumerate(self._worker_ports, 1)]
        await self._supervisor.start(*self.workers, *self.pages)
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
        env = {f"MIRANTE_{name.upper()}": value for name, value in own.items()}
        env |= self._given() | {"MIRANTE_WEB_PORT": str(port)}
        env["MIRANTE_NOTES_DIR"] = str(self.settings.notes_dir or self._directory.notes)
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

    def _new_dashboard(self) -> ManagedProcess:
        port = take_port(self._options.dashboard_port, "the dashboard")
        self.dashboard_url = url = f"http://{LOOPBACK}:{port}"
        options = ["--port", str(port), "--data", str(self._directory.path)]
        for worker in self.metrics_urls:
            options += ["--worker", worker]
        env = {"MIRANTE_DASHBOARD_TOKEN": self.dashboard_token}
        return self._page("dashboard", options, f"{url}/health/live", env)

    def _new_ingest(self) -> ManagedProcess:
        port = take_port(self._options.ingest_port, "the ingest")
        self.ingest_url = url = f"http://{LOOPBACK}:{port}"
        options = ["--host", LOOPBACK, "--port", str(port), "--data", str(self._directory.path)]
        return self._page("ingest", options, f"{url}/health", {})

    def _page(self, name: str, options: list[str], health: str, env: Mapping[str, str]) -> ManagedProcess:
        """A web server beside the workers: the command ``mirante NAME``."""
        own = {f"MIRANTE_{name.upper()}": str(getattr(self.settings, name)) for name in PASSED_ON}

        async def ready() -> bool:
            return await asyncio.to_thread(fetch, health) is not None

        return ManagedProcess(
            name,
            [sys.executable, "-m", "streams.cli", name, *options],
            log_dir=self._directory.logs,
            env={**own, **self._given(), **env},
            ready=ready,
            ready_timeout=60,
            hint=f"Choose another port with --{name}-port.",
        )

    def _given(self) -> dict[str, str]:
        """Settings of this stack as its processes get them."""
        given = dict(self._options.settings)
        if self.dashboard_url:  # so that an alert's link leads somewhere
            runbooks = {"runbooks": f"{self.dashboard_url}/runbooks"}
            given["alerts"] = {**runbooks, **self.settings.alerts}
        return {f"MIRANTE_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}

    def _publish(self) -> None:
        self._directory.publish(
            Endpoints(
                kafka=self.settings.kafka_bootstrap,
                clickhouse=self.settings.clickhouse_url,
                metrics=[f"{url}/metrics" for url in self.metrics_urls],
                ingest=self.ingest_url,
                dashboard=self.dashboard_url,
                dashboard_token=self.dashboard_token if self.dashboard_url else "",
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
            for process in (*self.workers, *self.pages):
                if not process.alive:
                    self.restarts += 1
                    self._say(f"{process.name} ended ({process.returncode}); starting it again. Its log: {process.log_file}")
                    await asyncio.sleep(RESTART_DELAY)
                    await process.start()
                    self._publish()

    async def status(self) -> list[dict[str, Any]]:
        """What each worker says of itself (its /status); one that does not answer is left out."""
        answers = await asyncio.gather(*(asyncio.to_thread(fetch, f"{url}/status") for url in self.metrics_urls))
        return [json.loads(answer) for answer in answers if answer is not None]

    async def at_rest(self, quiet: float) -> bool:
        """Whether all there is has been processed: every worker is ready, every partition has one owner, everything written to any agent's
        input is durable, nothing waits for its counterpart or its turn, so that no alert can come of it any more, and nothing has come
        of it for ``quiet`` seconds. Time stands still where a history ends; that of live input goes on, and partitions never cease to
        tell each other so: of internal topics, what was written a moment ago."""
        if (before := await self._idle(quiet)) is None:
            return False
        begun = time.monotonic()
        # Not equal: the embedded broker counts the last batch of a partition as one record.
        written = await end_offsets(self.settings, before[0]["inputs"])
        public = [topic for topic in before[0]["inputs"] if not Topics.of(self.settings).is_internal(topic)]
        for _ in range(LOOKS):
            await asyncio.sleep(MOMENT)
            status = await self._idle(max(quiet, time.monotonic() - begun))  # nothing has come of anything since
            if status is not None and all_durable(written | await end_offsets(self.settings, public), status):
                return True
        return False

    async def _idle(self, quiet: float) -> list[dict[str, Any]] | None:
        """What the workers say, if none of them has anything to do."""
        status = await self.status()
        if len(status) < len(self.workers) or not all(worker["ready"] and not worker["waiting"] for worker in status):
            return None
        if any(worker["quiet_seconds"] <= quiet for worker in status):
            return None
        if sorted(n for worker in status for n in worker["partitions"]) != list(range(self.settings.partitions)):
            return None  # a rebalance is under way
        return status

    async def _stop(self) -> None:
        self._directory.withdraw()
        try:
            await self._supervisor.stop_all()
        finally:
            self._directory.__exit__(None, None, None)


def all_durable(written: Mapping[TopicPartition, int], status: Sequence[Mapping[str, Any]]) -> bool:
    """Whether workers that say ``status`` have stored all below the offsets ``written``, each partition by itself: what some go on
    telling each other must not make up for what another has yet to read."""
    durable = {
        (topic, int(partition)): offset
        for worker in status
        for topic, offsets in worker["durable"].items()
        for partition, offset in offsets.items()
    }
    return all(durable.get((tp.topic, tp.partition), 0) >= end for tp, end in written.items())


def fetch(url: str) -> bytes | None:
    """The body of a successful answer; None of any other."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None
