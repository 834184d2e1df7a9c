"""The embedded ClickHouse server, seen by its clients: clickhouse-connect, plain HTTP, the JavaScript client."""

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import lz4.frame
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "deploy.embedded.clickhouse"]


class Running:
    """A server process and the way to talk to it without a client library."""

    def __init__(self, directory: Path, *options: str, pass_fds: tuple[int, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--path", str(directory), "--port", "0", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", self.first_line)
        if found is None:
            self.process.kill()
            raise AssertionError(f"{self.first_line!r} {self.process.communicate()}")
        self.port = int(found[1])

    def ask(
        self,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
        **parameters: str,
    ) -> "Answer":
        url = f"http://127.0.0.1:{self.port}/?{urllib.parse.urlencode(parameters)}"
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def client(self, **options: object) -> Client:
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, **options)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.communicate()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("clickhouse"))
    yield running
    assert running.stop() == 0


@pytest.fixture
def table(server: Running, request: pytest.FixtureRequest) -> str:
    name = "t_" + re.sub(r"\W", "_", request.node.name)
    assert server.ask(f"CREATE TABLE {name} (a UInt64, s String) ENGINE = MergeTree ORDER BY a").status == 200
    return name


@contextlib.contextmanager
def started(directory: Path, *options: str, pass_fds: tuple[int, ...] = ()) -> Iterator[Running]:
    running = Running(directory, *options, pass_fds=pass_fds)
    try:
        yield running
    finally:
        running.stop(signal.SIGKILL)


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


# Plain HTTP


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_health_addresses_answer_ok(server: Running, path: str) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
        assert (response.status, response.read()) == (200, b"Ok.\n")


def test_a_query_may_stand_in_the_url_or_in_the_body_or_in_both(server: Running) -> None:
    assert server.ask(query="SELECT 1").text == "1\n"
    assert server.ask("SELECT 2").text == "2\n"
    assert server.ask(" 3 AS c", query="SELECT").text == "3\n"


def test_answers_carry_clickhouse_headers(server: Running) -> None:
    answer = server.ask("SELECT number FROM numbers(3)", query_id="mine", wait_end_of_query="1", default_format="JSONEachRow")

    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"]
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["result_rows"] == "3"


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("INSERT INTO nowhere FORMAT JSONEachRow {}", 404, 60, "UNKNOWN_TABLE"),
    ],
)
def test_an_error_has_clickhouses_status_code_and_text(server: Running, sql: str, status: int, code: int, name: str) -> None:
    answer = server.ask(sql)

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in answer.text
    assert server.ask("SELECT 1").text == "1\n"


def test_get_does_not_change_data(server: Running, table: str) -> None:
    answer = server.ask(query=f"DROP TABLE {table}")

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_settings_and_parameters_of_a_url_hold_for_that_query(server: Running) -> None:
    sql = "SELECT {name:String}, getSetting('max_block_size')"

    assert server.ask(sql, param_name="o'n\\te", max_block_size="77").text == "o\\'n\\te\t77\n"
    assert server.ask("SELECT getSetting('max_block_size') = 77").text == "0\n"
    assert server.ask("SELECT 1", no_such_setting="1").status == 404


def test_inserts_wait_until_stored_by_default(server: Running) -> None:
    assert server.ask("SELECT getSetting('async_insert')").text in ("0\n", "false\n")


