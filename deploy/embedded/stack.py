"""Everything on one machine: broker, ClickHouse, workers. Started in order, watched, stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
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
from deploy.embedded.memory import MEBIBYTE, Growth, most, resident
from deploy.embedded.ports import LOOPBACK, free_port, take_port
from deploy.embedded.processes import ManagedProcess, ProcessFailed, Service, Supervisor
from deploy.embedded.restarts import Restarts, keep
from deploy.embedded.watching import ANSWER_WITHIN, Pulse, broker_answers
from deploy.kafka.apache import ApacheKafka
from streams.kafka import end_offsets
from streams.prepare import prepare
from streams.secrets import with_password, without_password
from streams.settings import Settings, load_settings
from streams.topics import Topics

EMBEDDED_SESSION_TIMEOUT = 6.0
"""Joining a group takes half the session timeout on the embedded broker."""

EMBEDDED_DRAIN_TIMEOUT = 1.2
"""The embedded broker gives a member's partitions away after half its session timeout: the last checkpoint must be shorter."""

MEMORY_SECONDS = 5.0
"""Between looks at the memory of the embedded broker."""

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
        self._engine_url = ""
        self._health: dict[str, str] = {}
        self.pages: list[ManagedProcess] = []
        """Web servers beside the workers: dashboard, ingest."""
        self.ingest_url = ""
        self.dashboard_url = ""
        self.dashboard_token = secrets.token_urlsafe(24)
        self.clickhouse_token = secrets.token_urlsafe(24)
        """What the embedded engine asks for as password."""
        self._pulse = Pulse()
        self.settings: Settings
        self._restarts: dict[str, Restarts] = {}
        self._growth = Growth(most())

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
        """Where the workers serve ``/metrics`` and ``/health``."""
        return [f"http://{LOOPBACK}:{port}" for port in self._worker_ports]

    @property
    def pids(self) -> dict[str, int]:
        own = (*self.workers, *self.pages)
        return {**self._supervisor.pids, **{name: pid for process in own for name, pid in process.pids.items()}}

    async def _start(self) -> None:
        for port, purpose in ((self._options.dashboard_port, "the dashboard"), (self._options.ingest_port, "the ingest")):
            take_port(port, purpose)  # before anything is started
        self.broker, bootstrap = self._new_broker()
        self.clickhouse, url = self._new_clickhouse()
        if servers := self._servers:
            self._say(f"starting {' and '.join(server.name for server in servers)} ...")
            await self._supervisor.start(*servers)
        overrides: dict[str, Any] = {"clickhouse_url": url, **self._options.settings}
        if self.clickhouse is not None:  # also through what stands in front of it
            overrides["clickhouse_url"] = self._with_token(overrides["clickhouse_url"])
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
            return None, with_password(options.clickhouse, load_settings().clickhouse_url)
        port = take_port(options.clickhouse_port, "ClickHouse")
        url = f"http://{LOOPBACK}:{port}"
        command = [sys.executable, "-m", "deploy.embedded.clickhouse"]
        command += ["--path", str(self._directory.clickhouse), "--port", str(port)]

        async def ready() -> bool:
            return await asyncio.to_thread(fetch, f"{url}/ping") is not None

        hint = "Choose another port with --clickhouse-port, or name a server with --clickhouse URL."
        process = ManagedProcess(
            "clickhouse",
            command,
            log_dir=self._directory.logs,
            env={"MIRANTE_CLICKHOUSE_TOKEN": self.clickhouse_token},
            ready=ready,
            ready_timeout=60,
            hint=hint,
        )
        self._engine_url = url
        return process, url

    def _with_token(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        return url if "@" in rest else f"{scheme}://mirante:{self.clickhouse_token}@{rest}"

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
            [sys.executable, "-m", "deploy.cli", "worker"],
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
        self._health[name] = health

        async def ready() -> bool:
            return await asyncio.to_thread(fetch, health) is not None

        return ManagedProcess(
            name,
            [sys.executable, "-m", "deploy.cli", name, *options],
            log_dir=self._directory.logs,
            env={**own, **self._given(), **env},
            ready=ready,
            ready_timeout=60,
            hint=f"Choose another port with --{name}-port.",
        )

    def _given(self) -> dict[str, str]:
        """Settings of this stack as its processes get them, beside those PASSED_ON."""
        given = {name: value for name, value in self._options.settings.items() if name not in PASSED_ON}
        if self.dashboard_url:  # so that an alert's link leads somewhere
            links = {"runbooks": f"{self.dashboard_url}/runbooks", "dashboard": self.dashboard_url}
            given["alerts"] = {**links, **self.settings.alerts}
        return {f"MIRANTE_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}

    def _publish(self) -> None:
        self._directory.publish(
            Endpoints(
                kafka=self.settings.kafka_bootstrap,
                clickhouse=self.clickhouse_url,
                clickhouse_token=self.clickhouse_token if self.clickhouse is not None else "",
                metrics=[f"{url}/metrics" for url in self.metrics_urls],
                ingest=self.ingest_url,
                dashboard=self.dashboard_url,
                dashboard_token=self.dashboard_token if self.dashboard_url else "",
                pids={"up": os.getpid(), **self.pids},
            )
        )

    @property
    def clickhouse_url(self) -> str:
        """What may be shown to the owner: with the token of the embedded engine, without the password of another server."""
        url = self.settings.clickhouse_url
        return url if self.clickhouse is not None else without_password(url)

    async def _wake(self) -> None:
        """Start again what hangs. A broker in memory would lose all by that: it may go on if it was stopped, or has failed."""
        kept = {process.name: process for process in (*self.workers, *self.pages) if self._restarts[process.name].running}
        # A worker's /health answers also while its loop hangs; its /status is answered by the loop.
        health = {f"worker-{n}": f"{url}/status" for n, url in enumerate(self.metrics_urls, 1)} | self._health
        probes = {name: _answers(health[name]) for name in kept}
        if self.clickhouse is not None:
            probes["clickhouse"] = _answers(f"{self._engine_url}/ping")
        if self.broker is not None:
            bootstrap = self.settings.kafka_bootstrap
            probes["kafka"] = lambda: broker_answers(bootstrap)
        for name in await self._pulse.hanging(probes):
            hangs = self.clickhouse if name == "clickhouse" else kept.get(name)
            if hangs is not None:
                self._say(f"{name} does not answer (pid {hangs.pid}); starting it again. Its log: {hangs.log_file}")
                await hangs.kill()  # who keeps workers and pages starts them
                self._pulse.forget(name)
                if hangs is self.clickhouse:
                    await hangs.start()
                    self._publish()
                continue
            assert self.broker is not None
            for pid in self.broker.pids.values():
                os.kill(pid, signal.SIGCONT)
            if not await asyncio.to_thread(probes[name]):
                raise ProcessFailed(f"{self.broker.name} does not answer any more; see {self._directory.logs / self.broker.name}*.log")
            self._say(f"{self.broker.name} did not answer, because it had been stopped; it goes on")
            self._pulse.forget(name)

    async def watch(self) -> None:
        """Start workers and pages again that end by themselves.

        Raises ProcessFailed when one of them ends again and again, when a server ends, because its data may be gone, and when the
        embedded broker holds too much memory.
        """
        tasks = [asyncio.ensure_future(watching) for watching in (self._watch_servers(), self._watch_memory())]
        for process in (*self.workers, *self.pages):
            known = self._restarts.setdefault(process.name, Restarts())
            tasks.append(asyncio.ensure_future(keep(process, known, self._say, self._publish)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_servers(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for server in self._servers:
                expected = getattr(server, "size", 1)
                if len(server.pids) < expected:
                    raise ProcessFailed(f"{server.name} has ended by itself; see {self._directory.logs / server.name}*.log")
            await self._wake()

    async def _watch_memory(self) -> None:
        """Of the embedded broker, which forgets nothing while it runs: tell its growth, and end before the machine is full."""
        while isinstance(self.broker, TansuBroker):
            for pid in self.broker.pids.values():
                if (size := resident(pid)) is not None and self._growth.seen(time.monotonic(), size):
                    self._say(f"the embedded broker holds {self._growth}: it keeps every record until it stops (--kafka apache does not)")
            if self._growth.exceeded:
                raise ProcessFailed(
                    f"the embedded broker holds {self._growth.size / MEBIBYTE:,.0f} MB in memory, half of what there is: it keeps "
                    "every record until it stops. What was stored in ClickHouse stays. Start again, or with --kafka apache, whose "
                    "records are on disk."
                )
            await asyncio.sleep(MEMORY_SECONDS)

    def troubles(self) -> list[str]:
        """What is not as it should be, a line each: what ended by itself, and a broker that grows."""
        ended = [str(restarts) for restarts in self._restarts.values() if restarts.ends]
        return [*ended, *([f"the embedded broker holds {self._growth}"] if self._growth.told else [])]

    def kill(self) -> None:
        """End every process at once. What was stored stays; the next start takes up from there."""
        self._directory.withdraw()
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # each leads a group of its own

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


def _answers(url: str) -> Callable[[], bool]:
    """Whether something answers there, be it that it is not well."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_WITHIN):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    return answers


def fetch(url: str) -> bytes | None:
    """The body of a successful answer; None of any other."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None
