"""Whose clock is wrong, by how much: what operators are told, so that they mend the host and not the figures.

A clock is *ahead* if an event's time leads the Kafka time of its record, or what all other records
of its partition say. It is *behind* if calls trail their partition by the same amount for three
minutes; a backlog that is published late trails by less and less, or by more when the clock leaps.
"""

from __future__ import annotations

from schemas.events import DEFAULT_TENANT, Request
from streams.effects import Effects

_NEAR, _LONG = 60.0, 180.0
"""Seconds by which two skews of one clock may differ, and for which it must have trailed."""

_MOST = 100
"""Services told apart by the metrics of one partition; others are OTHERS together."""

OTHERS = "__other__"


def who(request: Request) -> str:
    """The service, as far as an event tells: its feature, with the tenant before it unless that is
    the usual one."""
    feature = request.feature or "(no feature)"
    return feature if request.tenant == DEFAULT_TENANT else f"{request.tenant}/{feature}"


class Skews:
    """Services whose clock is wrong, at one partition."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._trailing: dict[str, tuple[float, float]] = {}
        """Who -> by how much its calls trail, and the partition's clock when they began to."""

    def ahead(self, service: str, seconds: float, effects: Effects) -> None:
        """A call's time is later than can be true."""
        service = self._known(service)
        effects.count("clock_ahead", service)
        effects.count("clock_ahead_seconds", service, round(seconds))

    def behind(self, service: str, seconds: float, clock: float, effects: Effects) -> None:
        """A call trails its partition, which is at ``clock``."""
        service = self._known(service)
        trails, since = self._trailing.get(service, (seconds, clock))
        if abs(seconds - trails) > _NEAR:
            trails, since = seconds, clock
        elif clock - since >= _LONG:
            effects.count("clock_behind", service)
            effects.count("clock_behind_seconds", service, round(seconds))
        self._trailing[service] = trails, since

    def _known(self, service: str) -> str:
        if service not in self._named:
            if len(self._named) >= _MOST:
                return OTHERS
            self._named.add(service)
        return service
