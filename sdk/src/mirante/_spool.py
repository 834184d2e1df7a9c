"""Events on disk until they are known to be stored: what a crash leaves is sent at the next start.

Each process writes batches into a folder of its own, on which it holds a lock while it lives. A
folder whose lock is free belongs to nobody any more: whoever starts next takes it over. An event
may be sent twice so; its ``event_id`` makes that harmless.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from mirante._sending import Event

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("mirante")

_SUFFIX = ".jsonl"


class Spool:
    """Batches of events under ``folder``, at most ``most_bytes`` of them. Used by one thread."""

    def __init__(self, folder: str | os.PathLike[str], most_bytes: int) -> None:
        if fcntl is None:
            raise ValueError("spool needs file locks, which this system does not have")
        self._root = Path(folder)
        self._most = most_bytes
        self._own: Path | None = None
        self._lock: int | None = None
        self._adopted: list[int] = []
        self._sizes: dict[Path, int] = {}
        self._number = 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    @property
    def batches(self) -> int:
        return len(self._sizes)

    def open(self) -> list[Path]:
        """Take a folder, and over what ended processes have left: those batches, the oldest
        first."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        left = [path for folder in sorted(self._root.iterdir()) for path in self._adopt(folder)]
        own = self._root / uuid.uuid4().hex
        own.mkdir(mode=0o700)
        lock = _locked(own)
        if lock is None:
            raise OSError(f"the new folder {own.name} is locked")
        self._own, self._lock = own, lock
        left.sort(key=lambda path: path.stat().st_mtime_ns)
        self._sizes = {path: path.stat().st_size for path in left}
        return left

    def _adopt(self, folder: Path) -> list[Path]:
        if not folder.is_dir() or (lock := _locked(folder)) is None:
            return []
        self._adopted.append(lock)
        found = sorted(folder.glob("*" + _SUFFIX))
        if not found:
            _remove_folder(folder)
        return found

    def write(self, events: Sequence[Event]) -> Path | None:
        """The batch's file; None when there is no room for it. Raises OSError."""
        if self._own is None:
            raise OSError("the spool is not open")
        lines = b"".join(
            b'{"topic":%s,"key":%s,"value":%s}\n'
            % (json.dumps(e.topic).encode(), json.dumps(e.key).encode(), e.value)
            for e in events
        )
        if self.size + len(lines) > self._most:
            return None
        self._number += 1
        path = self._own / f"{self._number:012d}{_SUFFIX}"
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._sizes[path] = len(lines)
        return path

    def read(self, path: Path) -> list[Event]:
        """The events of a batch; lines that are damaged are left out and logged."""
        events = []
        for line in path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                value = json.dumps(entry["value"], ensure_ascii=False, separators=(",", ":"))
                events.append(Event(str(entry["topic"]), str(entry["key"]), value.encode()))
            except (ValueError, KeyError, TypeError):
                log.warning("a damaged line in the spool file %s is left out", path.name)
        return events

    def remove(self, path: Path) -> None:
        """Its events are stored."""
        self._sizes.pop(path, None)
        path.unlink(missing_ok=True)
        if path.parent != self._own and not any(path.parent.glob("*" + _SUFFIX)):
            _remove_folder(path.parent)

    def close(self) -> None:
        """Give the folders back, and up: what is still in them is the next process's."""
        if self._own is not None and not any(self._own.glob("*" + _SUFFIX)):
            _remove_folder(self._own)
        self.forget()

    def forget(self) -> None:
        """Hang on to nothing, as a forked child must: the folders stay its parent's."""
        for lock in [*self._adopted, *([] if self._lock is None else [self._lock])]:
            os.close(lock)
        self._own, self._lock, self._adopted, self._sizes = None, None, [], {}


def _locked(folder: Path) -> int | None:
    """A lock on the folder, or None where another process has it."""
    try:
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _remove_folder(folder: Path) -> None:
    for path in folder.glob("*.part"):
        path.unlink(missing_ok=True)
    (folder / "lock").unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError as error:
        log.debug("the spool folder %s stays: %s", folder.name, error)
