"""How workers died, and which event is to blame: notes in a folder that all workers of a machine, or of a pod, share.

    PID-RANDOM.note    what the worker has in hand (streams/in_hand.py); locked while it lives
    PID-RANDOM.trace   where it is, when it dies of a fault or has been held for long
    deaths.json        what the notes of those that died have come to

A note that nobody holds any more is of a worker that died. What it had in hand is *suspect*: a
batch, whose records are taken one by one from now on; then one event. An event is condemned, which
makes it a dead letter, when it was in hand at two deaths that are of its doing beyond doubt (a
fault of the processor such as a segmentation fault, or it had been in hand for HUNG seconds), or at
three of any kind (the kernel's killer of what takes too much memory leaves no trace, nor does
`kill -9`). A death meanwhile with other records of that partition in hand clears it.

A SIGKILL at random hits the microseconds of one event at most once: that it hits those of the same
event again, right after the worker has come back to it, and then a third time, is one in 10^9.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from streams.in_hand import NOTE_BYTES, InHand, Work, read_note

log = logging.getLogger(__name__)

SLOW, AGAIN = 1.0, 4.0
"""Seconds for which the event loop is held until a trace of it is written, and until the next ones."""
HUNG = SLOW + AGAIN
"""Seconds: five times what the largest event takes. The second trace has been written then."""
PROVEN, ANY = 2, 3
"""Deaths that condemn an event: of its doing beyond doubt; of any kind."""

MOST = 1_000
"""Suspects and condemned events that are remembered."""
_SHOWN_TRACE = 4_000
_FAULT = re.compile(r"^Fatal Python error: (.*)$", re.MULTILINE)
_TRACE = "most recent call first"


class UnusableFolder(OSError):
    """Notes cannot be kept there. The text says why, and what to do."""


class Suspect(msgspec.Struct):
    """Work in which workers died, one after another. `causes`: of each death."""

    source: str
    work: Work
    causes: list[str]
    proven: int = 0
    condemned: bool = False

    @property
    def reason(self) -> str:
        how = ", ".join(self.causes)
        return (
            f"{len(self.causes)} workers died while they had this event in hand ({how}), in "
            f"{self.work.agent}/{self.work.step}; their logs say where. Please report it; when it "
            "is mended, `mirante deadletter replay` sends it back"
        )


class DeathLedger(msgspec.Struct):
    """Content of `deaths.json`."""

    suspects: list[Suspect] = []

    def add(self, source: str, work: Work, cause: str, is_proof: bool) -> Suspect:
        """A worker has died with `work` in hand."""
        place = (source, work.agent, work.topic, work.partition)
        before = [s for s in self.suspects if not s.condemned and _place(s) == place]
        # Of several, because what a state has kept is worked on among the records of a batch.
        same = next((s for s in before if work.is_within(s.work)), None)
        found = Suspect(source, work, [cause], int(is_proof))
        if same is not None:
            found.causes = [*same.causes, cause]
            found.proven += same.proven
        if work.mark and (found.proven >= PROVEN or len(found.causes) >= ANY):
            found.condemned = True
        self.suspects = [s for s in self.suspects if s not in before]
        self.suspects = [*self.suspects, found][-MOST:]
        return found


def _place(suspect: Suspect) -> tuple[str, str, str, int]:
    work = suspect.work
    return suspect.source, work.agent, work.topic, work.partition


_read = msgspec.json.Decoder(DeathLedger).decode


class NotedDeaths:
    """As of :class:`streams.in_hand.Deaths`, from the ledger of a folder."""

    def __init__(self, folder: Path, source: str) -> None:
        self._folder, self._source = folder, source
        self._suspects: dict[tuple[str, str, int], list[Suspect]] = {}

    def suspects(self, agent: str, topic: str, partition: int) -> Sequence[Work]:
        known = self._suspects.get((agent, topic, partition))
        return [one.work for one in known] if known else ()

    def reason(self, work: Work) -> str | None:
        if not self._suspects:
            return None
        for one in self._suspects.get((work.agent, work.topic, work.partition), ()):
            if one.condemned and (one.work.first, one.work.mark) == (work.first, work.mark):
                return one.reason
        return None

    def refresh(self) -> None:
        """Look whether a worker has died meanwhile, and of what. Says so in the log."""
        with _locked(self._folder):
            ledger = _ledger(self._folder)
            died = False
            for note in sorted(self._folder.glob("*.note")):
                died |= _bury(note, ledger)
            if died:
                _write(self._folder, ledger)
        self._suspects = {}
        for one in ledger.suspects:
            if one.source == self._source:
                key = (one.work.agent, one.work.topic, one.work.partition)
                self._suspects.setdefault(key, []).append(one)


class Notes:
    """The notes of this worker, in `folder`. Kept until the process ends, however it ends."""

    def __init__(self, folder: Path, source: str) -> None:
        """Raises UnusableFolder."""
        _make_private(folder)
        self.deaths = NotedDeaths(folder, source)
        self.deaths.refresh()
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        with _locked(folder):
            self._note = _new(folder / f"{name}.note")
            os.truncate(self._note.fileno(), NOTE_BYTES)
            fcntl.flock(self._note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.trace = _new(folder / f"{name}.trace")
        self._memory = mmap.mmap(self._note.fileno(), NOTE_BYTES)
        self.in_hand = InHand(source, self._memory, self.deaths)


def _make_private(folder: Path) -> None:
    """Others must not be able to write there: a note decides what is not processed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = folder.lstat()
        if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.getuid():
            raise UnusableFolder(f"{folder} is not a folder of the user that runs the worker")
        folder.chmod(0o700)
    except OSError as error:
        raise UnusableFolder(
            f"{error}. Name another folder with MIRANTE_NOTES_DIR; without it an event that kills "
            "a worker does so again and again"
        ) from error


