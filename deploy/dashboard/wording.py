"""Alerts in the language of the page: their sentences are made anew from the facts they carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from agents.alerts.wording.numbers import Language
from agents.alerts.wording.texts import texts
from schemas.outputs import Alert

LANGUAGES: tuple[str, ...] = ("", *get_args(Language))
"""Of a page; none: as the alert was published."""


_SAME = (
    "alert_id",
    "fingerprint",
    "name",
    "severity",
    "status",
    "labels",
    "annotations",
    "value",
    "expected",
    "threshold",
)
_MOMENTS = {"starts_at": "starts", "updated_at": "updated", "ends_at": "ends"}
"""Field of an alert -> column of the queries, in milliseconds."""


def reworded(body: bytes, values: Mapping[str, str | int]) -> bytes:
    """An answer whose rows are alerts, with annotations in the language that was asked for, if one was.
    ``body``: ClickHouse's format ``JSONCompact``, names in ``meta`` and rows as lists."""
    language = values.get("lang")
    if language not in get_args(Language):
        return body
    answer = json.loads(body)
    names = [column["name"] for column in answer["meta"]]
    place = names.index("annotations")
    for row in answer["data"]:
        said = _said(dict(zip(names, row, strict=True)), "pt" if language == "pt" else "en")
        row[place] = {**row[place], **said}
    return json.dumps(answer, ensure_ascii=False).encode()


def _said(row: Mapping[str, Any], language: Language) -> dict[str, str]:
    evidence = json.loads(row["evidence"] or "{}")
    if "facts" not in evidence:
        return {}
    fields: dict[str, Any] = {name: row[name] for name in _SAME}
    fields |= {
        name: None if row[key] is None else _moment(row[key]) for name, key in _MOMENTS.items()
    }
    return texts(Alert(**fields, evidence=evidence), language)


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