@pytest.mark.parametrize(
    ("statement", "data"),
    [
        ("FORMAT JSONEachRow", '{"a": 1, "s": "x"}\n{"a": 2, "s": "y"}'),
        ("(a, s) FORMAT CSV", '1,"x"\n2,"y"\n'),
        ("SETTINGS input_format_skip_unknown_fields = 1 FORMAT JSONEachRow", '{"a":1,"s":"x","z":0}{"a":2,"s":"y"}'),
        ("/* FORMAT CSV */ VALUES", "(1, 'x'), (1 + 1, 'y')"),
    ],
)
@pytest.mark.parametrize("where", ["url", "body"])
def test_insert_data_may_follow_the_statement_or_fill_the_body(
    server: Running, table: str, statement: str, data: str, where: str
) -> None:
    sql = f"INSERT INTO {table} {statement}"

    answer = server.ask(data, query=sql) if where == "url" else server.ask(f"{sql}\n{data}")

    assert answer.status == 200, answer.text
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert server.ask(f"SELECT * FROM {table} ORDER BY a").text == "1\tx\n2\ty\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "lz4", "zstd"])
def test_bodies_are_compressed_both_ways(server: Running, table: str, coding: str) -> None:
    from backports import zstd

    pack, unpack = {
        "gzip": (gzip.compress, gzip.decompress),
        "deflate": (zlib.compress, zlib.decompress),
        "lz4": (lz4.frame.compress, lz4.frame.decompress),
        "zstd": (zstd.compress, zstd.decompress),
    }[coding]
    frames = pack(b'{"a": 1, "s": "x"}\n{"a":') + pack(b' 2, "s": "y"}\n')
    if coding == "deflate":
        frames = pack(b'{"a": 1, "s": "x"}\n{"a": 2, "s": "y"}\n')

    insert = server.ask(frames, {"Content-Encoding": coding}, query=f"INSERT INTO {table} FORMAT JSONEachRow")
    whole = server.ask(
        f"SELECT * FROM {table} ORDER BY a",
        {"Accept-Encoding": coding},
        enable_http_compression="1",
        wait_end_of_query="1",
    )
    streamed = server.ask("SELECT number FROM numbers(100000)", {"Accept-Encoding": coding}, enable_http_compression="1")

    assert insert.status == 200, insert.text
    assert whole.headers["Content-Encoding"] == streamed.headers["Content-Encoding"] == coding
    assert unpack(whole.body) == b"1\tx\n2\ty\n"
    assert unpack(streamed.body).count(b"\n") == 100_000


def test_a_compressed_body_cut_short_stores_nothing(server: Running, table: str) -> None:
    packed = gzip.compress(b'{"a": 1, "s": "x"}\n' * 1000)[:-20]

    answer = server.ask(packed, {"Content-Encoding": "gzip"}, query=f"INSERT INTO {table} FORMAT JSONEachRow")

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "271")
    assert server.ask(f"SELECT count() FROM {table}").text == "0\n"


def test_a_malformed_row_stores_nothing_and_harms_nothing(server: Running, table: str) -> None:
    answer = server.ask(f'INSERT INTO {table} FORMAT JSONEachRow\n{{"a": 1, "s": "x"}}\n{{"a": "no"}}')

    assert answer.status == 400
    assert server.ask(f"SELECT count() FROM {table}").text == "0\n"
    assert server.ask(f"INSERT INTO {table} VALUES (1, 'x')").status == 200


def test_an_upload_whose_client_goes_away_stores_nothing(server: Running, table: str) -> None:
    statement = urllib.parse.quote(f"INSERT INTO {table} FORMAT JSONEachRow")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"POST /?query={statement} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n".encode())
        connection.sendall(b'{"a": 1, "s": "x"}\n' * 100_000)
        time.sleep(0.3)
    time.sleep(0.3)

    assert server.ask(f"SELECT count() FROM {table}").text == "0\n"
    assert server.ask("SELECT count() FROM system.processes").text == "1\n"


def test_foreign_web_pages_and_names_are_refused(server: Running) -> None:
    assert server.ask("SELECT 1", {"Origin": "https://elsewhere.example"}).status == 403
    assert server.ask("SELECT 1", {"Host": "elsewhere.example"}).status == 403
    assert server.ask("SELECT 1", {"Origin": "http://localhost:3000"}).status == 403, "a page on another port"
    assert server.ask("SELECT 1", {"Origin": f"http://127.0.0.1:{server.port}"}).status == 200
    assert server.ask("SELECT 1", {"Sec-Fetch-Site": "same-site"}).status == 403


# Sessions


def test_a_session_keeps_temporary_tables_settings_and_database(server: Running) -> None:
    for sql in (
        "CREATE DATABASE IF NOT EXISTS other",
        "CREATE TEMPORARY TABLE mine (a UInt8)",
        "INSERT INTO mine VALUES (7)",
        "SET max_block_size = 55",
        "USE other",
    ):
        assert server.ask(sql, session_id="s1").status == 200
    sql = "SELECT a, getSetting('max_block_size'), currentDatabase() FROM mine"

    assert server.ask(sql, session_id="s1").text == "7\t55\tother\n"
    assert server.ask("SELECT getSetting('max_block_size')", session_id="s1", max_block_size="66").text == "66\n"
    assert server.ask(sql, session_id="s1", database="default").text == "7\t55\tdefault\n"
    assert server.ask(sql, session_id="s1").text == "7\t55\tother\n"
    assert server.ask("SELECT 1", session_id="s1", no_such_setting="1").status == 404
    assert server.ask(sql, session_id="s1").text == "7\t55\tother\n"
    assert server.ask(sql).status == 404


