"""A running stack belongs to whoever started it: other users of the machine, web pages and statements get no further."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest

from deploy.embedded.directory import read_endpoints
from deploy.embedded.watching import Pulse
from streams.clickhouse import ClickHouseUnavailable, connect
from tests.installation import Installation

MIRANTE = [sys.executable, "-m", "deploy.cli"]

# What a second user tries: whatever Python of the system there is, without anything of ours.
INTRUDER = """
import sys, urllib.request, urllib.error
folder, server = sys.argv[1:]
def ask(sql, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(server, sql.encode(), headers), timeout=10) as answer:
            print("READ", answer.read()[:80])
    except urllib.error.HTTPError as error:
        print(error.code)
ask("SELECT count() FROM mirante.interactions")
ask("SELECT file('/etc/hostname')")
ask("SELECT 1", **{"X-ClickHouse-User": "default", "X-ClickHouse-Key": "guessed"})
for path in (folder, folder + "/endpoints.json", folder + "/clickhouse", folder + "/logs/clickhouse.log"):
    try:
        open(path).read()
        print("READ", path)
    except PermissionError:
        print("denied")
    except IsADirectoryError:
        print("READ", path)
"""


@pytest.fixture
def stranger() -> Iterator[int]:
    """The id of a second user of this machine, who exists as long as the test."""
    if os.getuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("only root can make a second user (useradd)")
    name = f"mirante-test-{os.getpid()}"
    subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
    try:
        yield pwd.getpwnam(name).pw_uid
    finally:
        subprocess.run(["userdel", name], check=True)


def server(mirante: Installation) -> str:
    parts = urlsplit(mirante.stack.settings.clickhouse_url)
    return f"http://{parts.hostname}:{parts.port}/"


def test_a_second_user_reads_no_row_and_no_file(mirante: Installation, stranger: int) -> None:
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("no Python of the system for the second user")
    tried = subprocess.run(
        [python, "-c", INTRUDER, str(mirante.directory), server(mirante)],
        user=stranger, group=stranger, extra_groups=[], env={}, cwd="/", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert tried.stdout.split("\n")[:-1] == ["401", "401", "403", "denied", "denied", "denied", "denied"], tried.stderr


def test_everything_in_the_data_folder_is_its_owners_alone(mirante: Installation) -> None:
    open_to_others = [p for p in (mirante.directory, *mirante.directory.rglob("*")) if not p.is_symlink() and p.stat().st_mode & 0o077]
    assert open_to_others == []


def test_a_page_on_another_port_is_refused_even_with_the_token(mirante: Installation) -> None:
    for name, value in (("Origin", "http://localhost:3000"), ("Sec-Fetch-Site", "same-site"), ("Host", "rebound.example")):
        headers = {"X-ClickHouse-Key": mirante.stack.clickhouse_token, name: value}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(server(mirante), b"SELECT 1", headers), timeout=10)
        with refused.value as answer:
            assert answer.code == 403


def test_clickhouse_connect_and_our_own_tools_get_in_with_the_token(mirante: Installation) -> None:
    endpoints = json.loads((mirante.directory / "endpoints.json").read_text())
    assert clickhouse_connect.get_client(dsn=endpoints["clickhouse"]).command("SELECT 1") == 1
    parts = urlsplit(endpoints["clickhouse"])
    other = clickhouse_connect.get_client(
        host=parts.hostname, port=parts.port, username="default", password=endpoints["clickhouse_token"], database="mirante"
    )
    assert other.command("SELECT count() >= 0 FROM interactions") == 1
    assert connect(endpoints["clickhouse"]).command("SELECT 1") == 1
    with pytest.raises(ClickHouseUnavailable, match="refuses this user"):
        connect(server(mirante).rstrip("/"))
    printed = run("query", "--print-url", "--data", str(mirante.directory))
    assert printed.stdout.strip() == endpoints["clickhouse"]
    assert json.loads(run("query", "--json", "--data", str(mirante.directory), "SELECT 1 AS a").stdout) == [{"a": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('/etc/hostname')",
        "SELECT arrayMap(file, ['/etc/hostname'])",
        r"SELECT `fi\x6ce`('/etc/hostname')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM default.`/etc/hostname`",
        "SELECT 1 INTO/**/OUTFILE '{outside}/a'",
        "SELECT $$ ' $$, 1 INTO OUTFILE '{outside}/a'",
        "SELECT 1; SELECT 2",
        "INSERT INTO FUNCTION file('{outside}/a') SELECT 1",
        "INSERT INTO mirante.feedback_data (event_id) VALUES (file('/etc/hostname'))",
        "INSERT INTO mirante.feedback_data (event_id) FROM INFILE '/etc/hostname' FORMAT LineAsString",
        "CREATE TABLE default.a (a String) ENGINE = File(CSV, '/etc/hostname')",
        "CREATE TABLE default.a (a String) ENGINE = EmbeddedRocksDB(0, '{outside}/a') PRIMARY KEY a",
        "CREATE TABLE default.a (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '{outside}/a/')",
        "ATTACH TABLE default.a FROM '{outside}' (a String) ENGINE = MergeTree ORDER BY a",
        "CREATE DATABASE a ENGINE = Filesystem('/etc')",
        "CREATE DICTIONARY default.a (a String) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'id' FORMAT 'LineAsString')) "
        "LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
        "SELECT * FROM executable('id', 'TSV', 'a String')",
        "SELECT * FROM python(os)",
        "SELECT * FROM url('{server}ping', 'LineAsString')",
        "SELECT * FROM s3('{server}bucket/a.csv')",
        "SELECT * FROM remote('127.0.0.1:9000', 'system', 'one')",
        "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '/etc/hostname'",
        "BACKUP DATABASE mirante TO Disk('default', 'a')",
        "SYSTEM SHUTDOWN",
        "CREATE USER a",
        "GRANT ALL ON *.* TO default",
    ],
)
def test_a_statement_reaches_no_file_program_or_server(mirante: Installation, tmp_path: Path, sql: str) -> None:
    hostname = Path("/etc/hostname").read_bytes().strip()
    text = sql.replace("{outside}", str(tmp_path)).replace("{server}", server(mirante))
    request = urllib.request.Request(server(mirante), text.encode(), {"X-ClickHouse-Key": mirante.stack.clickhouse_token})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        said = answer.read()
    assert answer.code >= 400
    assert hostname not in said
    assert list(tmp_path.iterdir()) == [], "nothing was written outside"
    assert mirante.query("SELECT 1") == [(1,)], "the engine goes on"


def test_query_changes_nothing_unless_told_to(mirante: Installation) -> None:
    data = str(mirante.directory)
    refused = run("query", "--data", data, "CREATE TABLE default.made (a UInt8) ENGINE = Memory")
    assert refused.returncode == 1
    assert "--write" in refused.stderr
    assert run("query", "--data", data, "--write", "CREATE TABLE default.made (a UInt8) ENGINE = Memory").returncode == 0
    assert run("query", "--data", data, "--write", "DROP TABLE default.made").returncode == 0


def test_views_are_put_back_and_columns_named(mirante: Installation) -> None:
    data = str(mirante.directory)
    connect(mirante.stack.settings.clickhouse_url).command("DROP VIEW mirante.controls")
    found = {one["check"]: one for one in json.loads(run("doctor", "--json", "--data", data).stdout)}
    assert (found["tables"]["state"], "view controls" in found["tables"]["detail"]) == ("warning", True)
    assert mirante.query("SELECT count() >= 0 FROM mirante.controls") == [(1,)]
    connect(mirante.stack.settings.clickhouse_url).command("ALTER TABLE mirante.steps_data RENAME COLUMN name TO was_name")
    try:
        found = {one["check"]: one for one in json.loads(run("doctor", "--json", "--data", data).stdout)}
        assert (found["tables"]["state"], "steps_data.name" in found["tables"]["detail"]) == ("error", True)
    finally:
        connect(mirante.stack.settings.clickhouse_url).command("ALTER TABLE mirante.steps_data RENAME COLUMN was_name TO name")


def test_a_password_on_the_command_line_is_seen_by_nobody(tmp_path: Path) -> None:
    """Of a server that does not answer, so that the command waits while `ps` is looked at."""
    secret = "hunter2-and-more"
    command = [*MIRANTE, "up", "--data", str(tmp_path / "data"), "--traffic", "none", "--kafka", "127.0.0.1:9"]
    with subprocess.Popen(
        [*command, f"--clickhouse=http://mirante:{secret}@127.0.0.1:9"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "data/lock").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert secret not in Path(f"/proc/{process.pid}/cmdline").read_text(), "as ps shows it"
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert secret not in output
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or secret not in path.read_text(errors="replace"), path


def test_what_hangs_is_named_and_started_again(mirante: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, said = mirante.stack, list[str]()
    monkeypatch.setattr(stack, "_pulse", Pulse(patience=3.0))
    monkeypatch.setattr(stack, "_say", said.append)
    assert stack.clickhouse is not None
    before = stack.clickhouse.pid
    assert before is not None

    async def watched() -> None:
        watching = asyncio.ensure_future(stack.watch())
        await asyncio.sleep(5)
        os.kill(before, signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while stack.clickhouse.pid in (None, before) and time.monotonic() < deadline:  # noqa: ASYNC110 (a process, no event)
            await asyncio.sleep(0.2)
        await asyncio.sleep(5)  # and is left alone then
        watching.cancel()

    asyncio.run(watched())
    assert [line.partition(";")[0] for line in said] == [f"clickhouse does not answer (pid {before})"]
    assert mirante.query("SELECT 1") == [(1,)]
    endpoints = read_endpoints(mirante.directory)
    assert endpoints is not None
    assert endpoints.pids["clickhouse"] not in (before, 0)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MIRANTE, *arguments], capture_output=True, text=True, timeout=120, check=False)
