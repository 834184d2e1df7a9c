"""Child processes: started until ready, watched, stopped in order, never left behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded.ports import LOOPBACK, free_port, is_free, take_port
from deploy.embedded.processes import ManagedProcess, ProcessFailed, Supervisor, run_to_end

pytestmark = pytest.mark.asyncio

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]

# In one write: children are unbuffered, and `print` would write the end of the line by itself.
SLEEPS = "import sys, time; sys.stdout.write('up\\n'); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = """
import pathlib, signal, sys, time
def goodbye(*_):
    with open(sys.argv[1], "a") as order: order.write(sys.argv[2] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, goodbye)
print("up", flush=True)
time.sleep(60)
"""


def child(name: str, code: str, log_dir: Path, *arguments: str, **settings: object) -> ManagedProcess:
    """A Python child that counts as ready once it has printed `up`, its signal handlers then being in place."""

    async def up() -> bool:
        return "up" in process.log_tail()

    process = ManagedProcess(
        name, [PYTHON, "-c", code, *arguments], log_dir=log_dir, **{"ready": up, "ready_timeout": 10.0, **settings}
    )
    return process


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie, ended but not yet collected by its new parent, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip().startswith("Z") and bool(state.strip())


async def gone(pid: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while exists(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


class TestOneProcess:
    async def test_start_returns_when_it_is_ready_and_its_output_is_in_its_log(self, tmp_path: Path) -> None:
        process = child("sleeper", SLEEPS, tmp_path / "logs")
        await process.start()
        try:
            assert process.alive
            assert process.pids == {"sleeper": process.pid}
            assert (tmp_path / "logs" / "sleeper.log").read_text() == "up\n"
        finally:
            await process.stop()
        assert not process.alive
        assert process.pids == {}

    async def test_an_early_exit_fails_the_start_with_the_log_and_what_to_do(self, tmp_path: Path) -> None:
        code = "import sys; print('disk is full'); sys.exit(3)"
        process = child("engine", code, tmp_path, hint="Free some space.")
        with pytest.raises(ProcessFailed) as failure:
            await process.start()
        message = str(failure.value)
        assert message.startswith("engine exited with status 3 before it was ready.")
        assert "disk is full" in message
        assert str(process.log_file) in message
        assert message.endswith("Free some space.")

    async def test_the_error_shows_this_start_only_not_an_earlier_one(self, tmp_path: Path) -> None:
        for complaint in ("first complaint", "second complaint"):
            with pytest.raises(ProcessFailed, match=complaint) as failure:
                await child("engine", f"raise SystemExit('{complaint}')", tmp_path).start()
        assert "first" not in str(failure.value)

    async def test_a_process_that_never_gets_ready_is_killed(self, tmp_path: Path) -> None:
        async def refused() -> bool:
            raise ConnectionRefusedError("nobody listens")

        process = ManagedProcess("slow", [PYTHON, "-c", SLEEPS], log_dir=tmp_path, ready=refused, ready_timeout=0.3)
        with pytest.raises(ProcessFailed, match=r"did not answer within 0.3 s \(nobody listens\)"):
            await process.start()
        assert not process.alive

    async def test_a_readiness_check_that_hangs_ends_with_the_timeout(self, tmp_path: Path) -> None:
        async def hangs() -> bool:
            await asyncio.sleep(60)
            return True

        process = ManagedProcess("slow", [PYTHON, "-c", SLEEPS], log_dir=tmp_path, ready=hangs, ready_timeout=0.3)
        with pytest.raises(ProcessFailed, match="did not answer"):
            await asyncio.wait_for(process.start(), 5)

    async def test_giving_up_the_start_gives_up_the_process(self, tmp_path: Path) -> None:
        async def never() -> bool:
            return False

        process = ManagedProcess("slow", [PYTHON, "-c", SLEEPS], log_dir=tmp_path, ready=never)
        starting = asyncio.create_task(process.start())
        await asyncio.sleep(0.2)
        assert process.alive
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not process.alive

    async def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        process = ManagedProcess("ghost", ["no-such-program"], log_dir=tmp_path, ready=None)
        await process.start()
        end = await asyncio.wait_for(process.wait(), 5)
        assert end.returncode != 0
        assert "no-such-program" in end.log_tail

    async def test_sigterm_comes_first_and_sigkill_after_the_grace(self, tmp_path: Path) -> None:
        polite = child("polite", POLITE, tmp_path, str(tmp_path / "order"), "polite")
        deaf = child("deaf", DEAF, tmp_path)
        await asyncio.gather(polite.start(), deaf.start())
        await asyncio.gather(polite.stop(), deaf.stop(grace=0.3))
        assert polite.returncode == 0
        assert deaf.returncode == -signal.SIGKILL

    async def test_a_paused_process_is_stopped_in_an_orderly_way_too(self, tmp_path: Path) -> None:
        process = child("polite", POLITE, tmp_path, str(tmp_path / "order"), "polite")
        await process.start()
        process.signal(signal.SIGSTOP)
        await process.stop()
        assert process.returncode == 0

    async def test_it_can_be_started_again(self, tmp_path: Path) -> None:
        process = child("sleeper", SLEEPS, tmp_path)
        pids = []
        for _ in range(2):
            await process.start()
            pids.append(process.pid)
            await process.kill()
        assert pids[0] != pids[1]
        assert process.log_file.read_text() == "up\nup\n"

    async def test_variables_are_added_to_the_environment(self, tmp_path: Path) -> None:
        code = "import os; print(os.environ['COLOUR'], 'PATH' in os.environ)"
        process = ManagedProcess("env", [PYTHON, "-c", code], log_dir=tmp_path, env={"COLOUR": "blue"})
        await run_to_end(process, within=10)
        assert process.log_tail() == "blue True"

    async def test_run_to_end_wants_status_0_in_time(self, tmp_path: Path) -> None:
        with pytest.raises(ProcessFailed, match="exited with status 4"):
            await run_to_end(ManagedProcess("job", [PYTHON, "-c", "raise SystemExit(4)"], log_dir=tmp_path), within=10)
        endless = ManagedProcess("job", [PYTHON, "-c", SLEEPS], log_dir=tmp_path)
        with pytest.raises(ProcessFailed, match=r"had not ended after 0.3 s"):
            await run_to_end(endless, within=0.3)
        assert not endless.alive


class TestSupervisor:
    async def test_stages_are_stopped_in_reverse_order(self, tmp_path: Path) -> None:
        order = tmp_path / "order"
        async with Supervisor() as services:
            for name in ("broker", "engine", "worker"):
                await services.start(child(name, POLITE, tmp_path, str(order), name))
            assert sorted(services.pids) == ["broker", "engine", "worker"]
        assert order.read_text().split() == ["worker", "engine", "broker"]

    async def test_an_exit_is_noticed_and_what_remains_is_stopped(self, tmp_path: Path) -> None:
        broker, worker = child("broker", SLEEPS, tmp_path), child("worker", SLEEPS, tmp_path)
        async with Supervisor() as services:
            await services.start(broker)
            await services.start(worker)
            worker.signal(signal.SIGKILL)
            end = await asyncio.wait_for(services.first_exit(), 5)
            assert str(end) == "worker was ended by SIGKILL"
            assert broker.alive
        assert not broker.alive

    async def test_children_that_do_not_listen_are_killed_within_the_time_for_all(self, tmp_path: Path) -> None:
        children = [child(f"deaf-{n}", DEAF, tmp_path) for n in range(3)]
        polite = child("first", POLITE, tmp_path, str(tmp_path / "order"), "first")
        services = Supervisor(within=2.0)
        await services.start(polite)
        for process in children:
            await services.start(process)
        began = time.monotonic()
        await services.stop_all()
        assert time.monotonic() - began < 2.3
        assert [process.returncode for process in children] == [-signal.SIGKILL] * 3
        assert polite.returncode == 0, "the deaf ones must leave it the time for an orderly end"

    async def test_a_stage_starts_together_and_a_failure_leaves_nothing_behind(self, tmp_path: Path) -> None:
        good, bad = child("good", SLEEPS, tmp_path), child("bad", "raise SystemExit('no licence')", tmp_path)
        with pytest.raises(ProcessFailed, match="no licence"):
            async with Supervisor() as services:
                await services.start(good, bad)
        assert not good.alive


PARENT = """
import asyncio, os, pathlib, signal, sys
from deploy.embedded.processes import ManagedProcess

