"""The table and view of alerts on the real engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from deploy.cli.checklist import CALLS, ITEMS
from schemas.migrate import migrate
from schemas.rows import DATABASE, INSERT_SETTINGS, AlertRow
from tests.pipeline.test_migrations import Engine, open_engine

pytest.importorskip("chdb")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("engine")) as opened:
        migrate(opened)
        yield opened


def alert(alert_id: str, version: int, **fields: Any) -> AlertRow:
    defaults: dict[str, Any] = {
        "fingerprint": "f", "name": "BudgetBurn", "severity": "page", "status": "firing", "starts_at": NOON,
        "updated_at": NOON + timedelta(seconds=version), "labels": {"feature": "chat"}, "annotations": {"summary": "s"},
    }  # fmt: skip
    return AlertRow(alert_id=alert_id, version=version, **defaults | fields)


def insert(engine: Engine, *rows: AlertRow) -> None:
    body = msgspec.json.Encoder().encode_lines(rows)
    engine._call("raw_insert", f"{DATABASE}.{AlertRow.TABLE}", insert_block=body, fmt="JSONEachRow", settings=dict(INSERT_SETTINGS))


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2, 1), (2, 3, 3)])
def test_only_the_latest_state_of_an_alert_is_visible(engine: Engine, order: tuple[int, ...]) -> None:
    name = f"versions{order}"
    for version in order:  # each its own insert, as after a crash and a repeat
        insert(engine, alert(name, version, status="resolved" if version == 3 else "firing"))
    assert engine.rows(f"SELECT status FROM mirante.alerts WHERE alert_id = '{name}'") == [("resolved",)]
    assert engine.rows(f"SELECT 1 FROM mirante.alerts WHERE alert_id = '{name}' AND status = 'firing'") == []


def test_every_column_comes_back_as_it_was_written(engine: Engine) -> None:
    row = alert(
        "columns", 1, ends_at=NOON, value=0.5, expected=0.25, threshold=1e9, window_start=NOON, window_end=NOON,
        evidence={"response_ids": ["r1", "r\n2"], "share": 0.5}, generator="anomaly",
        labels={"feature": "chá 'x'", "model": "m"}, annotations={},
    )  # fmt: skip
    insert(engine, row)
    names = [name for name in row.__struct_fields__ if name not in ("version", "evidence")]
    (stored,) = engine.rows(f"SELECT {', '.join(names)} FROM mirante.alerts WHERE alert_id = 'columns'")
    aware = [v.replace(tzinfo=UTC) if isinstance(v, datetime) and v.tzinfo is None else v for v in stored]
    assert dict(zip(names, aware, strict=True)) == {name: getattr(row, name) for name in names}
    found = engine.rows(
        "SELECT JSONExtract(evidence, 'response_ids', 'Array(String)'), labels['feature'], labels['none'] "
        "FROM mirante.alerts WHERE alert_id = 'columns'"
    )
    assert found == [(["r1", "r\n2"], "chá 'x'", "")]


def test_what_is_absent_is_null(engine: Engine) -> None:
    insert(engine, alert("bare", 1))
    (stored,) = engine.rows(
        "SELECT ends_at, value, expected, threshold, window_start, window_end FROM mirante.alerts WHERE alert_id = 'bare'"
    )
    assert set(stored) == {None}
    assert engine.rows("SELECT evidence FROM mirante.alerts WHERE alert_id = 'bare'") == [("{}",)]


def test_the_checklist_can_be_asked_of_empty_tables(engine: Engine) -> None:
    there = {name for (name,) in engine.rows("SELECT name FROM system.tables WHERE database = 'mirante'")}
    for item in ITEMS:
        if there.issuperset(item.tables):
            assert len(engine.rows(item.sql.replace("{since}", "toDateTime64('2020-01-01 00:00:00', 3, 'UTC')"))) == 1


def test_the_checklist_finds_what_the_masking_has_missed(engine: Engine) -> None:
    # Given texts with and without what may be personal, of calls before and in the period
    texts = {
        "r-1": ("mail ana@example.com, please", ""), "r-2": ("CPF 529.982.247-25", "and eva@example.org"), "r-3": ("a@b, 1.2.3-4", "@"),
        "r-4": ("<EMAIL:1>", "não há nada"), "r-0": ("old@example.com", ""),
    }  # fmt: skip
    rows = [
        {"time": f"2026-03-0{1 if name == 'r-0' else 2} 12:00:00", "request_id": name, "version": version, "outcome": "ok",
         "messages": messages, "output": output, "operation": "embeddings" if name == "r-4" else "chat", "prompt_sha": "a1"}
        for name, (messages, output) in texts.items()
        for version in (1, 2)
    ]  # fmt: skip
    engine._call("raw_insert", f"{DATABASE}.interactions_data", insert_block=msgspec.json.Encoder().encode_lines(rows), fmt="JSONEachRow")
    # When they are read for the checklist
    sql = CALLS.replace("{since}", "toDateTime64('2026-03-02 00:00:00', 3, 'UTC')")
    ((calls, prompted, suspects),) = engine.rows(f"SELECT calls, prompted, suspects FROM ({sql})")
    # Then every suspect is told, and each call counts once
    assert (calls, prompted) == (4, 3)
    assert sorted(suspects) == ["529.982.247-25", "ana@example.com", "eva@example.org"]
