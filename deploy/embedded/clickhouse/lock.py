"""One process per data directory."""

import fcntl
import os
from pathlib import Path

from deploy.embedded.clickhouse.errors import CANNOT_OPEN_FILE, server_error

LOCK_FILE = ".lock"


class DirectoryLock:
    """Holds a data directory for this process until `release()` or the end of the process, however it ends.

    A flock(2) on DIR/.lock, which the kernel drops with the process, so a killed holder leaves nothing to clean up. The
    file holds the pid for the message to whoever comes second; it is never deleted, because deleting a locked file lets two
    processes hold "the" lock.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / LOCK_FILE
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            self.release()
            raise server_error(
                CANNOT_OPEN_FILE,
                "CANNOT_OPEN_FILE",
                f"{directory} is in use by the process with pid {holder}: query that process over HTTP, stop it, "
                "or choose another directory",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the directory go. Harmless when repeated."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
