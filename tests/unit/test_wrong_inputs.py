"""Given something that is wrong, when a command is asked, then it says what, what to do, and with which status: no traceback, no
noise of libraries, and nothing started."""

import asyncio
import errno
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.cli.app import main
from deploy.cli.errors import sentence
from deploy.embedded.directory import DataDirectory, Endpoints
from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.processes import ManagedProcess
from deploy.embedded.stack import fetch
from schemas.migrate import migrate
from streams.clickhouse import connect

AWAY = "127.0.0.1:1"
"""Where nobody listens."""

NOISE = re.compile(r"Traceback|\[Errno|HTTPConnectionPool|No handlers|Unable connect|Exception ignored|object at 0x|DB::Exception")


class Row(NamedTuple):
    """What is given, and what must be said."""

    command: str
    said: str
    status: int = 2
    toml: str = ""
    env: Mapping[str, str] | None = None


def toml(text: str, said: str) -> Row:
    """A wrong settings file, as a worker is told of it before it asks any server."""
    return Row("worker --prepare-only", said, toml=text)


def env(name: str, value: str, said: str) -> Row:
    return Row("worker --prepare-only", said, env={name: value})


SETTINGS = [
    toml("partitons = 4", "partitons = 4: there is no such key; did you mean partitions?"),
    toml('partitions = "four"', "partitions = 'four': must be a whole number"),
    toml("partitions = 0", "partitions = 0: must be at least 1"),
    toml("partitions = 1025", "partitions = 1025: must be at most 1024"),
    toml("web_port = 70000", "web_port = 70000: must be at most 65535"),
    toml('topic_prefix = "llm/"', "topic_prefix = 'llm/': may hold letters, digits"),
    toml('since = "2026-01-01T00:00:00"', "since"),
    toml('clickhouse_url = "localhost:8123"', "clickhouse_url = 'localhost:8123': must be http[s]://[USER:PASSWORD@]HOST:PORT"),
    toml('clickhouse_url = "http://h:99999"', "clickhouse_url = 'http://h:99999': must be http[s]://"),
    toml('kafka_bootstrap = "localhost"', "kafka_bootstrap = 'localhost': must be HOST:PORT[,HOST:PORT...]"),
    toml("[join]\ngrac = 1", "join.grac = 1: there is no such key; did you mean grace?"),
    toml("[join]\ngrace = -1", "join.grace = -1: must be at least 0"),
    toml('[kafka]\nsecurity_protocol = "SASL_SLL"', "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL; did you mean SASL_SSL?"),
    toml('[kafka]\nsecurity_protocol = "SASL_SSL"', "kafka.security_protocol: SASL_SSL needs sasl_username and sasl_password"),
    toml('[kafka]\nssl_cafile = "/nowhere/ca.pem"', "kafka.ssl_cafile: there is no file /nowhere/ca.pem"),
    toml("[otlp]\nenable = true", "otlp.enable = true: there is no such key; did you mean enabled?"),
    toml('[ingest]\norigins = ["*"]', "'*' is no origin"),
    toml('[tiers]\nbatch = "half"', "tiers.batch = 'half': must be a number"),
    toml("[tiers]\nbatch = -1.0", "[tiers]: batch must be a finite number, 0 or more"),
    toml('[[budgets]]\nname = "b"\nlimit = -5\nwindow = "day"', "[[budgets]] number 1: limit = -5: must be greater than 0"),
    toml('[[budgets]]\nname = "b"\nlimit = 5\nwindow = "fortnight"', "[[budgets]] number 1: window = 'fortnight'"),
    toml('[[budgets]]\nname = "b"\nlimit = 5\nwindow = "day"\nunits = "usd"', "units = 'usd': there is no such key; did you mean unit?"),
    toml('[[budgets]]\nname = "b"\nlimit = 5\nwindow = "day"\nscope = { featur = "a" }', "scope.featur = 'featur': must be one of tenant"),
    toml('[[budgets]]\nname = "b"\nwindow = "day"', "[[budgets]] number 1: limit: is needed"),
    toml('[[budgets]]\nname = "b"\nlimit = 5\nwindow = "day"\n' * 2, "[[budgets]]: b: name: is used twice"),
    toml("budgets = 3", "budgets = 3: must be a list"),
    toml('[[limits]]\nname = "l"\nby = "usr"\nlimit = 3\nper = "1m"', "by.0 = 'usr': must be one of tenant, feature"),
    toml('[[limits]]\nname = "l"\nby = "user"\nlimit = 3\nper = "1 day"', "[[limits]] number 1: per = '1 day'"),
    toml("[runaway]\ncalls = 1", "runaway.calls = 1: must be at least 10"),
    toml('[[switches]]\non = "BudgetExausted"\naction = "kill"\nscope = "global"', "; did you mean BudgetExhausted?"),
    toml('[[switches]]\non = "ErrorRate"\naction = "stop"\nscope = "global"', "action = 'stop': must be one of kill, throttle"),
    toml('[[switches]]\non = "ErrorRate"\naction = "throttle"\nscope = "global"', 'action = "throttle" needs a limit'),
    toml('[anomaly]\nfalse_alarms = "none"', "anomaly.false_alarms = 'none': must be a number greater than 0 and at most 10"),
    toml("[[slos]]\nlatency = 3", "[[slos]] number 1: latency = 3: there is no such key; did you mean latency_ms?"),
    toml("[[slos]]\nlatency_ms = 100\ntarget = 2.0", "target must lie between 0 and 1"),
    toml("[labels]\nenabeld = true", "labels.enabeld = true: there is no such key; did you mean enabled?"),
    toml('[labels]\nenabled = "yes"', "labels.enabled = 'yes': must be true or false"),
    toml("labels = [1]", "labels = [1]: must be a table"),
    toml("[behaviour]\nsimilarity = 2.0", "behaviour.similarity = 2.0: must be a number greater than 0 and at most 1"),
    toml("[guards]\nattempts = 1", "guards.attempts = 1: must be a whole number at least 2 and at most 200"),
    toml('[drift]\nembedding = "nope:embed"', "embedding nope:embed: No module named 'nope'"),
    toml('[alerts]\npages_per_hour = "x"', "alerts.pages_per_hour = 'x': must be a whole number"),
    toml('[[receivers]]\ntype = "slak"', "type = 'slak': must be one of alertmanager, pagerduty, slack, webhook; did you mean slack?"),
    toml('[[receivers]]\ntype = "slack"', "[[receivers]] number 1: url: is needed"),
    toml('[[receivers]]\ntype = "slack"\nurl = "hooks.slack.com"', "url must be http[s]://HOST"),
    toml('[judge]\nurl = "here"', "[judge]: url must be http[s]://HOST"),
    toml('[[prices]]\nmodel = "x"\ninput = 3', "[[prices]] number 1: input = 3: there is no such key"),
    toml('[[prices]]\nmodel = "x"\ninput_per_mtok = 3', "input_per_mtok and output_per_mtok are both needed"),
    toml("partitions = ", "mirante.toml: Invalid value"),
    env("MIRANTE_PARTITONS", "3", "MIRANTE_PARTITONS = '3': there is no such setting; did you mean MIRANTE_PARTITIONS?"),
    env("MIRANTE_KAFKA_SASL_USERNAME", "me", "did you mean MIRANTE_KAFKA__SASL_USERNAME?"),
    env("MIRANTE_FOO", "bar", "MIRANTE_FOO = 'bar': there is no such setting; unset it"),
    env("MIRANTE_PARTITIONS", "four", "partitions = 'four' (MIRANTE_PARTITIONS): must be a whole number"),
    env("MIRANTE_JOIN__GRACE", "soon", "join.grace = 'soon' (MIRANTE_JOIN__GRACE): must be a number"),
    env("MIRANTE_LABELS", '{"enabeld": true}', "labels.enabeld = true"),
    env("MIRANTE_PRICES", "cheap", "prices (MIRANTE_PRICES): must be JSON"),
    env("MIRANTE_CONFIG", "nowhere.toml", "nowhere.toml: there is no such file; correct MIRANTE_CONFIG or unset it"),
    env("MIRANTE_CONFIG", "/", "/ cannot be read: Is a directory"),
    *(Row(command, "labels.enabeld = true", status, "[labels]\nenabeld = true")
      for command, status in (("up", 2), ("worker", 2), ("worker --prepare-only", 2), ("doctor", 1))),
]  # fmt: skip

