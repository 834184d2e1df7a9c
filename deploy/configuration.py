"""All settings in one pass: every table of mirante.toml and every ``MIRANTE_*`` variable.

Before any server is asked. Commands that only ask a question read
:func:`streams.settings.load_settings`, which is quicker. What starts something reads
:func:`load_checked`, so that a mistake is found at once and all mistakes are found together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ValidationError, ValidationInfo, field_validator, model_validator

from agents.alerts.settings import AlertSettings
from agents.anomaly.settings import AnomalySettings, anomaly_settings, objectives
from agents.anomaly.slo import Objective
from agents.behaviour.settings import BehaviourSettings, behaviour_settings
from agents.budgets.rules import BudgetTable, LimitTable, RunawayTable, read_rules
from agents.common.label_settings import LabelSettings, label_settings
from agents.controls.rules import SwitchRule as SwitchTable
from agents.controls.rules import read_rules as read_switches
from agents.drift.settings import DriftSettings, drift_settings
from agents.guards.settings import GuardSettings, guard_settings
from agents.pricing.overrides import (
    ModelAlias,
    PriceOverride,
    read_models,
    read_overrides,
    read_tiers,
)
from agents.watch.settings import Watch, read_watches
from deploy.forward.receivers import Receiver, read_receivers
from deploy.judge.settings import JudgeSettings
from streams.problems import Problem, Problems, of_pydantic, of_struct, one_of
from streams.settings import Settings, read_settings, unknown_variables


def load_checked(**overrides: Any) -> Settings:
    """Settings of which every value and every name was looked at.

    Raises SettingsError that names all that is wrong.
    """
    return read_settings(CheckedSettings, unknown_variables(os.environ), overrides)


class SettingsTable(NamedTuple):
    """How a table is read.

    ``kinds``: of its entries, told apart by their tag if there are several; none: it is free.
    """

    kinds: tuple[type[msgspec.Struct] | type[BaseModel], ...]
    read: Callable[[Any], object]
    complete: bool = True
    """Whether all that is needed must be in the file; else the command line may add it."""


def _read_drift(table: Mapping[str, Any]) -> None:
    if name := drift_settings(table).embedding:
        from agents.drift.embedding import Embedding

        Embedding(name)


def _read_judge(table: Mapping[str, Any]) -> None:
    if "url" in table and not _is_http(table["url"]):
        raise ValueError("url must be http[s]://HOST[:PORT][/PATH]")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port
        return False


class _Elsewhere(Mapping[str, str]):
    """The environment of whoever forwards alerts: what is not set here may be set there."""

    def __getitem__(self, name: str) -> str:
        return os.environ.get(name) or "http://set.elsewhere"

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


TABLES: Mapping[str, SettingsTable] = {
    "prices": SettingsTable((PriceOverride,), read_overrides),
    "models": SettingsTable((ModelAlias,), read_models),
    "tiers": SettingsTable((), read_tiers),
    "budgets": SettingsTable((BudgetTable,), read_rules),
    "limits": SettingsTable((LimitTable,), lambda rows: read_rules(limits=rows)),
    "runaway": SettingsTable((RunawayTable,), lambda table: read_rules(runaway=table)),
    "slos": SettingsTable((Objective,), objectives),
    "anomaly": SettingsTable((AnomalySettings,), anomaly_settings),
    "behaviour": SettingsTable((BehaviourSettings,), behaviour_settings),
    "judge": SettingsTable((JudgeSettings,), _read_judge, complete=False),
    "guards": SettingsTable((GuardSettings,), guard_settings),
    "labels": SettingsTable((LabelSettings,), label_settings),
    "watch": SettingsTable((Watch,), read_watches),
    "drift": SettingsTable((DriftSettings,), _read_drift),
    "alerts": SettingsTable((AlertSettings,), AlertSettings.model_validate),
    "switches": SettingsTable((SwitchTable,), read_switches),
    "receivers": SettingsTable(Receiver.__args__, lambda rows: read_receivers(rows, _Elsewhere())),
}


_PLACE = re.compile(r" - at `\$\[(\d+)\]`")
"""How msgspec says which entry of a list it speaks of."""


def problems_of(name: str, value: Any) -> list[Problem]:
    """What is wrong with the table of this name: first key by key, then as a whole."""
    table = TABLES[name]
    found: list[Problem] = []
    if table.kinds:
        rows = enumerate(value, 1) if isinstance(value, list) else [(0, value)]
        for number, row in rows:
            where = f"[[{name}]] number {number}: " if number else f"{name}."
            found += _problems_of_row(table, row, where)
    if found:
        return found
    try:
        table.read(value)
    except ValueError as error:
        begin = f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
        text = _PLACE.sub(lambda found: f" (number {int(found[1]) + 1})", str(error))
        return [Problem(begin, text.removeprefix(begin).lstrip(": "))]
    return []


def _problems_of_row(table: SettingsTable, row: Mapping[str, Any], where: str) -> Iterator[Problem]:
    kind = table.kinds[0]
    if issubclass(kind, BaseModel):
        try:
            kind.model_validate(row)
        except ValidationError as error:
            yield from of_pydantic(error, kind, where)
        return
    structs = {k.__struct_config__.tag: k for k in table.kinds if issubclass(k, msgspec.Struct)}
    if len(structs) > 1:
        tag = row.get("type")
        if tag not in structs:
            wrong = one_of(tag, [str(name) for name in structs])
            yield (
                Problem(f"{where}type", wrong, tag)
                if tag
                else Problem(f"{where}type", f"is needed: it {wrong}")
            )
            return
        kind = structs[tag]
    assert issubclass(kind, msgspec.Struct)
    yield from of_struct(kind, row, where, complete=table.complete)


class CheckedSettings(Settings):
    """Settings that look into their tables and addresses."""

    @field_validator(*TABLES)
    @classmethod
    def _table(cls, value: Any, info: ValidationInfo) -> Any:
        if found := problems_of(str(info.field_name), value):
            raise Problems(found)
        return value

    @field_validator("clickhouse_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not _is_http(value):
            raise ValueError("must be http[s]://[USER:PASSWORD@]HOST:PORT")
        return value

    @field_validator("kafka_bootstrap")
    @classmethod
    def _servers(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError("must be HOST:PORT[,HOST:PORT...]")
        return value

    @model_validator(mode="after")
    def _security(self) -> Self:
        kafka = self.kafka
        lacking = [name for name in ("sasl_username", "sasl_password") if not getattr(kafka, name)]
        found = []
        if kafka.security_protocol.startswith("SASL") and lacking:
            wrong = f"{kafka.security_protocol} needs {' and '.join(lacking)}"
            found.append(Problem("kafka.security_protocol", wrong))
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            file: Path | None = getattr(kafka, name)
            if file is not None and not file.is_file():
                found.append(Problem(f"kafka.{name}", f"there is no file {file}"))
        if found:
            raise Problems(found)
        return self
