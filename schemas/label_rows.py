"""The row of the table ``label_quality_data`` (see ``schemas/rows.py`` for what rows have in common)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from schemas.rows import TableRow


class LabelQualityRow(TableRow, kw_only=True):
    """How well labels foretold what users then said, over the last 500 or so. A repeat is identical, so any of them may stay.

    Sort key: tenant, feature, time. ``time``: end of a minute in which feedback taught, of which there were ``feedbacks``; ``recent``:
    feedbacks that count, faded; ``auc``, ``log_loss``, ``calibration``: as of :class:`schemas.opinions.Foresight`; ``told``: mean
    probability that was given to what users then said.
    """

    TABLE: ClassVar[str] = "label_quality_data"

    time: datetime
    tenant: str
    feature: str
    feedbacks: int
    recent: float
    auc: float | None = None
    log_loss: float
    calibration: float
    told: float