COMMAND_LINE = [
    Row("qery", "No such command"),
    Row("query", "the statement is empty"),
    Row("query ''", "the statement is empty"),
    Row("query ' ; '", "the statement is empty"),
    Row("query -- '-- nothing'", "the statement is empty"),
    Row("query 'SELECT 1; SELECT 2'", "these are 2 statements; give one at a time"),
    Row("query --json 'SELECT 1; SELECT 2'", "these are 2 statements; give one at a time"),
    Row("query --json 'SELECT 1 FORMAT CSV'", "FORMAT CSV and --json contradict each other"),
    Row("up --kafka apach", "'apach' is none of embedded, apache, HOST:PORT; did you mean apache?"),
    Row("up --kafka localhost:kafka", "is none of embedded, apache, HOST:PORT"),
    Row("up --clickhouse localhost", "is neither embedded nor http[s]://"),
    Row("up --speed fast", "'fast' is not a speed; use a number above 0"),
    Row("up --traffic nowhere.csv", "'nowhere.csv' is none of demo, none, or a file"),
    Row("up --exit --traffic none", "--exit waits for traffic"),
    Row("up --workers 0", "--workers"),
    Row("up --kafka-port 70000", "--kafka-port"),
    Row("up --kafka-port 5000 --dashboard-port 5000", "two servers cannot have the same port"),
    Row("worker --loglevel LOUD", "'LOUD' is not one of"),
    Row("worker --from yesterday", "--from"),
    Row("worker --wait -1", "--wait"),
    Row("judge --loglevel LOUD", "'LOUD' is not one of"),
    Row("judge --url nope --model m", "[judge]: url must be http[s]://"),
    Row("forward", "there is nobody to forward alerts to"),
    Row("replay nowhere.csv", "does not exist"),
    Row("replay --format nope /etc/hostname", "'nope' is none of azure-llm, mooncake, vidur, events"),
    Row("replay --speed fast /etc/hostname", "'fast' is not a speed"),
    Row("replay --shift later /etc/hostname", "'later' is neither now nor a time such as"),
    Row("alerts --since soon", "'soon' is not a duration"),
    Row("silence --for 2h", "a silence needs at least one label=value"),
    Row("silence feature --for 2h", "'feature' is not of the form label=value"),
    Row("silence feature=a", "say how long, such as 2h"),
    Row("silence feature=a --for long", "'long' is not a duration"),
    Row("kill nope --reason x", "'nope' is not a scope; write global or one of tenant:NAME"),
    Row("kill feature:a", "Missing option '--reason'"),
    Row("kill feature:a --reason ' '", "say why, others will ask"),
    Row("kill feature:a --reason x --expires later", "'later' is not a duration"),
    Row("drift accept --feature a --reason ''", "say why, others will ask"),
    Row("trace", "name one thing: RESPONSE_ID"),
    Row("export sft --out out --splits half", "write names with shares that add up to 1"),
    Row("export sft --out out --since yesterday", "is not a moment such as"),
    Row("checklist --hours 0", "--hours"),
    Row("deadletter list --limit 0", "--limit"),
    Row("ingest --host 0.0.0.0 --port 0", "it needs a token: set MIRANTE_INGEST__TOKEN"),
]

