"""The row of the table ``labels_data`` (see ``schemas/rows.py`` for what rows have in common)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from schemas.rows import Json, _Row


class LabelRow(_Row):
    """One version of a label. ``version`` counts the versions of this label from 1: the largest is the latest.

    Sort key, hence immutable: tenant, feature, time, label_id. ``time`` is when the answer ended; ``signals`` is a JSON list of objects
    with ``kind``, ``weight`` (log-odds it adds) and ``event_id``.
    """

    TABLE: ClassVar[str] = "labels_data"

    time: datetime
    label_id: str
    response_id: str
    version: int
    label: str
    score: float
    request_id: str = ""
    session_id: str = ""
    tenant: str = "default"
    feature: str = ""
    model: str = ""
    explicit: bool = False
    signals: Json = msgspec.field(default="[]")
    final: bool = False