def _new(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o600), "r+b", buffering=0)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _ledger(folder: Path) -> DeathLedger:
    try:
        return _read((folder / "deaths.json").read_bytes())
    except FileNotFoundError:
        return DeathLedger()
    except msgspec.DecodeError as error:
        log.warning("%s is of no use and begins anew: %s", folder / "deaths.json", error)
        return DeathLedger()


def _write(folder: Path, ledger: DeathLedger) -> None:
    draft = folder / "deaths.json.new"
    draft.write_bytes(msgspec.json.encode(ledger))
    draft.chmod(0o600)
    draft.replace(folder / "deaths.json")


def _bury(path: Path, ledger: DeathLedger) -> bool:
    """Add a note to the ledger and remove it, if its worker has died. False if it lives."""
    with path.open("r+b") as note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        found = read_note(note.read(NOTE_BYTES))
    trace_path = path.with_suffix(".trace")
    trace = trace_path.read_text("utf-8", "replace") if trace_path.exists() else ""
    cause, is_proof = cause_of(trace)
    if found is not None and found[1].topic:
        source, work = found
        suspect = ledger.add(source, work, cause, is_proof)
        log.warning(
            "a worker died (%s) with %s/%d/%d to %d in hand, in %s/%s; %s%s",
            cause, work.topic, work.partition, work.first, work.last, work.agent, work.step,
            "it is a dead letter from now on" if suspect.condemned else "they are taken one by one from now on",
            f". Where it was:\n{trace[-_SHOWN_TRACE:]}" if trace else "",
        )  # fmt: skip
    elif is_proof:
        log.warning("a worker died: %s. Where it was:\n%s", cause, trace[-_SHOWN_TRACE:])
    path.unlink()
    trace_path.unlink(missing_ok=True)
    return True


def cause_of(trace: str) -> tuple[str, bool]:
    """What a worker died of, as far as its trace tells, and whether that is what it worked on beyond doubt."""
    if fault := _FAULT.search(trace):
        return fault[1].strip(), True
    if trace.count(_TRACE) >= 2:
        return f"held for {HUNG:.0f} s or longer", True
    return "killed", False
