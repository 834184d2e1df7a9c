"""The row of the table ``drift_data`` (see ``schemas/rows.py`` for what rows have in common)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from schemas.rows import Json, TableRow


class DriftRow(TableRow):
    """One test of one metric of a series. A repeat is identical, so any of them may stay.

    Sort key: feature, model, metric, time, detector, window_n, reference_version. ``time``: of the last answer looked at. ``window_n``:
    answers in the present window; ``reference_n`` and ``current_n`` count what was compared, the means of sessions' answers.
    Other detectors (``adwin``, ``page_hinkley``, ``hddm_a``) have a row where they find a change: both numbers say how many answers they
    had met, ``statistic`` and ``p_value`` are 1.
    ``detail``: JSON with the series' ``e_value`` and, where it has drifted, change point, candidate causes, what moved, terms and
    response ids.
    """

    TABLE: ClassVar[str] = "drift_data"

    time: datetime
    feature: str
    model: str
    metric: str
    detector: str
    window_n: int
    reference_version: int
    statistic: float
    p_value: float
    drifted: bool
    reference_n: int
    current_n: int
    cause: str = ""
    detail: Json = msgspec.field(default="{}")
