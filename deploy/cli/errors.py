"""How an error of the operating system is told: what it means here, and what to do next."""

from __future__ import annotations

import errno

_ELSEWHERE = "choose another place, such as another directory with --data"

_NEXT = {
    errno.EACCES: f"no permission for {{file}}; {_ELSEWHERE}",
    errno.EPERM: f"no permission for {{file}}; {_ELSEWHERE}",
    errno.EROFS: f"{{file}} cannot be written, its file system is read-only; {_ELSEWHERE}",
    errno.ENOSPC: f"no space is left on the device{{of_file}}; free some, or {_ELSEWHERE}",
    errno.EDQUOT: f"your quota of disk space is used up{{of_file}}; free some, or {_ELSEWHERE}",
    errno.EEXIST: f"{{file}} is there already, and is no directory; {_ELSEWHERE}",
    errno.ENOTDIR: f"{{file}} is not in a directory; {_ELSEWHERE}",
    errno.EISDIR: "{file} is a directory; name a file",
    errno.ENOENT: "there is no {file}; check the path",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.EADDRINUSE: "a port that is needed is in use; stop what holds it, or choose another",
}


def sentence(error: Exception) -> str:
    """The message of an error.

    What was worded here says by itself what to do; a bare error of the system is completed.
    """
    if not isinstance(error, OSError) or error.errno is None or str(error) != _bare(error):
        return str(error)
    file = str(error.filename or "")
    known = _NEXT.get(error.errno)
    if known is None or ("{file}" in known and not file):
        return str(error.strerror) + (f": {file}" if file else "")
    return known.format(file=file, of_file=f" of {file}" if file else "")


def _bare(error: OSError) -> str:
    """What the interpreter itself says of it."""
    file = f": {error.filename!r}" if error.filename is not None else ""
    second = f" -> {error.filename2!r}" if error.filename2 is not None else ""
    return f"[Errno {error.errno}] {error.strerror}{file}{second}"
