"""The ClickHouse schema on the real engine: what the public names show, whatever the storage tables hold."""

import math
import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.migrate import Migration, MigrationError, migrate, migrations, schema_version
from schemas.rows import (
    DATABASE,
    INSERT_SETTINGS,
    TOKEN_COLUMNS,
    CostPartRow,
    DeadLetterRow,
    EvaluationRow,
    FeedbackRow,
    InteractionRow,
    TableRow,
    money,
)

pytest.importorskip("chdb")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GAMMA = 1.01 / 0.99


def _serve(directory: str, calls: Connection) -> None:
    """The engine process: chdb allows one directory per process, and pytest's own process must stay free of it."""
    import clickhouse_connect

    client = clickhouse_connect.get_client(interface="chdb", path=directory)
    methods: dict[str, Callable[..., Any]] = {
        "command": client.command,
        "query": lambda sql: client.query(sql).result_rows,
        "raw_insert": lambda *arguments, **options: client.raw_insert(*arguments, **options).summary,
    }
    while (call := calls.recv()) is not None:
        name, arguments, options = call
        try:
            calls.send((methods[name](*arguments, **options), None))
        except Exception as error:  # noqa: BLE001 - every error belongs to the caller, in the other process
            calls.send((None, str(error)))
    client.close()


class Engine:
    """A clickhouse-connect client in another process, as far as it is needed here."""

    def __init__(self, calls: Connection) -> None:
        self._calls = calls

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        self._calls.send((name, arguments, options))
        assert self._calls.poll(60), "the engine does not answer"
        result, error = self._calls.recv()
        if error is not None:
            raise RuntimeError(error)
        return result

    def command(self, sql: str, /) -> Any:
        return self._call("command", sql)

    def query(self, sql: str, /) -> Any:
        return SimpleNamespace(result_rows=self._call("query", sql))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._call("query", sql)]

    def explain(self, sql: str) -> str:
        return "\n".join(row[0] for row in self.rows(f"EXPLAIN indexes = 1 {sql}"))

    def insert(self, rows: Sequence[TableRow]) -> None:
        table = f"{DATABASE}.{rows[0].TABLE}"
        lines = msgspec.json.Encoder().encode_lines(rows)
        self._call("raw_insert", table, insert_block=lines, fmt="JSONEachRow", settings=dict(INSERT_SETTINGS))


