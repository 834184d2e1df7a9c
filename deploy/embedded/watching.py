"""Whether what runs still answers: a process that hangs is alive for the kernel, and dead for everybody else."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Mapping

PATIENCE = 60.0
"""Seconds without an answer after which a process counts as hanging: on a busy machine one that works may not answer for half of that."""

LOOK_EVERY = 2.0
ANSWER_WITHIN = 2.0

Probe = Callable[[], bool]


class Pulse:
    """Remembers when each process answered last."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._answered: dict[str, float] = {}
        self._looked = 0.0

    async def hanging(self, probes: Mapping[str, Probe]) -> list[str]:
        """The names of those that have not answered for too long. Looks every few seconds, however often it is called."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return []
        answers = await asyncio.gather(*(asyncio.to_thread(probe) for probe in probes.values()))
        self._looked = now = time.monotonic()
        for name, answered in zip(probes, answers, strict=True):
            if answered or name not in self._answered:
                self._answered[name] = now
        return [name for name in probes if now - self._answered[name] > self._patience]

    def forget(self, name: str) -> None:
        """It has been started anew."""
        self._answered.pop(name, None)


def broker_answers(bootstrap: str) -> bool:
    """Whether every broker of ``HOST:PORT,...`` answers the first thing that a client asks (ApiVersions, version 0)."""
    # Request: length, key 18, version 0, correlation id, no client id. The answer begins with its length and the same id.
    request = struct.pack(">ihhih", 10, 18, 0, 1, -1)
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), ANSWER_WITHIN) as connection:
                connection.sendall(request)
                if len(connection.recv(8, socket.MSG_WAITALL)) < 8:
                    return False
        except OSError:
            return False
    return True
