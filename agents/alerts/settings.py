"""The settings of ``[alerts]``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AlertSettings(BaseModel):
    """Life of an alert; durations in seconds of event time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    renotify: float = Field(default=4 * 3600.0, gt=0, description="a firing alert is told again after this long")
    pages_per_hour: int = Field(default=6, ge=0, description="alerts beyond it are delivered as tickets")
    tickets_per_hour: int = Field(default=20, ge=0, description="of one budget by user and the like; further ones are told of in a digest")
    no_data: float = Field(default=900.0, gt=0, le=86_400, description="an alert whose detector says nothing for this long is resolved")
    flapping: int = Field(default=6, ge=2, le=100, description="changes of a condition per hour from which it counts as flapping")
    flapping_keep: float = Field(default=900.0, ge=0, le=86_400, description="a flapping condition must be absent this long to be resolved")
    runbooks: str = Field(default="docs/runbooks.md", description="page of the runbooks; each alert links to its section")
    dashboard: str = Field(default="", description="address of the dashboard; if given, each alert links to its page there")
    language: Literal["en", "pt"] = Field(default="en", description="of the alerts' texts: English or Portuguese")
