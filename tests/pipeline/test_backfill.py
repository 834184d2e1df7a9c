"""`mirante worker --from`: reprocessing what Kafka still holds gives the rows there are, and gives them back when they are lost."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.broker_api import Broker
from deploy.embedded.ports import free_port
from tests.installation import Installation
from tests.pipeline.test_faithful_replay import PUBLIC, recorded, settled_tables

TABLES = {name: sql for name, sql in PUBLIC.items() if name != "deadletter"}
"""Orphans are the live run's to report."""


def backfill(mirante: Installation, since: datetime) -> str:
    command = [sys.executable, "-m", "deploy.cli", "worker", "--from", f"{since:%Y-%m-%dT%H:%M:%SZ}"]
    done = subprocess.run(command, env=mirante.environment(free_port()), capture_output=True, text=True, timeout=120)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "backfill: complete" in output
    return output


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_reprocessing_from_a_moment_doubles_nothing_and_restores_what_was_lost(broker: Broker, tmp_path: Path) -> None:
    records = recorded()
    begun = datetime.now(UTC)
    with Installation(broker.bootstrap, tmp_path, segment_requests="64") as mirante:
        # Given traffic in two halves, processed
        mirante.publish(records[: len(records) // 2])
        time.sleep(2)
        moment = datetime.now(UTC)
        mirante.publish(records[len(records) // 2 :])
        settled_tables(mirante)
        before = {name: mirante.query(sql) for name, sql in TABLES.items()}
        # When the second half is reprocessed beside the live worker
        backfill(mirante, moment)
        # Then the public tables are as they were
        assert {name: mirante.query(sql) for name, sql in TABLES.items()} == before
        # And when the tables are lost and everything is reprocessed
        for table in ("interactions_data", "feedback_data", "cost_parts"):
            mirante.query(f"TRUNCATE TABLE mirante.{table}")
        backfill(mirante, begun.replace(year=begun.year - 1))
        # Then they are what they were
        after = {name: mirante.query(sql) for name, sql in TABLES.items()}
        for name in TABLES:
            assert after[name] == before[name], name