async def main():
    folder, leash = pathlib.Path(sys.argv[1]), sys.argv[2]
    pids = []
    for name in ("one", "two"):
        argv = [sys.executable, "-c", sys.argv[3]]
        child = ManagedProcess(name, argv, log_dir=folder, leash=leash, ready=lambda: up(child))
        await child.start()
        pids.append(child.pid)
    print(*pids, flush=True)
    await asyncio.sleep(60)

async def up(child):
    return "up" in child.log_tail()

asyncio.run(main())
"""


def start_parent(folder: Path, leash: str) -> subprocess.Popen[str]:
    argv = [PYTHON, "-c", PARENT, str(folder), leash, DEAF]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, text=True)


class TestOrphans:
    LEASHES = ("prctl", "pipe") if sys.platform == "linux" else ("pipe",)

    @pytest.mark.parametrize("leash", LEASHES)
    async def test_sigkill_of_the_parent_leaves_no_child(self, tmp_path: Path, leash: str) -> None:
        parent = start_parent(tmp_path, leash)
        assert parent.stdout is not None
        with parent, parent.stdout:
            pids = [int(pid) for pid in (await asyncio.to_thread(parent.stdout.readline)).split()]
            assert len(pids) == 2
            assert all(exists(pid) for pid in pids)
            parent.kill()
        for pid in pids:
            assert await gone(pid, within=3), f"child {pid} outlived its parent"

    @pytest.mark.parametrize("leash", LEASHES)
    async def test_the_leash_is_no_burden_on_an_orderly_life(self, tmp_path: Path, leash: str) -> None:
        process = child("sleeper", SLEEPS, tmp_path, leash=leash)
        await process.start()
        await asyncio.sleep(0.6)  # longer than the watcher's interval
        assert process.alive
        await process.stop()
        assert process.returncode == -signal.SIGTERM


class TestPorts:
    async def test_a_free_port_can_be_bound_on_loopback(self) -> None:
        with socket.create_server((LOOPBACK, free_port())) as server:
            assert not is_free(server.getsockname()[1])

    async def test_a_taken_port_is_refused_with_its_purpose(self) -> None:
        with socket.create_server((LOOPBACK, free_port())) as server:
            port = server.getsockname()[1]
            with pytest.raises(OSError, match=f"port {port} on {LOOPBACK}, wanted for the broker, is in use"):
                take_port(port, "the broker")
        assert take_port(port, "the broker") == port
