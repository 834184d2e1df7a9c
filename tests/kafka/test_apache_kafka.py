"""Apache Kafka from its jars: one node that keeps its data, three nodes of which one may die."""

import os
import shutil
from pathlib import Path

import pytest

from deploy.embedded.broker_api import cluster_metadata
from deploy.embedded.processes import ProcessFailed
from deploy.kafka import runtime
from deploy.kafka.apache import ApacheKafka
from tests.kafka_clients import consume, create_topic, produce, values

pytestmark = pytest.mark.asyncio
needs_kafka = pytest.mark.skipif(runtime.missing() is not None, reason=str(runtime.missing()))

THREE = [b"a", b"b", b"c"]


@needs_kafka
class TestOneNode:
    async def test_a_restart_keeps_records_offsets_address_and_identity(self, tmp_path: Path) -> None:
        async with ApacheKafka(data_dir=tmp_path / "data", log_dir=tmp_path / "logs") as kafka:
            address, cluster_id = kafka.bootstrap, kafka.cluster_id
            await create_topic(address, "events")
            await produce(address, "events", THREE)
            assert values(await consume(address, "events", 2, group_id="g", max_poll_records=2)) == THREE[:2]

        async with ApacheKafka(data_dir=tmp_path / "data", log_dir=tmp_path / "logs") as kafka:
            assert (kafka.bootstrap, kafka.cluster_id) == (address, cluster_id)
            assert (await cluster_metadata(address)).cluster_id == cluster_id
            assert values(await consume(address, "events", 1, group_id="g")) == THREE[2:]
            assert await produce(address, "events", [b"d"]) == [3]

            await kafka.kill_node(1)
            await kafka.start_node(1)
            assert values(await consume(address, "events", 4)) == [*THREE, b"d"]
        assert kafka.pids == {}


@needs_kafka
@pytest.mark.slow
class TestThreeNodes:
    async def test_one_of_three_is_killed_and_records_go_on(self, tmp_path: Path) -> None:
        async with ApacheKafka(data_dir=tmp_path / "data", log_dir=tmp_path / "logs", nodes=3, heap_mb=384) as kafka:
            assert (await cluster_metadata(kafka.bootstrap)).brokers == 3
            await create_topic(kafka.bootstrap, "events", partitions=3, replicas=3)
            await produce(kafka.bootstrap, "events", THREE)
            await kafka.kill_node(1)
            await produce(kafka.bootstrap, "events", [b"d"])
            assert values(await consume(kafka.bootstrap, "events", 4, group_id="g")) == [*THREE, b"d"]

            await kafka.start_node(1)
            assert (await cluster_metadata(kafka.bootstrap)).brokers == 3
            await produce(kafka.bootstrap, "events", [b"e"])
            assert values(await consume(kafka.bootstrap, "events", 5)) == [*THREE, b"d", b"e"]


class TestWhatIsMissing:
    async def test_no_java(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        with pytest.raises(runtime.KafkaUnavailable, match="needs Java: install a Java runtime, 17 or later"):
            await ApacheKafka(data_dir=tmp_path / "data", log_dir=tmp_path / "logs").start()
        assert (runtime.missing() or "").startswith("Java is missing: install")

    async def test_java_that_is_too_old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._program(tmp_path, "java", 'echo \'openjdk version "1.8.0_402"\' >&2')
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("JAVA_HOME", raising=False)
        with pytest.raises(runtime.KafkaUnavailable, match=r"needs Java 17, .*/java is Java 8"):
            await runtime.java()

    async def test_neither_jars_nor_maven(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._program(tmp_path, "java", 'echo \'openjdk version "21.0.1"\' >&2')
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "kafka"))
        with pytest.raises(runtime.KafkaUnavailable, match="Maven is missing: install Maven"):
            await runtime.ensure_jars()
        assert (runtime.missing() or "").startswith("Maven is missing: install")

    async def test_a_failed_download_leaves_nothing_and_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._program(tmp_path, "mvn", "echo 'Could not transfer artifact'; exit 1")
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        home = tmp_path / "cache" / "kafka"
        monkeypatch.setenv(runtime.HOME_VARIABLE, str(home))
        lines: list[str] = []
        with pytest.raises(ProcessFailed, match=r"(?s)Could not transfer artifact.*Check the network"):
            await runtime.ensure_jars(lines.append)
        assert "Downloading Apache Kafka" in lines[0]
        assert [path.name for path in home.parent.iterdir()] == ["kafka.lock"]

    @staticmethod
    def _program(folder: Path, name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        path.chmod(0o755)


async def test_a_directory_keeps_its_number_of_nodes(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"cluster_id": "x", "ports": [1], "controller_ports": [2]}')
    with pytest.raises(ValueError, match="holds a cluster of 1 nodes, not 3"):
        ApacheKafka(data_dir=tmp_path, log_dir=tmp_path, nodes=3)
