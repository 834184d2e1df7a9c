"""Findings to alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from agents.alerts.settings import AlertSettings
from agents.alerts.state import AlertsState
from streams.agent import Agent
from streams.settings import SettingsError
from streams.topics import Topics


def alert_settings(table: Mapping[str, Any]) -> AlertSettings:
    """The settings of ``[alerts]``. Raises SettingsError naming what is wrong."""
    try:
        return AlertSettings(**table)
    except ValidationError as error:
        lines = [f"  alerts.{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise SettingsError("settings are not usable:\n" + "\n".join(lines)) from error


def alerts(topics: Topics, settings: AlertSettings, source: str, agents: Sequence[str]) -> Agent:
    """Reads the findings of all detectors (``agents``); they are all in partition 0, so the states of the other partitions stay empty."""
    return Agent(
        "alerts",
        (topics.findings,),
        lambda partition: AlertsState(topics.alerts, topics.partitions, settings, source, agents),
        prompt=True,
    )
