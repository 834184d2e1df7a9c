"""What Alertmanager is to know: everything that fires, again and again, and for a while what has been resolved."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from deploy.forward.receivers import Receiver
from schemas.outputs import Alert

RESOLVED_SECONDS = 900.0
"""How long a resolution is repeated, in case Alertmanager was away; as Prometheus does."""


class _Told(NamedTuple):
    alert: Alert
    at: float


class Mirror:
    """The alerts of one Alertmanager, by fingerprint. Moments are epoch seconds of Kafka's time."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._firing: dict[str, Alert] = {}
        self._resolved: dict[str, _Told] = {}

    def apply(self, alert: Alert, at: float) -> None:
        """Take the next step of an alert's life, written at ``at``."""
        before = self._firing.pop(alert.fingerprint, None)
        if not self._receiver.wants(alert):
            return  # no longer, if it was before: without reminders Alertmanager resolves it
        if alert.status == "firing":
            self._firing[alert.fingerprint] = alert
            self._resolved.pop(alert.fingerprint, None)
        else:
            if before is not None:  # the severity is a label: an end under another one would end nothing
                alert = msgspec.structs.replace(alert, severity=before.severity)
            self._resolved[alert.fingerprint] = _Told(alert, at)

    def alerts(self, now: float) -> list[Alert]:
        """What to post now."""
        self._resolved = {key: told for key, told in self._resolved.items() if now - told.at < RESOLVED_SECONDS}
        return [*self._firing.values(), *(told.alert for told in self._resolved.values())]