def test_a_session_ends_after_its_timeout_and_can_be_required(server: Running) -> None:
    assert server.ask("CREATE TEMPORARY TABLE short (a UInt8)", session_id="s2", session_timeout="0.2").status == 200
    time.sleep(0.3)

    answer = server.ask("SELECT * FROM short", session_id="s2", session_check="1")

    assert answer.headers["X-ClickHouse-Exception-Code"] == "372"


def test_a_session_serves_one_request_at_a_time(server: Running) -> None:
    slow = threading.Thread(target=server.ask, args=("SELECT sleep(1)",), kwargs={"session_id": "s3"})
    slow.start()
    time.sleep(0.4)

    answer = server.ask("SELECT 1", session_id="s3")

    slow.join()
    assert answer.headers["X-ClickHouse-Exception-Code"] == "373"
    assert server.ask("SELECT 1", session_id="s3").text == "1\n"


# clickhouse-connect


def test_clickhouse_connect_queries_inserts_and_commands(server: Running, table: str) -> None:
    with server.client() as client:
        assert client.ping()
        summary = client.insert(table, [[1, "x"], [2, "y"]], column_names=["a", "s"])
        assert summary.written_rows == 2
        client.raw_insert(table, ["a", "s"], b'{"a": 3, "s": "z"}\n', fmt="JSONEachRow")
        client.raw_insert(table, ["a", "s"], lz4.frame.compress(b"4,w\n"), fmt="CSV", compression="lz4")

        result = client.query(f"SELECT a, s FROM {table} WHERE s != {{no:String}} ORDER BY a", parameters={"no": "w"})
        assert result.result_rows == [(1, "x"), (2, "y"), (3, "z")]
        assert client.query_np(f"SELECT a FROM {table} ORDER BY a").ravel().tolist() == [1, 2, 3, 4]
        assert client.query_df(f"SELECT s FROM {table} ORDER BY a")["s"].tolist() == ["x", "y", "z", "w"]
        assert client.query(f"SELECT a FROM {table} LIMIT 0").column_names == ("a",)
        assert client.command(f"SELECT count() FROM {table}") == 4
        assert client.command("SELECT getSetting('max_block_size')", settings={"max_block_size": 99}) == 99
        assert client.command(f"OPTIMIZE TABLE {table} FINAL") is not None
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as problem:
            client.query("SELECT * FROM nowhere")
        assert problem.value.code == 60


def test_clickhouse_connect_reads_the_types_of_our_tables(server: Running) -> None:
    sql = """SELECT toLowCardinality('l') l, [1, 2]::Array(UInt64) a, map('k', 'v') m, NULL::Nullable(Float64) n,
        toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC') t, 1.25::Decimal(18, 6) d,
        toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') u"""
    with server.client() as client:
        row = next(iter(client.query(sql).named_results()))

    assert (row["l"], list(row["a"]), row["m"], row["n"], str(row["d"])) == ("l", [1, 2], {"k": "v"}, None, "1.250000")
    assert row["t"].isoformat().startswith("2026-01-02T03:04:05.678")
    assert str(row["u"]) == "61f0c404-5cb3-11e7-907b-a6006ad3dba0"


def test_clickhouse_connect_streams_and_sees_an_error_behind_the_first_rows(server: Running) -> None:
    with server.client() as client:
        with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
            assert sum(len(block) for block in blocks) == 300_000
        failing = client.query_row_block_stream(
            "SELECT throwIf(number = 200000) FROM numbers(300000)", settings={"max_block_size": 10_000}
        )
        with pytest.raises(StreamFailureError, match="throwIf"), failing as blocks:
            for _ in blocks:
                pass
        assert client.command("SELECT 1") == 1


def test_clickhouse_connect_sends_long_parameters_and_external_tables_as_a_form(server: Running) -> None:
    external = ExternalData(file_name="names.csv", data=b"1,x\n2,y\n", fmt="CSV", structure=["a UInt8", "s String"])
    with server.client() as client:
        long = "x" * 100_000
        assert client.query("SELECT length({p:String})", parameters={"p": long}).first_row == (100_000,)
        assert client.query("SELECT s FROM names ORDER BY a", external_data=external).result_columns == [["x", "y"]]


async def test_the_async_client_of_clickhouse_connect_works(server: Running, table: str) -> None:
    client = await clickhouse_connect.get_async_client(host="127.0.0.1", port=server.port)
    try:
        await client.insert(table, [[1, "x"]], column_names=["a", "s"])
        assert (await client.query(f"SELECT * FROM {table}")).result_rows == [(1, "x")]
    finally:
        await client.close()


