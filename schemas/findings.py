"""What detectors tell the agent ``alerts``: whether a condition holds, at a moment of event time. Internal, unlike the alerts."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.outputs import AlertName, Severity

PERIOD_END = "period_end"
"""In the detail of a finding about a budget by calendar: when the budget begins anew, epoch seconds."""

DIGEST = "digest"
"""Only digests have it; it names the labels in which their alerts differ."""


class Finding(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """A condition as a detector sees it. ``name`` and ``labels`` are its identity; one detector reports it, in order of ``time``.

    A detector reports while the condition holds and once when it has ceased. Moments are epoch seconds of event time. A repeat (after a
    crash) is harmless: a finding not newer than the last of its identity is ignored.
    """

    name: AlertName
    labels: dict[str, str]
    time: float
    active: bool
    severity: Severity = "ticket"
    since: float | None = None
    """When the condition began, if the detector knows better than the first report."""
    episode: float | None = None
    """Tells this occurrence from others, if the detector knows better than by when it began: a calendar window's start."""
    hold: float = 0.0
    """Seconds the condition must hold before the alert fires."""
    keep: float = 60.0
    """Seconds the condition must be absent before the alert is resolved."""
    value: float | None = None
    expected: float | None = None
    threshold: float | None = None
    window: tuple[float, float] | None = None
    summary: str = ""
    description: str = ""
    action: str = ""
    """What to do."""
    cause: str = ""
    """What probably explains it, such as ``model gpt-4o: 82% of the increase``."""
    usd_per_hour: float | None = None
    users: int | None = None
    requests: int | None = None
    response_ids: list[str] = []
    detail: dict[str, Any] = {}
    by: list[str] = []
    """Labels that say whom it is about, where there may be very many of the same kind: users of a budget by user."""
    generator: str = ""
    facts: dict[str, Any] = {}
    """What is to be said of it, plain data from which agents/alerts/wording makes sentences; ``kind`` says which. With facts there is
    no need of ``summary``, ``description``, ``action`` and ``cause``."""
    where: dict[str, str] = {}
    """Further labels of the alert that say where it is, and are no part of its identity: a loop's tenant and feature."""


class Findings(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """Everything ``agent`` found in its partition up to the event time ``clock`` (None: there is nothing more to read, so it holds nobody
    back; 0: it does not say).

    ``ordered``: the findings are of a history, and act in the order of their times even if the agent is one whose findings act at once.
    """

    agent: str
    partition: int
    clock: float | None
    findings: list[Finding] = []
    ordered: bool = False
