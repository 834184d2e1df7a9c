"""The data directory: one holder at a time, and endpoints that are there exactly while they answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.directory import DataDirectory, DirectoryInUse, Endpoints, holder, read_endpoints

ROOT = Path(__file__).parents[2]
ENDPOINTS = Endpoints(
    kafka="127.0.0.1:9092", clickhouse="http://127.0.0.1:8123", metrics=["http://127.0.0.1:9100"], pids={"kafka": 7}
)
HOLDER = """
import pathlib, sys, time
from deploy.embedded.directory import DataDirectory, Endpoints
with DataDirectory(pathlib.Path(sys.argv[1])) as directory:
    directory.publish(Endpoints(kafka="k", clickhouse="c"))
    print("held", flush=True)
    time.sleep(60)
"""


def test_endpoints_are_published_while_it_is_held_and_removed_at_the_end(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as directory:
        assert read_endpoints(directory.path) is None
        directory.publish(ENDPOINTS)
        assert read_endpoints(directory.path) == ENDPOINTS
    assert read_endpoints(directory.path) is None
    assert not directory.endpoints_file.exists()


def test_the_layout_is_made(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "data") as directory:
        assert sorted(path.name for path in directory.path.iterdir()) == ["clickhouse", "lock", "logs"]


def test_a_directory_that_never_was_has_no_endpoints(tmp_path: Path) -> None:
    assert read_endpoints(tmp_path / "nothing") is None


def test_nothing_is_published_without_the_directory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="is not held"):
        DataDirectory(tmp_path).publish(ENDPOINTS)


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert first.stdout is not None
    with first, first.stdout:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(DirectoryInUse) as refusal, DataDirectory(tmp_path):
            pass
        assert f"{tmp_path} is in use by pid {first.pid} since 2" in str(refusal.value)
        assert f": -c {tmp_path}" in str(refusal.value), "the command line"
        assert read_endpoints(tmp_path) == Endpoints(kafka="k", clickhouse="c"), "a refusal takes nothing away"
        first.kill()


def test_a_killed_holder_leaves_stale_endpoints_that_count_as_none_and_a_free_directory(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert first.stdout is not None
    with first, first.stdout:
        assert first.stdout.readline() == "held\n"
        first.kill()
    assert (tmp_path / "endpoints.json").exists()
    assert read_endpoints(tmp_path) is None
    assert holder(tmp_path) is None
    with DataDirectory(tmp_path) as directory:
        assert not directory.endpoints_file.exists()


def test_what_was_open_to_others_is_its_owners_alone_from_then_on(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o755)
    ours.chmod(0o755)
    with DataDirectory(ours) as directory:
        directory.publish(ENDPOINTS)
        files = ("lock", "endpoints.json")
        assert [(ours / name).stat().st_mode & 0o777 for name in files] == [0o600, 0o600]
        assert [(ours / name).stat().st_mode & 0o777 for name in (".", "clickhouse", "logs")] == [0o700] * 3


def test_a_folder_that_holds_other_things_is_left_to_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "letter.txt").write_text("of somebody else")
    with DataDirectory(shared):
        assert shared.stat().st_mode & 0o777 == 0o755
        assert (shared / "clickhouse").stat().st_mode & 0o777 == 0o700


def test_the_lock_says_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mirante", "up", "--clickhouse", "http://mirante:hunter2@db:8123"])
    with DataDirectory(tmp_path / "data") as directory:
        assert "hunter2" not in str(holder(directory.path))
        assert "http://mirante@db:8123" in str(holder(directory.path))