# Many clients


def test_concurrent_inserts_and_selects_lose_and_double_nothing(server: Running, table: str) -> None:
    writers, inserts, rows = 6, 10, 500
    problems: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with server.client() as client:
                for insert in range(inserts):
                    first = (number * inserts + insert) * rows
                    client.raw_insert(
                        table,
                        fmt="JSONEachRow",
                        insert_block="".join(f'{{"a":{a},"s":"x"}}\n' for a in range(first, first + rows)),
                    )
        except BaseException as problem:  # noqa: BLE001 - the main thread judges it
            problems.append(problem)

    def read() -> None:
        try:
            with server.client() as client:
                for _ in range(20):
                    assert client.command(f"SELECT count() % {rows} FROM {table}") == 0
                    with contextlib.suppress(DatabaseError):
                        client.query("SELECT * FROM nowhere")
        except BaseException as problem:  # noqa: BLE001 - the main thread judges it
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not problems
    assert (
        server.ask(f"SELECT count(), uniqExact(a) FROM {table}").text
        == f"{writers * inserts * rows}\t{writers * inserts * rows}\n"
    )


def test_an_insert_that_cannot_be_stored_is_no_success(server: Running, table: str) -> None:
    # chdb reports its rows as written
    server.ask(f"CREATE TABLE {table}_few (a UInt64, CONSTRAINT few CHECK a < 5) ENGINE = MergeTree ORDER BY a")
    answer = server.ask(f'INSERT INTO {table}_few FORMAT JSONEachRow\n{{"a": 7}}')
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "469")
    assert "Constraint `few`" in answer.text
    assert server.ask(f'INSERT INTO {table}_few FORMAT JSONEachRow\n{{"a": 1}}').status == 200
    assert server.ask(f"SELECT count() FROM {table}_few").text == "1\n"


def test_of_many_inserts_at_once_each_gets_its_own_answer(server: Running, table: str) -> None:
    server.ask(f"CREATE TABLE {table}_even (a UInt64, CONSTRAINT even CHECK a % 2 = 0) ENGINE = MergeTree ORDER BY a")
    stored: list[int] = []
    refused: list[int] = []

    def write(first: int) -> None:
        for a in range(first, first + 20):
            answer = server.ask(f'INSERT INTO {table}_even FORMAT JSONEachRow\n{{"a": {a}}}')
            (stored if answer.status == 200 else refused).append(a)

    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    # What is odd is refused; of what is even some may be called refused, which others' errors hide. Nothing is lost.
    assert all(a % 2 == 0 for a in stored) and {a for a in refused if a % 2} == {100 * n + k for n in range(8) for k in range(1, 20, 2)}
    there = {int(a) for a in server.ask(f"SELECT a FROM {table}_even").text.split()}
    assert set(stored) <= there


def test_a_query_whose_client_has_gone_is_stopped(server: Running) -> None:
    with contextlib.suppress(OSError):  # it times out
        urllib.request.urlopen(
            f"http://127.0.0.1:{server.port}/?wait_end_of_query=1&query=SELECT+sum(sipHash64(number))+FROM+numbers(1e12)",
            timeout=0.5,
        )
    deadline = time.monotonic() + 5
    while server.ask("SELECT count() FROM system.processes").text != "1\n":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_no_system_log_grows(server: Running) -> None:
    sql = "SELECT count() FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree'"

    assert server.ask(sql).text == "0\n"


def test_a_query_that_needs_too_much_memory_fails_alone(tmp_path: Path) -> None:
    with started(tmp_path, "--max-memory", "300") as running:
        answer = running.ask("SELECT length(groupArray(number)) FROM numbers(1000000000)")
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "241")
        assert running.ask("SELECT 1").text == "1\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_stored(small_disk: Path) -> None:
    with started(small_disk) as running:
        running.ask("CREATE TABLE kept (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        statuses = []
        for number in range(40):
            rows = "".join(json.dumps({"a": 100 * number + a, "s": os.urandom(2_000).hex()}) + "\n" for a in range(100))
            answer = running.ask(f"INSERT INTO kept FORMAT JSONEachRow\n{rows}")
            statuses.append(answer.status)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "243")
        assert running.ask("SELECT count() FROM kept").text == f"{100 * statuses.count(200)}\n"
        assert 0 < statuses.count(200) < 40


