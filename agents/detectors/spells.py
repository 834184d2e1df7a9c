"""How long a series' own lulls and surges last: is this one longer than its habits explain?"""

from __future__ import annotations

from math import inf, isfinite, log, log2, sqrt

import msgspec

from agents.detectors.detector import Score, gap
from agents.detectors.pace import PER_DAY, PER_HOUR, PER_MINUTE, SECONDS, keep

_KEEP = keep(21 * 1440)
"""What is left of the past, per bucket: half of it after three weeks."""
_KEEP_LATELY = keep(1440)
"""The same of alarms that are recent: half of them after a day."""
_MOST_PLACE = 31
"""Durations are told apart by a factor of 2**0.5; the last place is a fortnight."""
_ENOUGH = 8.0
"""Spells that the tail is estimated from, about."""
_PRIOR, _STEEP = 6.0, 5.0
"""The tail index taken to be there as if so many spells had shown it: steady traffic has lulls of a
bucket or two at most."""
_UNSEEN = 0.3
"""Spells that may have been missed."""
_LATELY = 3.5
"""Alarms in a day or two until they are the series' habit: so many outages are not expected."""
_INCIDENT = 10 * PER_MINUTE
"""Buckets from which on an alarm was an incident: a shorter one may be what the series does."""
_APART = 3600.0
"""Seconds from an alarm's end in which the next one is the same incident..."""
_AGAIN = 3.0
"""... and must last so many times as long: traffic comes back in pieces."""
_RARE = 8.0
"""How much rarer a spell must be that is an alarm by its duration alone."""
_LEAST = 2.0
"""Requests that a lull must have kept away, or a surge must have brought, to be one of the series'
spells: less is chance."""
_LONG = 10
"""Buckets of a spell that make its hour one of spells."""
_DAY = 0.87
"""What is left per day of an hour's habit."""
_HABIT = 2.2
"""Days on which there was a spell at about this hour that make it a habit, fading: three of the
last three, or four of the last week. Two may have been incidents."""
_HOURS = 24
_GONE = 0.01
"""What has faded to this is forgotten."""


