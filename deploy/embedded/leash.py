"""Execs a command on a leash: the command is killed when the process that started it ends, however it ends.

Run as a script, not imported: `python -I -S leash.py MODE PARENT_PID LEASH_FD COMMAND...`. It replaces itself by
COMMAND, so the pid the parent knows is the command's own. A script of its own instead of `preexec_fn`, because Python
code between fork and exec may deadlock in a parent that has threads (the subprocess documentation warns of it).

MODE `prctl` (Linux): PR_SET_PDEATHSIG, prctl(2). It survives exec; it is sent when the *thread* that started the
child ends, so start processes from a thread that lives as long as they do (the event loop's).
MODE `pipe` (elsewhere): a watcher in the command's process group holds the read end of a pipe whose write end only
the parent has. End of file means that the parent is gone; then it kills the group, itself included.
"""

import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.25


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it ended before the request: no signal will come
        os._exit(1)


def watch_parent(leash: int) -> None:
    """Fork the watcher. It leaves by itself when the command has ended (it then has another parent)."""
    command = os.getpid()
    if os.fork() != 0:
        return
    while os.getppid() == command:
        if select.select([leash], [], [], WATCH_SECONDS)[0]:
            os.killpg(command, signal.SIGKILL)
    os._exit(0)


def main(argv: list[str]) -> None:
    """Become the command of ``argv``, so that it ends with its parent. Does not return."""
    mode, parent, leash, command = argv[1], int(argv[2]), int(argv[3]), argv[4:]
    if mode == "prctl":
        die_with_parent(parent)
    else:
        watch_parent(leash)
        os.set_inheritable(leash, False)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by this interpreter; it would be inherited
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv)
