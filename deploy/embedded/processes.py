"""Child processes with a beginning and an end: started until ready, watched, stopped in order, never left behind.

Built on `subprocess.Popen` and polling rather than on asyncio's subprocesses: nothing here is then bound to one event
loop (a broker started by a test session is stopped and restarted from others), and a few `waitpid` calls 20 times a
second cost nothing.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

POLL_SECONDS = 0.05
TAIL_BYTES = 4_000
MAX_LOG_BYTES = 16 * 1024 * 1024

Leash = Literal["prctl", "pipe"]
DEFAULT_LEASH: Leash = "prctl" if sys.platform == "linux" else "pipe"

Ready = Callable[[], Awaitable[bool]]
"""Answers whether the process serves. OSError and TimeoutError count as "not yet"; any other exception is a failure."""


class ProcessFailed(RuntimeError):
    """A process did not start, or ended by itself. The text names it, shows the end of its log and says what to do."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended."""

    name: str
    returncode: int
    log_tail: str

    def __str__(self) -> str:
        return f"{self.name} {describe_returncode(self.returncode)}"


class Service(Protocol):
    """What a Supervisor starts, watches and stops: one process, or a broker made of several."""

    @property
    def name(self) -> str: ...

    @property
    def pids(self) -> dict[str, int]:
        """The living processes by name."""

    async def start(self) -> None:
        """Return when the service answers; raise when it will not, leaving nothing behind."""

    async def stop(self, grace: float | None = None) -> None:
        """Return when it has ended;

        SIGKILL after `grace` seconds. Harmless when it has ended already, or never began.
        """

    async def wait(self) -> Exit:
        """Return when a process of the service has ended."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def describe_returncode(returncode: int) -> str:
    """What a return code of `subprocess` says, in words."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"


