"""The data directory of a stack: who holds it, what lies where, and the endpoints of what is running.

    DIR/lock             held (flock) while a stack runs; says who
    DIR/endpoints.json   where the running stack answers, with the tokens that it asks for; absent otherwise
    DIR/clickhouse/      data of the ClickHouse engine
    DIR/kafka/           data of Apache Kafka (the embedded broker keeps its own in memory)
    DIR/logs/            NAME.log of every process
    DIR/notes/           what the workers have in hand (streams/deaths.py)

All of it is its owner's alone: folders 0700, files 0600.

The lock belongs to an open file, so it ends with its holder, however that ends: there is no stale lock to clean up.
"""

import contextlib
import fcntl
import os
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streams.secrets import without_password

# A reader of the endpoints tries the lock for an instant; whoever wants to hold it must not take that for a holder.
_ACQUIRE_SECONDS = 0.5
_RETRY_SECONDS = 0.02


class DirectoryInUse(RuntimeError):
    """Another stack runs on the directory. The text says which."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a data directory."""

    pid: int
    since: datetime
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} since {self.since:%Y-%m-%d %H:%M:%S %Z}: {self.command}"


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running stack answers: the content of `endpoints.json`."""

    kafka: str
    clickhouse: str
    """Of the embedded engine with its token: http://mirante:TOKEN@HOST:PORT. Of another server without the password."""
    clickhouse_token: str = ""
    metrics: list[str] = []
    ingest: str = ""
    dashboard: str = ""
    dashboard_token: str = ""
    pids: dict[str, int] = {}


class DataDirectory:
    """A data directory, held from `__enter__` to `__exit__`. Raises DirectoryInUse when another stack holds it.

    with DataDirectory(path) as directory:
        ...
        directory.publish(Endpoints(...))   # once everything is up
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.clickhouse = self.path / "clickhouse"
        self.kafka = self.path / "kafka"
        self.logs = self.path / "logs"
        self.notes = self.path / "notes"
        self.endpoints_file = self.path / "endpoints.json"
        self._lock_file = self.path / "lock"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self._make_private()
        # Not inherited by children: the directory is free as soon as the holder itself has ended.
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + _ACQUIRE_SECONDS
            while not _try_lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise DirectoryInUse(
                        f"{self.path} is in use by {_describe_holder(self._lock_file)}. "
                        "Stop it, or choose another directory with --data."
                    )
                time.sleep(_RETRY_SECONDS)
            me = Holder(pid=os.getpid(), since=datetime.now(UTC), command=without_password(shlex.join(sys.argv)))
            os.ftruncate(lock, 0)
            os.pwrite(lock, msgspec.json.encode(me) + b"\n", 0)
            self.endpoints_file.unlink(missing_ok=True)  # of a holder that was killed
            for folder in (self.clickhouse, self.logs):
                folder.mkdir(exist_ok=True)
                folder.chmod(0o700)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.withdraw()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def publish(self, endpoints: Endpoints) -> None:
        """Write `endpoints.json`, atomically: a reader sees all of it or nothing."""
        if self._lock is None:
            raise RuntimeError(f"{self.path} is not held")
        draft = self.endpoints_file.with_suffix(".json.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.endpoints_file)

    def _make_private(self) -> None:
        """Make the directory, for its owner alone. One that holds other things as well is left as it is; the folders in it are private."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours = self._lock_file.exists() or not any(self.path.iterdir())
        if ours and self.path.stat().st_uid == os.getuid():
            self.path.chmod(0o700)
            if self._lock_file.exists():
                self._lock_file.chmod(0o600)

    def withdraw(self) -> None:
        """Remove `endpoints.json`: nothing answers from now on. Done by `__exit__` at the latest."""
        if self._lock is not None:
            self.endpoints_file.unlink(missing_ok=True)


def read_endpoints(path: Path) -> Endpoints | None:
    """The endpoints of the stack that runs on a directory;

    None when there is none, or it has ended without cleaning up.
    """
    if holder(path) is None:
        return None
    try:
        return msgspec.json.decode((path / "endpoints.json").read_bytes(), type=Endpoints)
    except FileNotFoundError:  # not up yet, or just withdrawn
        return None


def holder(path: Path) -> Holder | None:
    """Who holds a directory; None when nobody does."""
    lock_file = path / "lock"
    try:
        lock = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(lock, fcntl.LOCK_SH):
            return None
    finally:
        os.close(lock)
    with contextlib.suppress(msgspec.DecodeError):  # locked, but not yet signed
        return msgspec.json.decode(lock_file.read_bytes(), type=Holder)
    return Holder(pid=0, since=datetime.now(UTC), command="a process that is just starting")


def _try_lock(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe_holder(lock_file: Path) -> str:
    return str(holder(lock_file.parent) or "another process, which has just ended")
