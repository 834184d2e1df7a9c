"""Confines this process to some folders and no network, where Linux can (Landlock, since 5.13; TCP since 6.7).

For the time after it and for threads that begin after it: the engine must not have been imported yet. Its system calls have no other
name than their numbers in Python; those are the same on every machine of today.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULESET_VERSION, RULE_PATH_BENEATH = 1, 1
NO_NEW_PRIVS = 38

# Rights, by the version of Landlock that has them: the first 13 since version 1, moving between folders 2, truncating 3, ioctl 5.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE = 1 << 13, 1 << 14
CONNECT_TCP = 2
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE


def confine(read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Allow reading below the paths ``read``, everything but executing below ``write``, and no connection to anywhere.

    False where the kernel cannot, or not enough of it: nothing is confined then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, RULESET_VERSION)
    if version < 3:
        return False
    handled = (1 << 15) - 1
    network = CONNECT_TCP if version >= 4 else 0
    attributes = struct.pack("QQ", handled, network)
    ruleset = libc.syscall(CREATE_RULESET, attributes, len(attributes) if version >= 4 else 8, 0)
    if ruleset < 0:
        return False
    try:
        for paths, rights in ((read, READ_FILE | READ_DIR), (write, handled & ~EXECUTE)):
            for path in paths:
                _allow(libc, ruleset, path, rights)
        if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(RESTRICT_SELF, ruleset, 0):
            raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this machine
        return
    try:
        if not path.is_dir():
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        if libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0):
            raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}: {path}")
    finally:
        os.close(descriptor)
