"""A cluster that asks for TLS and a password: everything that speaks to Kafka does so as the settings say."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.stack import Stack, StackOptions
from deploy.kafka import runtime
from deploy.kafka.apache import ApacheKafka
from deploy.traffic.publisher import MAX_SPEED, publish
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.load import Load

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(runtime.missing() is not None, reason=str(runtime.missing())),
    pytest.mark.skipif(os.environ.get("MIRANTE_TEST_KAFKA") != "apache", reason="only with Apache Kafka"),
]

USER, PASSWORD, STORE_PASSWORD = "mirante", "correct-horse", "changeit"
PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class SecuredKafka(ApacheKafka):
    """A node with a second listener that wants TLS and SASL/PLAIN."""

    def __init__(self, folder: Path) -> None:
        self.secured = f"{LOOPBACK}:{free_port()}"
        self.certificate, self._store = folder / "server.pem", folder / "server.p12"
        super().__init__(data_dir=folder / "kafka", log_dir=folder / "logs")

    async def start(self) -> None:
        keytool = Path(await runtime.java()).parent / "keytool"
        common = ["-keystore", self._store, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-alias", "server"]
        made = ["-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "2"]
        for command in (["-genkeypair", *common, *made], ["-exportcert", "-rfc", *common, "-file", self.certificate]):
            await asyncio.to_thread(subprocess.run, [keytool, *command], check=True, capture_output=True)
        await super().start()

    def _config(self, number: int) -> dict[str, str | int]:
        config = super()._config(number)
        listener = "listener.name.secured"
        return config | {
            "listeners": f"{config['listeners']},SECURED://{self.secured}",
            "advertised.listeners": f"{config['advertised.listeners']},SECURED://{self.secured}",
            "listener.security.protocol.map": f"{config['listener.security.protocol.map']},SECURED:SASL_SSL",
            f"{listener}.sasl.enabled.mechanisms": "PLAIN",
            f"{listener}.plain.sasl.jaas.config": f'{PLAIN_LOGIN} required user_{USER}="{PASSWORD}";',
            f"{listener}.ssl.keystore.type": "PKCS12",
            f"{listener}.ssl.keystore.location": str(self._store),
            f"{listener}.ssl.keystore.password": STORE_PASSWORD,
            f"{listener}.ssl.key.password": STORE_PASSWORD,
        }


def security(kafka: SecuredKafka, **changed: Any) -> dict[str, Any]:
    wanted = {"security_protocol": "SASL_SSL", "sasl_username": USER, "sasl_password": PASSWORD, "ssl_cafile": str(kafka.certificate)}
    return wanted | changed


def doctor(kafka: SecuredKafka, clickhouse: str, **changed: Any) -> dict[str, dict[str, str]]:
    """What `mirante doctor` finds, by check."""
    env = {
        **os.environ,
        "MIRANTE_KAFKA_BOOTSTRAP": kafka.secured,
        "MIRANTE_KAFKA": json.dumps(security(kafka, **changed)),
        "MIRANTE_CLICKHOUSE_URL": clickhouse,
    }
    command = [sys.executable, "-m", "deploy.cli", "doctor", "--json", "--data", str(kafka.certificate.parent / "no-stack")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return {finding["check"]: finding for finding in json.loads(done.stdout)}


@pytest.mark.timeout(240)
async def test_events_flow_over_tls_with_a_password_and_a_wrong_one_is_explained(tmp_path: Path) -> None:
    async with SecuredKafka(tmp_path) as kafka:
        options = StackOptions(tmp_path / "data", kafka=kafka.secured, settings={"kafka": security(kafka), "session_timeout": "6"})
        async with Stack(options, lambda text: None) as stack:
            # Given a load published over the secured listener
            load = Load(pairs=500, run="secured", start_us=int(time.time() * 1e6), rate=500.0)
            await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
            # Then the worker, which has nothing else to speak to, stores all of it
            client = connect(stack.settings.clickhouse_url)
            sql = "SELECT count(), sum(input_tokens) FROM mirante.interactions WHERE outcome = 'ok'"
            deadline = time.monotonic() + 60
            while (found := client.query(sql).result_rows[0]) != (500, load.totals().input_tokens):
                assert time.monotonic() < deadline, found
                await asyncio.sleep(0.3)
            # And the doctor is content, or says what is wrong
            url = stack.settings.clickhouse_url
            assert (await asyncio.to_thread(doctor, kafka, url))["broker"]["state"] == "ok"
            refused = (await asyncio.to_thread(doctor, kafka, url, sasl_password="wrong"))["broker"]
            assert refused["state"] == "error"
            assert "SASL_PASSWORD" in refused["detail"]
            distrusted = (await asyncio.to_thread(doctor, kafka, url, ssl_cafile=None))["broker"]
            assert distrusted["state"] == "error"
            assert "SSL_CAFILE" in distrusted["detail"]
