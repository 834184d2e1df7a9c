"""An event that kills workers becomes a dead letter, and no other does, however often workers are killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.deaths import ANY, HUNG, DeathLedger, Notes, UnusableFolder
from streams.in_hand import Condemned, InHand, Work, mark_of
from streams.pieces import MOST_BYTES, pieces
from tests.unit.builders import FakeBatch, Record

BATCH = Work("interactions", "apply", "llm.requests", 0, 100, 199)
EVENT = Work("interactions", "apply", "llm.requests", 0, 150, 150, mark_of(None, b"poison"))
FAULT = ("Segmentation fault", True)
KILLED = ("killed", False)


def is_condemned(*deaths: tuple[Work, tuple[str, bool]]) -> bool:
    ledger = DeathLedger()
    return [ledger.add("cluster", work, *cause).condemned for work, cause in deaths][-1]


class TestVerdict:
    def test_the_second_fault_is_the_last(self) -> None:
        assert not is_condemned((BATCH, FAULT))
        assert is_condemned((BATCH, FAULT), (EVENT, FAULT))

    def test_of_deaths_without_a_trace_it_takes_a_third(self) -> None:
        assert not is_condemned((BATCH, KILLED), (EVENT, KILLED))
        assert not is_condemned((BATCH, KILLED), (EVENT, FAULT))
        assert is_condemned((BATCH, KILLED), (EVENT, KILLED), (EVENT, KILLED))

    def test_a_batch_is_never_condemned(self) -> None:
        assert not is_condemned(*[(BATCH, FAULT)] * 5)

    def test_a_death_with_another_event_in_hand_clears_it(self) -> None:
        other = Work("interactions", "apply", "llm.requests", 0, 151, 151, mark_of(None, b"other"))
        assert not is_condemned((BATCH, FAULT), (other, KILLED), (EVENT, FAULT))

    def test_another_event_at_its_place_is_not_condemned(self) -> None:
        other = Work("interactions", "apply", "llm.requests", 0, 150, 150, mark_of(None, b"other"))
        assert not is_condemned((EVENT, FAULT), (other, FAULT))

    @pytest.mark.parametrize("seed", range(20))
    def test_kills_at_random_condemn_nobody(self, seed: int) -> None:
        """A busy worker that is killed 500 times, each time after up to three seconds: its events take tens of microseconds, one
        in five hundred is large and takes up to 100 milliseconds."""
        rng = random.Random(seed)
        takes = [rng.uniform(0, 0.1) if rng.random() < 0.002 else rng.uniform(2e-5, 1e-4) for _ in range(20_000)]
        ledger, durable = DeathLedger(), 0
        for _ in range(500):
            left, at = rng.uniform(0, 3), durable
            suspects = [one.work for one in ledger.suspects]
            while True:
                end = next((at + 1 for work in suspects if work.first <= at <= work.last), at + 100)
                last = min(end, at - at % 100 + 100)
                seconds = sum(takes[n % len(takes)] for n in range(at, last))
                if seconds > left:
                    break
                left, at = left - seconds, last
            durable = max(durable, at - 2_000)  # the last checkpoint was some time ago
            mark = f"mark of {at}" if last == at + 1 else ""
            ledger.add("cluster", Work("interactions", "apply", "llm.requests", 0, at, last - 1, mark), *KILLED)
        assert not any(one.condemned for one in ledger.suspects)


def batch(sizes: list[int]) -> FakeBatch:
    records = [Record("llm.requests", 0, 100 + n, 0, b"key", b"x" * size, ()) for n, size in enumerate(sizes)]
    return FakeBatch("llm.requests", 0, records, 100 + len(sizes), size=sum(sizes))


class TestPieces:
    def offsets(self, of: FakeBatch, wanted: int = 0, *suspects: Work) -> list[list[int]]:
        return [[record.offset for record in piece.records] for piece in pieces(of, wanted, suspects)]

    def test_a_batch_is_one_piece(self) -> None:
        assert self.offsets(batch([1_000] * 3)) == [[100, 101, 102]]
        assert self.offsets(batch([1_000] * 3), 101) == [[101, 102]]
        assert self.offsets(batch([])) == [[]]

    def test_large_records_come_one_by_one(self) -> None:
        large = MOST_BYTES - 10
        assert self.offsets(batch([large, large, 5, 20])) == [[100], [101, 102], [103]]

    def test_records_in_which_a_worker_died_come_one_by_one(self) -> None:
        suspect = Work("interactions", "apply", "llm.requests", 0, 101, 102)
        assert self.offsets(batch([1] * 5), 0, suspect) == [[100], [101], [102], [103, 104]]

    def test_every_offset_of_the_batch_is_passed(self) -> None:
        of = batch([1] * 3)
        of.next_offset = 110  # what lies between are no records
        suspect = Work("interactions", "apply", "llm.requests", 0, 100, 100)
        assert [piece.next_offset for piece in pieces(of, 0, [suspect])] == [101, 110]


CHILD = """
import asyncio, ctypes, re, sys
from pathlib import Path
from streams.deaths import Notes
from streams.in_hand import Work
from streams.metrics import Metrics
from streams.watchdog import Watchdog