NO_STACK = "holds no data of a stack; run 'mirante up' first"
NOWHERE = {"MIRANTE_KAFKA_BOOTSTRAP": AWAY, "MIRANTE_CLICKHOUSE_URL": f"http://{AWAY}"}
NO_BROKER = f"no Kafka broker at {AWAY} took the record (it cannot be reached)"
NO_CLICKHOUSE = f"no ClickHouse answered at http://{AWAY} (Connection refused); check MIRANTE_CLICKHOUSE_URL"

SERVERS_AWAY = [
    *(Row(command, NO_STACK, 1) for command in (
        "query 'SELECT 1'", "alerts", "alerts --follow", "deadletter list", "deadletter replay", "trace r", "checklist", "controls",
        "judge agreement", "export sft --out out", "doctor --prices",
    )),
    Row("doctor", "no stack runs on .mirante, and no server is named or answers here", 1),
    *(Row(command, NO_CLICKHOUSE, 1, env=NOWHERE) for command in ("query 'SELECT 1'", "alerts", "deadletter list", "trace r")),
    Row(f"query --url http://{AWAY} 'SELECT 1'", NO_CLICKHOUSE, 1),
    Row("query --url me:secret@host 'SELECT 1'", "this is not a ClickHouse address (host)", 1),
    *(Row(command, NO_BROKER, 1, env=NOWHERE) for command in (
        "kill feature:a --reason x", "silence feature=a --for 2h", "drift accept --feature a --reason x",
    )),
    Row("controls", f"no Kafka broker at {AWAY} gave llm.controls", 1, env=NOWHERE),
    Row("worker --wait 0", f"no Kafka broker answered at {AWAY} within 0 s (it cannot be reached)", 1, env=NOWHERE),
    Row("worker --prepare-only --wait 0", f"no Kafka broker answered at {AWAY}", 1, env=NOWHERE),
    Row("up --data /etc/hostname", "/etc/hostname is there already, and is no directory", 1),
    Row("up --data /proc/mirante", "there is no /proc/mirante; check the path", 1),
]  # fmt: skip


