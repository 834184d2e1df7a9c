"""Ports on loopback. Nothing Mirante starts by itself listens on any other address."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the ranges from which systems take ports for outgoing connections (Linux: 32768 up, BSD and macOS: 49152 up), so
# a port stays free between this check and the bind of the server, and while a server restarts.
_CANDIDATES = range(20_000, 32_000)
_random = random.SystemRandom()  # not the seeded one: parallel test workers share a seed, and would share ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # servers set it too: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port on loopback where nothing listens."""
    for _ in range(1000):
        port = _random.choice(_CANDIDATES)
        if is_free(port):
            return port
    raise OSError(f"no free port between {_CANDIDATES.start} and {_CANDIDATES.stop} on {LOOPBACK}")


def take_port(port: int, purpose: str) -> int:
    """The port asked for, or a free one for 0.

    Raises OSError when the port is taken. Servers are not left to find out by themselves: a readiness check would be
    answered by whoever holds the port.
    """
    if port == 0:
        return free_port()
    if not is_free(port):
        raise OSError(
            f"port {port} on {LOOPBACK}, wanted for {purpose}, is in use: stop what holds it or choose another port"
        )
    return port
