"""docker-compose.yml: valid to Compose (where it is installed), local to the machine, and in step with what it uses."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from streams.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
SERVICES = {"kafka", "clickhouse", "init", "worker", "ingest", "dashboard", "demo"}
MONITORING = {"prometheus", "alertmanager", "grafana"}


EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
PASSWORDS = re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE)


def compose() -> list[str] | None:
    """The command of Compose: the plugin, the program, or none."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


class TestCompose:
    def test_accepts_the_file(self) -> None:
        command = compose()
        if command is None:
            pytest.skip("neither `docker compose` nor `docker-compose` is installed")
        environment = {**os.environ, **dict.fromkeys(PASSWORDS, "x")}
        for options in ([], ["--profile", "demo"], ["--profile", "monitoring"]):
            config = subprocess.run([*command, *options, "config"], cwd=ROOT, capture_output=True, text=True, env=environment)
            assert config.returncode == 0, config.stderr
        profiles = ("--profile", "demo", "--profile", "monitoring")
        services = subprocess.run([*command, *profiles, "config", "--services"], cwd=ROOT, capture_output=True, text=True, env=environment)
        assert set(services.stdout.split()) == SERVICES | MONITORING


class TestFile:
    def test_ports_are_those_of_this_machine_only(self) -> None:
        ports = re.findall(r'^      - "([^"]*:\d+)"$', TEXT, re.MULTILINE)
        assert len(ports) == 8
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []

    def test_settings_exist(self) -> None:
        names = {name.lower() for name in re.findall(r"^ +MIRANTE_(\w+):", TEXT, re.MULTILINE)}
        assert names >= {"kafka_bootstrap", "clickhouse_url"}
        assert names <= {*Settings.model_fields, "dashboard_token", "ingest__token", "otlp__enabled"}

    def test_every_password_is_asked_for_and_none_has_a_default(self) -> None:
        secret = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN)\w*)(:\?[^}]*)?", TEXT)
        assert {name for name, _ in secret} == set(PASSWORDS)
        assert {name for name, asked in secret if not asked} == set(), "a password that Compose does not ask for"
        assert re.findall(r"^\w+=.+", EXAMPLE, re.MULTILINE) == [], "the example holds no password that somebody could keep"
        assert ".env" in (ROOT / ".gitignore").read_text("utf-8").split()

    def test_opentelemetry_that_the_ingest_takes_is_read(self) -> None:
        assert '    MIRANTE_OTLP__ENABLED: "true"\n' in TEXT.partition("services:")[0]

    def test_it_runs_the_kafka_that_tests_run_on(self) -> None:
        version = ElementTree.parse(ROOT / "deploy/kafka/pom.xml").findtext(".//{*}kafka.version")
        assert f"image: apache/kafka:{version}\n" in TEXT

    def test_files_it_mounts_exist(self) -> None:
        mounted = re.findall(r"^      - (\./[^:]+):", TEXT, re.MULTILINE)
        assert mounted
        for path in mounted:
            assert (ROOT / path).exists(), path

    def test_images_are_pinned(self) -> None:
        images = re.findall(r"^ +image: (\S+)", TEXT, re.MULTILINE)
        assert {image for image in images if ":" not in image} == {"mirante"}
        assert not any(image.endswith(":latest") for image in images)


class TestClickHouse:
    def test_logs_it_keeps_have_an_end(self) -> None:
        root = ElementTree.parse(ROOT / "deploy/clickhouse/config.d/system-logs.xml").getroot()
        assert root.tag == "clickhouse"
        for log in root:
            kept = log.findtext("ttl", "").startswith("event_date + INTERVAL ")
            assert kept != (log.get("remove") == "1"), log.tag


    def test_the_reader_reads_the_tables_within_limits_and_no_more(self) -> None:
        root = ElementTree.parse(ROOT / "deploy/clickhouse/users.d/reader.xml").getroot()
        assert [query.text for query in root.findall("users/reader/grants/query")] == ["GRANT SELECT ON mirante.*"]
        assert root.find("users/reader/password").attrib == {"from_env": "CLICKHOUSE_READER_PASSWORD"}  # type: ignore[union-attr]
        limits = {limit.tag for limit in root.find("profiles/reader/constraints") or ()}
        assert limits >= {"max_memory_usage", "max_execution_time"}
        assert root.findtext("profiles/reader/readonly") == "2"


class TestImage:
    DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")

    def test_the_last_stage_is_no_root_and_healthy_by_its_own_word(self) -> None:
        last = self.DOCKERFILE[self.DOCKERFILE.rindex("\nFROM ") :]
        assert re.search(r"^USER (?!0|root)\S+$", last, re.MULTILINE)
        assert "/health" in last
        assert 'ENTRYPOINT ["mirante"]\nCMD ["worker"]' in last
        assert "pip install" not in last
        assert "apt" not in last

    def test_the_context_holds_what_the_build_needs(self) -> None:
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line.startswith("!")}
        assert allowed == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "schemas", "streams", "agents", "deploy"}
