"""The life of one alert, in event time: inactive, pending, firing, resolved.

``report`` applies what a detector says, ``expire`` what happens by itself at ``Life.due``. Both are functions of this fingerprint's
reports alone; how far the clock has moved decides only when they are called, never what they do. So an alert's id, start and end do not
depend on the order in which different sources are read.

The states and ``hold`` (Prometheus: ``for``) follow Prometheus' alerting rules, ``keep`` its ``keep_firing_for``, flapping detection
Nagios' (changes of state within a period).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import inf
from typing import Literal

import msgspec

from agents.alerts.settings import AlertSettings
from agents.alerts.sources import IMMEDIATE
from schemas.findings import Finding
from schemas.outputs import Severity

HOUR = 3600.0

REMEMBER = HOUR
"""Seconds a resolved alert is remembered, to know a repeat of its findings and whether it flaps."""

RANK: Mapping[Severity, int] = {"info": 0, "ticket": 1, "page": 2}

Change = Literal["fired", "updated", "resolved", "forgotten"]


class Shown(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How a firing alert was last published, besides its finding."""

    severity: Severity
    inhibited_by: str = ""
    silenced_by: str = ""
    digest: str = ""


class Course(msgspec.Struct, array_like=True, gc=False):
    """How an alert went since it began. ``usual``: what its first report compared with; an incident does not become usual by lasting.
    ``worst``: the value furthest from it. ``usd``: cost beyond the usual so far. ``where``: of its first report."""

    usual: float | None = None
    worst: float | None = None
    requests: int | None = None
    usd: float | None = None
    where: dict[str, str] = {}


class Life(msgspec.Struct, array_like=True, gc=False):
    """What is known of one fingerprint. Moments are epoch seconds of event time."""

    agent: str
    finding: Finding
    """The last report of the condition."""
    time: float
    """Of the last report, whether the condition held or not."""
    active: bool = False
    phase: Literal["inactive", "pending", "firing"] = "inactive"
    starts_at: float = 0.0
    episode: float | None = None
    """Of the finding that began it."""
    updated_at: float = 0.0
    ends_at: float | None = None
    """Of the last resolved alert; the next one starts later."""
    no_data: bool = False
    """It was resolved because its detector fell silent."""
    shards: list[str] = []
    """Partitions in which the condition holds, of one that several look at."""
    changes: list[float] = []
    """When the condition came or went within the last hour; no more than decide whether it flaps."""
    due: float | None = None
    """When something happens by itself."""
    version: int = 0
    """States of this alert that were published."""
    told: tuple[float, float | None, Severity] | None = None
    """Time, value and severity of the finding when people were last told of it."""
    shown: Shown | None = None
    explained_by: tuple[str, ...] | None = None
    """Key of what would explain it (agents/alerts/inhibition.py), while it fires."""
    course: Course | None = None


def fingerprint(finding: Finding) -> str:
    """Identity of a condition: 16 hexadecimal digits from its name and labels."""
    return _hash([finding.name, sorted(finding.labels.items())])


def alert_id(fingerprint: str, occurrence: float) -> str:
    """Identity of one alert of a fingerprint: 16 hexadecimal digits. ``occurrence``: its start, or its episode if the detector has one."""
    return _hash([fingerprint, round(occurrence * 1e6)])


def _hash(value: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=8).hexdigest()


def begin(agent: str, finding: Finding) -> Life:
    """A fingerprint of which nothing is known yet; ``finding`` is still to be reported."""
    return Life(agent, finding, time=float("-inf"))


def report(life: Life, finding: Finding, settings: AlertSettings) -> Change | None:
    """Apply a finding; everything due before its time has expired. A repeat, or one older than what is known, changes nothing."""
    t = finding.time
    if t <= life.time or (life.ends_at is not None and t <= life.ends_at):
        return None
    changed, before = finding.active != life.active, life.time
    if changed:
        life.changes = [*(c for c in life.changes if c > t - HOUR), t][-settings.flapping :]
    life.time, life.active = t, finding.active
    if not finding.active:
        if life.phase == "pending":
            _rest(life, t)
        elif life.phase == "firing" and changed:
            life.due = t + (max(life.finding.keep, settings.flapping_keep) if flapping(life, settings) else life.finding.keep)
        return None
    life.finding = finding
    begins = life.phase == "inactive"
    if begins:
        begun = t if finding.since is None else min(finding.since, t)
        life.starts_at = begun if life.ends_at is None else max(begun, life.ends_at)
        life.episode = finding.episode
        life.phase, life.version, life.told, life.shown, life.no_data = "pending", 0, None, None, False
    _go_on(life, finding, life.starts_at if begins else before, anew=begins)
    if life.phase == "pending":
        if t >= life.starts_at + finding.hold:
            return _fire(life, t, settings)
        life.due = min(life.starts_at + finding.hold, _silent_at(life, settings))
        return None
    life.due = _silent_at(life, settings)
    return "updated" if _worth_telling(life, settings) else None


def expire(life: Life, settings: AlertSettings) -> Change | None:
    """What is due happens, at the time it is due."""
    assert life.due is not None
    at = life.due
    if life.phase == "inactive":
        return "forgotten"
    if life.phase == "pending":
        if at >= life.starts_at + life.finding.hold:
            return _fire(life, at, settings)
        _rest(life, at)
        return None
    life.no_data = life.active
    life.ends_at = at
    _rest(life, at)
    return "resolved"


def flapping(life: Life, settings: AlertSettings) -> bool:
    """Whether the condition came and went too often within the hour before its last report."""
    return sum(c > life.time - HOUR for c in life.changes) >= settings.flapping


def _go_on(life: Life, finding: Finding, before: float, *, anew: bool) -> None:
    """Note how the alert goes on; ``before``: time of the report before this one, or of its start."""
    course = life.course
    if course is None or anew:
        course = life.course = Course(usual=finding.expected, where=finding.where)
    if finding.value is not None:
        far = abs(finding.value - (course.usual or 0.0))
        if course.worst is None or far > abs(course.worst - (course.usual or 0.0)):
            course.worst = finding.value
    if finding.requests is not None:
        course.requests = max(finding.requests, course.requests or 0)
    if finding.usd_per_hour is not None and life.agent not in IMMEDIATE:  # those report changes only
        course.usd = (course.usd or 0.0) + finding.usd_per_hour * max(0.0, finding.time - before) / HOUR


def _fire(life: Life, at: float, settings: AlertSettings) -> Change:
    life.phase = "firing"
    life.due = max(at, _silent_at(life, settings))
    return "fired"


def _rest(life: Life, at: float) -> None:
    life.phase, life.active, life.due = "inactive", False, at + REMEMBER


def _silent_at(life: Life, settings: AlertSettings) -> float:
    """When nothing more is expected of the detector. Those that act at once report changes only, the end included."""
    return inf if life.agent in IMMEDIATE else life.time + max(settings.no_data, life.finding.keep)


def _worth_telling(life: Life, settings: AlertSettings) -> bool:
    """A firing alert is told again after ``renotify`` seconds, or when it has doubled or become more severe."""
    assert life.told is not None
    time, value, severity = life.told
    now = life.finding
    doubled = value is not None and now.value is not None and 0 < 2 * value <= now.value
    return now.time >= time + settings.renotify or doubled or RANK[now.severity] > RANK[severity]