notes = Notes(Path(sys.argv[1]), "cluster")
event = Work("interactions", "apply", "llm.requests", 0, 150, 150, "mark")

async def main():
    watching = asyncio.ensure_future(Watchdog(notes.in_hand, Metrics(), notes.trace).run())
    await asyncio.sleep(0.1)
    if sys.argv[2] == "busy":
        print("ready", flush=True)
        n = 0
        while True:
            n += 1
            notes.in_hand.take(Work("agent" * (n % 7 + 1), "apply", "topic" * (n % 11 + 1), n, n, n + n % 100))
    notes.in_hand.take(event)
    print("ready", flush=True)
    if sys.argv[2] == "fault":
        ctypes.string_at(0)
    re.match("(a+)+$", "a" * 60 + "b")  # one call that holds the interpreter for years

asyncio.run(main())
"""


def die(folder: Path, how: str, after: float = 0.0) -> int:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), how], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    if how != "fault":
        time.sleep(after)
        child.kill()
    child.stdout.close()
    return child.wait(timeout=30)


class TestNotes:
    def test_a_segmentation_fault_is_seen_by_the_next_worker(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        folder, event = tmp_path / "notes", Work("interactions", "apply", "llm.requests", 0, 150, 150, "mark")
        assert die(folder, "fault") == -signal.SIGSEGV
        assert Notes(folder, "cluster").deaths.reason(event) is None
        assert "a worker died (Segmentation fault) with llm.requests/0/150" in caplog.text and "string_at" in caplog.text
        assert die(folder, "fault") == -signal.SIGSEGV
        deaths = Notes(folder, "cluster").deaths
        assert "Segmentation fault, Segmentation fault" in (deaths.reason(event) or "")
        assert Notes(folder, "another cluster").deaths.reason(event) is None

    def test_one_that_hangs_in_a_single_call_is_seen_too(self, tmp_path: Path) -> None:
        die(tmp_path / "notes", "hang", HUNG + 1.0)
        ledger_of = Notes(tmp_path / "notes", "cluster").deaths
        (suspect,) = ledger_of._suspects["interactions", "llm.requests", 0]
        assert suspect.proven == 1 and "held" in suspect.causes[0]

    def test_a_note_is_whole_whenever_its_worker_is_killed(self, tmp_path: Path) -> None:
        rng = random.Random(4)
        for _ in range(4):
            assert die(tmp_path, "busy", rng.uniform(0.01, 0.1)) == -signal.SIGKILL
            known = Notes(tmp_path, "cluster").deaths._suspects
            for (agent, topic, partition), suspects in known.items():
                n = partition
                assert (agent, topic) == ("agent" * (n % 7 + 1), "topic" * (n % 11 + 1))
                assert [(one.work.first, one.work.last) for one in suspects] == [(n, n + n % 100)]

    def test_a_worker_that_lives_is_not_taken_for_dead(self, tmp_path: Path) -> None:
        mine = Notes(tmp_path, "cluster")
        mine.in_hand.take(EVENT)
        assert Notes(tmp_path, "cluster").deaths.suspects("interactions", "llm.requests", 0) == ()

    def test_the_folder_is_its_owners(self, tmp_path: Path) -> None:
        Notes(tmp_path / "notes", "cluster")
        assert (tmp_path / "notes").stat().st_mode & 0o077 == 0
        assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "notes").iterdir())

    def test_a_link_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "notes").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UnusableFolder, match="MIRANTE_NOTES_DIR"):
            Notes(tmp_path / "notes", "cluster")


class Sentence:
    """Deaths that condemn one event."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def suspects(self, agent: str, topic: str, partition: int) -> list[Work]:
        return [self._work]

    def reason(self, work: Work) -> str | None:
        return "it kills" if work == self._work else None


def test_what_a_state_has_kept_is_noted_within_its_batch() -> None:
    kept = Work("interactions", "unanswered", "llm.requests", 1, 7, 7, "req-7")
    in_hand = InHand(deaths=Sentence(kept))
    with in_hand.at(BATCH):
        with in_hand.event("unanswered", "llm.requests", 1, 8, "req-8"):
            assert in_hand.work == Work("interactions", "unanswered", "llm.requests", 1, 8, 8, "req-8")
        assert in_hand.work == BATCH
        with pytest.raises(Condemned, match="it kills"), in_hand.event("unanswered", "llm.requests", 1, 7, "req-7"):
            raise AssertionError("it is worked on")
        assert in_hand.work == BATCH
    assert in_hand.work is None and ANY == 3