class ManagedProcess:
    """One child process with its log file.

    `start` returns when `ready` answers True (at once without one) and raises ProcessFailed when the process exits
    before or `ready_timeout` passes. The child is its own session, so Ctrl-C reaches the parent only, which then stops
    its children in order; and it is on a leash (see `leash`): it never outlives the parent, SIGKILL included. A stopped
    process may be started again; its log goes on in the same file.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log_dir: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready: Ready | None = None,
        ready_timeout: float = 30.0,
        grace: float = 4.0,
        hint: str = "",
        leash: Leash = DEFAULT_LEASH,
    ) -> None:
        """`env` is added to the environment of this process; `hint` ends every error message and tells what to do."""
        self.argv = tuple(argv)
        self.log_file = log_dir / f"{name}.log"
        self._name = name
        self._env = dict(env or {})
        self._cwd = cwd
        self._ready = ready
        self._ready_timeout = ready_timeout
        self._grace = grace
        self._hint = hint
        self._leash: Leash = leash
        self._process: subprocess.Popen[bytes] | None = None
        self._leash_fd = -1
        self._log_start = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The pid while the process lives, else None."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def pids(self) -> dict[str, int]:
        pid = self.pid
        return {} if pid is None else {self._name: pid}

    @property
    def returncode(self) -> int | None:
        """As in `subprocess`: None while alive or before the first start, negative for a signal."""
        return None if self._process is None else self._process.poll()

    async def start(self) -> None:
        """Start and wait until ready."""
        if self.alive:
            raise RuntimeError(f"{self._name} is running already (pid {self.pid})")
        self._spawn()
        try:
            await self._until_ready()
        except BaseException:  # cancellation too: whoever gives up waiting gives up the process
            self.signal(signal.SIGKILL)
            await self._reap()
            raise

    async def stop(self, grace: float | None = None) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds (the process's own when None)."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a paused process could not act on SIGTERM
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), self._grace if grace is None else grace)
        finally:
            self.signal(signal.SIGKILL)
            await self._reap()

    async def kill(self) -> None:
        """SIGKILL, and wait until it has ended."""
        self.signal(signal.SIGKILL)
        await self._reap()

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process and what it started. Does nothing once the process has ended."""
        if self._process is not None and self._process.poll() is None:
            # Not reaped yet (poll just said so), so the pid, and the group of the same number, are still ours.
            os.killpg(self._process.pid, signum)

    async def wait(self) -> Exit:
        """Return when the process has ended."""
        if self._process is None:
            # Never started: as far gone as a process can be. `stop` relies on it.
            return Exit(self._name, 0, "")
        while (returncode := self._process.poll()) is None:  # noqa: ASYNC110 (an Event would belong to one loop)
            await asyncio.sleep(POLL_SECONDS)
        return Exit(self._name, returncode, self.log_tail())

    def log_tail(self) -> str:
        """The end of what the process has logged since its last start."""
        try:
            with self.log_file.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, end - TAIL_BYTES))
                return log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _spawn(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > MAX_LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self._drop_leash()
        read_end, self._leash_fd = os.pipe()
        leash = [sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py"))]
        leash += [self._leash, str(os.getpid()), str(read_end)]
        try:
            with open(self.log_file, "ab", opener=_private) as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    [*leash, *self.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._env},
                    cwd=self._cwd,
                    start_new_session=True,
                    umask=0o077,
                    pass_fds=[read_end],
                )
        finally:
            os.close(read_end)

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_timeout
        last_error: Exception | None = None
        while True:
            left = deadline - time.monotonic()
            try:
                # The first poll of `alive` comes after the probe, so a probe answered by somebody else is no success.
                answered = self._ready is None or await asyncio.wait_for(self._ready(), max(left, POLL_SECONDS))
            except (OSError, TimeoutError) as error:
                answered, last_error = False, error
            if not self.alive:
                raise self.failure(describe_returncode(self.returncode or 0) + " before it was ready")
            if answered:
                return
            if left <= 0:
                why = f" ({last_error})" if last_error and str(last_error) else ""
                raise self.failure(f"did not answer within {self._ready_timeout:g} s{why}")
            await asyncio.sleep(POLL_SECONDS)

    async def _reap(self) -> None:
        """After SIGKILL: wait for the end, which nothing can prevent, and let go of the leash."""
        await self.wait()
        self._drop_leash()

    def _drop_leash(self) -> None:
        if self._leash_fd >= 0:
            os.close(self._leash_fd)
            self._leash_fd = -1

    def failure(self, what: str) -> ProcessFailed:
        """The error that says what happened to this process, with the end of its log and the hint."""
        tail = self.log_tail()
        indented = "\n".join(f"  {line}" for line in tail.splitlines()[-20:])
        log = f"The end of its log ({self.log_file}):\n{indented}" if tail else f"Its log ({self.log_file}) is empty."
        return ProcessFailed("\n".join(filter(None, [f"{self._name} {what}.", log, self._hint])))


async def run_to_end(process: ManagedProcess, within: float) -> None:
    """Run a process whose work is to end by itself.

    Raises ProcessFailed unless it ends with status 0 in `within` seconds.
    """
    await process.start()
    try:
        end = await asyncio.wait_for(process.wait(), within)
    except TimeoutError:
        raise process.failure(f"had not ended after {within:g} s") from None
    finally:
        await process.kill()
    if end.returncode != 0:
        raise process.failure(describe_returncode(end.returncode))


class Supervisor:
    """Starts services in stages, tells when one ends by itself, and stops all in reverse order.

    `async with Supervisor() as services:` stops everything at the end of the block, whatever ended it.
    """

    # Kept back for every stage still to be stopped, so that one which does not listen leaves time for those after it.
    RESERVE_SECONDS = 0.4

    def __init__(self, *, within: float = 5.0) -> None:
        """`within`: the seconds that stopping everything may take in total."""
        self._within = within
        self._stages: list[tuple[Service, ...]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop_all()

    @property
    def services(self) -> list[Service]:
        """All services, in the order in which they start."""
        return [service for stage in self._stages for service in stage]

    @property
    def pids(self) -> dict[str, int]:
        return {name: pid for service in self.services for name, pid in service.pids.items()}

    async def start(self, *services: Service) -> None:
        """Start the services of one stage together; they are stopped together too. Raises the first failure."""
        self._stages.append(services)
        # Gathered as results: every service of the stage has started or failed, and cleaned up, before the first
        # failure is raised.
        results = await asyncio.gather(*(service.start() for service in services), return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure

    async def first_exit(self) -> Exit:
        """Return when any service ends by itself."""
        watches = [asyncio.ensure_future(service.wait()) for service in self.services]
        if not watches:
            raise RuntimeError("nothing was started")
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()

    async def stop_all(self) -> None:
        """Stop all stages, the last one first, in `within` seconds; what has not ended by then is killed.

        A service that has ended before is passed over. Every service is stopped even if another one fails to; then the
        failures are raised.
        """
        deadline = time.monotonic() + self._within
        failures: list[BaseException] = []
        while self._stages:
            stage = self._stages[-1]
            waiting = len(self._stages)
            grace = max(deadline - time.monotonic() - self.RESERVE_SECONDS * waiting, self.RESERVE_SECONDS / 2)
            results = await asyncio.gather(*(service.stop(grace) for service in stage), return_exceptions=True)
            failures += [result for result in results if result is not None]
            self._stages.pop()
        if failures:
            raise BaseExceptionGroup("some services could not be stopped", failures)
