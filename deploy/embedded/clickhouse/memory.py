"""How much memory the engine may take."""

import os

MEBIBYTE = 1024 * 1024


def default_max_memory() -> int:
    """Half of the machine's memory, at most 4 GiB: the engine shares the machine with broker and workers."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(installed // 2, 4096 * MEBIBYTE)