@contextmanager
def open_engine(directory: Path) -> Iterator[Engine]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(str(directory), theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Engine(ours)
    finally:
        ours.send(None)
        process.join(20)
        assert process.exitcode == 0


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine with a migrated, initially empty database; tests keep apart by tenant."""
    with open_engine(tmp_path_factory.mktemp("engine")) as opened:
        assert schema_version(opened) == 0
        assert migrate(opened) == [f"{m.version:04}_{m.name}" for m in migrations()]
        yield opened


def interaction(request_id: str, **fields: Any) -> InteractionRow:
    defaults: dict[str, Any] = {"time": NOON, "request_id": request_id, "version": 1, "outcome": "unanswered"}
    return InteractionRow(**defaults | fields)


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    assert migrate(engine) == []
    assert schema_version(engine) == len(migrations())


def test_two_workers_may_migrate_at_the_same_time(engine: Engine) -> None:
    class Late(Engine):
        """Sees the database as it was before the other worker began."""

        def query(self, sql: str, /) -> Any:
            return SimpleNamespace(result_rows=[(0,)])

    assert len(migrate(Late(engine._calls))) == len(migrations())
    recorded = engine.rows("SELECT version FROM mirante.schema_migrations FINAL ORDER BY version")
    assert recorded == [(migration.version,) for migration in migrations()]


def test_an_edited_migration_is_refused(engine: Engine) -> None:
    edited = [migrations()[0]._replace(statements=("SELECT 1",)), *migrations()[1:]]
    with pytest.raises(MigrationError, match=r"must not be edited\. Restore the file"):
        migrate(engine, edited)


def test_a_newer_database_is_refused(engine: Engine) -> None:
    with pytest.raises(MigrationError, match=r"has schema version \d+, this Mirante knows versions up to 1: upgrade"):
        migrate(engine, migrations()[:1])


def test_a_new_migration_is_applied_to_an_existing_database_and_found_after_a_restart(tmp_path: Path) -> None:
    newer = [
        *migrations(),
        Migration(len(migrations()) + 1, "more", ("CREATE VIEW IF NOT EXISTS mirante.one AS SELECT 1",)),
    ]
    with open_engine(tmp_path) as engine:
        migrate(engine)
        engine.insert([CostPartRow(
            window_start=NOON, window_seconds=60, source="c", source_partition=0, segment=0, version=2, requests=1, ok=1,
            latency_bins=[0], latency_counts=[1],
        )])  # fmt: skip
    with open_engine(tmp_path) as engine:
        assert migrate(engine, newer) == [f"{len(newer):04}_more"]
        assert engine.rows("SELECT * FROM mirante.one") == [(1,)]
        assert engine.rows("SELECT latency_p50_ms FROM mirante.cost_windows") == [(pytest.approx(1, rel=0.01),)]
        assert engine.rows("SELECT mirante_quantile([-32768, 0], [1, 1], 0)") == [(0,)]


def test_rows_that_were_there_before_odd_fields_have_none(tmp_path: Path) -> None:
    with open_engine(tmp_path) as engine:
        # Given a database of the version before, with a row of each kind
        migrate(engine, migrations()[:10])
        engine.insert([interaction("old")])
        engine.insert([FeedbackRow(time=NOON, event_id="f", kind="copy")])
        engine.insert([EvaluationRow(time=NOON, event_id="e", response_id="p", name="n", score=1)])
        # When it is migrated and written to, then the views show both
        migrate(engine)
        engine.insert([interaction("new", odd_fields=["timeout_ms"])])
        assert engine.rows("SELECT request_id, odd_fields FROM mirante.interactions ORDER BY request_id DESC") == [
            ("old", []), ("new", ["timeout_ms"]),
        ]  # fmt: skip
        for view in ("feedback", "evaluations"):
            assert engine.rows(f"SELECT odd_fields FROM mirante.{view}") == [([],)]


def granule(engine: Engine) -> int:
    ((made,),) = engine.rows("SELECT create_table_query FROM system.tables WHERE database = 'mirante' AND name = 'interactions_data'")
    return int(made.partition("index_granularity = ")[2].split(",")[0])


def test_interactions_made_anew_have_small_granules_and_those_that_exist_keep_theirs(engine: Engine, tmp_path: Path) -> None:
    assert granule(engine) == 512
    with open_engine(tmp_path) as older:
        # Given a table as it was made before, and a worker that had recorded none of its migrations
        older.command("CREATE DATABASE mirante")
        [create] = [s for s in migrations()[0].statements if s.startswith("CREATE TABLE IF NOT EXISTS mirante.interactions_data")]
        older.command(create)
        older.command("INSERT INTO mirante.interactions_data (time, request_id, version, outcome) VALUES (1e9, 'r', 1, 'ok')")
        # When it is migrated, then the rows are where they were, once
        migrate(older)
        assert granule(older) == 8192
        assert older.rows("SELECT request_id, injection FROM mirante.interactions") == [("r", "[]")]


def test_every_column_comes_back_as_it_was_written(engine: Engine) -> None:
    row = interaction(
        "complete", tenant="columns", version=2, outcome="ok", time=datetime(2026, 3, 1, 9, 0, 0, 123456, UTC),
        request_event_id="q", response_event_id="a", response_id="p", session_id="s", feature="f", environment="e",
        user_id="u", trace_id="t", span_id="sp", parent_span_id="ps", operation="retrieval", provider="openai",
        model_requested="m", model="m-1", prompt_name="n", prompt_sha="sha", prompt_variables='{"a":1}',
        system_instructions="be kind\0", messages='[{"role":"user","content":"olá 📦"}]', params='{"seed":1}',
        documents='[{"id":"d"}]', index_version="v", tools="[{}]", output_schema="{}", timeout_ms=1, variant="shadow",
        shadow_of="r0", response_time=NOON, status="ok", error_type="et", error_code="429", error_message="em",
        finish_reason="stop", system_fingerprint="fp", output="tab\t\"quote\" \\ 'single'", tool_calls="[1]",
        input_tokens=0, output_tokens=2**53 - 1, cache_read_tokens=1, cache_write_tokens=2, reasoning_tokens=3,
        cost_usd=money(1e12), cost_source="reported", price_book_version="pb", latency_ms=0.5, ttft_ms=1e12,
        rails="[{}]", cache="hit", json_valid=True, pii='["email"]', extra='{"request":{}}',
        odd_fields=["latency_ms", "rails[1].verdict"],
    )  # fmt: skip
    engine.insert([row])
    names = [name for name in row.__struct_fields__ if name != "version"]
    (stored,) = engine.rows(f"SELECT {', '.join(names)} FROM mirante.interactions WHERE tenant = 'columns'")
    expected = [getattr(row, name) for name in names]
    expected[names.index("cost_usd")] = Decimal(10**12)
    expected[names.index("time")] = datetime(2026, 3, 1, 9, 0, 0, 123000, UTC)  # milliseconds
    aware = [v.replace(tzinfo=UTC) if isinstance(v, datetime) and v.tzinfo is None else v for v in stored]
    assert dict(zip(names, aware, strict=True)) == dict(zip(names, expected, strict=True))


def test_what_is_absent_is_null_or_empty_and_never_zero(engine: Engine) -> None:
    engine.insert([interaction("bare", tenant="bare")])
    nullable = ("cost_usd", "latency_ms", "ttft_ms", "json_valid", "response_time", *TOKEN_COLUMNS)
    (stored,) = engine.rows(f"SELECT {', '.join(nullable)} FROM mirante.interactions WHERE tenant = 'bare'")
    assert set(stored) == {None}
    (texts,) = engine.rows("SELECT output, messages, extra, cost_source FROM mirante.interactions WHERE tenant = 'bare'")
    assert texts == ("", "[]", "{}", "unknown")


@pytest.mark.parametrize("order", [(1, 2, 1, 2), (2, 1), (2, 2, 1)])
def test_only_the_most_complete_version_of_an_interaction_is_visible(engine: Engine, order: tuple[int, ...]) -> None:
    tenant = f"versions{order}"
    for version in order:  # each its own insert, as after a crash and a repeat
        outcome = {1: "unanswered", 2: "ok"}[version]
        engine.insert([interaction("r", tenant=tenant, version=version, outcome=outcome)])
    assert engine.rows(f"SELECT outcome FROM mirante.interactions WHERE tenant = '{tenant}'") == [("ok",)]
    # nor can a filter bring an older version back
    assert engine.rows(f"SELECT 1 FROM mirante.interactions WHERE tenant = '{tenant}' AND outcome = 'unanswered'") == []


def test_repeated_feedback_evaluations_and_dead_letters_are_visible_once(engine: Engine) -> None:
    feedback = FeedbackRow(time=NOON, event_id="f", kind="rating", value=0.5, tenant="repeats")
    evaluation = EvaluationRow(time=NOON, event_id="e", response_id="p", name="n", score=1, tenant="repeats")
    for _ in range(3):
        engine.insert([feedback, feedback])
        engine.insert([evaluation])
    assert engine.rows("SELECT kind, value FROM mirante.feedback WHERE tenant = 'repeats'") == [("rating", 0.5)]
    assert engine.rows("SELECT score FROM mirante.evaluations WHERE tenant = 'repeats'") == [(1.0,)]
    for month in (0, 1):  # noticed again a month later: still the same dead letter
        engine.insert([DeadLetterRow(
            source="repeats", topic="llm.requests", partition=0, offset=7, time=NOON + timedelta(days=31 * month),
            stage="decode", reason="empty value", value="AA==",
        )])  # fmt: skip
    assert engine.rows("SELECT offset, value FROM mirante.deadletter WHERE source = 'repeats'") == [(7, "AA==")]


def test_one_insert_may_spread_over_200_months(engine: Engine) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    engine.insert([interaction(f"r{i}", tenant="months", time=start + timedelta(days=31 * i)) for i in range(200)])
    engine.insert([interaction("last", tenant="months", time=datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC))])
    ((rows, last),) = engine.rows("SELECT count(), max(toYear(time)) FROM mirante.interactions WHERE tenant = 'months'")
    assert (rows, last) == (201, 2100)

    plan = engine.explain("SELECT count() FROM mirante.interactions WHERE time >= '1975-01-01' AND time < '1975-02-01'")
    parts = {line.strip() for line in plan.splitlines() if "Parts: " in line and "/" in line}
    assert any(int(line.split()[1].split("/")[0]) == 1 and int(line.split("/")[1]) >= 200 for line in parts), plan


def test_a_filter_on_tenant_and_time_reads_few_granules_through_the_view(engine: Engine) -> None:
    rows = [
        interaction(f"r{i}", tenant=f"tenant-{i % 4}", feature="bulk", time=NOON + timedelta(seconds=i)) for i in range(60_000)
    ]
    engine.insert(rows)
    engine.command("OPTIMIZE TABLE mirante.interactions_data PARTITION 202603 FINAL")
    end = (NOON + timedelta(seconds=600)).strftime("%Y-%m-%d %H:%M:%S")
    where = f"tenant = 'tenant-2' AND feature = 'bulk' AND time < '{end}'"
    assert engine.rows(f"SELECT count() FROM mirante.interactions WHERE {where}") == [(150,)]
    plan = engine.explain(f"SELECT count() FROM mirante.interactions WHERE {where}")
    primary = plan.partition("PrimaryKey")[2]
    read, of = primary.partition("Granules: ")[2].split()[0].split("/")
    assert int(read) <= 2 < 7 <= int(of), plan


def test_an_interaction_is_found_by_its_response_id_without_reading_the_table(engine: Engine) -> None:
    engine.insert([interaction("needle", tenant="needle", response_id="resp-needle", output="found")])
    query = "SELECT output FROM mirante.interactions WHERE response_id = 'resp-needle'"
    assert engine.rows(query) == [("found",)]
    assert "by_response_id" in engine.explain(query)


def test_prompt_versions_say_when_each_was_used(engine: Engine) -> None:
    for hour, sha in enumerate(("a", "b", "a")):
        engine.insert([interaction(
            f"r{hour}", tenant="prompts", feature="prompts", prompt_name="p", prompt_sha=sha, time=NOON + timedelta(hours=hour)
        )])  # fmt: skip
    found = engine.rows(
        "SELECT prompt_sha, requests, dateDiff('hour', first_seen, last_seen) FROM mirante.prompt_versions "
        "WHERE feature = 'prompts' ORDER BY prompt_sha"
    )
    assert found == [("a", 2, 2), ("b", 1, 0)]


def sketch(values: Sequence[float]) -> tuple[list[int], list[int]]:
    """Bins and counts of a DDSketch, as `CostPartRow` defines them."""
    counts: dict[int, int] = {}
    for value in values:
        index = -32768 if value <= 0.001 else math.ceil(math.log(value) / math.log(GAMMA))
        counts[index] = counts.get(index, 0) + 1
    return list(counts), list(counts.values())  # unsorted: rows need not sort


def part(segment: int, values: Sequence[float], version: int = 1, **fields: Any) -> CostPartRow:
    bins, counts = sketch(values)
    defaults: dict[str, Any] = {
        "window_start": NOON, "window_seconds": 60, "source": "cluster", "source_partition": segment % 3,
        "segment": segment, "version": version, "requests": len(values), "ok": len(values), "input_tokens": 10,
        "cost_usd": money(Decimal(len(values)) / 1000), "latency_bins": bins, "latency_counts": counts,
    }  # fmt: skip
    return CostPartRow(**defaults | fields)


def test_cost_windows_sum_the_newest_version_of_each_part(engine: Engine) -> None:
    stale = part(0, [1, 2], version=2, tenant="sums", unanswered=2, ok=0)
    newest = part(0, [1, 2, 3], version=6, tenant="sums")
    engine.insert([stale])
    engine.insert([newest, part(1, [5], tenant="sums", unpriced_requests=1)])
    engine.insert([stale, newest])  # a repeat, out of order
    (row,) = engine.rows(
        "SELECT requests, ok, unanswered, input_tokens, cost_usd, unpriced_requests, ttft_p50_ms, "
        "dateDiff('second', window_start, window_end) FROM mirante.cost_windows WHERE tenant = 'sums'"
    )
    assert row == (4, 4, 0, 20, Decimal("0.004"), 1, None, 60)


def test_cost_windows_percentiles_are_within_one_percent(engine: Engine) -> None:
    chance = random.Random(7)
    parts = [[chance.lognormvariate(6, 1.2) for _ in range(chance.randrange(1, 400))] for _ in range(12)]
    parts.append([0.0] * 20)
    engine.insert([part(i, values, tenant="quantiles", ttft_bins=[0], ttft_counts=[1]) for i, values in enumerate(parts)])
    (row,) = engine.rows(
        "SELECT latency_p50_ms, latency_p95_ms, latency_p99_ms, ttft_p50_ms, ttft_p99_ms, "
        "latency_bins, latency_counts FROM mirante.cost_windows WHERE tenant = 'quantiles'"
    )
    values = sorted(value for values in parts for value in values)
    for got, q in zip(row[:3], (0.5, 0.95, 0.99), strict=True):
        assert got == pytest.approx(values[int(q * (len(values) - 1))], rel=0.0101)
    assert row[3] == row[4] == pytest.approx(1, rel=0.0101)
    assert list(row[5]) == sorted(row[5])
    assert row[5][0] == -32768
    assert sum(row[6]) == len(values)


def test_percentiles_of_several_windows_come_from_their_merged_bins(engine: Engine) -> None:
    slow, fast = [1000.0 + i for i in range(100)], [10.0 + i for i in range(300)]
    later = NOON + timedelta(minutes=1)
    engine.insert([part(0, slow, tenant="merge"), part(0, fast, tenant="merge", window_start=later)])
    ((merged,),) = engine.rows(
        "SELECT mirante_quantile((sumMap(latency_bins, latency_counts) AS l).1, l.2, 0.9) "
        "FROM mirante.cost_windows WHERE tenant = 'merge'"
    )
    values = sorted(slow + fast)
    assert merged == pytest.approx(values[int(0.9 * (len(values) - 1))], rel=0.0101)


def test_filters_on_cost_windows_reach_the_storage(engine: Engine) -> None:
    engine.insert([part(0, [1], tenant="pruned", window_start=NOON + timedelta(days=31 * i)) for i in range(24)])
    plan = engine.explain(
        "SELECT sum(cost_usd) FROM mirante.cost_windows WHERE window_start >= '2027-06-01' AND tenant = 'pruned'"
    )
    assert "window_start" in plan.partition("Min-Max")[2].partition("Partition")[0]
    assert "latency_bins" not in plan.partition("ReadFromMergeTree")[2], "sketches are read only when asked for"


def test_the_public_names_exist(engine: Engine) -> None:
    names = {name for (name,) in engine.rows("SELECT name FROM system.tables WHERE database = 'mirante' AND engine = 'View'")}
    expected = {"interactions", "feedback", "evaluations", "prompt_versions", "deadletter", "cost_windows", "alerts", "controls"}
    expected |= {"drift", "labels", "satisfaction", "prompt_files", "shadow_pairs", "shadow_verdicts", "cache_candidates", "repeats"}
    expected |= {"steps", "cost_windows_long", "silences", "topics", "topic_windows", "topic_calls", "label_quality"}
    assert names == expected
