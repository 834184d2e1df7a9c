"""What keeps the embedded engine to its tables: the words of a statement, and Landlock where Linux has it."""

import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.clickhouse.confinement import check
from deploy.embedded.clickhouse.errors import ClickHouseError
from deploy.embedded.watching import broker_answers
from streams.secrets import with_password, without_password

CONFINED = """
import socket, sys
from pathlib import Path
from deploy.embedded.clickhouse.landlock import confine
inside, outside, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if not confine([], [inside]):
    print("no Landlock")
    sys.exit()
(inside / "written").write_text("x")
for attempt in (outside.read_text, lambda: outside.write_text("x"), lambda: socket.create_connection(("127.0.0.1", port))):
    try:
        attempt()
        print("done")
    except PermissionError:
        print("denied")
"""


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(1)', \"a\" FROM t",
        "SELECT c.file FROM c",
        "SELECT 1 -- INTO OUTFILE 'a'",
        "SELECT 'it''s; one', 'it\\'s; one' FROM system.tables;",
        "SELECT $$file('a')$$",
        "SELECT '\u2018quoted\u2019'",
        "ALTER TABLE t ATTACH PARTITION 1 FROM u",
        "SELECT trim(BOTH 'a' FROM 'aba')",
    ],
)
def test_ordinary_statements_pass(sql: str) -> None:
    check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file ('a')",
        'SELECT "file"(1)',
        r"SELECT `fi\x6Ce`('a')",
        "SELECT * APPLY file FROM t",
        "SELECT 1 // '\n INTO OUTFILE 'a'",
        "SELECT $x$ ' $x$ INTO OUTFILE 'a'",
        "SELECT \u201ca\u201d",
        "SELECT 1; SELECT 2",
        "SET param_f = 'file'",
        "CREATE TABLE a (b UInt8) ENGINE = Memory PARALLEL WITH ATTACH TABLE c FROM '/d' (b UInt8) ENGINE = Memory",
    ],
)
def test_what_reaches_further_is_refused_however_it_is_written(sql: str) -> None:
    with pytest.raises(ClickHouseError):
        check(sql)


def test_a_name_does_not_come_in_as_a_parameter() -> None:
    with pytest.raises(ClickHouseError):
        check("SELECT arrayMap({f:Identifier}, ['a'])", ["file"])
    check("SELECT {f:String}", ["file"])


def test_a_confined_process_has_its_folder_and_nothing_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    outside.write_text("a secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", CONFINED, str(inside), str(outside), str(server.getsockname()[1])]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if said == ["no", "Landlock"]:
        pytest.skip("this kernel has no Landlock")
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    assert said == ["denied", "denied", "denied" if release >= (6, 7) else "done"]
    assert outside.read_text() == "a secret"


def test_a_broker_that_takes_connections_and_says_nothing_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.watching.ANSWER_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not broker_answers(f"127.0.0.1:{silent.getsockname()[1]}")


def test_passwords_leave_addresses_and_come_back_where_they_are_needed() -> None:
    full = "http://mirante:s%40cret@db:8123"
    assert without_password(f"up --clickhouse {full} --exit") == "up --clickhouse http://mirante@db:8123 --exit"
    assert with_password("http://mirante@db:8123", full) == full
    assert with_password("http://db:8123", full) == full
    assert with_password("http://other@db:8123", full) == "http://other@db:8123"
    assert with_password("http://mirante@elsewhere:8123", full) == "http://mirante@elsewhere:8123"