def told(row: Row, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The status and the words of a command, in one line without the frame that usage errors have."""
    import shlex

    monkeypatch.setattr(sys, "argv", ["mirante", *shlex.split(row.command)])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capfd.readouterr()
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", captured.out + captured.err).split())
    assert not NOISE.search(text), text
    return int(ended.value.code or 0), text


@pytest.fixture(autouse=True)
def nothing_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no settings but the test's own."""
    for name in [name for name in os.environ if name.startswith("MIRANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERMINAL_WIDTH", "400")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)  # main() silences it


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=(row.toml or str(row.env or "") or row.command)[:60]) for row in (*SETTINGS, *COMMAND_LINE, *SERVERS_AWAY)],
)
def test_what_is_wrong_is_told(row: Row, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirante.toml").write_text(row.toml)
    for name, value in (row.env or {}).items():
        monkeypatch.setenv(name, value)
    status, text = told(row, capfd, monkeypatch)
    assert row.said in text
    assert status == row.status
    assert {path.name for path in Path().iterdir()} == {"mirante.toml"}, "nothing was started"


def test_there_are_at_least_eighty_rows() -> None:
    assert len({*map(str, (*SETTINGS, *COMMAND_LINE, *SERVERS_AWAY))}) >= 80


def test_all_mistakes_are_told_at_once_and_no_secret(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirante.toml").write_text(
        'partitons = 4\nreplication = 0\n[kafka]\nsasl_pasword = "hunter2"\n[labels]\nenabeld = true\n'
        '[[receivers]]\ntype = "slack"\nurls = "https://hooks.example.com/hunter2"\n'
    )
    monkeypatch.setenv("MIRANTE_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("MIRANTE_CLICKHOUSE_URL", "htp://me:hunter2@host:8123")
    _, text = told(Row("worker", ""), capfd, monkeypatch)
    for name in ("partitons", "replication", "sasl_pasword", "enabeld", "urls", "MIRANTE_KAFKA_SASL_PASSWORD", "clickhouse_url"):
        assert name in text
    assert "hunter2" not in text


def test_what_kubernetes_says_of_a_service_is_no_mistake(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "MIRANTE_SERVICE_HOST": "10.0.0.1", "MIRANTE_PORT": "tcp://10.0.0.1:6066", "MIRANTE_PORT_6066_TCP_ADDR": "10.0.0.1",
        "MIRANTE_ENDPOINT": "http://ingest:4319", **NOWHERE,
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert "no Kafka broker answered" in told(Row("worker --wait 0", ""), capfd, monkeypatch)[1]


def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        for option in ("kafka", "clickhouse", "dashboard", "ingest"):
            status, text = told(Row(f"up --data {option} --{option}-port {port}", ""), capfd, monkeypatch)
            assert f"port {port} on 127.0.0.1" in text and "is in use: stop what holds it or choose another port" in text
            assert status == 1
            assert not list(Path(option, "logs").iterdir()), "nothing was started"


@pytest.mark.parametrize("command", ["schema", "--help"])
def test_a_disk_that_is_full(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "deploy.cli", command], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert "no space is left on the device; free some, or choose another place" in " ".join(ended.stderr.split())
    assert not NOISE.search(ended.stderr)
    assert ended.returncode == 1


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EEXIST, errno.ENOTDIR, errno.EISDIR])
def test_an_error_of_the_system_says_where_and_what_next(number: int) -> None:
    text = sentence(OSError(number, os.strerror(number), "/data/lock"))
    assert "/data/lock" in text and ";" in text and "Errno" not in text


ROWS = (
    "INSERT INTO mirante.alerts_data (alert_id, version, fingerprint, name, severity, status, starts_at, updated_at, labels)"
    " VALUES ('a1', 1, 'f1', 'ErrorRate', 'page', 'firing', '2026-01-31 12:00:00', '2026-01-31 12:00:00', {'feature': 'search'})",
    "INSERT INTO mirante.deadletter_data (source, topic, partition, offset, time, stage, reason, value)"
    " VALUES ('c', 'llm.requests', 0, 7, '2026-01-31 12:00:00', 'decode', 'no JSON', 'e30=')",
    "INSERT INTO mirante.controls_data (cluster, topic, partition, offset, status, time, scope, action, reason)"
    " VALUES ('c', 'llm.controls', 0, 3, 'recorded', '2026-01-31 12:00:00', 'feature:search', 'kill', 'too dear')",
)


class TestAStackThatHasStopped:
    """Given the data of one, when any command asks, then it reads them as `query` does."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("stopped")
        port = free_port()
        with DataDirectory(path) as directory:
            server = ManagedProcess(
                "clickhouse",
                [sys.executable, "-m", "deploy.embedded.clickhouse", "--path", str(directory.clickhouse), "--port", str(port)],
                log_dir=directory.logs,
                ready=lambda: asyncio.to_thread(lambda: fetch(f"http://{LOOPBACK}:{port}/ping") is not None),
            )
            asyncio.run(server.start())
            client = connect(f"http://{LOOPBACK}:{port}")
            migrate(client)
            for statement in ROWS:
                client.command(statement)
            client.close()
            asyncio.run(server.stop())
        return path

    @pytest.mark.parametrize(
        ("command", "said", "status"),
        [
            ("query 'SELECT name FROM alerts'", "ErrorRate", 0),
            ("query 'SELECT 1 AS a, 2 AS b FORMAT CSVWithNames'", '"a","b" 1,2', 0),
            ("query 'SELEC'", "SELEC", 1),
            ("query 'SELECT * FROM nothing'", "nothing", 1),
            ("alerts --all", "ErrorRate", 0),
            ("alerts --name Eror*", "no alert is called 'Eror*'; similar: ErrorRate", 0),
            ("alerts --follow", "has stopped: nothing will follow until `mirante up` runs on it again", 1),
            ("deadletter list", "no JSON", 0),
            ("deadletter list --topic llm.request", "no dead letter of a topic 'llm.request' was ever seen; similar: llm.requests", 0),
            ("controls", "feature:search", 0),
            ("trace nobody", "no interaction has response_id 'nobody'", 1),
            ("doctor --prices", "Every call of the last seven days has a whole price.", 0),
            ("judge agreement", "judges and users", 0),
        ],
    )
    def test_is_read(
        self, data: Path, command: str, said: str, status: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended, text = told(Row(f"{command} --data {data}", said), capfd, monkeypatch)
        assert said in text
        assert ended == status

    def test_what_is_followed_ends_with_the_stack(
        self, data: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from deploy.cli import alerts

        async def follow() -> None:
            with DataDirectory(data) as directory:
                directory.publish(Endpoints(kafka=AWAY, clickhouse=f"http://{AWAY}"))
                following = asyncio.ensure_future(alerts._follow(data, None, True, {}, 0.0))
                await asyncio.sleep(0)
            await asyncio.wait_for(following, 5)

        with pytest.raises(OSError, match="has stopped; `mirante alerts --data"):
            asyncio.run(follow())
