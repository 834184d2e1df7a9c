"""The cap on pages, and on tickets of one kind: never more than so many within any hour of event time."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agents.alerts.lifecycle import HOUR

KEEP = 24 * HOUR
"""Findings come in order but for the distance between detectors; this is far more in live traffic, and enough in a replay."""


class Pages(msgspec.Struct, array_like=True, gc=False):
    """``times``: of the pages that can still matter. ``folded``: what was turned away since the last one. Of tickets likewise."""

    times: list[float] = []
    folded: int = 0

    def ask(self, at: float, per_hour: int) -> tuple[bool, str]:
        """Whether an alert may page at this time, and what it says about the cap ('' if nothing)."""
        if not self.admit(at, per_hour):
            return False, f"{self.folded} delivered as ticket instead of page: more than {per_hour} pages within an hour"
        near = self._near(at)
        if len(near) < per_hour:
            return True, ""
        until = datetime.fromtimestamp(min(near) + HOUR, UTC)
        return True, f"page {per_hour} of {per_hour} within an hour: further ones are delivered as tickets until {until:%H:%M} UTC"

    def admit(self, at: float, per_hour: int) -> bool:
        """Whether there is room for another one at this time, which then counts."""
        if len(self._near(at)) >= per_hour:
            self.folded += 1
            return False
        self.folded = 0
        newest = max([at, *self.times])
        self.times = sorted([*(t for t in self.times if t > newest - KEEP), at])
        return True

    def _near(self, at: float) -> list[float]:
        # Times come nearly in order. Looking both ways keeps every hour within the cap whatever the order.
        return [t for t in self.times if abs(t - at) < HOUR]
