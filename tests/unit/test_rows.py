"""What a row looks like on its way to ClickHouse, and that its columns are those of the tables."""

import importlib
import json
import pkgutil
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest

import schemas
from schemas.events import EVENT_KINDS, Message, Request, Response
from schemas.migrate import migrations, split_statements
from schemas.rows import (
    INSERT_SETTINGS,
    OUTCOMES,
    CostPartRow,
    DeadLetterRow,
    EvaluationRow,
    FeedbackRow,
    InteractionRow,
    TableRow,
    json_text,
    merged_extra,
    money,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows() -> list[type[TableRow]]:
    """The rows of all tables, in whatever module of ``schemas`` they are."""
    for module in pkgutil.iter_modules(schemas.__path__, "schemas."):
        importlib.import_module(module.name)
    return sorted(TableRow.__subclasses__(), key=lambda row: row.TABLE)


def columns(table: str) -> dict[str, str]:
    """column -> declaration, from the migrations that create the table and add to it."""
    statements = [statement for migration in migrations() for statement in migration.statements]
    create = next(statement for statement in statements if f"TABLE IF NOT EXISTS mirante.{table}\n" in statement)
    added = "\n".join(statement for statement in statements if f"ALTER TABLE mirante.{table}\n" in statement)
    later = re.findall(r"^ +ADD COLUMN IF NOT EXISTS (\w+) (.*?)(?: AFTER \w+)?,?$", added, re.MULTILINE)
    return dict([*re.findall(r"^    (?!INDEX|window_start, )(\w+) (.*?),?$", create.partition("ENGINE")[0], re.MULTILINE), *later])


@pytest.mark.parametrize("row", rows())
def test_rows_and_tables_have_the_same_columns(row: type[msgspec.Struct]) -> None:
    table = row.TABLE  # type: ignore[attr-defined]
    assert set(row.__struct_fields__) == set(columns(table))


@pytest.mark.parametrize("row", rows())
def test_a_value_left_out_of_a_line_is_the_columns_default(row: type[msgspec.Struct]) -> None:
    declared = columns(row.TABLE)  # type: ignore[attr-defined]
    for field in msgspec.structs.fields(row):
        declaration = declared[field.encode_name]
        if field.required:
            assert "DEFAULT" not in declaration
            assert "Nullable" not in declaration
        elif field.default is None:
            assert declaration.startswith("Nullable("), field.name
        elif field.default is msgspec.NODEFAULT:
            assert declaration.startswith(("Array(", "Map(")), field.name
        else:
            default = f"'{field.default}'" if isinstance(field.default, str) else str(field.default)
            if field.name == "cost_usd":
                default = "0"
            assert f"DEFAULT {default}".lower() in declaration.lower(), field.name


def test_an_interaction_has_a_column_for_every_field_of_request_and_response() -> None:
    renamed = {
        "event_id": "request_event_id", "prompt": "prompt_sha", "error": "error_type", "usage": "input_tokens",
    }  # fmt: skip
    for struct in (Request, Response):
        for name in struct.__struct_fields__:
            assert renamed.get(name, name) in InteractionRow.__struct_fields__
    for kind, row in (("feedback", FeedbackRow), ("evaluations", EvaluationRow)):
        assert set(EVENT_KINDS[kind].__struct_fields__) <= set(row.__struct_fields__)


def test_every_outcome_has_a_count() -> None:
    assert set(OUTCOMES) < set(CostPartRow.__struct_fields__)
    assert len(OUTCOMES) == 9


def test_a_row_is_one_line_of_json_without_its_defaults() -> None:
    rows = [
        InteractionRow(time=NOON, request_id="r1", version=1, outcome="unanswered"),
        InteractionRow(time=NOON, request_id="r\n2", version=2, outcome="ok", cost_usd=money(0.1), json_valid=False),
    ]
    lines = [msgspec.json.encode(row) for row in rows]
    assert [json.loads(line) for line in lines] == [
        {"time": "2026-03-01T12:00:00Z", "request_id": "r1", "version": 1, "outcome": "unanswered"},
        {
            "time": "2026-03-01T12:00:00Z", "request_id": "r\n2", "version": 2, "outcome": "ok",
            "cost_usd": "0.100000000000", "json_valid": False,
        },
    ]  # fmt: skip


def test_times_keep_their_zone() -> None:
    brasilia = timezone(timedelta(hours=-3))
    row = DeadLetterRow(
        source="c",
        topic="t",
        partition=0,
        offset=1,
        time=datetime(2026, 3, 1, 9, tzinfo=brasilia),
        stage="s",
        reason="r",
    )
    assert b'"time":"2026-03-01T09:00:00-03:00"' in msgspec.json.encode(row)
    assert INSERT_SETTINGS["date_time_input_format"] == "best_effort"


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "0.000000000000"),
        (0.1, "0.100000000000"),
        (1e-7, "0.000000100000"),
        (2.5e-12, "0.000000000002"),
        (1e-20, "0.000000000000"),
        (1e12, "1000000000000.000000000000"),
        (Decimal("1.0000000000005"), "1.000000000000"),
        (Decimal("12345678901234567890.5"), "12345678901234567890.500000000000"),
    ],
)
def test_money_is_decimal_text_with_twelve_places(usd: float | Decimal, text: str) -> None:
    assert money(usd) == text


def test_json_text_writes_structs_without_what_is_absent() -> None:
    assert json_text([Message(role="user", content="olá")]) == '[{"role":"user","content":"olá"}]'
    assert json_text({"a": None}) == '{"a":null}'


def test_unknown_fields_of_request_and_response_are_kept_apart() -> None:
    assert merged_extra(None, None) == "{}"
    assert json.loads(merged_extra(b'{"region":"br"}', b'{"region":"us"}')) == {
        "request": {"region": "br"},
        "response": {"region": "us"},
    }


def test_a_semicolon_ends_a_statement_only_where_it_is_one() -> None:
    script = """
    -- a comment; with a semicolon
    SELECT ';', 'it''s; \\'; fine' /* ; */ ; ;
    SELECT "a;b", `c;d`, $doc$ ; $doc$;
    -- the end;
    """
    assert split_statements(script) == [
        "SELECT ';', 'it''s; \\'; fine'",
        'SELECT "a;b", `c;d`, $doc$ ; $doc$',
    ]


def test_every_statement_of_the_migrations_may_be_repeated() -> None:
    for migration in migrations():
        for statement in migration.statements:
            created = r"CREATE (DATABASE|TABLE|(MATERIALIZED )?VIEW|FUNCTION) IF NOT EXISTS |CREATE OR REPLACE "
            # A lookup table's entries are all there is of them: one more of the same is the same.
            # Parts of windows and calls replace each other.
            filled = r"|INSERT INTO mirante.(ids|cost_parts_long|calls_data)\s"
            assert re.match(created + filled + r"|ALTER TABLE \S+\s+(ADD|MODIFY COLUMN|MODIFY QUERY)\s", statement)
            assert statement.count("ADD COLUMN") == statement.count("ADD COLUMN IF NOT EXISTS")


def test_explaining_a_migration_does_not_change_it() -> None:
    first = migrations()[0]
    assert len(first.checksum) == 64
    assert split_statements("-- why\nSELECT 1;") == split_statements("SELECT 1")