class Spells(msgspec.Struct, array_like=True, gc=False):
    """Stretches in which less than ``factor`` of what is expected comes (more, if ``factor`` is
    above 1), and whether the present one is longer than the series' own.

    How long they last has a heavy tail where traffic comes in bursts: a Pareto tail above a high
    duration, whose index is estimated from the spells beyond it (Hill, 1975), together with a prior
    for steady traffic. From it follows the duration that is exceeded ``weekly`` times a week. The
    shorter the history, the longer that is. What comes back at the same hour of the day is a habit
    and no alarm. Where less is expected than on average, spells last longer: durations are compared
    in units of the square root of the expectation, as chance would have it.

    An alarm of ten minutes or more is an incident, which must not make the series deaf to the next:
    it counts, but its duration does not, unless there are several in a day or two, or more than
    ``incidents``.

    Source: Hill, "A simple general approach to inference about the tail of a distribution", Ann.
    Stat. 1975.
    """

    factor: float
    weekly: float
    """Spells a week that may be called too long by chance."""
    incidents: float = inf
    """Alarms in some weeks that may be incidents; more are what the series does."""
    buckets: float = 0.0
    """History, fading."""
    total: float = 0.0
    """What was expected in it, fading."""
    lasted: dict[int, float] = {}
    """Spells by duration, fading: place -> how many lasted 2**(place / 2) buckets or more."""
    now: float = 0.0
    """Buckets of the present spell; 0: none."""
    count: float = 0.0
    mean: float = 0.0
    told: float = 0.0
    """Its duration when it became an alarm; 0: it has not."""
    ignored: bool = False
    """Its owner did not make an alarm of it."""
    excused: bool = False
    """It is too long, but comes at this hour by habit."""
    alarmed: dict[int, float] = {}
    """Alarms by duration, as ``lasted``."""
    alarms: dict[int, float] = {}
    """Alarms by the hour of the day they ended in, fading."""
    lately: float = 0.0
    """Alarms of the last day or two, fading."""
    ended: float = 0.0
    """When the last alarm did, epoch seconds."""
    habit: dict[int, float] = {}
    """Days with a long spell at this hour of the day, fading."""
    hours: list[int] = []
    """Hours of the present day that had a long spell."""
    day: int = 0

    def update(self, time: float, value: tuple[float, float], share: float = 1.0) -> Score:
        """``value``: requests of a bucket, or its first ``share``, and what was expected. The
        score's value and expectation are minutes: how long the spell lasts, and what is too
        long."""
        count, mean = value
        if not isfinite(count + mean):
            return gap(self.told > 0.0)
        self.buckets = self.buckets * _KEEP + share
        self.total = self.total * _KEEP + mean
        self.lately *= _KEEP_LATELY**share
        self._begin_day(int(time // (PER_DAY * SECONDS)))
        if not self.now and not self._beyond(count, mean):
            return Score()
        if self.now and not self._beyond(self.count + count, self.mean + mean):
            self._end(time)
            return Score()
        self.now += share
        self.count += count
        self.mean += mean
        hour = _hour_of_day(time)
        if self.now >= _LONG and self._large and hour not in self.hours:
            self.hours = [*self.hours, hour]
        limit = self.limit * self._thin * (_AGAIN if time - self.ended < _APART else 1.0)
        if not self.told and not self.excused and self.now >= limit and self._large:
            self.excused = self.habitual(time)
            self.told = 0.0 if self.excused else self.now
        score = 1.0 if self.told else min(self.now / limit, 0.999)
        return Score(score, self.now * SECONDS / 60, limit * SECONDS / 60)

    @property
    def limit(self) -> float:
        """Buckets from which on a spell is too long, where as much is expected as on average."""
        return self._limit(self.weekly)

    @property
    def rare(self) -> bool:
        """Whether the present spell is so long that an alarm needs no other reason."""
        return self.told > 0.0 and self.now >= self._limit(self.weekly / _RARE) * self._thin

    def _limit(self, weekly: float) -> float:
        if not self.buckets:
            return inf
        lasted = self.lasted
        if self.lately >= _LATELY or sum(self.alarmed.values()) > self.incidents:
            lasted = {place: lasted.get(place, 0.0) for place in {*lasted, *self.alarmed}}
            for place, count in self.alarmed.items():
                lasted[place] += count
            alarms = 0.0
        else:
            habits = {hour for hour, days in self.habit.items() if days >= _HABIT}
            alarms = sum(count for hour, count in self.alarms.items() if hour not in habits)
        beyond, least = 0.0, 0
        for place in sorted(lasted, reverse=True):
            beyond += lasted[place]
            if beyond >= _ENOUGH:
                least = place
                break
        logs = sum(n * (place - least + 0.5) for place, n in lasted.items() if place >= least)
        index = (beyond + _PRIOR) / (logs / 2 * log(2) + _PRIOR / _STEEP)
        weeks = max(self.buckets, PER_HOUR) / (7 * PER_DAY)
        surplus = (beyond + alarms + _UNSEEN) / weeks / weekly
        return float(2 ** (least / 2) * min(max(1.0, surplus) ** (1 / index), 1e6))

    def habitual(self, time: float) -> bool:
        """Whether spells come at this hour of the day, or at one beside it."""
        hour = _hour_of_day(time)
        return any(self.habit.get((hour + by) % _HOURS, 0.0) >= _HABIT for by in (-1, 0, 1))

    def _beyond(self, count: float, mean: float) -> bool:
        return count < self.factor * mean if self.factor < 1 else count > self.factor * mean

    @property
    def _large(self) -> bool:
        return abs(self.count - self.mean) >= _LEAST

    @property
    def _thin(self) -> float:
        """How much longer spells last where so little is expected as in the present one."""
        usual, now = self.total / self.buckets, self.mean / self.now
        return sqrt(max(1.0, usual / now)) if now > 0.0 else 1.0

    def close(self, time: float) -> None:
        """Traffic is as usual again, by whatever measure: the spell is over."""
        if self.now:
            self._end(time)

    def _end(self, time: float) -> None:
        lasted = self.now
        place = min(_MOST_PLACE, int(2 * log2(max(1.0, lasted / self._thin))))
        if self.told and not self.ignored and lasted >= _INCIDENT:
            self.alarmed = _one_more(self.alarmed, place)
            self.alarms = _one_more(self.alarms, _hour_of_day(time))
            self.lately += time - self.ended > _APART
        elif self._large and not self.excused and (lasted < _LONG or not self.habitual(time)):
            self.lasted = _one_more(self.lasted, place)
        if self.told and not self.ignored:
            self.ended = time
        self.now = self.count = self.mean = self.told = 0.0
        self.excused = self.ignored = False

    def _begin_day(self, day: int) -> None:
        if day == self.day:
            return
        days = min(day - self.day, 100) if self.day else 0
        self.habit = _faded(self.habit, _DAY**days)
        self.lasted, self.alarmed, self.alarms = (
            _faded(counts, _KEEP ** (PER_DAY * days))
            for counts in (self.lasted, self.alarmed, self.alarms)
        )
        for hour in self.hours:
            self.habit = _one_more(self.habit, hour)
        self.hours, self.day = [], day


def _hour_of_day(time: float) -> int:
    return int(time // (PER_HOUR * SECONDS)) % _HOURS


def _one_more(counts: dict[int, float], key: int) -> dict[int, float]:
    return {**counts, key: counts.get(key, 0.0) + 1.0}


def _faded(counts: dict[int, float], by: float) -> dict[int, float]:
    return {key: n * by for key, n in counts.items() if n * by > _GONE}
