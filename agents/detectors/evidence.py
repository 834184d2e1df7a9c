"""Evidence gathered over time, and how much of it an alarm needs.

Page's cumulative sum of log-likelihood ratios (Page, "Continuous inspection schemes", Biometrika
1954). Its mean time between false alarms is at least ``exp(h)`` steps (Lorden, "Procedures for
reacting to a change in distribution", Ann. Math. Stat. 1971), so the threshold follows from the
false alarms one is willing to have. That holds if the likelihood does; real traffic has heavier
tails and remembers. The peaks of the sum's excursions have an exponential tail of rate 1 in theory,
and each series' own rate, estimated from its peaks over a threshold, stretches ``h`` accordingly
(peaks over threshold as in Siffer et al., "Anomaly detection in streams with extreme value theory",
KDD 2017, with the tail index that theory gives here: zero).
"""

from __future__ import annotations

from math import exp, log

import msgspec

_OVERSHOOT = 1.166
"""Twice the mean by which a standard normal walk exceeds a boundary."""
_LEAST_DRIFT = 0.05
"""Fall per step that is taken to be there at least."""
_OVER = 1.0
"""Excursions that peak above this tell about the tail."""
_PRIOR = 5.0
"""The likelihood's own tail counts as much as so many peaks."""
_MEMORY = 1000.0
"""Peaks remembered, exponentially."""
_LEAST_RATE = 0.15
"""Rate of the tail below which a threshold is not stretched further."""
_FAR = 0.6
"""Share of a threshold that excursions hardly ever reach by chance: each that does tells more than
many small ones."""
_INCIDENT = 600.0
"""Seconds after which an alarm was no chance, so it says nothing of the tail."""
_GAP = 900.0
"""Seconds without a value after which evidence is forgotten."""
_DOUBTED = 0.3
"""Share of the threshold from which a baseline hardly learns."""
_ENDS = 0.5
"""An alarm ends when the evidence is down to this share of its threshold."""


def threshold(h: float, drift: float, scatter: float) -> float:
    """The sum whose false alarms are ``exp(h)`` steps apart, if a step without change falls by
    ``drift`` and scatters by ``scatter``.

    Lorden's bound allows every step its own chance; but sums of neighbouring steps are alike, and
    overshoot their threshold (Siegmund, "Corrected diffusion approximations in certain random walk
    problems", Adv. Appl. Prob. 1979): the mean time is about ``exp(sum + 1.166 scatter) / drift``.
    """
    return h + log(min(1.0, max(drift, _LEAST_DRIFT))) - _OVERSHOOT * min(scatter, 1.5)


class Evidence(msgspec.Struct, array_like=True, gc=False):
    """The sum of one test. ``events``: how many observations speak in this excursion. ``sure``: the
    alarm has reached its threshold, where it may begin before (see :meth:`add`)."""

    total: float = 0.0
    events: float = 0.0
    since: float | None = None
    peak: float = 0.0
    active: bool = False
    heard: float = 0.0
    peaks: float = 0.0
    excess: float = 0.0
    far: float = 0.0
    sure: bool = False

    def limit(self, h: float) -> float:
        """The threshold of this series for ``h`` = log(steps per false alarm)."""
        rate = min(1.0, (_PRIOR + self.peaks) / (_PRIOR + self.excess))
        if (
            self.far > 1.0
        ):  # not one alone: what lies far out may be of another kind than the many small excursions
            beyond = max(1.0, _FAR * h - _OVER)
            rate = min(
                rate,
                -log((_PRIOR * exp(-beyond) + self.far - 1.0) / (_PRIOR + self.peaks)) / beyond,
            )
        return h / max(_LEAST_RATE, rate)

    def add(
        self,
        time: float,
        ratio: float,
        events: float,
        h: float,
        least: float,
        early: float = 0.0,
        *,
        own: bool = True,
    ) -> float:
        """Add a log-likelihood ratio; returns the evidence as a share of the threshold, 1 while the
        alarm is on.

        Without ``own`` the threshold is not stretched by what the series' own excursions reach. An
        alarm also needs ``least`` events, and begins by so much of ``h`` ``early``: it is not
        sure then. One step adds at most the threshold, and the sum stops a little above it, so that
        an alarm ends soon after its reason.
        """
        limit, self.heard = self.limit(h) if own else h, time
        total = min(self.total + min(ratio, limit), 1.2 * limit)
        if total <= 0.0:
            self._end(h)
            return 0.0
        if self.since is None:
            self.since = time
        self.total = total
        self.events += events
        self.peak = max(self.peak, total)
        if self.active:
            if total < _ENDS * limit:
                self._end(h)
                return 0.0
        elif total >= (self.limit(h - early) if own else h - early) and self.events >= least:
            self.active = True
        self.sure = self.active and (self.sure or total >= limit)
        return 1.0 if self.active else min(total / limit, 0.999)

    def wait(self, time: float, h: float) -> None:
        """Nothing came. An alarm goes on for some minutes: sparse traffic has gaps."""
        if self.since is not None and time - self.heard > _GAP:
            self._end(h)

    def stop(self, h: float) -> None:
        """What the alarm was about is over, as somebody else can tell."""
        self._end(h)

    def _end(self, h: float) -> None:
        incident = self.active and self.since is not None and self.heard - self.since >= _INCIDENT
        if self.peak > _OVER and not incident:
            keep = 1.0 - 1.0 / _MEMORY
            self.peaks = self.peaks * keep + 1.0
            # An incident that was missed must not make the series deaf to the next.
            self.excess = self.excess * keep + max(0.0, min(self.peak, h / 3) - _OVER)
            self.far = self.far * keep + (self.peak > _FAR * h)
        self.total = self.events = self.peak = 0.0
        self.since, self.active, self.sure = None, False, False

    def doubt(self, h: float) -> float:
        """How little should be learned from what is seen now: from 0 (all of it) to 1 (hardly
        anything)."""
        return min(1.0, self.total / (_DOUBTED * self.limit(h))) if self.total > 0.0 else 0.0

    def suspicious(self, h: float) -> bool:
        """Whether what is seen now should hardly be learned from."""
        return self.total > _DOUBTED * h and self.total > _DOUBTED * self.limit(h)