# The process


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        running.ask("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
        for number in range(20):
            assert running.ask(f"INSERT INTO kept VALUES ({number})").status == 200
        running.process.kill()
        running.process.wait()
    with started(tmp_path) as running:
        assert running.ask("SELECT count(), sum(a) FROM kept").text == "20\t190\n"


def test_sigterm_lets_a_running_request_end_and_exits_0(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        answers: list[Answer] = []
        asking = threading.Thread(target=lambda: answers.append(running.ask("SELECT sleep(1.5)")))
        asking.start()
        time.sleep(0.5)
        assert running.stop() == 0
        asking.join()
        assert answers[0].text == "0\n"


def test_sigint_stops_a_query_without_end_and_exits_0_soon(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        endless = "SELECT sum(sipHash64(number)) FROM numbers(1e12)"
        asking = threading.Thread(target=lambda: running.ask(endless), daemon=True)
        asking.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert running.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 7
        asking.join(5)


def test_the_end_of_the_parents_pipe_ends_the_server(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    port_file = tmp_path / "port"
    with started(
        tmp_path / "data", "--parent-pipe", str(read_end), "--port-file", str(port_file), pass_fds=(read_end,)
    ) as running:
        os.close(read_end)
        assert int(port_file.read_text()) == running.port
        os.close(write_end)
        assert running.process.wait(10) == 0


def test_a_second_process_on_the_directory_is_told_who_has_it(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        second = _run([*COMMAND, "--path", str(tmp_path), "--port", "0"], ROOT)

        assert (second.returncode, second.stdout) == (1, "")
        assert f"in use by the process with pid {running.process.pid}" in second.stderr


def test_a_taken_port_is_named_and_ends_the_second_server(server: Running, tmp_path: Path) -> None:
    second = _run([*COMMAND, "--path", str(tmp_path), "--port", str(server.port)], ROOT)

    assert (second.returncode, second.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{server.port}" in second.stderr


def test_a_directory_can_be_queried_without_a_server(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        running.ask("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
        running.ask("INSERT INTO kept VALUES (1), (2)")
        assert running.stop() == 0
    script = """if True:
        import sys
        from deploy.embedded.clickhouse import ClickHouseError, run_sql
        sys.stdout.buffer.write(run_sql(sys.argv[1], "SELECT sum(a) AS total FROM kept", "JSONEachRow"))
        try:
            run_sql(sys.argv[1], "SELECT * FROM nowhere")
        except ClickHouseError as error:
            print(error.code, "UNKNOWN_TABLE" in error.message)
    """

    done = _run([sys.executable, "-c", script, str(tmp_path)], ROOT)

    assert done.stdout == '{"total":3}\n60 True\n', done.stderr


# The official JavaScript client

JAVASCRIPT = """
const { createClient } = require('@clickhouse/client');
(async () => {
  const client = createClient({ url: process.argv[2], compression: { response: true, request: true } });
  const table = 'from_javascript';
  const out = { ping: (await client.ping()).success };
  await client.command({ query: `CREATE TABLE ${table} (a UInt64, s String) ENGINE = MergeTree ORDER BY a` });
  await client.insert({ table, values: [{ a: 1, s: 'x' }, { a: 2, s: 'y' }], format: 'JSONEachRow' });
  const rows = await client.query({
    query: `SELECT a, s FROM ${table} WHERE s = {s:String}`, query_params: { s: 'y' }, format: 'JSONEachRow' });
  out.rows = await rows.json();
  const json = await client.query({ query: `SELECT count() AS n FROM ${table}`, format: 'JSON' });
  out.n = (await json.json()).data[0].n;
  out.streamed = 0;
  const large = await client.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSONEachRow' });
  for await (const batch of large.stream()) out.streamed += batch.length;
  const executed = await client.exec({ query: 'SELECT 42 FORMAT CSV' });
  out.executed = '';
  for await (const chunk of executed.stream) out.executed += chunk;
  try { await client.query({ query: 'SELECT * FROM nowhere' }); }
  catch (error) { out.error = [error.code, error.type]; }
  await client.close();
  console.log(JSON.stringify(out));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_official_javascript_client_works(server: Running, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs node and npm")
    (tmp_path / "package.json").write_text('{"private": true}')
    installed = _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "@clickhouse/client"], tmp_path)
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install @clickhouse/client: {installed.stderr[-300:]}")
    (tmp_path / "try.js").write_text(JAVASCRIPT)

    done = _run([node, "try.js", f"http://127.0.0.1:{server.port}"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "ping": True,
        "rows": [{"a": 2, "s": "y"}],
        "n": 2,
        "streamed": 200_000,
        "executed": "42\n",
        "error": ["60", "UNKNOWN_TABLE"],
    }
